"""The reasons of a plan's calls: found cheaply for each, told in words for the first of each kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drawloom.catalog.answers import Answers
from drawloom.catalog.functions import FunctionSource, PartChange, compare
from drawloom.catalog.history import History
from drawloom.catalog.reasons import (
    CallFacts,
    Difference,
    Reason,
    age_text,
    differences,
    entry_reason,
    instance_text,
    not_cacheable,
    reasons_of,
)
from drawloom.catalog.records import Commit, Index, ValueRef
from drawloom.catalog.value_changes import table_differences
from drawloom.ir.canonical import Json
from drawloom.ir.nodes import Call
from drawloom.ir.policies import Policies
from drawloom.ir.tasks import TaskSpec
from drawloom.runtimes.environment import environment_digest, environment_tree
from drawloom.values.store import Values

__all__ = ["CallReasons", "Told"]


@dataclass(frozen=True, slots=True)
class Told:
    """Reasons that are made when they are wanted.

    Args:
        kinds: what they are grouped by.
        make: gives them.
    """

    kinds: tuple[Any, ...]
    make: Callable[[], tuple[Reason, ...]]

    @classmethod
    def of(cls, *reasons: Reason) -> Told:
        """Reasons that are there already."""
        return cls(tuple((reason.kind, reason.text) for reason in reasons), lambda: reasons)


class CallReasons:
    """Makes the reasons of calls.

    Args:
        answers: what earlier runs made.
        values: of the project.
        history: the pipeline's earlier runs.
        source: function digest -> what it is made of, of the code as it is now.
        deep: whether changed tables are read and compared, and reworded sources told.
    """

    def __init__(
        self,
        answers: Answers,
        values: Values,
        history: History,
        source: Callable[[str], FunctionSource | None],
        *,
        deep: bool,
    ) -> None:
        self.answers = answers
        self.values = values
        self.history = history
        self.source = source
        self.deep = table_differences(values) if deep else None

    def call(
        self,
        node: Call,
        index: Index,
        spec: TaskSpec,
        policies: Policies,
        inputs: tuple[tuple[str, ValueRef], ...],
        trees: Mapping[str, Json],
    ) -> _CallReasons:
        """The reasons of one call instance, whose inputs are known as far as `inputs` has them."""
        return _CallReasons(self, node, index, spec, policies, inputs, trees)

    def undecided(self, node: Call, spec: TaskSpec, why: Reason) -> Told:
        """Of a call of which it isn't known whether it is reached: why that is, and whether its code is another one."""
        return Told((why.kind, why.text), lambda: (*self._new_code(node, spec), why))

    def _new_code(self, node: Call, spec: TaskSpec) -> tuple[Reason, ...]:
        for run in self.history.runs:
            commit = next((c for c in run.by_node.get(node.id, ()) if c.function), None)
            if commit is not None:
                of = self.call(node, commit.index, spec, spec.policies, (), {})
                moved = (Difference("code-changed"),) if commit.function != spec.function.digest else ()
                return reasons_of(moved, of.facts(""), self.history, (run, commit)) if moved else ()
        return ()


