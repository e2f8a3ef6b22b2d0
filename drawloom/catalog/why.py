"""Why a node of a run was executed, answered, skipped or failed: `plan`'s reasons, told afterwards from records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from drawloom.catalog.history import EarlierRun, History
from drawloom.catalog.reasons import CallFacts, Reason, age_text, differences, instance_text, not_cacheable, reasons_of
from drawloom.catalog.records import Commit, Index, RunStarted
from drawloom.catalog.state import FailurePlace, NodeState, RunState
from drawloom.catalog.value_changes import table_differences
from drawloom.errors import Span
from drawloom.ir.canonical import Json
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Block, Branch, Call, Node, Try
from drawloom.ir.policies import Policies
from drawloom.ir.program import Program
from drawloom.ir.protocol import index_text
from drawloom.ir.tasks import TaskSpec
from drawloom.ir.walk import blocks, dependencies, walk
from drawloom.storage.base import Storage
from drawloom.values.store import Values

__all__ = ["Why", "WhyGroup", "why"]

_ENDED: Final = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class WhyGroup:
    """Instances of a node with the same state for reasons of the same kinds.

    Args:
        state: what they are, as in `NodeView.state`.
        reasons: those of the first of them.
        count: how many they are.
        first: the index vector of the first.
    """

    state: str
    reasons: tuple[Reason, ...]
    count: int
    first: Index


@dataclass(frozen=True, slots=True)
class Why:
    """Why a node became what it is.

    Args:
        run: the run's id.
        node: the node's id.
        kind: `call`, `map`, ...
        state: of all instances asked for, as in `NodeView.state`.
        groups: the instances, by state and kinds of reasons.
        compared: the id of the latest earlier run of the pipeline, "" if there is none.
        task: `module:qualname` of the task a call calls.
        where: the user's source line, None if not known.
    """

    run: str
    node: str
    kind: str
    state: str
    groups: tuple[WhyGroup, ...]
    compared: str = ""
    task: str = ""
    where: Span | None = None


def why(
    storage: Storage,
    values: Values,
    started: RunStarted,
    program: Program,
    details: RunState,
    node: str,
    index: Index | None = None,
    *,
    deep: bool = False,
) -> Why:
    """Why a node of a run became what it is.

    Args:
        storage, values: of the project.
        started: the record the run began with.
        program: what was run.
        details: the run's state.
        node: the node's id; the run has it.
        index: which instance; None for all of them. The run has it.
        deep: whether changed tables are read and compared.
    """
    asked = _Asked(storage, values, started, program, details, deep=deep)
    found = details.nodes[node]
    wanted = {index: found.instances[index]} if index is not None else found.instances
    groups: dict[tuple[object, ...], WhyGroup] = {}
    for at, state in sorted(wanted.items()):
        kinds, make = asked.reasons(node, at, state)
        known = groups.get((state, kinds))
        if known is None:
            groups[state, kinds] = WhyGroup(state, make(), 1, at)
        else:
            groups[state, kinds] = WhyGroup(state, known.reasons, known.count + 1, known.first)
    if not groups:
        groups["none",] = WhyGroup(found.state, asked.unborn(node, found.state), 0, ())
    runs = asked.history.runs
    state = found.state if index is None else found.instances[index]
    return Why(
        run=started.run,
        node=node,
        kind=found.kind,
        state=state,
        groups=tuple(groups.values()),
        compared=runs[0].id if runs else "",
        task=found.task,
        where=program.spans.get(node),
    )


_Told = tuple[tuple[object, ...], Callable[[], tuple[Reason, ...]]]  # what reasons are grouped by, and the reasons


class _Asked:
    """A run that is asked."""

    def __init__(
        self,
        storage: Storage,
        values: Values,
        started: RunStarted,
        program: Program,
        details: RunState,
        *,
        deep: bool,
    ) -> None:
        self.run = EarlierRun(storage, values, started)
        self.history = History(storage, values, started.pipeline, before=started)
        self.everything = History(storage, values, started.pipeline)
        self.details = details
        self.pipeline = program.pipeline
        self.sources = layout(program.pipeline)
        self.nodes = {node.id: node for node in walk(program.pipeline.body)}
        self.specs = {spec.name: spec for spec in program.pipeline.tasks}
        self.deep = table_differences(values) if deep else None

    def reasons(self, node: str, index: Index, state: str) -> _Told:
        """The reasons of one instance."""
        commit = self.run.facts.commits.get((node, index))
        call = self.nodes[node]
        if state == "failed":
            return self._failed(node, index, call, commit)
        if state == "skipped":
            return _told(self.skipped(call, index))
        if state == "cancelled":
            return _told(self._cancelled())
        if state in ("pending", "running") and commit is None and not isinstance(call, Call):
            return _told(Reason("in-it", f"it is {state}; ask for the nodes in it"))
        if not isinstance(call, Call):
            return self._control(node, index)
        if state == "cached" and commit is not None:
            return ("answered",), lambda: (self._answered(commit),)
        if commit is None:
            return _told(Reason("in-it", f"it is {state}"))
        return self._executed(call, commit)

    def unborn(self, node: str, state: str) -> tuple[Reason, ...]:
        """The reasons of a node that has no instance."""
        if state == "cancelled":
            return (self._cancelled(),)
        holder = self.sources[node].parent
        text = f"`{holder}` has no item or iteration with it" if holder else f"it is {state}"
        return (Reason("not-taken", text, nodes=(holder,) if holder else ()),)

    # executed and answered calls

    def _executed(self, call: Call, commit: Commit) -> _Told:
        spec = self.specs[call.task]
        policies = call.policies or spec.policies
        plain = not_cacheable(call.inputs, spec, policies)
        if plain is not None:
            return _told(plain)
        earlier = self.history.find(call.id, commit.index)
        if earlier is None:
            return ("never-ran",), lambda: (self._never(commit),)
        now = self._facts(spec, policies, commit)
        moved = differences(now, *earlier, self.everything.original(earlier[1]))
        if not moved and earlier[1].outcome != "failed":
            return ("no-entry",), lambda: (self._unanswered(commit, policies, *earlier),)
        return (*moved, earlier[1].outcome), lambda: reasons_of(moved, now, self.everything, earlier, deep=self.deep)

    def _facts(self, spec: TaskSpec, policies: Policies, commit: Commit) -> CallFacts:
        def tree(port: str) -> tuple[bool, Json]:
            return self.run.tree(commit.node, commit.index, port, dict(commit.inputs)[port])

        return CallFacts(
            function=commit.function or spec.function.digest,
            inputs=commit.inputs,
            environment=commit.environment,
            version=policies.cache.version,
            key=commit.cache_key,
            source=lambda: self.run.source(commit.function or spec.function.digest),
            environment_tree=lambda: self.everything.environment(commit.environment),
            tree=tree,
        )

    def _never(self, commit: Commit) -> Reason:
        at = commit.index
        if at and any(commit.node in run.by_node for run in self.history.runs):
            return Reason("never-ran", f"never ran before for {list(at)}, only for others")
        return Reason("never-ran", "never ran before")

    def _unanswered(self, commit: Commit, policies: Policies, run: EarlierRun, before: Commit) -> Reason:
        """Nothing it is compared by had changed, and yet it was executed."""
        ttl = policies.cache.ttl_seconds
        age = commit.at - self.everything.original(before).at
        if ttl is not None and age > ttl:
            text = f"expired: the result of {run.id} was {age_text(age)} old, ttl_seconds={ttl:g}"
            return Reason("expired", text, run=run.id)
        if before.cache_key and before.cache_key != commit.cache_key:
            text = f"its key isn't that of {run.id}: the environment or the type of its result had changed"
            return Reason("no-entry", text, run=run.id)
        if not before.cache_key:
            return Reason("no-entry", f"its result in {run.id} wasn't kept for the cache", run=run.id)
        text = f"nothing had changed since {run.id}: the cache was switched off, or that result wasn't whole any more"
        return Reason("no-entry", text, run=run.id)

    def _answered(self, commit: Commit) -> Reason:
        if not commit.source:
            return Reason("answered", "same code and inputs as in an earlier run")
        run, node, at = commit.source
        index = () if at == "-" else tuple(int(part) for part in at.split(","))
        other = "" if (node, at) == (commit.node, index_text(commit.index)) else f" ({instance_text(node, index)})"
        made = self.everything.original(commit)
        age = f", {age_text(commit.at - made.at)} before" if made is not commit else ""
        return Reason("answered", f"same code and inputs as in {run}{other}{age}", run=run)

    # failed, skipped, cancelled

    def _failed(self, node: str, index: Index, call: Node, commit: Commit | None) -> _Told:
        place = self._cause(node, index)
        info = place.info or (commit.failure if commit is not None else None)
        what = "the process that ran it was lost"
        if info is not None:
            what = f"{info.type.rpartition(':')[2]}{f': {info.message}' if info.message else ''}"
        if (place.node, place.index) != (node, index):
            text = f"`{instance_text(place.node, place.index)}` failed: {what}"
            return _told(Reason("failed", text, nodes=(place.node,)))
        own = Reason("failed", what, nodes=(node,))
        if not isinstance(call, Call) or commit is None or not commit.attempt:
            return _told(own)
        kinds, make = self._executed(call, commit)
        return (own.text, *kinds), lambda: (own, *make())

    def _cause(self, node: str, index: Index) -> FailurePlace:
        state: NodeState = self.details.nodes[node]
        first = state.failure
        if first is not None and (isinstance(self.nodes[node], Call) is False or first.index == index):
            return first
        return FailurePlace(node, index)

    def skipped(self, node: Node, index: Index) -> Reason:
        """Why an instance wasn't reached: an arm that wasn't taken, or something that failed."""
        here: Node | None = node
        while here is not None:
            at = index[: self.sources[here.id].depth]
            for need in sorted(dependencies(here)):
                source = self.sources.get(need)
                found = self.details.nodes[need].instances.get(at[: source.depth]) if source is not None else None
                if found in ("failed", "skipped"):
                    return self._behind(need, at[: self.sources[need].depth], found)
            untaken = self._untaken(here.id, at)
            if untaken is not None:
                return untaken
            parent = self.sources[here.id].parent
            here = self.nodes[parent] if parent else None
        return Reason("behind-failure", "the run ended before it")

    def _behind(self, need: str, index: Index, state: str) -> Reason:
        if state == "skipped":
            inner = self.skipped(self.nodes[need], index)
            if inner.kind != "behind-failure":
                return Reason("behind-failure", f"it needs `{need}`, which was skipped: {inner.text}", nodes=(need,))
            return inner
        place = self._cause(need, index)
        info = place.info
        what = f": {info.type.rpartition(':')[2]}{f': {info.message}' if info.message else ''}" if info else ""
        text = f"`{instance_text(place.node, place.index)}` failed{what}"
        return Reason("behind-failure", text, nodes=tuple(dict.fromkeys((need, place.node))))

    def _untaken(self, node: str, index: Index) -> Reason | None:
        source = self.sources[node]
        if not source.parent:
            return None
        holder = self.nodes[source.parent]
        decision = self.run.facts.decisions.get((holder.id, index[: self.sources[holder.id].depth]))
        if decision is None or not isinstance(holder, (Branch, Try)) or self._is_final(holder, source.arm):
            return None
        if decision.value == source.arm:
            return None
        if isinstance(holder, Try):
            text = f"`{holder.id}` took no such handler" if decision.value else f"the body of `{holder.id}` didn't fail"
        else:
            text = f"`{holder.id}` took another arm"
        return Reason("not-taken", text, nodes=(holder.id,))

    def _is_final(self, holder: Node, arm: int) -> bool:
        held: tuple[Block, ...] = blocks(holder)
        return isinstance(holder, Try) and holder.final is not None and arm == len(held) - 1

    def _cancelled(self) -> Reason:
        failure = self.details.failure
        if failure is not None and failure.node:
            at = instance_text(failure.node, failure.index)
            text = f"`{at}` failed, and that ended the run (fail_fast)"
            return Reason("cancelled", text, nodes=(failure.node,))
        if failure is not None and failure.info is not None:
            return Reason("cancelled", f"the run ended: {failure.info.message or failure.info.type}")
        if self.details.lost:
            return Reason("cancelled", "the process that ran the pipeline was lost")
        return Reason("cancelled", "the run was cancelled")

    def _control(self, node: str, index: Index) -> _Told:
        """A control node is what lies in it; what it decided is told."""
        decision = self.run.facts.decisions.get((node, index))
        kind = self.sources[node].kind
        what = {
            "map": "{} items",
            "branch": "arm {} was taken",
            "loop": "{} iterations",
            "try": "arm {} (0 is the body)",
        }.get(kind)
        text = what.format(decision.value) if what is not None and decision is not None else f"a {kind}"
        inside = [name for name, source in self.sources.items() if source.parent == node]
        return _told(Reason("in-it", f"{text}; it is what the nodes in it are", nodes=tuple(inside)))


def _told(reason: Reason) -> _Told:
    return (reason.kind, reason.text), lambda: (reason,)
