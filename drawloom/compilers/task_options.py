"""The option `tasks` of a compiler: what a target says of one task, `{"train": {"memory": "16Gi"}}`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drawloom.errors import Diagnostic, did_you_mean
from drawloom.ir.envelope import class_by_ref
from drawloom.ir.program import Program

__all__ = ["TaskOptions", "task_options", "wrong_option"]

# Any: options as users write them


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """What a target says of one task.

    Args:
        written: how the task is named there.
        tasks: the whole names of the tasks that this means: one, or none if another pipeline calls it.
        options: option -> value.
    """

    written: str
    tasks: tuple[str, ...]
    options: Mapping[str, Any]


def task_options(
    engine: str, program: Program, given: Any, known: Collection[str]
) -> tuple[list[TaskOptions], list[Diagnostic]]:
    """The option `tasks`, and what is wrong with it (E720).

    Args:
        engine: whose option it is.
        program: whose tasks may be named.
        given: the option as it was written; None for none.
        known: the options of a task.
    """
    if given is not None and not isinstance(given, Mapping):
        return [], [wrong_option(engine, "tasks", given, "a mapping of tasks to their options")]
    made, problems = [], []
    for name, own in (given or {}).items():
        found = _tasks_named(program, str(name))
        problems += list(_problems(engine, program, name, own, found, known))
        if isinstance(own, Mapping):
            made.append(TaskOptions(str(name), tuple(found), own))
    return made, problems


def wrong_option(engine: str, name: str, value: object, expected: str) -> Diagnostic:
    """E720: an option is none that the compiler takes."""
    return Diagnostic("E720", f"the option `{name}` of the {engine} compiler is {value!r}", None, f"give it {expected}")


def _problems(
    engine: str, program: Program, name: object, own: object, found: list[str], known: Collection[str]
) -> Iterator[Diagnostic]:
    option = f"the option `tasks.{name}` of the {engine} compiler"
    if not found and not _is_task_elsewhere(program, str(name)):
        tasks = [task.name for task in program.pipeline.tasks]
        short = [task.rpartition(":")[2] for task in tasks]
        what = (
            f"the option `tasks` of the {engine} compiler names `{name}`, which `{program.pipeline.name}` doesn't call"
        )
        fix = f"name one of {', '.join(short) or 'no tasks'}; one of another module as `module:task`"
        yield Diagnostic("E720", what + did_you_mean(str(name), [*short, *tasks]), None, fix)
    elif len(found) > 1:
        yield Diagnostic("E720", f"{option} means {len(found)} tasks", None, f"name one in full: {', '.join(found)}")
    elif found and any(task.name == found[0] and task.engine is not None for task in program.pipeline.tasks):
        what = f"{option} is for what {engine.capitalize()} has of its own: how it runs is said there"
        yield Diagnostic("E720", what, None, "leave it out, and say it there")
    if not isinstance(own, Mapping):
        yield wrong_option(engine, f"tasks.{name}", own, f"a mapping of {', '.join(known)}")
        return
    for one in own:
        if one not in known:
            what = f"the {engine} compiler has no option `tasks.{name}.{one}`{did_you_mean(str(one), known)}"
            yield Diagnostic("E720", what, None, f"it takes {', '.join(known)}")


def _tasks_named(program: Program, name: str) -> list[str]:
    known = [task.name for task in program.pipeline.tasks]
    return [task for task in known if name == task] or [task for task in known if task.rpartition(":")[2] == name]


def _is_task_elsewhere(program: Program, name: str) -> bool:
    """Whether another pipeline may call a task: a target is for all of a project."""
    module, _, qualname = name.rpartition(":")
    modules = {module} if module else {task.function.module for task in program.pipeline.tasks}
    return any(_is_task(f"{one}:{qualname}") for one in modules)


def _is_task(ref: str) -> bool:
    try:
        found = class_by_ref(ref)
    except Exception:  # noqa: BLE001  # importing a user's module may raise anything
        return False
    return type(found).__module__ == "drawloom.dsl.task"  # compilers don't import the front end
