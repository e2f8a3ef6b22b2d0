"""A step plan as the tasks of a DAG, their order and their groups; `dag_file` prints them.

| entry | in a DAG |
|---|---|
| run | a task |
| group | its tasks; those of a node lie in a task group with the node's name |
| when | its tasks: those of other arms are skipped by the deciding one, or find out by themselves |
| each | mapped tasks, one for each index vector; or a mapped task group, if an item takes several steps |
| own | the operator itself, between a task that gives its inputs and one that reads its result |
| while | one task, which starts the steps of every iteration |
| each, one item at a time, or with a limit and several steps | as while |

Airflow has no map in a mapped group: inside a map every step is mapped by itself over the vectors of all its depths,
which a small task puts together. There, and within a `try`, a step comes after others however they ended, and finds out
by itself whether it is behind a failure; elsewhere Airflow leaves out what is. Branching in mapped groups is broken in
Airflow 3 (apache/airflow#67265), so what decides inside a map skips nothing.
Source: Airflow's docs "Dynamic Task Mapping", "Dags: Trigger Rules".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from drawloom.compilers.airflow.names import TaskNames
from drawloom.compilers.passes.empty_entries import is_empty, without_empty
from drawloom.compilers.passes.plan import Each, Entry, Group, Own, Run, StepPlan, When, While
from drawloom.ir.protocol import BEGIN, END
from drawloom.ir.slices import StepSlice

__all__ = ["DagTask", "dag_tasks"]

_BEGIN_TASK: Final = "begin"
_END_TASK: Final = "end"
_NUMBERED: Final = ("decide", "settle", "results", "initial")  # parts of a node; `TaskNames` tells several apart
_FREE: Final = 2  # what runs no code of the user's can be started again at will


_NO_RETRIES: Final = Run("")


@dataclass(slots=True)
class DagTask:
    """A task of a DAG.

    Args:
        id: its whole id.
        group: the ids of the groups around it.
        local: its id in the innermost of these.
        kind: `Begin`, `Step`, `Spread`, `End`; around what Airflow has of its own `Give` and `Take`, with an `Own`.
        step: the step it starts; of a `Spread`, the id of the task whose lists it puts together.
        own: of an `Own` its spec; of a `Take` the names of its results.
        of: of an `Own` the id of its `Give`; of a `Take` that of its `Own`.
        ended: whether it comes after others however they ended.
        contained: whether a `try` looks at its failure: nothing else fails with it.
        counts: of one that gives the index vectors of what is mapped over it, how many in each; 0 if a `Spread` puts
            them together; None of others.
        one_each: whether what it counts can't be given several index vectors: an operator, an image between two stages.
        over: the id of the task whose list it is mapped over, "" for none.
        mapped_group: the group, as in `group`, that is mapped over a list, with this task in it; () for none.
        entry: what the plan says of its retries.
        at_once: how many of its instances in one run; 0 for no limit.
        after: the ids of the tasks it comes after.
        skips: arm's output -> the ids of the tasks that are skipped unless it is written `true`.
    """

    id: str
    group: tuple[str, ...]
    local: str
    kind: str
    step: str = ""
    ended: bool = False
    contained: bool = False
    counts: int | None = None
    one_each: bool = False
    over: str = ""
    mapped_group: tuple[str, ...] = ()
    entry: Run = _NO_RETRIES
    own: str | tuple[str, ...] = ""
    of: str = ""
    at_once: int = 0
    after: list[str] = field(default_factory=list)
    skips: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Around:
    """What surrounds entries: whether they are contained, and the maps.

    Args:
        contained: whether they come after others however these ended.
        over: the task whose list they are mapped over, "" for none.
        mapped_group: the group that is mapped, if it is a group that is.
        at_once: how many items at once.
    """

    contained: bool = False
    over: str = ""
    mapped_group: tuple[str, ...] = ()
    at_once: int = 0

    @property
    def in_map(self) -> bool:
        return bool(self.over or self.mapped_group)


@dataclass(frozen=True, slots=True)
class _Ends:
    """The tasks of an entry that nothing in it comes before, and those that what follows comes after."""

    heads: tuple[str, ...]
    waits: tuple[str, ...]


def dag_tasks(plan: StepPlan, alone: Collection[str] = ()) -> list[DagTask]:
    """The tasks of a plan, in an order in which each comes after those it waits for; `begin` first, `end` last.

    Args:
        plan: the plan.
        alone: ids of steps that can't be given several index vectors.
    """
    return _Tasks(plan, alone).made()


class _Tasks:
    def __init__(self, plan: StepPlan, alone: Collection[str]) -> None:
        self._plan = plan
        self._alone = alone
        self._slices = {step.id: step for step in plan.steps}
        self._names = TaskNames()
        self._tasks: dict[str, DagTask] = {}
        self._of_step: dict[str, str] = {}
        self._holders = {path for step in plan.steps for path in _holders(step)}

    def made(self) -> list[DagTask]:
        begin = self._task((), _BEGIN_TASK, "Begin", BEGIN, entry=Run(BEGIN, lost_retries=_FREE))
        end = self._names.task((), _END_TASK)  # before a node can have the name
        self._sequence(self._plan.body, _Around())
        waited = {other for task in self._tasks.values() for other in task.after}
        for task in self._tasks.values():
            if not task.after and task is not begin:
                task.after.append(begin.id)
        last = [task.id for task in self._tasks.values() if task.id not in waited and task is not begin]
        entry = Run(END, lost_retries=_FREE)
        made = DagTask(end, (), end, "End", END, ended=True, entry=entry, after=last or [begin.id])
        return [*map(self._without_doubles, self._tasks.values()), made]

    def _without_doubles(self, task: DagTask) -> DagTask:
        """The task without what another task it comes after comes after already, and fails with."""
        if len(task.after) > 1:
            telling = [one for one in task.after if task.ended or not self._tasks[one].ended]
            before = {other for one in telling for other in self._tasks[one].after}
            task.after = [one for one in task.after if one not in before]
        return task

    # entries

    def _sequence(self, entries: Sequence[Entry], around: _Around) -> _Ends:
        ends: dict[str, _Ends] = {}
        kept = list(self._without_followed(without_empty(entries)))
        for entry in kept:
            after = [one for other in entry.after if other in ends for one in ends[other].waits]
            ends[entry.id] = self._entry(entry, after, around)
        followed = {other for entry in kept for other in entry.after}
        heads = [one for entry in kept if not any(o in ends for o in entry.after) for one in ends[entry.id].heads]
        waits = [one for entry in kept if entry.id not in followed for one in ends[entry.id].waits]
        return _Ends(tuple(dict.fromkeys(heads)), tuple(dict.fromkeys(waits)))

    def _without_followed(self, entries: Sequence[Entry]) -> Iterator[Entry]:
        """The entries without the deciding steps of maps that one task follows: it starts these, too."""
        followed = {entry.step: entry for entry in entries if isinstance(entry, Each) and entry.id in self._slices}
        before = {entry.id: entry.after for entry in entries if entry.id in followed}
        for entry in entries:
            if isinstance(entry, Each) and entry.step in before:
                yield replace(entry, after=before[entry.step])
            elif entry.id not in followed:
                yield entry

    def _entry(self, entry: Entry, after: Sequence[str], around: _Around) -> _Ends:
        match entry:
            case Run():
                return self._run(entry, after, around)
            case Group() | When():
                finished = isinstance(entry, Group) and entry.finished
                ends = self._sequence(entry.body, replace(around, contained=around.contained or finished))
                self._link(ends.heads, after)
                if isinstance(entry, When) and not around.in_map:
                    self._skip(entry)
                return ends
            case Each():
                made = self._followed if entry.id in self._slices else self._each
                return made(entry, after, around)
            case While():
                return self._followed(entry, after, around)
            case Own():
                return self._own(entry, after, around)

    def _run(self, entry: Run, after: Sequence[str], around: _Around) -> _Ends:
        task = self._step(entry.id, entry, around, ended=entry.finished)
        self._link((task.id,), after)
        return _Ends((task.id,), (task.id,))

    def _followed(self, entry: While | Each, after: Sequence[str], around: _Around) -> _Ends:
        task = self._step(entry.id, Run(entry.id, lost_retries=_FREE), around)
        self._link((task.id,), after)
        return _Ends((task.id,), (task.id,))

    def _own(self, entry: Own, after: Sequence[str], around: _Around) -> _Ends:
        give = self._step(entry.give, Run(entry.give, lost_retries=_FREE), around, kind="Give")
        self._link((give.id,), after)
        take = self._step(entry.take, Run(entry.take, lost_retries=_FREE), around, kind="Take", ended=True)
        own = self._task(give.group, entry.id.rpartition("/")[2], "Own", "", ended=True)
        own.at_once = around.at_once
        own.mapped_group, own.contained = around.mapped_group, True  # the step after it tells of its failure
        own.own, own.of, own.after = entry.spec, give.id, [give.id]
        take.own, take.of, take.after = entry.results, own.id, [own.id]
        return _Ends((give.id,), (take.id,))

    def _each(self, entry: Each, after: Sequence[str], around: _Around) -> _Ends:
        decide = self._tasks[self._of_step[entry.step]]
        decide.counts = 0 if around.in_map else entry.batch_size
        over = decide.id
        if around.in_map:
            spread = self._task(decide.group, f"{decide.local}_all", "Spread", decide.id, ended=True)
            spread.counts = entry.batch_size
            spread.after = [decide.id]
            over = spread.id
        steps = list(_steps_of(entry.body))
        has_own = any(isinstance(one, Own) for one in steps)
        several = len(steps) > 1 or has_own
        self._tasks[over].one_each |= has_own or any(one.id in self._alone for one in steps)
        by_item = not around.in_map and several and not any(self._is_mapped(one) for one in steps)
        path = tuple(entry.id.partition(":")[0].split("/"))
        group = self._names.group(path) if by_item else ()
        inner = _Around(around.contained, over, group, entry.parallelism)
        first = len(self._tasks)
        ends = self._sequence(entry.body, inner)
        mapped = list(self._tasks.values())[first:]
        self._link(ends.heads, [*after, *([over] if not by_item else [])])
        # any of them may fail, and what comes later in the map goes on for other items
        telling = tuple(task.id for task in mapped if not task.contained and task.kind in ("Step", "Take"))
        return _Ends(ends.heads, telling or ends.waits or (over,))

    def _is_mapped(self, entry: Entry) -> bool:
        return isinstance(entry, Each) and entry.id not in self._slices

    def _skip(self, entry: When) -> None:
        decide = self._tasks[self._of_step[entry.step]]
        inside = {self._of_step[step] for step in _step_ids(entry.body, self._slices) if step in self._of_step}
        decide.skips[entry.output] = [task.id for task in self._tasks.values() if task.id in inside]

    def _link(self, tasks: Sequence[str], after: Sequence[str]) -> None:
        for one in tasks:
            known = self._tasks[one].after
            known += [other for other in after if other not in known]

    # tasks

    def _step(self, step: str, entry: Run, around: _Around, *, ended: bool = False, kind: str = "Step") -> DagTask:
        made = self._slices[step]
        path, local = self._place(made)
        ended = ended or made.contained or around.contained or around.in_map
        task = self._task(self._names.group(path), local, kind, step, entry=entry, ended=ended)
        task.over = "" if around.mapped_group else around.over
        task.mapped_group = around.mapped_group
        task.at_once = around.at_once
        task.contained = made.contained
        self._of_step[step] = task.id
        return task

    def _place(self, made: StepSlice) -> tuple[tuple[str, ...], str]:
        """The path of the groups that a step lies in, and its name there."""
        node, _, part = made.id.partition(":")
        path = tuple(node.split("/"))
        if made.does == "map":
            return path[:-1], f"{path[-1]}_count"
        if made.does in ("give", "take"):
            return path[:-1], f"{path[-1]}_{'inputs' if made.does == 'give' else 'result'}"
        if not part or made.does == "follow" or path not in self._holders:
            return path[:-1], path[-1]
        kind = part.partition("-")[0]
        return path, kind if kind in _NUMBERED else part

    def _task(
        self, group: tuple[str, ...], text: str, kind: str, step: str, *, entry: Run | None = None, ended: bool = False
    ) -> DagTask:
        local = self._names.task(group, text)
        whole = ".".join((*group, local))
        made = self._tasks[whole] = DagTask(whole, group, local, kind, step, ended=ended, entry=entry or Run(step))
        return made


def _holders(step: StepSlice) -> Iterator[tuple[str, ...]]:
    """The paths of the nodes that a step lies in, for each of which there is a group."""
    node, _, part = step.id.partition(":")
    path = tuple(node.split("/"))
    for length in range(1, len(path)):
        yield path[:length]
    if part and step.does in ("settle", "results"):
        yield path


def _steps_of(entries: Sequence[Entry]) -> Iterator[Entry]:
    """The entries that start something, and the maps among them, whose own are left out."""
    for entry in entries:
        if isinstance(entry, (Group, When)):
            yield from _steps_of(entry.body)
        elif not is_empty(entry):
            yield entry


def _step_ids(entries: Sequence[Entry], slices: Collection[str]) -> Iterator[str]:
    for entry in entries:
        match entry:
            case Run() | While():
                yield entry.id
            case Each() if entry.id in slices:
                yield entry.id
            case Own():
                yield from (entry.give, entry.take)
            case _:
                yield from _step_ids(entry.body, slices)
