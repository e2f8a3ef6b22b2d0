"""The options of the airflow compiler, held against what Airflow takes, and what they come to in a DAG.

`tasks` refines some of them for one task: `{"train": {"pool": "gpu", "queue": "large", "memory": "16Gi"}}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from drawloom.compilers.airflow.names import dag_key
from drawloom.compilers.airflow.pods import RULES
from drawloom.compilers.airflow.tasks import DagTask
from drawloom.compilers.emit.python import Source, call
from drawloom.compilers.pods.options import OF_PODS, PodOptions, pod_options
from drawloom.compilers.task_options import TaskOptions, task_options, wrong_option
from drawloom.errors import CompileError, Diagnostic
from drawloom.ir.nodes import Call
from drawloom.ir.program import Program
from drawloom.ir.walk import walk

__all__ = ["OF_TASKS", "PROFILES", "RUNNERS", "Options", "check_options", "notifiers", "task_arguments"]

# Any: options as users write them

PROFILES: Final = ("3", "2.11")
RUNNERS: Final = ("python", "inprocess", "docker", "kubernetes")
OF_TASKS: Final[Mapping[str, type]] = {"pool": str, "pool_slots": int, "priority_weight": int, "queue": str}
_EXPECTED: Final = {str: "a text", int: "a whole number"}
_IN_CONTAINERS: Final = ("docker", "kubernetes")
# option -> the runners that look at it
_ONLY_WITH: Final[Mapping[str, Sequence[str]]] = {
    **dict.fromkeys(OF_PODS, ("kubernetes",)),
    **dict.fromkeys(("image", "image_pull_policy", "cpu", "memory", "gpu", "volumes", "secret_env"), _IN_CONTAINERS),
    **dict.fromkeys(("spot_selector", "spot_tolerations", "namespace", "kubernetes_conn_id"), ("kubernetes",)),
    "startup_timeout_seconds": ("kubernetes",),
    "env": RUNNERS,
}
_CLASS: Final = re.compile(r"[A-Za-z_][\w.]*\.[A-Za-z_]\w*\Z")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_Wrong = tuple[str, object, str]  # the option, what it is, what it should be


@dataclass(frozen=True, slots=True)
class Options:
    """What a target says, read.

    Args:
        operators: task -> arguments of its operators.
        pods: how pods and containers are made; None where steps run on the worker itself.
    """

    operators: Mapping[str, Mapping[str, Any]]
    pods: PodOptions | None


def check_options(program: Program, given: Mapping[str, Any]) -> Options:
    """The options of a target, if Airflow, or what its steps run in, can take them.

    Args:
        program: whose tasks may be named.
        given: option -> value, as the compiler was called.

    Raises:
        CompileError: E720.
    """
    runner = given["runner"]
    problems = [wrong_option("airflow", name, value, expected) for name, value, expected in _wrong(given)]
    if runner in RUNNERS:
        problems += list(_needless(given))
    of_places = [name for name in OF_PODS if runner in RULES and runner in _ONLY_WITH[name]]
    tasks, found = task_options("airflow", program, given["tasks"], [*OF_TASKS, *of_places])
    problems += [*found, *_wrong_of_operators(tasks)]
    pods = None
    if runner in RULES:
        of_pods = {name: given[name] for name in OF_PODS if name in given}
        spot = {name: given[name] for name in ("spot_selector", "spot_tolerations")}
        pods, found = pod_options("airflow", of_pods, tasks, RULES[runner], **spot)
        problems += found
    if problems:
        raise CompileError(problems)
    return Options(_of_operators(tasks), pods)


def _of_operators(tasks: Sequence[TaskOptions]) -> dict[str, dict[str, Any]]:
    return {
        task: {name: value for name, value in one.options.items() if name in OF_TASKS}
        for one in tasks
        for task in one.tasks
    }


def _wrong_of_operators(tasks: Sequence[TaskOptions]) -> Iterator[Diagnostic]:
    for one in tasks:
        for name, value in one.options.items():
            if name in OF_TASKS and type(value) is not OF_TASKS[name]:
                yield wrong_option("airflow", f"tasks.{one.written}.{name}", value, _EXPECTED[OF_TASKS[name]])


def _needless(given: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """Options that only other runners look at."""
    for name, runners in _ONLY_WITH.items():
        if given.get(name) and given["runner"] not in runners:
            what = f"the option `{name}` of the airflow compiler means nothing to the runner `{given['runner']}`"
            yield Diagnostic("E720", what, None, f"leave it out, or choose the runner {' or '.join(runners)}")


def _wrong(given: Mapping[str, Any]) -> Iterator[_Wrong]:
    store, dag_id = given["store"], given["dag_id"]
    if not store or not ("://" in store or store.startswith("/")):
        yield "store", store, "the store that the workers reach: s3://bucket/prefix, or a whole path"
    if dag_id and dag_key(dag_id) != dag_id:
        yield "dag_id", dag_id, "letters of ASCII, digits, _ and -, 190 at most"
    for name, known in (("airflow", PROFILES), ("runner", RUNNERS)):
        if given[name] not in known:
            yield name, given[name], f"one of {', '.join(known)}"
    for name in ("max_map_length", *(() if given["startup_timeout_seconds"] is None else ("startup_timeout_seconds",))):
        if type(given[name]) is not int or given[name] < 1:
            yield name, given[name], "a whole number above 0"
    yield from _wrong_texts(given)
    if given["start_date"]:
        yield from _wrong_date(given["start_date"])
    for name in ("on_failure", "on_success"):
        for one in given[name]:
            if not isinstance(one, Mapping) or not _CLASS.match(str(one.get("class", ""))):
                yield name, one, "tables with `class`, a notifier's whole name, and its arguments"


def _wrong_texts(given: Mapping[str, Any]) -> Iterator[_Wrong]:
    for name in given["env"] or {}:
        if not _VARIABLE.match(str(name)):
            yield "env", name, "names of letters, digits and _"
    for name in ("pool", "queue", "namespace", "kubernetes_conn_id"):
        if not isinstance(given[name], str):
            yield name, given[name], "a text"
    for text in given["tags"]:
        if not isinstance(text, str) or not 0 < len(text) <= 100:
            yield "tags", text, "texts of 1 to 100 characters"


def _wrong_date(text: str) -> Iterator[_Wrong]:
    try:
        zone = datetime.fromisoformat(text).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        yield "start_date", text, "a time in ISO 8601 with its zone: 2026-01-31T00:00:00Z"


def task_arguments(
    program: Program, tasks: Sequence[DagTask], given: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Further arguments of operators, by task id: what a target says of a task, and what its docstring does.

    Args:
        program: the program.
        tasks: those of the DAG.
        given: task -> arguments of its operators.
    """
    called = {node.id: node.task for node in walk(program.pipeline.body) if isinstance(node, Call)}
    made: dict[str, dict[str, Any]] = {}
    for task in tasks:
        name = called.get(task.step)
        if name is not None and task.kind != "Give":
            doc = program.docs.get(name, "")
            # the operator is what runs, not the step that reads its result
            of = task.of if task.kind == "Take" else task.id
            made[of] = dict(given.get(name, {})) | ({"doc_md": doc} if doc else {})
    return made


def notifiers(given: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[list[str], dict[str, Any]]:
    """Lines of imports, and the arguments of a DAG, for the notifiers of `on_failure` and `on_success`.

    Args:
        given: `on_failure`, `on_success` -> tables of `class` and the arguments of the class.
    """
    lines, arguments = [], {}
    for name, tables in given.items():
        made = []
        for table in tables:
            module, _, cls = str(table["class"]).rpartition(".")
            lines.append(f"from {module} import {cls}")
            made.append(Source(call(cls, {key: value for key, value in table.items() if key != "class"}, 8, 8)))
        if made:
            arguments[f"{name}_callback"] = made
    return sorted(set(lines)), arguments
