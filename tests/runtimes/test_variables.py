"""A task's own environment variables, and what of its options is part of the cache key."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import drawloom
from drawloom import Catalog, RunRefused, testing
from drawloom.ir.policies import Policies
from drawloom.ir.variables import Variables
from drawloom.runtimes.environment import environment_tree
from drawloom.runtimes.reference import run_bundle

FLOW = """
import os
import threading
import time

from drawloom import Pod, Resources, pipeline, task

AT_IMPORT = os.environ.get("MODE", "none")


@task
def start(n: int) -> int:
    return n


@task(env={"MODE": "é {{x}} ${HOME}\\n"}, cache=True)
def mode(n: int) -> str:
    return os.environ["MODE"]


@task(env={"MODE": "fast"})
def imported(n: int) -> str:
    return AT_IMPORT


@task(pod=Pod(secret_env={"FLOW_TOKEN": ("api", "token")}))
def token(n: int) -> str:
    return os.environ["FLOW_TOKEN"]


@task(env={"MODE": "fast"})
def slow(n: int) -> str:
    time.sleep(0.2)
    return os.environ["MODE"]


@task
def beside(n: int) -> str:
    time.sleep(0.1)
    return os.environ.get("MODE", "none")


@pipeline
def flow(n: int) -> str:
    return mode(start(n))


@pipeline
def other_value(n: int) -> str:
    return mode.with_options(env={"MODE": "2", "MORE": "3"})(start(n))


@pipeline
def other_image(n: int) -> str:
    return mode.with_options(image="registry.example/x:2")(start(n))


@pipeline
def other_machine(n: int) -> str:
    return mode.with_options(resources=Resources(cpu=1), pod=Pod(labels={"a": "b"}))(start(n))


@pipeline
def at_import(n: int) -> str:
    return imported(n)


@pipeline
def secret(n: int) -> str:
    return token(n)


@pipeline
def together(n: int) -> list[str]:
    return [slow(n), beside(n)]
"""


@pytest.fixture
def flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "flow_with_variables.py").write_text(FLOW)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delenv("MODE", raising=False)
    sys.modules.pop("flow_with_variables", None)
    return importlib.import_module("flow_with_variables")


@pytest.mark.parametrize("executor", ["inline", "threads", "processes"])
def test_a_task_has_them_and_nobody_else(flows: Any, catalog: Catalog, executor: str) -> None:
    run = drawloom.run(flows.flow, {"n": 1}, catalog=catalog, executor=executor)
    assert run.result == "é {{x}} ${HOME}\n"
    assert "MODE" not in os.environ
    run = drawloom.run(flows.together, {"n": 1}, catalog=catalog, executor=executor)
    assert run.result == ["fast", "none"]


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_module_sees_them_while_it_is_imported_as_in_a_step(
    flows: Any, catalog: Catalog, executor: str, tmp_path: Path
) -> None:
    assert drawloom.run(flows.at_import, {"n": 1}, catalog=catalog, executor=executor).result == "fast"
    folder = tmp_path / "flows"
    drawloom.compile(flows.at_import, "reference", root=str(folder)).write(tmp_path / "built")
    tree = {"n": catalog.values.encode(1)}
    assert run_bundle(tmp_path / "built", tree, str(tmp_path / "store"), bare=True).result == "fast"


def test_variables_from_secrets_are_those_of_who_runs_it(
    flows: Any, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOW_TOKEN", "open")
    assert drawloom.run(flows.secret, {"n": 1}, catalog=catalog).result == "open"
    drawloom.compile(flows.secret, "reference", root=str(tmp_path / "flows")).write(tmp_path / "built")
    tree = {"n": catalog.values.encode(1)}
    assert run_bundle(tmp_path / "built", tree, str(tmp_path / "store"), bare=True).result == "open"


def test_a_task_that_cannot_be_imported_runs_inline_alone(catalog: Catalog) -> None:
    @drawloom.task(env={"MODE": "1"})
    def local(n: int) -> str:
        return os.environ["MODE"]

    @drawloom.pipeline
    def flow(n: int) -> str:
        return local(n)

    assert drawloom.run(flow, {"n": 1}, catalog=catalog, executor="inline").result == "1"
    with pytest.raises(RunRefused) as caught:
        drawloom.run(flow, {"n": 1}, catalog=catalog)
    (found,) = caught.value.diagnostics
    assert "it has variables of its own, and threads share theirs" in str(found)


def test_they_are_there_in_tests_and_when_a_node_is_debugged(flows: Any, catalog: Catalog) -> None:
    assert testing.run(flows.flow, {"n": 1}).result == "é {{x}} ${HOME}\n"
    assert testing.run(flows.flow, {"n": 1}, substitute={flows.mode: lambda n: os.environ["MODE"]}).result[0] == "é"
    run = drawloom.run(flows.flow, {"n": 1}, catalog=catalog)
    again = drawloom.debug(run, "mode", pipeline=flows.flow, catalog=catalog, tee=False)
    assert (again.value, again.same) == ("é {{x}} ${HOME}\n", True)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ("other_value", "environment changed: variable MODE changed, variable MORE added"),
        ("other_image", "environment changed: image none -> registry.example/x:2"),
        ("other_machine", ""),
    ],
)
def test_variables_and_the_image_are_part_of_the_key_and_the_machine_is_not(
    flows: Any, catalog: Catalog, changed: str, why: str
) -> None:
    drawloom.run(flows.flow, {"n": 1}, catalog=catalog)
    other = getattr(flows, changed)
    other.name = "flow"  # the same pipeline, as it is after an edit
    planned = drawloom.plan(other, {"n": 1}, catalog=catalog).node("mode")
    run = drawloom.run(other, {"n": 1}, catalog=catalog)
    state = next(node.state for node in run.nodes() if node.id == "mode")
    if not why:
        assert (planned.state, state) == ("cached", "cached")
        return
    assert (planned.state, state) == ("run", "succeeded")
    assert [reason.text for reason in planned.reasons] == [why]
    assert why in [reason.text for group in run.why("mode").groups for reason in group.reasons]


def test_values_of_variables_are_not_in_what_is_kept_of_an_environment() -> None:
    tree = environment_tree(Policies(env=(("MODE", "hush"),), packages=("pytest",)))
    assert "hush" not in str(tree)
    assert environment_tree(Policies(packages=("pytest",))).keys() == {"python", "packages"}


def test_variables_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODE", "before")

    def fails() -> None:
        with Variables((("MODE", "1"), ("FLOW_NEW", "2"))):
            assert (os.environ["MODE"], os.environ["FLOW_NEW"]) == ("1", "2")
            del os.environ["MODE"]
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert os.environ["MODE"] == "before"
    assert "FLOW_NEW" not in os.environ