class _CallReasons:
    def __init__(
        self,
        of: CallReasons,
        node: Call,
        index: Index,
        spec: TaskSpec,
        policies: Policies,
        inputs: tuple[tuple[str, ValueRef], ...],
        trees: Mapping[str, Json],
    ) -> None:
        self.of = of
        self.node = node
        self.index = index
        self.spec = spec
        self.policies = policies
        self.inputs = inputs
        self.trees = trees

    def uncacheable(self) -> Told:
        """It is never answered."""
        reason = not_cacheable(self.node.inputs, self.spec, self.policies)
        assert reason is not None, "the rule is that of `is_cacheable`"
        return Told.of(reason)

    def switched_off(self) -> Told:
        """The run asks nothing of the cache."""
        return Told.of(Reason("cache-off", "the cache is switched off for this run"))

    def waiting(self, unknown: Mapping[str, tuple[str, ...]], *, new: bool) -> Told:
        """Inputs aren't known; `new`: its code can't have an answer."""
        waits = [] if new else [_wait(port, nodes) for port, nodes in unknown.items()]
        found = self.of.history.find(self.node.id, self.index)
        if found is None:
            never = [self._never()] if new or not waits else []
            return Told.of(*never, *waits)
        now, (run, commit) = self.facts(""), found
        moved = tuple(
            d for d in differences(now, run, commit, self.of.history.original(commit)) if d.port not in unknown
        )
        if new and not moved:
            return Told.of(Reason("never-ran", "this code never ran"))
        known = (*moved, *(wait.port for wait in waits))
        return Told(known, lambda: (*reasons_of(moved, now, self.of.history, found, deep=self.of.deep), *waits))

    def answered(self, found: Commit) -> Told:
        """A commit answers it."""
        return Told(("answered",), lambda: (self._answered(found),))

    def _answered(self, found: Commit) -> Reason:
        where = "" if found.node == self.node.id else f" ({instance_text(found.node, found.index)})"
        text = f"same code and inputs as in {found.run}{where}, {age_text(time.time() - found.at)} ago"
        parts: tuple[PartChange, ...] = ()
        if self.of.deep is not None:
            now, then = self.of.source(self.spec.function.digest), self._then()
            parts = compare(then, now) if now is not None and then is not None else ()
        return Reason("answered", text, parts=parts, run=found.run)

    def _then(self) -> FunctionSource | None:
        runs = self.of.history.runs
        return runs[0].source(self.spec.function.digest) if runs else None

    def equal_to(self, other: str) -> Told:
        """Another call of the run has the same key."""
        reason = Reason("equal-call", f"an equal call, `{other}`, may answer it")
        return Told(("equal-call",), lambda: (reason,))

    def changed(self, key: str) -> Told:
        """Nothing answers it: what has changed."""
        entry = self.of.answers.entry(key, self.spec.function.digest)
        unusable = entry_reason(entry, self.policies)
        if unusable is not None:
            return Told((unusable.kind,), lambda: (unusable,))
        found = self.of.history.find(self.node.id, self.index)
        if found is None:
            return Told(("never-ran",), lambda: (self._never(),))
        now, (run, commit) = self.facts(key), found
        moved = differences(now, run, commit, self.of.history.original(commit))
        if not moved and commit.outcome != "failed":
            return Told(("no-entry",), lambda: (self._no_entry(run.id, commit, key),))
        return Told((*moved, commit.outcome), lambda: reasons_of(moved, now, self.of.history, found, deep=self.of.deep))

    def _never(self) -> Reason:
        runs = self.of.history.runs
        if self.index and any(self.node.id in run.by_node for run in runs):
            return Reason("never-ran", f"never ran for {list(self.index)}, only for others")
        return Reason("never-ran", "never ran")

    def _no_entry(self, run: str, commit: Commit, key: str) -> Reason:
        if not commit.cache_key:
            text = f"its result in {run} wasn't kept for the cache"
        elif commit.cache_key == key:
            text = f"the result of {run} isn't kept under its key any more"
        else:
            text = f"its key isn't that of {run}: the environment or the type of its result has changed"
        return Reason("no-entry", text, run=run)

    def facts(self, key: str) -> CallFacts:
        """What the call is compared by."""
        return CallFacts(
            function=self.spec.function.digest,
            inputs=self.inputs,
            environment=environment_digest(self.policies) if self.spec.container is None else "",
            version=self.policies.cache.version,
            key=key,
            source=lambda: self.of.source(self.spec.function.digest),
            environment_tree=lambda: environment_tree(self.policies),
            tree=self._tree,
        )

    def _tree(self, port: str) -> tuple[bool, Json]:
        if port in self.trees:
            return True, self.trees[port]
        ref = dict(self.inputs).get(port)
        if ref is None:
            return False, None
        return True, self.of.values.tree(ref)


def _wait(port: str, nodes: tuple[str, ...]) -> Reason:
    by = ", ".join(f"`{name}`" for name in nodes[:3]) or "the run begins"
    return Reason("upstream-runs", f"input `{port}` is known only after {by}", port=port, nodes=nodes)
