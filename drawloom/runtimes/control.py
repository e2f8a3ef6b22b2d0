"""Instances of control nodes while they run: what each kind does when it begins and when one of its blocks ends.

They decide and collect; the scheduler runs what is in their blocks. `ir.interpret` says what they mean; here the same
happens out of order, and nothing waits.
"""

from __future__ import annotations

from typing import Any, Final

from drawloom.catalog.records import Commit, FailureInfo
from drawloom.errors import BoundReached
from drawloom.ir.canonical import Json
from drawloom.ir.nodes import Branch, Loop, Map, PipelineCall, Try
from drawloom.runtimes.attempt import describe_failure
from drawloom.runtimes.blocks import CANCELLED, DONE, Ending, Failure, Frame
from drawloom.runtimes.retry import matches

__all__ = ["CONTROLS", "Control", "MapRun"]

_ITEMS_AT_ONCE: Final = 64  # the least number of items a map without a limit has under way


class Control:
    """An instance of a control node.

    Args:
        scheduler: runs its blocks and is told its end.
        frame: the block instance it lies in.
        place: its number in that block.
    """

    def __init__(self, scheduler: Any, frame: Frame, place: int) -> None:  # the scheduler imports this module
        self.scheduler = scheduler
        self.frame: Frame | None = frame
        self.place = place
        self.node: Any = frame.plan.nodes[place]  # of the kind each subclass is for
        self.index = frame.index
        self.plans = scheduler.plans(self.node)

    def prepare(self) -> None:
        """Evaluates what the node itself refers to; whatever that raises is the node's own failure."""

    def start(self) -> None:
        """Begins, once it is prepared."""
        self.enter(0)

    def ended(self, frame: Frame, ending: Ending, results: dict[str, Json]) -> None:  # noqa: ARG002
        """One of its blocks has ended."""
        self.finish(ending, results)

    def catches(self, frame: Frame) -> bool:  # noqa: ARG002
        """Whether a failure in `frame` may be handled here."""
        return False

    def enter(self, arm: int, *numbers: int, protected: bool = False) -> None:
        """Starts an instance of the block `arm`, `numbers` put behind the index vector."""
        assert self.frame is not None, "a control node lies in a block"
        index = (*self.index, *numbers)
        self.scheduler.enter(self.plans[arm], index, self, arm, protected or self.frame.protected)

    def finish(self, ending: Ending, results: dict[str, Json] | None = None) -> None:
        """Ends this instance; `results` are what others may refer to."""
        if ending is DONE:
            self.scheduler.publish(self.node.id, self.index, results or {})
        elif isinstance(ending, Failure) and (ending.node, ending.index) == (self.node.id, self.index):
            self.scheduler.journal.control_failed(ending.node, ending.index, ending.info)
        self.scheduler.settle(self.frame, self.place, ending)

    def fail(self, exception: Exception) -> None:
        """Ends this instance with a failure of its own."""
        self.scheduler.fail(self, exception)


class Group(Control):
    """A nested pipeline."""

    node: PipelineCall


class MapRun(Control):
    """A map: items are entered as others end, so that what is in memory doesn't grow with their number."""

    node: Map

    def prepare(self) -> None:
        self.count = len(self.scheduler.resolver.items(self.node.id, self.index))
        self.key: str = ""
        self.answer: Commit | None = None
        if self.count:
            self.key, self.answer = self.scheduler.answer_for(self.node, self.index)

    def start(self) -> None:
        self.scheduler.journal.decided(self.node.id, self.index, self.count)
        if self.answer is not None:
            self._adopt(self.answer)
            return
        self.collected: dict[str, list[Json]] = {port.name: [None] * self.count for port in self.node.results}
        limit = self.node.parallelism.limit if self.node.parallelism is not None else 0
        self.window = limit or max(_ITEMS_AT_ONCE, 2 * self.scheduler.capacity)
        self.entered = 0
        self.active = 0
        self.failures: dict[int, Failure] = {}
        self.cancelled = False
        self._pump()

    def _adopt(self, answer: Commit) -> None:
        """Takes the lists an equal map has made."""
        inner = [node.id for node in self.node.body.nodes]
        self.scheduler.journal.adopted(self.node.id, self.index, self.key, answer, inner, self.count)
        self.scheduler.resolver.forget(self.node.id, self.index)
        self.finish(DONE, {port: self.scheduler.load(ref) for port, ref in answer.outputs})

    def _pump(self) -> None:
        assert self.frame is not None, "a map lies in a block"
        if self.entered < self.count and self.scheduler.refuses(self.frame):
            self.entered, self.cancelled = self.count, True
        while self.entered < self.count and self.active < self.window:
            self.active += 1
            self.entered += 1
            self.enter(0, self.entered - 1)
        if not self.active:
            self._collect()

    def ended(self, frame: Frame, ending: Ending, results: dict[str, Json]) -> None:
        k = frame.index[-1]
        self.active -= 1
        if isinstance(ending, Failure):
            self.failures[k] = ending
            if (ending.node, ending.index) == (self.node.id, self.index):
                self.scheduler.journal.item_failed(self.node.id, frame.index, ending.info)
        elif ending is CANCELLED:
            self.cancelled = True
        else:
            for name, trees in self.collected.items():
                trees[k] = results[name]
        self._pump()

    def item_done(self, k: int, tree: Json) -> None:
        """An item has ended well whose block is one call: as `ended`, without looking for its results."""
        self.active -= 1
        for trees in self.collected.values():
            trees[k] = tree
        self._pump()

    def _collect(self) -> None:
        self.scheduler.resolver.forget(self.node.id, self.index)
        if self.failures:
            first = self.failures[min(self.failures)]
            if (first.node, first.index) != (self.node.id, self.index):
                self.scheduler.journal.map_failed(self.node.id, self.index, first.info)
            self.finish(first)
        elif self.cancelled:
            self.finish(CANCELLED)
        else:
            types = {port.name: str(port.type) for port in self.node.results}
            self.scheduler.collect(self.node.id, self.index, self.collected, types, self.key)
            self.finish(DONE, self.collected)


