"""What is gathered while a plan is made: the state of each node instance, grouped reasons, estimates by history."""

from __future__ import annotations

from typing import Any, Final

from drawloom.catalog.history import History
from drawloom.catalog.records import Index
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Call
from drawloom.ir.program import Program
from drawloom.ir.walk import walk
from drawloom.runtimes.plan_reasons import Told
from drawloom.runtimes.planned import Estimate, NodePlan, Plan, PlanGroup

__all__ = ["PlanTable"]

_PRECEDENCE: Final = ("fails", "run", "perhaps", "cached", "skipped")


class PlanTable:
    """The rows of a plan under way.

    Args:
        program: what is planned.
        history: the pipeline's earlier runs.
    """

    def __init__(self, program: Program, history: History) -> None:
        self._program = program
        self._history = history
        self._sources = layout(program.pipeline)
        self._tasks = {node.id: node.task for node in walk(program.pipeline.body) if isinstance(node, Call)}
        self._states: dict[str, dict[Index, str]] = {node: {} for node in self._sources}
        self._groups: dict[str, dict[Any, PlanGroup]] = {node: {} for node in self._sources}
        self._figures: dict[str, tuple[float | None, int | None]] = {}

    def add(self, node: str, index: Index, state: str, told: Told) -> None:
        """A node instance has a state, for reasons."""
        self._states[node][index] = state
        count = 0 if any(number < 0 for number in index) else 1
        groups, key = self._groups[node], (state, told.kinds)
        known = groups.get(key)
        if known is None:
            groups[key] = PlanGroup(state, told.make(), count, index)
        elif count:
            groups[key] = PlanGroup(state, known.reasons, known.count + count, known.first)

    def state(self, node: str) -> str:
        """The state of a call, its instances taken together."""
        found = set(self._states[node].values())
        return next((state for state in _PRECEDENCE if state in found), "skipped")

    def seconds(self, node: str) -> float:
        """What one instance of a call takes; 0 where that isn't known."""
        return self._figure(node)[0] or 0.0

    def _figure(self, node: str) -> tuple[float | None, int | None]:
        if node not in self._figures:
            self._figures[node] = self._history.figures(node, self._tasks[node])
        return self._figures[node]

    def plan(self, url: str, path_seconds: float, cores: int) -> Plan:
        """The finished plan."""
        estimates = {node: self._estimate(node) for node in self._tasks}
        inside: dict[str, list[str]] = {node: [] for node in self._sources}
        for call in self._tasks:
            holder = call
            while holder:
                inside[holder].append(call)
                holder = self._sources[holder].parent
        nodes = tuple(self._node(node, inside[node], estimates) for node in self._sources)
        return Plan(
            pipeline=self._program.pipeline.name,
            nodes=nodes,
            estimate=_sum([*estimates.values()]),
            path_seconds=path_seconds,
            cores=cores,
            catalog=url,
            compared=self._history.runs[0].id if self._history.runs else "",
        )

    def _node(self, node: str, calls: list[str], estimates: dict[str, Estimate]) -> NodePlan:
        own = set(self._states[node].values())
        found = own | {self.state(call) for call in calls if self._states[call]}
        state = next((state for state in _PRECEDENCE if state in found), "run")
        if own == {"skipped"}:
            state = "skipped"
        return NodePlan(
            id=node,
            kind=self._sources[node].kind,
            state=state,
            task=self._tasks.get(node, ""),
            where=self._program.spans.get(node),
            groups=tuple(self._groups[node].values()),
            instances=self._states[node],
            estimate=_sum([estimates[call] for call in calls]),
        )

    def _estimate(self, node: str) -> Estimate:
        counts: dict[str, int] = {}
        for index, state in self._states[node].items():
            many = any(number < 0 for number in index)
            counts[state] = counts.get(state, 0) + (self._last_count(node) if many else 1)
        runs, perhaps = counts.get("run", 0), counts.get("perhaps", 0)
        if not runs and not perhaps:
            return Estimate()
        seconds, size = self._figure(node)
        if seconds is None:
            return Estimate(unknown=runs + perhaps)
        return Estimate(seconds * runs, seconds * (runs + perhaps), (size or 0) * runs, 0)

    def _last_count(self, node: str) -> int:
        """How many instances a node had last time."""
        return next((len(run.by_node[node]) for run in self._history.runs if node in run.by_node), 1)


def _sum(estimates: list[Estimate]) -> Estimate:
    return Estimate(
        sum(e.least_seconds for e in estimates),
        sum(e.most_seconds for e in estimates),
        sum(e.output_bytes for e in estimates),
        sum(e.unknown for e in estimates),
    )
