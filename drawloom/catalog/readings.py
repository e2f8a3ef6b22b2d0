"""One walk through a pipeline beside its records: the state of every node instance, from the outside in.

`catalog.state` is the way in, and tells the rules. *Doomed* is what will never begin, because it lies in an arm that
wasn't taken or behind a failure; what such an instance's own records say comes first all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from drawloom.catalog.facts import Facts, Instance
from drawloom.catalog.records import Index
from drawloom.ir.layout import layout
from drawloom.ir.nodes import (
    Block,
    Branch,
    Call,
    Loop,
    Map,
    Node,
    Pipeline,
    PipelineCall,
    Try,
)
from drawloom.ir.walk import blocks, dependencies, walk

__all__ = ["SETTLED", "STATES", "Reading"]

STATES: Final[tuple[str, ...]] = ("pending", "running", "succeeded", "cached", "skipped", "failed", "cancelled")
SETTLED: Final = frozenset(STATES[2:])


class Reading:  # over 150 lines: the rules of all kinds of nodes call each other, one walk long
    """The states of all node instances of a run.

    Args:
        pipeline: what was run.
        facts: the run's records.
        over: whether the run has ended: what isn't settled then is cancelled.
        dead: whether it ended because its writer died: what ran then has failed.

    Attributes:
        sources: node id -> its place in the pipeline.
        states: node id -> index vector -> state.
    """

    def __init__(self, pipeline: Pipeline, facts: Facts, *, over: bool, dead: bool) -> None:
        self.pipeline = pipeline
        self.facts = facts
        self.over = over
        self.dead = dead
        self.sources = layout(pipeline)
        self.states: dict[str, dict[Index, str]] = {node: {} for node in self.sources}
        self._unborn: dict[str, set[str]] = {}  # node id -> states of instances whose number isn't known, or is none
        self._numbers = facts.numbers_below(self.sources)
        self._too_late = 0  # how many tries that are past their body the walk is in
        self._closed = 0  # how many nodes and arms the walk is in that nobody is known to have entered
        self._needs: dict[str, tuple[str, ...]] = {}
        self._whole = _together(self._block(pipeline.body, (), False))

    def whole(self) -> str:
        """The state of the pipeline's body."""
        return self._whole

    def node_state(self, node: str) -> str:
        """The state of a node, all its instances taken together."""
        found = {*self.states[node].values(), *self._unborn.get(node, ())}
        for name in ("failed", "running"):
            if name in found:
                return name
        if "pending" in found:
            return "running" if found & {"succeeded", "cached"} else "pending"
        for name in ("cancelled", "succeeded", "cached"):
            if name in found:
                return name
        return "skipped"

    # states, from the outside in

    def _block(self, block: Block, index: Index, doomed: bool) -> list[str]:
        return [self._instance(node, index, doomed) for node in block.nodes]

    def _instance(self, node: Node, index: Index, doomed: bool) -> str:
        doomed = doomed or self._behind(node, index)
        found = self._leaf(node.id, index, doomed) if isinstance(node, Call) else self._control(node, index, doomed)
        self.states[node.id][index] = found
        return found

    def _leaf(self, node: str, index: Index, doomed: bool) -> str:
        place = (node, index)
        commit = self.facts.commits.get(place)
        if commit is not None:
            return commit.outcome
        events = self.facts.events.get(place, set())
        for name in ("skipped", "cancelled"):
            if any(event == name for _, event in events):
                return name
        if events or place in self.facts.attempts:
            return self._unfinished(place) if self.over else "running"
        return "skipped" if doomed else self._unreached()

    def _unfinished(self, place: Instance) -> str:
        """What an instance is that began, has no commit, and never will have one."""
        last = self.facts.last_failure(place)
        if last is not None and last.outcome == "cancelled":
            return "cancelled"
        told = last is not None and last.outcome in ("failed", "timeout")
        return "failed" if told or self.dead or self.facts.events.get(place) else "cancelled"

    def _unreached(self) -> str:
        """What is that nobody began yet, as far as records tell."""
        if not self.over:
            return "pending"
        return "skipped" if self._too_late else "cancelled"

    def _control(self, node: Node, index: Index, doomed: bool) -> str:
        commit = self.facts.commits.get((node.id, index))
        outcome = commit.outcome if commit is not None else ""
        ended = doomed or outcome in ("skipped", "failed")  # whatever it didn't decide, it won't
        waits = not self._needs_are(node, index, ("succeeded", "cached"), all)
        self._closed += waits
        inner = self._inside(node, index, doomed or outcome == "skipped", ended)
        self._closed -= waits
        if outcome in ("skipped", "failed"):
            return outcome
        if outcome:
            return inner if inner in ("succeeded", "cached") else outcome
        if doomed:
            return inner if inner in ("failed", "running") else "skipped"
        if inner == "pending" and (node.id, index) in self.facts.decisions:
            return self._running()
        return inner

    def _running(self) -> str:
        return "cancelled" if self.over else "running"

    def _inside(self, node: Node, index: Index, doomed: bool, ended: bool) -> str:
        if isinstance(node, Map):
            return self._map(node, index, doomed, ended)
        if isinstance(node, Branch):
            return self._branch(node, index, doomed, ended)
        if isinstance(node, Loop):
            return self._loop(node, index, doomed, ended)
        if isinstance(node, Try):
            return self._try(node, index, doomed, ended)
        assert isinstance(node, PipelineCall)
        if self._closed and not node.body.nodes:
            return self._unreached()  # nothing in it will ever tell that it was entered
        return _together(self._block(node.body, index, doomed))

    def _map(self, node: Map, index: Index, doomed: bool, ended: bool) -> str:
        decision = self.facts.decisions.get((node.id, index))
        commit = self.facts.commits.get((node.id, index))
        if commit is not None and commit.outcome == "cached" and decision is not None:
            for inner in node.body.nodes:  # answered as a whole: calls without commits of their own
                self.states[inner.id] |= {(*index, k): "cached" for k in range(decision.value)}
            return "cached"
        if decision is None:
            numbers: Iterable[int] = sorted({number for number, _ in self._numbers.get((node.id, index), ())})
            rest = [self._never("skipped" if ended else self._unreached(), node.body)]
        else:
            numbers = range(decision.value)
            rest = []
            if decision.value == 0:
                self._never("skipped", node.body)
        return _together([s for k in numbers for s in self._block(node.body, (*index, k), doomed)] + rest)

    def _branch(self, node: Branch, index: Index, doomed: bool, ended: bool) -> str:
        decision = self.facts.decisions.get((node.id, index))
        arms = blocks(node)
        if decision is None:
            self._closed += 1
            found = [s for arm in arms for s in self._block(arm, index, ended)]
            self._closed -= 1
            begun = {"failed": "failed", "running": "running", "succeeded": self._running(), "cached": self._running()}
            live = [begun[s] for s in found if s in begun]
            return _together([*live, "skipped" if ended else self._unreached()])
        taken = [self._block(arm, index, doomed or number != decision.value) for number, arm in enumerate(arms)]
        return _together(taken[decision.value] if 0 <= decision.value < len(arms) else [])

    def _loop(self, node: Loop, index: Index, doomed: bool, ended: bool) -> str:
        end = self.facts.decisions.get((node.id, index))
        seen = self._numbers.get((node.id, index), set())  # (iteration, 0 for the test or 1 for the body)
        never = "skipped" if doomed or (ended and self.over) else self._unreached()
        found: list[str] = []
        k = 0
        while True:
            here = (*index, k)
            if ended and end is None and not any(place >= (k, 0) for place in seen):
                found.append(self._never(never, node.test, node.body))  # perhaps what it begins with can't be had
                break
            tested = self._block(node.test, here, doomed)
            found += tested
            go_on = self._goes_on(node.id, here, end.value if end is not None else None)
            if go_on is None and not any(place > (k, 0) for place in seen):
                if _together(tested) not in ("failed", "skipped"):
                    found.append(self._never(never, node.test, node.body))
                break
            if go_on is False:
                break
            if k >= node.max_iterations:
                if node.on_limit == "fail":
                    found.append("failed")
                break
            body = self._block(node.body, here, doomed)
            found += body
            settled = _together(body)
            if settled in ("failed", "skipped", "cancelled") and not any(number > k for number, _ in seen):
                break
            k += 1
        self._never("skipped", node.body)  # shows only where no iteration began
        return _together(found)

    def _goes_on(self, loop: str, here: Index, end: int | None) -> bool | None:
        """Whether a loop's test let iteration `here[-1]` begin; None where that isn't known."""
        tested = self.facts.decisions.get((loop, here))
        if tested is not None:
            return bool(tested.value)
        return here[-1] < end if end is not None else None

    def _try(self, node: Try, index: Index, doomed: bool, ended: bool) -> str:
        decision = self.facts.decisions.get((node.id, index))
        chosen = decision.value if decision is not None else None
        decided = chosen is not None and chosen != 0
        self._too_late += decided  # a handler was chosen, or none: what didn't begin in the body won't any more
        body = _together(self._block(node.body, index, doomed))
        self._too_late -= decided
        self._closed += chosen is None
        handlers = []
        for arm, handler in enumerate(node.handlers, 1):
            missed = ended if chosen is None else chosen != arm
            handlers.append(_together(self._block(handler.block, index, doomed or missed)))
        final = _together(self._block(node.final, index, doomed)) if node.final is not None else "succeeded"
        self._closed -= chosen is None
        if chosen is None:
            main = self._undecided_try(body, handlers)
        elif chosen == 0:
            main = body
        elif chosen < 0 or chosen > len(handlers):
            main = "failed"
        else:
            main = "succeeded" if handlers[chosen - 1] == "cached" else handlers[chosen - 1]
        return main if final in ("succeeded", "cached", "skipped") else _after(main, final)

    def _undecided_try(self, body: str, handlers: list[str]) -> str:
        if self.over:
            return body if body in ("failed", "skipped") else "cancelled"
        if body in ("pending", "skipped") and set(handlers) <= {"pending", "skipped"}:
            return body
        return "running"

    def _never(self, name: str, *held: Block) -> str:
        """Notes that the nodes of blocks have instances without a number, which are `name`."""
        for block in held:
            for node in walk(block):
                self._unborn.setdefault(node.id, set()).add(name)
        return name

    def _behind(self, node: Node, index: Index) -> bool:
        """Whether something that `node`, or a node in it, needs has failed or was skipped (`ir.interpret`)."""
        return self._needs_are(node, index, ("failed", "skipped"), any)

    def _needs_are(
        self, node: Node, index: Index, among: tuple[str, ...], quantifier: Callable[[Iterable[bool]], bool]
    ) -> bool:
        """Whether any, or all, of what a node, or a node in it, needs is in one of the states `among`."""
        if node.id not in self._needs:
            self._needs[node.id] = tuple(need for need in dependencies(node) if need in self.sources)
        return quantifier(
            self.states[need].get(index[: self.sources[need].depth]) in among for need in self._needs[node.id]
        )


def _together(states: list[str]) -> str:
    """The state of a block from those of its nodes: it has what it needs only if each of them has."""
    for name in ("failed", "running"):
        if name in states:
            return name
    if "pending" in states:
        return "running" if "succeeded" in states or "cached" in states else "pending"
    for name in ("cancelled", "skipped"):
        if name in states:
            return name
    return "cached" if states and "succeeded" not in states else "succeeded"


def _after(main: str, final: str) -> str:
    """The state of a try whose `final` isn't done, or failed."""
    if final == "failed" or main not in ("succeeded", "cached"):
        return "failed" if "failed" in (main, final) else main
    return "cancelled" if final == "cancelled" else "running"
