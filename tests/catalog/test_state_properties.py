"""`state` against the reference interpreter, and under any order, any part and any doubling of the records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.catalog.records import (
    AttemptFinished,
    AttemptStarted,
    Commit,
    Decision,
    FailureInfo,
    Record,
    RunFinished,
    RunStarted,
)
from drawloom.catalog.state import SETTLED, state
from drawloom.ir.interpret import Outcome, exception_names, interpret
from drawloom.ir.nodes import Block, Branch, Call, Carry, Case, Handler, Loop, Map, Node, Pipeline, PipelineCall, Try
from drawloom.ir.operands import Apply, Carried, Const, Operand
from drawloom.ir.tasks import FunctionRef, Port, TaskSpec
from drawloom.ir.walk import walk

TASKS = tuple(TaskSpec(f"t:{name}", FunctionRef("t", name, "0" * 64)) for name in ("boom", "one"))
RESULT = (Port("result"),)
RAISES = Apply("truediv", (Const("1"), Const("0")))


def boom() -> int:
    raise ValueError("boom")


FUNCTIONS = {"t:boom": boom, "t:one": lambda: 1}


class Maker:
    """Draws pipelines of every kind of node, in which calls, tests and loops may fail anywhere."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.ids = count()

    def block(self, depth: int, seen: tuple[str, ...], least: int = 0) -> Block:
        nodes: list[Node] = []
        for _ in range(self.draw(st.integers(least, 3))):
            node = self.node(depth, seen)
            nodes.append(node)
            seen = (*seen, node.id)
        return Block(tuple(nodes), (("result", Const("1")),))

    def node(self, depth: int, seen: tuple[str, ...]) -> Node:
        kinds = ["call"] if depth == 0 else ["call", "group", "map", "branch", "loop", "try"]
        kind = self.draw(st.sampled_from(kinds))
        name = f"n{next(self.ids)}"
        after = tuple(self.draw(st.sets(st.sampled_from(seen), max_size=2))) if seen else ()
        made: Node = getattr(self, kind)(name, tuple(sorted(after)), depth - 1, seen)
        return made

    def call(self, name: str, after: tuple[str, ...], depth: int, seen: tuple[str, ...]) -> Node:
        task = "t:boom" if self.draw(st.integers(0, 5)) == 0 else "t:one"
        return Call(name, task, after=after)

    def group(self, name: str, after: tuple[str, ...], depth: int, seen: tuple[str, ...]) -> Node:
        return PipelineCall(name, "inner", self.block(depth, seen), results=RESULT, after=after)

    def map(self, name: str, after: tuple[str, ...], depth: int, seen: tuple[str, ...]) -> Node:
        items: Operand = Const(json.dumps(list(range(self.draw(st.integers(0, 2))))))
        return Map(name, items, self.block(depth, seen), RESULT, after=after)

    def branch(self, name: str, after: tuple[str, ...], depth: int, seen: tuple[str, ...]) -> Node:
        tests = self.draw(st.lists(st.sampled_from([Const("true"), Const("false"), RAISES]), min_size=1, max_size=2))
        cases = tuple(Case(test, self.block(depth, seen)) for test in tests)
        return Branch(name, cases, self.block(depth, seen), RESULT, after)

    def loop(self, name: str, after: tuple[str, ...], depth: int, seen: tuple[str, ...]) -> Node:
        carried, bound = Carried(name, "result"), self.draw(st.integers(0, 3))
        test = replace(self.block(0, seen), results=(("test", Apply("lt", (carried, Const(str(bound))))),))
        body = replace(self.block(depth, seen), results=(("result", Apply("add", (carried, Const("1")))),))
        limit = self.draw(st.sampled_from(["fail", "stop"]))
        return Loop(name, (Carry("result", Const("0")),), test, body, self.draw(st.integers(0, 2)), limit, after)

    def try_(self, name: str, after: tuple[str, ...], depth: int, seen: tuple[str, ...]) -> Node:
        caught = self.draw(st.sampled_from(["builtins:ValueError", "builtins:Exception", "builtins:KeyError"]))
        handler = Handler((caught,), self.block(0, seen, least=1))
        final = self.block(0, seen) if self.draw(st.booleans()) else None
        return Try(name, self.block(depth, seen), (handler,), final, RESULT, after)

    def __getattr__(self, name: str) -> object:
        if name == "try":  # a keyword can't be a method's name
            return self.try_
        raise AttributeError(name)


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    return Pipeline("p", tasks=TASKS, body=Maker(draw).block(2, (), least=1))


def records_of(pipeline: Pipeline, outcome: Outcome) -> list[Record]:
    """What an executor would have written of this outcome."""
    made: list[Record] = [RunStarted("r", "p", "d", at=1.0)]
    for node in walk(pipeline.body):
        for (name, index), ended in outcome.instances.items():
            if name == node.id and ended != "skipped":
                made += list(_of_instance(node, index, outcome))
    made.append(RunFinished("r", "failed" if outcome.failure else "succeeded", at=9.0))
    return made


def _info(error: BaseException) -> FailureInfo:
    names = exception_names(error)
    return FailureInfo(names[0], str(error), names)