class BranchRun(Control):
    """A branch."""

    node: Branch

    def prepare(self) -> None:
        tests = enumerate(self.node.cases)
        truth = self.scheduler.resolver.truth
        self.chosen = next((k for k, case in tests if truth(case.test, self.index)), len(self.node.cases))

    def start(self) -> None:
        self.scheduler.journal.decided(self.node.id, self.index, self.chosen)
        self.enter(self.chosen)


class LoopRun(Control):
    """A loop: test and body in turns."""

    node: Loop

    def prepare(self) -> None:
        tree = self.scheduler.resolver.tree
        self.carried: dict[str, Json] = {c.name: tree(c.initial, self.index) for c in self.node.carried}
        self.iteration = 0

    def start(self) -> None:
        self._test()

    def _test(self) -> None:
        self.scheduler.resolver.carry(self.node.id, (*self.index, self.iteration), self.carried)
        self.enter(0, self.iteration)

    def ended(self, frame: Frame, ending: Ending, results: dict[str, Json]) -> None:
        if ending is not DONE:
            self.scheduler.resolver.forget(self.node.id, self.index)
            self.finish(ending)
        elif frame.arm == 1:
            self.carried = results
            self.iteration += 1
            self._test()
        else:
            try:
                goes_on = self.scheduler.resolver.is_true(results["test"])
            except Exception as exception:  # noqa: BLE001  # a value of the user's decides on its own truth
                self.fail(exception)
                return
            self._tested(goes_on)

    def _tested(self, goes_on: bool) -> None:
        k = self.iteration
        self.scheduler.journal.decided(self.node.id, (*self.index, k), int(goes_on))
        if goes_on and k < self.node.max_iterations:
            self.enter(1, k)
            return
        self.scheduler.resolver.forget(self.node.id, self.index)
        if goes_on and self.node.on_limit == "fail":
            self.fail(BoundReached(self.node.max_iterations))
            return
        self.scheduler.journal.decided(self.node.id, self.index, k)
        self.finish(DONE, self.carried)


class TryRun(Control):
    """A try: the body, perhaps a handler, then `final`, whose failure replaces what came before."""

    node: Try

    def prepare(self) -> None:
        self.result: tuple[Ending, dict[str, Json]] = (DONE, {})

    def catches(self, frame: Frame) -> bool:
        return frame.arm == 0 and bool(self.node.handlers)

    def ended(self, frame: Frame, ending: Ending, results: dict[str, Json]) -> None:
        final = len(self.node.handlers) + 1
        if frame.arm == final:
            self.finish(*(self.result if ending is DONE else (ending, {})))
            return
        self.result = (ending, results)
        if frame.arm == 0 and self._body_ended(ending):
            return
        if self.node.final is not None and not self.scheduler.aborted:
            self.enter(final, protected=True)
        else:
            self.finish(*self.result)

    def _body_ended(self, ending: Ending) -> bool:
        """Decides for an arm; whether a handler was entered."""
        journal = self.scheduler.journal
        if not isinstance(ending, Failure):
            if ending is DONE:
                journal.decided(self.node.id, self.index, 0)
            return False
        handlers = enumerate(self.node.handlers, 1)
        arm = next((h for h, handler in handlers if matches(ending.info, handler.exceptions)), -1)
        journal.decided(self.node.id, self.index, arm, ending.info if arm > 0 else None)
        if arm < 0:
            return False
        self.scheduler.catch(self.node.id, self.index, _failure_tree(ending))
        self.enter(arm)
        return True


def _failure_tree(failure: Failure) -> Json:
    """The envelope of the `Failure` a handler is given."""
    fields = [["type", failure.info.type], ["message", failure.info.message], ["node", failure.node]]
    return {"$": "dataclass", "class": "drawloom.values.failure:Failure", "v": fields}


def own_failure(node: str, index: tuple[int, ...], exception: BaseException) -> Failure:
    """A failure that happened in this process, outside any attempt."""
    info: FailureInfo = describe_failure(exception)
    return Failure(node, index, info, exception)


CONTROLS: Final[dict[type, type[Control]]] = {
    PipelineCall: Group,
    Map: MapRun,
    Branch: BranchRun,
    Loop: LoopRun,
    Try: TryRun,
}
