"""What flows over an edge whose type isn't known before the run is checked when it arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from drawloom import api, pipeline, task
from drawloom.errors import RunFailed


@task
def untyped(n: int):  # type: ignore[no-untyped-def]  # the subject of this test
    return "text" if n else 7


@task
def double(n: int) -> int:
    return 2 * n


@pipeline
def doubled(n: int) -> int:
    return double(untyped(n))


def test_a_value_of_the_wrong_type_fails_the_node_it_reaches(tmp_path: Path) -> None:
    run = api.run(doubled, {"n": 1}, catalog=tmp_path)
    with pytest.raises(RunFailed) as failed:
        _ = run.result
    assert str(failed.value.__cause__) == (
        f"error[R521] input `n` of task `{__name__}:double` needs int: expected int, got str\n"
        "  fix    make the task before it return what this one needs, and annotate what it returns"
    )
    assert [(node.id, node.state) for node in run.nodes()] == [("untyped", "succeeded"), ("double", "failed")]


def test_a_value_of_the_right_type_passes(tmp_path: Path) -> None:
    assert api.run(doubled, {"n": 0}, catalog=tmp_path).result == 14
