"""The tasks of a DAG as a Python file that Airflow parses: it imports Airflow and the standard library, reads nothing.

What stands in it is data: every text of the user's is a literal, and no field of the operators that holds one is
rendered by Airflow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

from drawloom.compilers.airflow.names import Variables
from drawloom.compilers.airflow.own import operator_arguments, operator_class
from drawloom.compilers.airflow.tasks import DagTask
from drawloom.compilers.emit.python import WIDTH, Source, call, literal
from drawloom.compilers.emit.templates import template
from drawloom.errors import Diagnostic
from drawloom.ir.canonical import digest_bytes
from drawloom.ir.container import ROOT

__all__ = ["DagText", "dag_text"]

# Any: values of Airflow's arguments, and jinja2's objects

_RESERVED: Final = (  # what means something else in the file
    *("AirflowException", "AirflowFailException", "AirflowSkipException", "BOOTSTRAP", "BaseOperator", "Begin", "DAG"),
    *("End", "KubernetesPodOperator", "copy", "traceback"),
    *(
        "CronDataIntervalTimetable",
        "DownstreamTasksSkipped",
        "Param",
        "Spread",
        "Step",
        "Give",
        "Take",
        "wanted",
        "given",
        "ended",
        "TaskGroup",
        "annotations",
    ),
    *(
        "base64",
        "contextlib",
        "time",
        "batches",
        "dag",
        "index",
        "json",
        "os",
        "read_texts",
        "signal",
        "subprocess",
        "task_group",
    ),
    *("tempfile", "timedelta", "times_of", "numbers", "environment", "run_here", "reason_to_skip", "sys", "uuid"),
)


@dataclass(frozen=True, slots=True)
class DagText:
    """What is printed.

    Args:
        dag: the arguments of the DAG.
        tasks: its tasks, `begin` first.
        arguments: task id -> further arguments of its operator.
        settings: what the operators' code is given: NAME -> value.
        imports: further lines of imports, by what the operators need.
        rules: what the begin step of a scheduled run looks at (`schedules.schedule_rules`).
        stub: the text of the bootstrap stub.
        title: what the file is, in its first line.
        profile: `3` or `2.11`.
        runner: `python`, `inprocess`, `docker` or `kubernetes`.
    """

    dag: Mapping[str, Any]
    tasks: Sequence[DagTask]
    settings: Mapping[str, Any]
    stub: str
    title: str
    arguments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    imports: Sequence[str] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    profile: str = "3"
    runner: str = "python"


def dag_text(given: DagText) -> str:
    """The text of the file.

    Raises:
        CompileError: E750, jinja2 isn't installed.
    """
    body = "\n".join(_Body(given).lines())
    dag = call("DAG", given.dag, 0, len("with ") + len(" as dag:"))
    text: str = _template().render(
        title=_docstring(f"{given.title}\n\nWritten by drawloom: change the pipeline and deploy it, not this file.\n"),
        rules=given.rules,
        runner=given.runner,
        has_dates="start_date" in given.dag or "catch_up" in given.rules,
        profile=given.profile,
        imports=_imports(given),
        settings={name: literal(value, 0, len(name) + 3) for name, value in given.settings.items()},
        dag=dag,
        body=body,
        version=digest_bytes(f"{dag}{body}".encode())[:12],
        root=ROOT,
        has_one_each=any(task.one_each for task in given.tasks),
        has_spread=any(task.kind == "Spread" for task in given.tasks),
        has_own=any(task.kind == "Own" for task in given.tasks),
        stub=_docstring("\\\n", given.stub),
    )
    return text


_EXCEPTIONS: Final = ("AirflowException", "AirflowFailException", "AirflowSkipException")


def _imports(given: DagText) -> list[str]:
    """The lines that import what a file needs of Airflow, and what its notifiers are."""
    is_used = {
        "BaseOperator": given.runner != "kubernetes" or any(task.kind == "Spread" for task in given.tasks),
        "CronDataIntervalTimetable": "CronDataIntervalTimetable" in str(given.dag.get("schedule", "")),
        "Param": "params" in given.dag,
        "TaskGroup": any(task.group and task.group != task.mapped_group for task in given.tasks),
        "task_group": any(task.mapped_group for task in given.tasks),
    }
    used = [name for name, is_there in is_used.items() if is_there]
    found: dict[str, list[str]] = {}
    if given.runner == "kubernetes":
        found["airflow.providers.cncf.kubernetes.operators.pod"] = ["KubernetesPodOperator"]
    for name in ("DAG", *used):
        module = "airflow.sdk" if given.profile == "3" else _OLD_MODULES[name]
        found.setdefault(module, []).append(name)
    if given.profile == "3":
        found["airflow.sdk.exceptions"] = [*_EXCEPTIONS, "DownstreamTasksSkipped"]
    else:
        found["airflow.exceptions"] = list(_EXCEPTIONS)
    for task in given.tasks:
        if task.kind == "Own":
            module, name = operator_class(str(task.own))
            if name not in found.setdefault(module, []):
                found[module].append(name)
    for line in given.imports:
        module, _, name = line.removeprefix("from ").partition(" import ")
        found.setdefault(module, []).append(name)
    return [_import(module, names) for module, names in sorted(found.items())]


_OLD_MODULES: Final = {
    "DAG": "airflow",
    "BaseOperator": "airflow.models.baseoperator",
    "CronDataIntervalTimetable": "airflow.timetables.interval",
    "Param": "airflow.models.param",
    "TaskGroup": "airflow.utils.task_group",
    "task_group": "airflow.decorators",
}


def _import(module: str, names: Sequence[str]) -> str:
    ordered = sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))  # as isort has it
    line = f"from {module} import {', '.join(ordered)}"
    lines = "".join(f"    {one},\n" for one in ordered)
    return line if len(line) <= WIDTH else f"from {module} import (\n{lines})"


def _docstring(*texts: str) -> str:
    """Texts as one literal of many lines, the first one as it is if there are two."""
    *raw, text = texts
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""{"".join(raw)}{escaped}"""'


