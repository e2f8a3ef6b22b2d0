"""The options of the airflow compiler, held against what Airflow takes, and what they come to in a DAG.

`tasks` refines some of them for one task: `{"train": {"pool": "gpu", "queue": "large"}}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from drawloom.compilers.airflow.names import dag_key
from drawloom.compilers.airflow.tasks import DagTask
from drawloom.compilers.emit.python import Source, call
from drawloom.errors import CompileError, Diagnostic, did_you_mean
from drawloom.ir.nodes import Call
from drawloom.ir.program import Program
from drawloom.ir.walk import walk

__all__ = ["OF_TASKS", "PROFILES", "RUNNERS", "check_options", "notifiers", "task_arguments"]

# Any: options as users write them

PROFILES: Final = ("3", "2.11")
RUNNERS: Final = ("python", "inprocess", "docker")
OF_TASKS: Final[Mapping[str, type]] = {"pool": str, "pool_slots": int, "priority_weight": int, "queue": str}
_CLASS: Final = re.compile(r"[A-Za-z_][\w.]*\.[A-Za-z_]\w*\Z")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_Wrong = tuple[str, object, str]  # the option, what it is, what it should be


def check_options(program: Program, given: Mapping[str, Any]) -> None:
    """Refuses what Airflow, or a process, couldn't take.

    Args:
        program: whose tasks may be named.
        given: option -> value, as the compiler was called.

    Raises:
        CompileError: E720.
    """
    problems = [
        Diagnostic("E720", f"the option `{name}` of the airflow compiler is {value!r}", None, f"give it {expected}")
        for name, value, expected in _wrong(given)
    ]
    problems += _task_problems(program, given["tasks"] or {})
    if problems:
        raise CompileError(problems)


def _wrong(given: Mapping[str, Any]) -> Iterator[_Wrong]:
    store, dag_id = given["store"], given["dag_id"]
    if not store or not ("://" in store or store.startswith("/")):
        yield "store", store, "the store that the workers reach: s3://bucket/prefix, or a whole path"
    if dag_id and dag_key(dag_id) != dag_id:
        yield "dag_id", dag_id, "letters of ASCII, digits, _ and -, 190 at most"
    for name, known in (("airflow", PROFILES), ("runner", RUNNERS)):
        if given[name] not in known:
            yield name, given[name], f"one of {', '.join(known)}"
    if given["runner"] == "docker" and not given["image"]:
        yield "image", given["image"], "the image that steps run in: any with Python 3.11 or later as `python3`"
    if type(given["max_map_length"]) is not int or given["max_map_length"] < 1:
        yield "max_map_length", given["max_map_length"], "a whole number above 0"
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
    for name in ("pool", "queue"):
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


def _task_problems(program: Program, tasks: Mapping[str, Any]) -> Iterator[Diagnostic]:
    known = [task.name for task in program.pipeline.tasks]
    for name, own in tasks.items():
        found = tasks_named(program, str(name))
        if not found:
            short = [task.rpartition(":")[2] for task in known]
            what = f"the option `tasks` of the airflow compiler names `{name}`"
            what += f", which `{program.pipeline.name}` doesn't call"
            fix = f"name one of {', '.join(short) or 'no tasks'}; one of another module as `module:task`"
            yield Diagnostic("E720", what + did_you_mean(str(name), [*short, *known]), None, fix)
        if not isinstance(own, Mapping):
            what = f"the option `tasks.{name}` of the airflow compiler is {own!r}"
            yield Diagnostic("E720", what, None, f"give it a mapping of {', '.join(OF_TASKS)}")
            continue
        for option, value in own.items():
            if option not in OF_TASKS:
                what = (
                    f"the airflow compiler has no option `tasks.{name}.{option}`{did_you_mean(str(option), OF_TASKS)}"
                )
                yield Diagnostic("E720", what, None, f"it takes {', '.join(OF_TASKS)}")
            elif type(value) is not OF_TASKS[option]:
                what = f"the option `tasks.{name}.{option}` of the airflow compiler is {value!r}"
                expected = "a text" if OF_TASKS[option] is str else "a whole number"
                yield Diagnostic("E720", what, None, f"give it {expected}")


def tasks_named(program: Program, name: str) -> list[str]:
    """The tasks that an option means: by their whole name, or by that of the function."""
    known = [task.name for task in program.pipeline.tasks]
    return [task for task in known if name == task] or [task for task in known if task.rpartition(":")[2] == name]


def task_arguments(
    program: Program, tasks: Sequence[DagTask], given: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Further arguments of operators, by task id: what a target says of a task, and what its docstring does.

    Args:
        program: the program.
        tasks: those of the DAG.
        given: task -> options, as users write them.
    """
    own = {task: options for name, options in given.items() for task in tasks_named(program, name)}
    called = {node.id: node.task for node in walk(program.pipeline.body) if isinstance(node, Call)}
    made: dict[str, dict[str, Any]] = {}
    for task in tasks:
        name = called.get(task.step)
        if name is not None:
            doc = program.docs.get(name, "")
            made[task.id] = dict(own.get(name, {})) | ({"doc_md": doc} if doc else {})
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
