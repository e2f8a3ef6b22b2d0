"""Containers on a real Argo: the image of the steps stands for a user's, it has a shell. The outcome is what the stages give."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

PROGRAMS = Path(__file__).parents[1] / "containers" / "programs"
sys.path[:0] = [path for path in (str(PROGRAMS),) if path not in sys.path]

from drawloom.catalog.catalog import Catalog  # noqa: E402
from drawloom.catalog.run import Run  # noqa: E402
from drawloom.compilers.base import compiler_of  # noqa: E402
from drawloom.dsl.tracing import trace  # noqa: E402
from drawloom.runtimes.argo import submit  # noqa: E402

LONGEST_SECONDS = 600.0
pytestmark = pytest.mark.timeout(LONGEST_SECONDS + 60)


@pytest.fixture
def boxes(facts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The programs, with an image that the cluster has."""
    monkeypatch.setenv("TEST_IMAGE", facts["images"]["python"])
    sys.modules.pop("boxes", None)
    import boxes

    return boxes


@pytest.fixture
def run_it(facts: dict[str, Any], lake: dict[str, str], api: Any, wait_for: Any, tmp_path: Path) -> Any:
    """Compiles a pipeline, submits it and waits for its end."""

    def run(pipeline: Any, store: str = "", **params: Any) -> Run:
        store = store or f"s3://{facts['s3']['bucket']}/{uuid4().hex[:12]}"
        folder = tmp_path / uuid4().hex[:8]
        options = {"image": facts["images"]["python"], "service_account": facts["service_account"]}
        program = trace(pipeline, {}).program
        compiler_of("argo").compile(program, store=store, env=lake, root=str(PROGRAMS), **options).write(folder)
        catalog = Catalog.open(store)
        encoded = {name: catalog.values.encode(value) for name, value in params.items()}
        submitted = submit(folder, encoded, catalog, api=api, namespace=facts["namespace"])
        finished: Run = wait_for(submitted, catalog, LONGEST_SECONDS)
        return finished

    return run


def test_hostile_texts_arrive_unchanged(run_it: Any, boxes: Any) -> None:
    assert run_it(boxes.hostile, texts=boxes.HOSTILE).result == [2 * text for text in boxes.HOSTILE]


def test_files_numbers_json_and_variables(run_it: Any, boxes: Any) -> None:
    found = run_it(boxes.files, text="one {{x}}\ntwo\n").result
    assert found == ("one {{x}}\n", 2, 0.25, True, ["a", "☃"], ["inner", "new-a.txt"])
    described, named, spoken = run_it(boxes.kinds, number=-3, ratio=1e-7, flag=True, text="{{x}} 'q'\n").result
    assert described == "number=-3|1e-07|true|{{x}} 'q'"
    assert (named.text, named.tags) == ("[-3, 2]null", {"a": -3})
    assert spoken == "it's {{x}} r"


def test_failures_are_committed_contained_and_retried(run_it: Any, boxes: Any) -> None:
    failed = run_it(boxes.failing, code=3)
    assert failed.state == "failed"
    assert failed.details.failure.info.type == "drawloom.errors:NodeFailed"
    assert "exit code 3, having written:\n    ends with 3" in failed.details.failure.info.message
    assert failed.logs("ending") == "ends with 3\n"
    assert run_it(boxes.handled, codes=[0, 1, 76]).result == [7, -1, -1]
    again = run_it(boxes.again, code=9)
    assert again.commits()["flaky", ()].attempt == 3


def test_a_time_limit_and_a_missing_result(run_it: Any, boxes: Any) -> None:
    assert run_it(boxes.late, seconds=300).details.failure.info.type == "timeout"
    assert "R561" in run_it(boxes.left, text="").details.failure.info.message


def test_what_is_cached_runs_nothing(run_it: Any, boxes: Any, facts: dict[str, Any]) -> None:
    store = f"s3://{facts['s3']['bucket']}/{uuid4().hex[:12]}"
    assert run_it(boxes.twice, store, text="a").counts["succeeded"] == 1
    again = run_it(boxes.twice, store, text="a")
    assert (again.result, again.counts["cached"]) == ("a", 1)