@cache
def _template() -> Any:
    missing = Diagnostic("E750", "writing a DAG file needs jinja2", None, "`pip install 'drawloom[airflow]'`")
    return template(files("drawloom.compilers.airflow").joinpath("dag.py.j2").read_text("utf-8"), missing, trim=True)


class _Group:
    """A task group, or the DAG itself: tasks and groups in the order in which they come first."""

    def __init__(self, path: tuple[str, ...]) -> None:
        self.path = path
        self.parts: list[DagTask | _Group] = []

    def inner(self, path: tuple[str, ...]) -> _Group:
        if self.path == path:
            return self
        step = path[: len(self.path) + 1]
        for part in self.parts:
            if isinstance(part, _Group) and part.path == step:
                return part.inner(path)
        made = _Group(step)
        self.parts.append(made)
        return made.inner(path)


class _Body:
    """The statements within `with DAG(...)`."""

    def __init__(self, given: DagText) -> None:
        tasks = given.tasks
        self._profile = given.profile
        self._tasks = {task.id: task for task in tasks}
        self._arguments = given.arguments
        self._whole = _Group(())
        for task in tasks:
            self._whole.inner(task.group).parts.append(task)
        operators = [operator_class(str(task.own))[1] for task in tasks if task.kind == "Own"]
        variables = Variables([*_RESERVED, *given.settings, *operators])
        self._names = {task.id: variables.new(task.id) for task in tasks}
        self._functions = {task.mapped_group: "" for task in tasks if task.mapped_group}
        for path in self._functions:
            self._functions[path] = variables.new("_".join(path))

    def lines(self) -> Iterator[str]:
        yield from self._group(self._whole, 4)
        yield ""
        yield from self._order([task for task in self._tasks.values() if not task.mapped_group], 4)

    def _group(self, group: _Group, indent: int) -> Iterator[str]:
        for part in group.parts:
            if isinstance(part, DagTask):
                yield self._task(part, indent)
            elif part.path in self._functions:
                yield from self._mapped_group(part, indent)
            else:
                yield from self._open_group(part, indent)

    def _open_group(self, group: _Group, indent: int) -> Iterator[str]:
        yield f"{' ' * indent}with {call('TaskGroup', {'group_id': group.path[-1]})}:"
        yield from self._group(group, indent + 4)

    def _mapped_group(self, group: _Group, indent: int) -> Iterator[str]:
        name = self._functions[group.path]
        inside = [task for task in self._tasks.values() if task.mapped_group == group.path]
        over = self._names[self._over(inside)]
        space = " " * indent
        yield ""
        yield f"{space}@task_group(group_id={literal(group.path[-1])})"
        yield f"{space}def {name}(index):"
        yield from self._group(group, indent + 4)
        order = list(self._order(inside, indent + 4, within=True))
        if order:
            yield ""
            yield from order
        yield ""
        yield f"{space}{name}.expand(index={over}.output)"

    def _over(self, inside: Sequence[DagTask]) -> str:
        """The task that counts the items of a mapped group: what its first steps come after."""
        ids = {task.id for task in inside}
        return next(one for task in inside for one in task.after if one not in ids)

    def _task(self, task: DagTask, indent: int) -> str:
        given = _operator_arguments(task, self._profile)
        given |= {name: value for name, value in self._arguments.get(task.id, {}).items() if name not in given}
        name = self._names[task.id]
        used = indent + len(name) + 3
        kind = operator_class(str(task.own))[1] if task.kind == "Own" else task.kind
        if not task.over:
            return f"{' ' * indent}{name} = {call(kind, given, indent, used)}"
        partial = call(f"{task.kind}.partial", given, indent, used)
        expand = f".expand(index={self._names[task.over]}.output)"
        one_line = f"{' ' * indent}{name} = {partial}{expand}"
        if len(one_line) > WIDTH and "\n" not in one_line:
            inner = call(f"{task.kind}.partial", given, indent, WIDTH)
            return f"{' ' * indent}{name} = {inner}{expand}"
        return one_line

    def _order(self, tasks: Sequence[DagTask], indent: int, *, within: bool = False) -> Iterator[str]:
        """`a >> b`, `a >> [b, c]`, `[a, b] >> c`."""
        single: dict[str, list[str]] = {}
        joined: list[tuple[list[str], str]] = []
        for task in tasks:
            # `expand` says the order, too
            after = [one for one in task.after if one != task.over]
            if task.mapped_group:
                after = [one for one in after if self._tasks[one].mapped_group == task.mapped_group]
            if len(after) == 1:
                single.setdefault(after[0], []).append(task.id)
            elif after:
                joined.append((after, task.id))
        for one, targets in single.items():
            yield self._arrow([one], targets, indent, within=within)
        for after, target in joined:
            yield self._arrow(after, [target], indent, within=within)

    def _arrow(self, sources: Sequence[str], targets: Sequence[str], indent: int, *, within: bool) -> str:
        left, right = (self._refer(ids, within=within) for ids in (sources, targets))
        space = " " * indent
        if len(sources) == 1:
            begin = f"{space}{left[0]} >> "
            end = right[0] if len(right) == 1 else literal(list(map(Source, right)), indent, len(begin))
            return begin + end
        return f"{space}{literal(list(map(Source, left)), indent, indent + 4 + len(right[0]))} >> {right[0]}"

    def _refer(self, ids: Sequence[str], *, within: bool) -> list[str]:
        """How tasks are named: those of a mapped group are no variables outside it."""
        found = []
        for one in ids:
            outside = bool(self._tasks[one].mapped_group) and not within
            found.append(f"dag.get_task({literal(one)})" if outside else self._names[one])
        return found


