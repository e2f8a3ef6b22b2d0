"""What the status of a Workflow tells of node instances, of its pods and of their names."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from drawloom.runtimes.argo_nodes import NodeWatch, held_pods, node_pods, nodes_of, pod_name
from drawloom.runtimes.engines import Observed


def _pod(step: str, index: str = "-", **more: Any) -> dict[str, Any]:
    given = [{"name": "run", "value": "r.0"}, {"name": "step", "value": step}, {"name": "index", "value": index}]
    made = {"id": f"w-{step}", "name": f"w.{step}(0)", "displayName": f"{step}(0)", "type": "Pod", "phase": "Failed"}
    return {**made, "templateName": "step", "inputs": {"parameters": given}, **more}


def _look(nodes: dict[str, Any], said: str = "", **spec: Any) -> list[Observed]:
    return list(NodeWatch().look({"metadata": {"name": "w"}, "spec": spec}, nodes, lambda pod: said))


def _ended(code: str, message: str, **more: Any) -> dict[str, Any]:
    return {"a": _pod("load", outputs={"exitCode": code}, message=message, **more)}


@pytest.mark.parametrize(
    ("code", "message", "event"),
    [
        ("137", "OOMKilled (exit code 137)", "out_of_memory"),
        ("137", "Error (exit code 137)", "lost"),
        ("", "The node was low on resource: memory. Threshold quantity: 100Mi", "evicted"),
        ("", "Pod was evicted by the {{system}} 🎉", "evicted"),
        ("", "pod deleted", "lost"),
        ("1", "Error (exit code 1)", "lost"),
    ],
)
def test_a_pod_that_did_not_live_to_tell(code: str, message: str, event: str) -> None:
    assert _look(_ended(code, message)) == [Observed("load", (), 1, event, message)]


def test_what_a_step_found_wrong_itself_is_told() -> None:
    (found,) = _look(_ended("1", "main: Error (exit code 1)"), said="error[E712] step `load` needs {{more}} 🎉")
    assert found.detail == "main: Error (exit code 1): error[E712] step `load` needs {{more}} 🎉"
    (found,) = _look(_ended("1", "pod deleted"), said="")
    assert found.detail == "pod deleted"


def test_the_output_of_a_pod_that_did_not_live_to_tell_is_not_read() -> None:
    assert (
        _look(_ended("137", "OOMKilled (exit code 137)"), said="half a line")[0].detail == "OOMKilled (exit code 137)"
    )


@pytest.mark.parametrize("code", ["0", "75", "76", "77"])
def test_a_step_that_said_how_it_ended_is_not_told_of(code: str) -> None:
    assert _look(_ended(code, f"Error (exit code {code})")) == []


def test_a_pod_of_a_workflow_that_was_stopped_was_cancelled() -> None:
    assert _look(_ended("143", "Error (exit code 143)"), shutdown="Stop")[0].event == "cancelled"
    assert _look(_ended("", "workflow shutdown with strategy:  Terminate"))[0].event == "cancelled"
    assert _look(_ended("137", "OOMKilled (exit code 137)"), shutdown="Stop")[0].event == "out_of_memory"


def test_batches_attempts_and_deciding_steps() -> None:
    nodes = {
        "a": _pod("each/fit", "0,3:5", displayName="fit(1:0,3:5)(2)", message="pod deleted"),
        "b": _pod("each:decide", displayName="each-decide(0)", message="pod deleted"),
        "c": _pod(":begin", message="pod deleted"),
        "d": {**_pod("x", message="pod deleted"), "inputs": None},
    }
    assert _look(nodes) == [
        Observed("each/fit", (0, 3), 3, "lost", "pod deleted"),
        Observed("each/fit", (0, 4), 3, "lost", "pod deleted"),
        Observed("each", (), 1, "lost", "pod deleted"),
    ]


def test_each_node_is_told_of_once() -> None:
    watch, nodes = NodeWatch(), _ended("", "pod deleted")
    assert len(list(watch.look({"spec": {}}, nodes, str))) == 1
    assert list(watch.look({"spec": {}}, nodes, str)) == []


SPEC = {
    "templates": [
        {
            "name": "body",
            "dag": {
                "tasks": [
                    {"name": "fit", "arguments": {"parameters": [{"name": "step", "value": "fit"}, {"name": "index", "value": "-"}]}},
                    {"name": "inner", "arguments": {"parameters": [{"name": "step", "value": "each/fit"}, {"name": "index", "value": "{{inputs.parameters.index}}"}]}},
                    {"name": "turn", "arguments": {"parameters": [{"name": "step", "value": "loop/fit"}, {"name": "index", "value": "{{inputs.parameters.k}}"}]}},
                    {"name": "decide", "arguments": {"parameters": [{"name": "step", "value": "each:decide"}, {"name": "index", "value": "-"}]}},
                    {"name": "group", "template": "other", "arguments": {"parameters": []}},
                ]
            },
        }
    ]
}  # fmt: skip


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("fit", [Observed("fit", (), 1, "skipped", "omitted: depends")]),
        ("inner", [Observed("each/fit", (2,), 1, "skipped", "omitted: depends")]),
        ("turn", []),  # an iteration that never began is none
        ("decide", []),  # what follows for a control node follows from its calls
        ("group", []),
        ("nobody", []),
    ],
)
def test_a_step_that_never_began_because_one_before_it_failed(task: str, told: list[Observed]) -> None:
    around = {"templateName": "body", "inputs": {"parameters": [{"name": "index", "value": "2"}]}, "type": "DAG"}
    omitted = {"id": "o", "type": "Skipped", "phase": "Omitted", "displayName": task, "boundaryID": "d"}
    nodes = {"d": around, "o": {**omitted, "message": "omitted: depends"}}
    assert _look(nodes, **SPEC) == told


def test_a_side_that_was_not_taken_is_not_told_of() -> None:
    node = {"id": "o", "type": "Skipped", "phase": "Skipped", "displayName": "fit", "boundaryID": "d"}
    assert _look({"d": {"templateName": "body"}, "o": node}, **SPEC) == []


def test_pods_that_can_not_start() -> None:
    back_off = _pod("a", phase="Pending", message='ImagePullBackOff: Back-off pulling image "gone:1"\n')
    small = _pod("b", phase="Pending", message="Unschedulable: 0/1 nodes are available")
    starting = _pod("c", phase="Pending", message="PodInitializing")
    running = _pod("d", phase="Running")
    text = 'ImagePullBackOff: Back-off pulling image "gone:1"'
    assert held_pods({"a": back_off}) == ((text,), True)
    assert held_pods({"a": back_off, "d": running}) == ((text,), False)
    assert held_pods({"b": small}) == (("Unschedulable: 0/1 nodes are available",), False)
    assert held_pods({"c": starting}) == ((), False)
    assert held_pods({"d": {**running, "phase": "Succeeded"}}) == ((), False)


def test_a_large_workflow_packs_its_nodes() -> None:
    packed = base64.b64encode(gzip.compress(json.dumps({"a": {"phase": "Running"}}).encode())).decode()
    assert nodes_of({"compressedNodes": packed}) == {"a": {"phase": "Running"}}
    assert nodes_of({"nodes": {"b": {}}}) == {"b": {}}
    assert nodes_of({}) == {}


def test_a_pod_has_the_name_that_argo_gives_it() -> None:
    # workflow/util/pod_name_test.go of Argo Workflows: FNV-1a of the node's name, 32 bits
    assert pod_name("wf", {"name": "wf", "templateName": "main"}) == "wf"
    assert pod_name("wf", {"name": "foobar", "templateName": "t"}) == f"wf-t-{0xBF9CF968}"  # from the FNV page
    long = pod_name("w" * 250, {"name": "foobar", "templateName": "t"})
    assert long == f"{'w' * 242}-{0xBF9CF968}"


def test_the_pods_of_a_node_and_of_what_lies_in_it() -> None:
    nodes = {
        "b": _pod("each/fit", "1", displayName="fit(1)(0)", name="w.b", startedAt="2026-01-02"),
        "a": _pod("each/fit", "0", displayName="fit(0)(0)", name="w.a", startedAt="2026-01-01"),
        "c": _pod("each:decide", displayName="each-decide(0)", name="w.c", startedAt="2026-01-03"),
        "x": _pod("eachother", name="w.x"),
    }
    assert [label for label, _, _ in node_pods(nodes, "w", "each", None)] == [
        "fit(0)(0)",
        "fit(1)(0)",
        "each-decide(0)",
    ]
    assert [label for label, _, _ in node_pods(nodes, "w", "each/fit", (1,))] == ["fit(1)(0)"]
