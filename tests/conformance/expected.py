"""What must come of a program: what the reference interpreter makes of it, and what the catalog then has to say.

The interpreter tells results, failures, states and values. What was handed to each call is seen here where it is
handed over; where everything came from is read off the program once more, from the values alone (`Reading`), by other
code than the catalog's.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from harness import Case, Instance, Outcome, comparable, take_lines

from drawloom.catalog.artifacts import artifact_name
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.edges import Edge
from drawloom.ir import interpret as interpreter
from drawloom.ir.envelope import class_ref, decode, value_digest
from drawloom.ir.evaluate import evaluate, follow, map_items
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Block, Branch, Call, Loop, Map, Node, Pipeline, PipelineCall, Try
from drawloom.ir.operands import Carried, Const, Item, Operand, Output, Param, Reference
from drawloom.ir.types import NONE
from drawloom.ir.walk import references, walk

Index = tuple[int, ...]


class Handed(Mapping[str, Callable[..., Any]]):
    """The functions of a program, noting what each call is handed.

    Attributes:
        calls: (task, inputs of the first attempt, exception of the last one) in the order of the calls.
    """

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._functions = functions
        self.calls: list[tuple[str, dict[str, Any], list[BaseException]]] = []

    def __getitem__(self, task: str) -> Callable[..., Any]:
        function = self._functions[task]
        inputs: dict[str, Any] = {}
        raised: list[BaseException] = []

        def noting(**given: Any) -> Any:
            if not inputs:
                inputs.update(deepcopy(given))  # a task may change what it is given
            try:
                return function(**given)
            except BaseException as error:
                raised[:] = [error]
                raise

        self.calls.append((task, inputs, raised))
        return noting

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def counted(self) -> Counter[str]:
        """Task -> how often it was called, attempts of one call taken together."""
        return Counter(task for task, _, _ in self.calls)

    def by_instance(self, commits: Mapping[Instance, Any]) -> dict[Instance, dict[str, Any]]:
        """Call instance -> inputs; the interpreter keeps calls in the order in which it makes them."""
        waiting = iter(self.calls)
        call = next(waiting, None)
        found: dict[Instance, dict[str, Any]] = {}
        for place, value in commits.items():
            failed = isinstance(value, BaseException)
            if call is None or (failed and not any(error is value for error in call[2])):
                found[place] = {}  # an input couldn't be computed
            else:
                found[place] = call[1]
                call = next(waiting, None)
        assert call is None
        return found


def interpreted(case: Case, folder: Path) -> tuple[interpreter.Outcome, Handed]:
    """What the reference interpreter makes of a case."""
    catalog = Catalog.open(str(folder / "store"))
    handed = Handed(case.trace.functions)
    params = case.params(folder)
    outcome = interpreter.interpret(case.trace.program.pipeline, handed, params, leaf=catalog.values.decode)
    return outcome, handed


def expected(case: Case, folder: Path) -> Outcome:
    """What must come of a case everywhere."""
    catalog = Catalog.open(str(folder / "store"))
    pipeline = case.trace.program.pipeline
    tasks = {task.name: task for task in pipeline.tasks}
    calls = {node.id: node for node in walk(pipeline.body) if isinstance(node, Call)}
    outcome, handed = interpreted(case, folder)

    def digest(value: Any, type_: Any) -> str:
        return value_digest(catalog.values.encode(value, type_))

    def of_result(place: Instance, value: Any) -> str:
        return digest(value, tasks[calls[place[0]].task].result)

    def of_inputs(place: Instance, values: Mapping[str, Any]) -> dict[str, str]:
        types = {port.name: port.type for port in tasks[calls[place[0]].task].inputs}
        return {name: digest(value, types[name]) for name, value in values.items()}

    failure = None
    if outcome.failure is not None:
        assert outcome.failed is not None
        failure = (*outcome.failed, class_ref(type(outcome.failure)), str(outcome.failure))
    names = [port.name for port in pipeline.results]
    values = {"result": outcome.result} if names == ["result"] else outcome.result or {}
    result = {} if failure else {port.name: digest(values[port.name], port.type) for port in pipeline.results}
    params = case.encoded(folder, catalog)
    reading = Reading(pipeline, {name: catalog.values.decode(tree) for name, tree in params.items()}, outcome, catalog)
    artifacts = {f"{pipeline.name}/params/{name}": value_digest(tree) for name, tree in params.items()}
    artifacts |= {artifact_name(pipeline.name, "", name): found for name, found in result.items()}
    for node in walk(pipeline.body):
        if outcome.instances.get((node.id, ())) != "succeeded":
            continue
        if isinstance(node, Call) and tasks[node.task].result != NONE:
            artifacts[artifact_name(pipeline.name, node.id)] = of_result((node.id, ()), outcome.commits[node.id, ()])
        elif isinstance(node, Map):
            for port in node.results:
                value = reading.value(Output(node.id, port.name), ())
                artifacts[artifact_name(pipeline.name, node.id, port.name)] = digest(value, port.type)
    specs = {calls[node].task for node, _ in outcome.commits}
    return Outcome(
        state="failed" if failure else "succeeded",
        failure=failure,
        states=dict(outcome.states),
        versions={
            place: class_ref(type(value)) if isinstance(value, BaseException) else of_result(place, value)
            for place, value in outcome.commits.items()
        },
        inputs={place: of_inputs(place, given) for place, given in handed.by_instance(outcome.commits).items()},
        result=None if failure else result,
        lines=take_lines(folder),
        artifacts={name: (found,) for name, found in artifacts.items()},
        functions={name: (tasks[name].function.digest,) for name in specs},
        edges=comparable(reading.edges(), calls, failed=failure is not None),
    )


class Reading:
    """Reads off a program and the values of a run where every value came from.

    Args:
        pipeline: the program.
        params: its parameters.
        outcome: what the interpreter made of it.
        catalog: decodes constants.
    """

    def __init__(
        self, pipeline: Pipeline, params: Mapping[str, Any], outcome: interpreter.Outcome, catalog: Catalog
    ) -> None:
        self.pipeline = pipeline
        self.params = params
        self.outcome = outcome
        self.nodes = {node.id: node for node in walk(pipeline.body)}
        self.depth = {source.id: source.depth for source in layout(pipeline).values()}
        self.leaf = catalog.values.decode
        # what is asked for again and again, by the node's id
        self.level = cache(self._level)
        self.output = cache(self._output)
        self.items = cache(self._items)
        self.arm = cache(self._arm)
        self.carried = cache(self._carried)
        self.made_of = cache(self._made_of)

    # values

    def evaluate(self, operand: Operand, index: Index) -> Any:
        return evaluate(operand, lambda reference: self.value(reference, index), self._constant)

    def _constant(self, const: Const) -> Any:
        return decode(json.loads(const.json), self.leaf)

    def value(self, reference: Reference, index: Index) -> Any:
        match reference:
            case Param(name, path):
                return follow(self.params[name], path)
            case Item(map_id, path):
                at = index[: self.depth[map_id] + 1]
                return follow(self.items(map_id, at[:-1])[at[-1]], path)
            case Carried(loop, name, path):
                return follow(self.carried(loop, index[: self.depth[loop] + 1], name), path)
            case Output(node, port, path):
                return follow(self.output(node, port, index[: self.depth[node]]), path)
        raise AssertionError(f"a test of a program depends on {reference}")

    def _output(self, name: str, port: str, index: Index) -> Any:
        node = self.nodes[name]
        if isinstance(node, Call):
            made = self.outcome.commits[node.id, index]
            if isinstance(made, BaseException):
                raise LookupError(f"{node.id} failed")
            return made
        if isinstance(node, Map):
            operand = dict(node.body.results)[port]
            return [self.evaluate(operand, (*index, k)) for k in range(len(self.items(name, index)))]
        operand, at = self.passed(node, port, index)
        return self.evaluate(operand, at)

    def _carried(self, loop: str, at: Index, name: str) -> Any:
        return self.evaluate(*self.level(loop, at, name))

    def _items(self, map_id: str, index: Index) -> list[Any]:
        return list(map_items(self.evaluate(self.map_of(map_id).items, index)))

    def map_of(self, node: str) -> Map:
        found = self.nodes[node]
        assert isinstance(found, Map)
        return found

    # what was decided

    def passed(self, node: Node, port: str, index: Index) -> tuple[Operand, Index]:
        """What a node that makes nothing itself passes on, and the instance that it is seen from."""
        match node:
            case PipelineCall():
                return dict(node.body.results)[port], index
            case Branch():
                return dict(self.arm(node.id, index).results)[port], index
            case Try():
                return dict(self.tried(node, index).results)[port], index
            case Loop():
                return self.level(node.id, (*index, self.iterations(node, index)), port)
        raise AssertionError(f"{node.id} passes nothing on")

    def _level(self, loop: str, at: Index, name: str) -> tuple[Operand, Index]:
        """What a loop carries into an iteration; the last number of `at` counts it."""
        node = self.nodes[loop]
        assert isinstance(node, Loop)
        if at[-1] == 0:
            return {carry.name: carry.initial for carry in node.carried}[name], at[:-1]
        return dict(node.body.results)[name], (*at[:-1], at[-1] - 1)

    def _arm(self, branch: str, index: Index) -> Block:
        node = self.nodes[branch]
        assert isinstance(node, Branch)
        return next((c.block for c in node.cases if self.evaluate(c.test, index)), node.otherwise)

    def iterations(self, node: Loop, index: Index) -> int:
        return max(self._tested(node, index))

    def tried(self, node: Try, index: Index) -> Block:
        """The block whose result a try gave."""
        if self._went_well(node.body, index):
            return node.body
        entered = [
            h.block for h in node.handlers if any((n.id, index) in self.outcome.instances for n in h.block.nodes)
        ]
        found = entered or [h.block for h in node.handlers if not h.block.nodes]
        assert len(found) == 1, f"{node.id}: which handler it was can't be told"
        return found[0]

    def _went_well(self, block: Block, index: Index) -> bool:
        if any(self.outcome.instances.get((node.id, index)) != "succeeded" for node in block.nodes):
            return False
        try:
            for _, operand in block.results:
                self.evaluate(operand, index)
        except Exception:
            return False
        return True

    # where from

    def edges(self) -> set[Edge]:
        """Every edge of the run into calls, lists of maps, decisions and the result."""
        found: set[Edge] = set()
        for (name, index), state in self.outcome.instances.items():
            if state == "skipped":
                continue
            for port, operand, at in self._read(self.nodes[name], index, state):
                found |= {Edge(*origin, name, port) for origin in self.origins(operand, at)}
        if self.outcome.failure is None:
            for port, operand in self.pipeline.body.results:
                found |= {Edge(*origin, "", port) for origin in self.origins(operand, ())}
        return found

    def _read(self, node: Node, index: Index, state: str) -> Iterator[tuple[str, Operand, Index]]:
        """(port, operand, instance it is seen from) of what a node read, or collected."""
        match node:
            case Call():
                try:
                    for _, operand in node.inputs:
                        self.evaluate(operand, index)
                except AssertionError:  # a failure that was caught: no node's value
                    pass
                except Exception:
                    return
                yield from ((port, operand, index) for port, operand in node.inputs)
            case Map():
                width = len(self.items(node.id, index))
                yield "items", node.items, index
                for port, operand in node.body.results if state == "succeeded" else ():
                    yield from ((port, operand, (*index, k)) for k in range(width))
            case Branch():
                chosen = self.arm(node.id, index)
                for case in node.cases:
                    yield "test", case.test, index
                    if case.block is chosen:
                        break
            case Loop():
                (operand,) = dict(node.test.results).values()
                yield from (("test", operand, (*index, k)) for k in self._tested(node, index))

    def _tested(self, node: Loop, index: Index) -> Iterator[int]:
        """The iterations before which a loop was tested; one that failed, as far as it came."""
        for k in range(node.max_iterations + 1):
            try:
                goes_on = self.evaluate(dict(node.test.results)["test"], (*index, k))
            except Exception:
                return
            yield k
            if not goes_on:
                return

    def origins(self, operand: Operand, index: Index) -> set[tuple[str, str]]:
        """(node, port) of the calls, maps and parameters that a value is made of; a parameter's node is ""."""
        return {origin for reference in references(operand) for origin in self.made_of(reference, index)}

    def _made_of(self, reference: Reference, index: Index) -> set[tuple[str, str]]:
        match reference:
            case Param(name):
                return {("", name)}
            case Item(map_id):
                return self.origins(self.map_of(map_id).items, index[: self.depth[map_id]])
            case Carried(loop, name):
                return self.origins(*self.level(loop, index[: self.depth[loop] + 1], name))
            case Output(name, port):
                node, at = self.nodes[name], index[: self.depth[name]]
                return {(name, port)} if isinstance(node, (Call, Map)) else self.origins(*self.passed(node, port, at))
        return set()