def _operator_arguments(task: DagTask, profile: str) -> dict[str, Any]:
    made: dict[str, Any] = {"task_id": task.local}
    one_each = {"one_each": True} if task.one_each else {}
    if task.kind == "Spread":
        return made | {"of": task.step, "batch_size": task.counts} | one_each
    if task.kind == "Own":
        assert isinstance(task.own, str), "it is a spec"
        return made | operator_arguments(task.own, task.of) | _limit_argument(task)
    if task.kind in ("Step", "Give", "Take"):
        made["step"] = task.step
    if task.kind == "Take":
        made |= {"of": task.of, "results": list(task.own)}
    if task.mapped_group:
        made["index"] = Source("index")
    if task.ended and task.kind in ("Step", "Give", "Take"):
        made["ended"] = True
    if task.over:  # `partial` doesn't ask the class: Airflow would leave out what is behind a skipped item
        made["trigger_rule"] = "all_done" if task.ended else "none_failed"
    if task.counts is not None:
        made |= {"batch_size": task.counts} | one_each
    if task.skips:
        made["skips"] = task.skips
    return made | _retry_arguments(task, profile)


def _retry_arguments(task: DagTask, profile: str) -> dict[str, Any]:
    entry = task.entry
    made: dict[str, Any] = {}
    if entry.retries + entry.lost_retries:
        made["retries"] = entry.retries + entry.lost_retries
    if entry.delay_seconds and entry.retries:
        made["retry_delay"] = _duration(entry.delay_seconds)
        if entry.factor > 1:
            # Airflow 2 doubles the delay, and takes no other factor
            made["retry_exponential_backoff"] = entry.factor if profile == "3" else True
            made["max_retry_delay"] = _duration(entry.max_delay_seconds)
    return made | _limit_argument(task)


def _duration(seconds: float) -> Source:
    return Source(f"timedelta(seconds={int(seconds) if seconds.is_integer() else seconds!r})")


def _limit_argument(task: DagTask) -> dict[str, Any]:
    return {"max_active_tis_per_dagrun": task.at_once} if task.at_once and (task.over or task.mapped_group) else {}