def _of_instance(node: Node, index: tuple[int, ...], outcome: Outcome) -> Iterator[Record]:
    if isinstance(node, Call):
        value = outcome.commits[node.id, index]
        failure = _info(value) if isinstance(value, BaseException) else None
        ended = "failed" if failure else "succeeded"
        yield AttemptStarted("r", node.id, index, at=2.0)
        yield AttemptFinished("r", node.id, index, outcome=ended, failure=failure, seconds=0.5, at=3.0)
        yield Commit("r", node.id, index, outcome=ended, failure=failure, function="f", seconds=0.5, at=3.0)
        return
    yield from (Decision("r", node.id, at, value=value, at=2.0) for at, value in _decisions(node, index, outcome))
    if outcome.instances[node.id, index] == "failed" and not _failed_inside(node, index, outcome):
        yield Commit("r", node.id, index, outcome="failed", failure=FailureInfo("builtins:Exception"), at=3.0)


def _failed_inside(node: Node, index: tuple[int, ...], outcome: Outcome) -> bool:
    inside = {n.id for n in walk(Block((node,)))} - {node.id}
    return any(
        name in inside and at[: len(index)] == index and ended == "failed"
        for (name, at), ended in outcome.instances.items()
    )


def _all_well(block: Block, index: tuple[int, ...], outcome: Outcome) -> bool:
    return all(outcome.instances[node.id, index] == "succeeded" for node in block.nodes)


def _decisions(node: Node, index: tuple[int, ...], outcome: Outcome) -> Iterator[tuple[tuple[int, ...], int]]:
    if isinstance(node, Map):
        assert isinstance(node.items, Const)
        yield index, len(json.loads(node.items.json))
    elif isinstance(node, Branch):
        tests = [case.test for case in node.cases]
        for arm, test in enumerate(tests):
            if test == RAISES:
                return
            if test == Const("true"):
                yield index, arm
                return
        yield index, len(tests)
    elif isinstance(node, Loop):
        yield from _loop_decisions(node, index, outcome)
    elif isinstance(node, Try):
        if _all_well(node.body, index, outcome):
            yield index, 0
        else:
            handled = (node.handlers[0].block.nodes[0].id, index) in outcome.instances
            yield index, 1 if handled else -1


def _loop_decisions(node: Loop, index: tuple[int, ...], outcome: Outcome) -> Iterator[tuple[tuple[int, ...], int]]:
    test = dict(node.test.results)["test"]
    assert isinstance(test, Apply)
    bound = test.args[1]
    assert isinstance(bound, Const)
    for k in count():
        if not _all_well(node.test, (*index, k), outcome):
            return
        yield (*index, k), int(k < int(bound.json))
        if k >= int(bound.json) or k == node.max_iterations:
            if k >= int(bound.json) or node.on_limit == "stop":
                yield index, k
            return
        if not _all_well(node.body, (*index, k), outcome):
            return


@settings(max_examples=60, deadline=None)
@given(pipelines())
def test_a_finished_run_is_what_the_interpreter_says(pipeline: Pipeline) -> None:
    outcome = interpret(pipeline, FUNCTIONS)
    found = state(pipeline, records_of(pipeline, outcome))
    assert {name: node.state for name, node in found.nodes.items()} == dict(outcome.states)
    assert found.state == ("failed" if outcome.failure else "succeeded")
    if outcome.failed is not None:
        assert found.failure is not None
        assert (found.failure.node, found.failure.index) == outcome.failed


@settings(max_examples=60, deadline=None)
@given(pipelines(), st.data())
def test_order_and_doubles_of_records_do_not_matter(pipeline: Pipeline, data: st.DataObject) -> None:
    records = records_of(pipeline, interpret(pipeline, FUNCTIONS))
    part = [record for record in records if data.draw(st.integers(0, 3))]
    shuffled = data.draw(st.permutations([*part, *part[::2]]))
    assert state(pipeline, shuffled) == state(pipeline, part)


@settings(max_examples=100, deadline=None)
@given(pipelines(), st.data())
def test_more_records_only_move_states_forward(pipeline: Pipeline, data: st.DataObject) -> None:
    records = records_of(pipeline, interpret(pipeline, FUNCTIONS))[:-1]  # while it runs
    more = [record for record in records if data.draw(st.integers(0, 4))]
    less = [record for record in more if data.draw(st.integers(0, 2))]
    before, after = state(pipeline, less), state(pipeline, more)
    for name, node in before.nodes.items():
        assert _rank(node.state) <= _rank(after.nodes[name].state), (name, node.state, after.nodes[name].state)
    assert _rank(before.state) <= _rank(after.state)


@settings(max_examples=100, deadline=None)
@given(pipelines(), st.data(), st.booleans())
def test_once_a_run_is_over_every_node_is_settled(pipeline: Pipeline, data: st.DataObject, died: bool) -> None:
    *records, end = records_of(pipeline, interpret(pipeline, FUNCTIONS))
    part = [record for record in records if data.draw(st.booleans())]
    found = state(pipeline, part, alive=False) if died and part else state(pipeline, [*part, end])
    assert {node.state for node in found.nodes.values()} <= SETTLED
    assert found.state in SETTLED


def _rank(name: str) -> int:
    return {"pending": 0, "running": 1}.get(name, 2)
