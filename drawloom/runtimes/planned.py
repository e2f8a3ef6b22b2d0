"""A plan: what a run would do with each node, and why; nothing of it has happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from drawloom.catalog.reasons import Reason
from drawloom.catalog.records import Index
from drawloom.errors import Span

__all__ = ["PLAN_STATES", "Estimate", "NodePlan", "Plan", "PlanGroup"]

PLAN_STATES: Final[tuple[str, ...]] = ("run", "perhaps", "cached", "fails", "skipped")


@dataclass(frozen=True, slots=True)
class PlanGroup:
    """Instances of a node with the same state for reasons of the same kinds.

    Args:
        state: one of `PLAN_STATES`.
        reasons: those of the first of them.
        count: how many they are; 0 for any number, which isn't known yet.
        first: the index vector of the first; -1 in it stands for each item or iteration.
    """

    state: str
    reasons: tuple[Reason, ...]
    count: int
    first: Index


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long something takes and how much it makes, by what earlier runs took.

    Args:
        least_seconds: if nothing that is only perhaps run is run.
        most_seconds: if all of it is.
        output_bytes: of the results of what is run.
        unknown: how many node instances no earlier run says anything of; they count as nothing.
    """

    least_seconds: float = 0.0
    most_seconds: float = 0.0
    output_bytes: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What would become of a node.

    Args:
        id: the node's id.
        kind: `call`, `group`, `map`, `branch`, `loop`, `try`.
        state: of all instances taken together: `run` if one is run, `perhaps` if one perhaps is, `cached` if all that
            are reached are, `fails`, `skipped`.
        task: `module:qualname` of the task a call calls, "" for others.
        where: the user's source line, None if not known.
        groups: the instances, by state and kinds of reasons; of a control node, one with its own reasons, if any.
        instances: index vector -> state; -1 in an index stands for each item or iteration of an unknown number.
        estimate: of all instances; of a control node those of the calls in it.
    """

    id: str
    kind: str
    state: str
    task: str = ""
    where: Span | None = None
    groups: tuple[PlanGroup, ...] = ()
    instances: Mapping[Index, str] = field(default_factory=dict, repr=False)
    estimate: Estimate = Estimate()

    @property
    def counts(self) -> dict[str, int]:
        """State -> number of instances, those that don't occur left out."""
        found: dict[str, int] = dict.fromkeys(PLAN_STATES, 0)
        for state in self.instances.values():
            found[state] += 1
        return {state: count for state, count in found.items() if count}

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Those of the first group that isn't cached, or of the first one."""
        telling = [group for group in self.groups if group.state == self.state] or list(self.groups)
        return telling[0].reasons if telling else ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What `drawloom.plan` gives: what a run of these parameters would do. Made without running or writing anything.

    Args:
        pipeline: the pipeline's name.
        nodes: in program order.
        estimate: of the whole run: `least_seconds` and `most_seconds` are what all of it takes one after another.
        path_seconds: the longest chain of what waits for each other, of what is run for sure.
        most_path_seconds: the same, of what is perhaps run as well.
        cores: how many processors the estimate of the whole counts on.
        catalog: where the results of earlier runs were looked up.
        compared: the id of the latest earlier run, "" if there is none.
    """

    pipeline: str
    nodes: tuple[NodePlan, ...]
    estimate: Estimate
    path_seconds: float
    most_path_seconds: float
    cores: int
    catalog: str
    compared: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """State -> number of calls, all instances counted, those that don't occur left out."""
        found: dict[str, int] = dict.fromkeys(PLAN_STATES, 0)
        for node in self.nodes:
            if node.kind == "call":
                for state, count in node.counts.items():
                    found[state] += count
        return {state: count for state, count in found.items() if count}

    @property
    def seconds(self) -> float:
        """How long the run takes at least: the longest chain, or all work shared by the processors."""
        return max(self.path_seconds, self.estimate.least_seconds / self.cores)

    @property
    def most_seconds(self) -> float:
        """As `seconds`, if everything that is perhaps run is run."""
        return max(self.most_path_seconds, self.estimate.most_seconds / self.cores)

    def node(self, id: str) -> NodePlan:  # noqa: A002  # the word of the catalog
        """One node's plan.

        Raises:
            KeyError: there is no such node.
        """
        for node in self.nodes:
            if node.id == id:
                return node
        raise KeyError(id)

    def __iter__(self) -> Iterator[NodePlan]:
        return iter(self.nodes)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        return f"Plan({self.pipeline!r}: {counts or 'no calls'})"

    def _repr_html_(self) -> str:
        return plan_html(self)


def plan_html(plan: Plan) -> str:
    """A plan as a table for notebooks."""
    from drawloom.display.html import Html, chip, join, rows_html  # only a notebook asks

    rows = []
    for node in plan.nodes:
        why = join([text for group in group_texts(node) for text in (group, Html("<br>"))][:-1])
        where = f"{node.where.file.rpartition('/')[2]}:{node.where.line}" if node.where is not None else ""
        rows.append([node.id, node.task.rpartition(":")[2] or node.kind, chip(node.state), why, where])
    counts = ", ".join(f"{count:,} {state}" for state, count in plan.counts.items())
    facts = [("", counts or "no calls"), ("catalog", plan.catalog), ("compared with", plan.compared)]
    return rows_html(f"plan of {plan.pipeline}", facts, ["node", "task", "plan", "why", "where"], rows)


def group_texts(node: NodePlan) -> list[str]:
    """What is planned for a node's instances and why: a text for each group, each reason in it.

    One group of one instance gives its reasons alone; several give `997 cached`, `3 run: input `x` changed: 1 -> 2`.
    """
    single = len(node.groups) == 1 and node.groups[0].count == 1
    texts = []
    for group in node.groups:
        why = "; ".join(reason.text for reason in group.reasons)
        if single:
            texts.append(why)
            continue
        count = f"{group.count:,}" if group.count else "each"
        texts.append(f"{count} {group.state}{f': {why}' if why and group.state != 'cached' else ''}")
    return texts
