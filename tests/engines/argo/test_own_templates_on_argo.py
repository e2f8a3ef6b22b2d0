"""Templates of a WorkflowTemplate's, called as tasks, on a real Argo: values, failures, branches, loops, lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import owned
import pytest

from drawloom import DrawloomError
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.run import Run
from drawloom.compilers.base import compiler_of
from drawloom.dsl.tracing import trace
from drawloom.runtimes.argo import submit
from drawloom.runtimes.argo_nodes import node_pods, nodes_of

LONGEST_SECONDS = 600.0
pytestmark = pytest.mark.timeout(LONGEST_SECONDS + 60)
KIND = {"group": "argoproj.io", "version": "v1alpha1", "plural": "workflowtemplates"}
HOSTILE = ["", "y", "1e-7", "${HOME} $(id)", "a\nb\n", "'\"`\\", "}} {", "{{", "☃😀", "%s {0}", "-- x", "\t lead "]


@pytest.fixture(scope="session")
def templates(facts: dict[str, Any], api: Any) -> None:
    """The WorkflowTemplate that the pipelines name."""
    from kubernetes.client.exceptions import ApiException

    body = owned.templates(facts["images"]["python"])
    try:
        api.create_namespaced_custom_object(namespace=facts["namespace"], body=body, **KIND)
    except ApiException as error:
        if error.status != 409:
            raise
        api.patch_namespaced_custom_object(namespace=facts["namespace"], name=owned.NAME, body=body, **KIND)


@pytest.fixture
def run_it(
    facts: dict[str, Any], lake: dict[str, str], api: Any, wait_for: Any, templates: None, tmp_path: Path
) -> Any:
    """Compiles a pipeline, submits it and waits for its end."""

    def run(pipeline: Any, **params: Any) -> Run:
        store = f"s3://{facts['s3']['bucket']}/{uuid4().hex[:12]}"
        folder = tmp_path / uuid4().hex[:8]
        options = {"image": facts["images"]["python"], "service_account": facts["service_account"]}
        program = trace(pipeline, {}).program
        root = str(Path(__file__).parent / "flows")
        compiler_of("argo").compile(program, store=store, env=lake, root=root, **options).write(folder)
        catalog = Catalog.open(store)
        encoded = {name: catalog.values.encode(value) for name, value in params.items()}
        submitted = submit(folder, encoded, catalog, api=api, namespace=facts["namespace"])
        finished: Run = wait_for(submitted, catalog, LONGEST_SECONDS)
        return finished

    return run


def _states(run: Run) -> dict[str, str]:
    return {node.id: node.state for node in run.nodes()}


def test_texts_arrive_unchanged_and_what_argo_would_read_is_refused(run_it: Any) -> None:
    texts = [text for text in HOSTILE if "{{" not in text]
    assert run_it(owned.texts, texts=texts).result == [2 * text for text in texts]
    refused = run_it(owned.texts, texts=["{{workflow.name}}"])
    assert refused.state == "failed"
    assert "R564" in refused.details.failure.info.message


def test_the_pods_of_a_template_are_found_by_the_node(
    facts: dict[str, Any], api: Any, run_it: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kubernetes import client

    seen: list[tuple[set[str], set[str]]] = []

    def look(namespace: str, name: str, **where: Any) -> None:
        workflow = api.get_namespaced_custom_object(namespace=namespace, name=name, **where)
        selector = f"workflows.argoproj.io/workflow={name}"
        pods = client.CoreV1Api().list_namespaced_pod(namespace, label_selector=selector).items
        found = node_pods(nodes_of(workflow["status"]), name, "measure", ())
        seen.append(({pod for _, pod, _ in found}, {pod.metadata.name for pod in pods}))

    monkeypatch.setattr(api, "delete_namespaced_custom_object", look)  # where the others remove it
    run_it(owned.kinds, text="abc", numbers=[1])
    ((found, there),) = seen
    assert len(found) == 3
    assert found < there


def test_numbers_lists_truth_values_and_fields(run_it: Any) -> None:
    run = run_it(owned.kinds, text="abc {{", numbers=[1, 2, 39])
    assert "R564" in run.details.failure.info.message
    run = run_it(owned.kinds, text="abc", numbers=[1, 2, 39])
    assert run.result == "3 [('flag', True), ('sum', 42)]"
    assert _states(run) == {"measure": "succeeded", "described": "succeeded"}


def test_braces_within_a_list_arrive_unchanged(run_it: Any) -> None:
    assert run_it(owned.listed, texts=["{{workflow.name}}", "☃"]).result == "{{workflow.name}} ☃"


def test_a_failure_is_handled_as_any_other(run_it: Any) -> None:
    first, second = run_it(owned.handled, codes=[0, 3]).result
    assert first == "endedended"
    assert second.startswith("error[R565] what the engine ran for task `owned:ending` ended as Failed")


def test_branches_and_loops(run_it: Any) -> None:
    assert run_it(owned.chosen, n=1).result == 1
    assert run_it(owned.chosen, n=5).result == 8


def test_a_failure_fails_the_run_and_what_comes_after_is_skipped(run_it: Any) -> None:
    run = run_it(owned.failing, code=3)
    assert (run.state, _states(run)) == ("failed", {"pausing": "succeeded", "ending": "failed", "length": "skipped"})
    assert "R565" in run.details.failure.info.message


def test_what_has_failed_before_keeps_the_template_from_running(run_it: Any) -> None:
    run = run_it(owned.behind, text="bad")
    assert (run.state, _states(run)) == ("failed", {"fall": "failed", "twice": "skipped"})


def test_what_a_template_gives_is_held_to_the_declared_type(run_it: Any) -> None:
    run = run_it(owned.no_number)
    assert "'many' for `result`, which is no int" in run.details.failure.info.message


def test_a_template_that_is_not_there_is_told_of(run_it: Any) -> None:
    with pytest.raises(DrawloomError) as refused:
        run_it(owned.nowhere, text="a")
    assert "nowhere" in str(refused.value)
