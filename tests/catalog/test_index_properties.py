"""Generated programs and the index: what it says is what the runs say, however many steps it caught up in."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

TESTS = Path(__file__).parents[1]
GENERATED = str(TESTS / "conformance" / "generated")
sys.path[:0] = [path for path in (str(TESTS / "strategies"), GENERATED) if path not in sys.path]
from ir_program_tasks import FUNCTIONS, PARAMS  # noqa: E402  # found beside these tests, imported by path
from ir_programs import Generated, programs  # noqa: E402

from drawloom.catalog.catalog import Catalog  # noqa: E402
from drawloom.catalog.facts import Facts  # noqa: E402
from drawloom.catalog.index import Index  # noqa: E402
from drawloom.catalog.queries import RunFilter  # noqa: E402
from drawloom.catalog.records import RunStarted  # noqa: E402
from drawloom.catalog.run import Run  # noqa: E402
from drawloom.catalog.runlog import RunWriter, read_records, write_run  # noqa: E402
from drawloom.ir.nodes import Block, Branch, Call, Loop, Map, Node, Pipeline, PipelineCall, Try  # noqa: E402
from drawloom.ir.operands import Carried, Item, Operand, Output, Param, Reference  # noqa: E402
from drawloom.ir.program import Program  # noqa: E402
from drawloom.ir.walk import references  # noqa: E402
from drawloom.runtimes.local import run_local  # noqa: E402

TIMES = int(os.environ.get("TEST_EXAMPLES", "1"))
pytestmark = pytest.mark.timeout(300 * TIMES)
TIME = datetime(2024, 2, 29, 23, 59, tzinfo=UTC)
Instance = tuple[str, tuple[int, ...]]
Origins = frozenset[tuple[str, str]]
OK = ("succeeded", "cached")


def some(examples: int) -> Any:
    """Settings for so many examples."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(max_examples=examples * TIMES, deadline=None, suppress_health_check=slow)


@contextmanager
def stored() -> Iterator[Catalog]:
    """A catalog in a folder that is gone afterwards; its index is a file in it."""
    folder = tempfile.mkdtemp(prefix="drawloom-index-")
    try:
        yield opened(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def opened(folder: str, index: str = "index.sqlite") -> Catalog:
    catalog = Catalog.open(f"{folder}/store")
    catalog._index = Index(catalog.storage, f"{folder}/{index}")
    return catalog


def run_program(pipeline: Pipeline, catalog: Catalog, fail_fast: bool = False) -> Run:
    types = {port.name: port.type for port in pipeline.params}
    defaults = {p.name: json.loads(p.default) for p in pipeline.params if p.default is not None}
    effects = tempfile.mkdtemp(dir=str(Path(catalog.url).parents[2]))
    values = {name: catalog.values.encode(v, types[name]) for name, v in (PARAMS | {"path": effects}).items()}
    info = {"logical_time": catalog.values.encode(TIME)}
    return run_local(
        Program(pipeline), FUNCTIONS, defaults | values, catalog, executor="inline", info=info, fail_fast=fail_fast
    )


class Forward:
    """The interpreter with, in place of each value, the set of places it came from: what the edges are held to.

    It goes through the program in its order, forwards, and takes from the run what was decided and what was committed.
    """

    def __init__(self, pipeline: Pipeline, facts: Facts) -> None:
        self.facts = facts
        self.found: set[tuple[str, str, str, str]] = set()
        self.values: dict[Instance, dict[str, Origins]] = {}
        self.items: dict[Instance, Origins] = {}
        self.carried: dict[Instance, dict[str, Origins]] = {}
        self.depth: dict[str, int] = {}
        self.block(pipeline.body, ())
        own = facts.commits.get(("", ()))
        if own is not None and own.outcome in OK:
            self.read("", pipeline.body.results, ())

    def decided(self, node: str, index: tuple[int, ...]) -> int | None:
        decision = self.facts.decisions.get((node, index))
        return None if decision is None else decision.value

    def block(self, block: Block, index: tuple[int, ...]) -> None:
        for node in block.nodes:
            self.depth[node.id] = len(index)
            self.node(node, index)

    def node(self, node: Node, index: tuple[int, ...]) -> None:
        if isinstance(node, Call):
            self.call(node, index)
        elif isinstance(node, Map):
            self.map(node, index)
        elif isinstance(node, Loop):
            self.loop(node, index)
        elif isinstance(node, PipelineCall):
            self.block(node.body, index)
            self.values[node.id, index] = self.results(node.body, index)
        else:
            self.arms(node, index)

    def call(self, node: Call, index: tuple[int, ...]) -> None:
        commit = self.facts.commits.get((node.id, index))
        if commit is not None and (commit.outcome in OK or (commit.outcome == "failed" and commit.inputs)):
            self.read(node.id, node.inputs, index)
        if commit is not None and commit.outcome in OK:
            self.values[node.id, index] = {"result": frozenset({(node.id, "result")})}

    def map(self, node: Map, index: tuple[int, ...]) -> None:
        count = self.decided(node.id, index)
        if count is None:
            return
        self.read(node.id, (("items", node.items),), index)
        self.items[node.id, index] = self.origins(node.items, index)
        for k in range(count):
            self.block(node.body, (*index, k))
        commit = self.facts.commits.get((node.id, index))
        if commit is not None and commit.outcome == "cached" and count:
            self.answered(node, index, count)
        collected = [self.results(node.body, (*index, k)) for k in range(count)]
        names = [name for name, _ in node.body.results]
        if (commit is None or commit.outcome in OK) and all(name in one for one in collected for name in names):
            for one in collected:
                self.found |= {(*origin, node.id, name) for name in names for origin in one[name]}
        if commit is None or commit.outcome in OK:
            self.values[node.id, index] = {name: frozenset({(node.id, name)}) for name in names}

    def answered(self, node: Map, index: tuple[int, ...], count: int) -> None:
        """A map answered as a whole read what it would have read, and its calls have no commits."""
        for k in range(count):
            for call in node.body.nodes:
                assert isinstance(call, Call)
                self.values[call.id, (*index, k)] = {"result": frozenset({(call.id, "result")})}
                self.read(call.id, call.inputs, (*index, k))

    def loop(self, node: Loop, index: tuple[int, ...]) -> None:
        carried = self.available([(c.name, c.initial) for c in node.carried], index)
        end, k = self.decided(node.id, index), 0
        while True:
            here = (*index, k)
            self.carried[node.id, here] = carried
            self.block(node.test, here)
            tested = self.decided(node.id, here)
            if tested is not None:
                self.read(node.id, tuple(("test", operand) for _, operand in node.test.results), here)
            goes_on = bool(tested) if tested is not None else end is not None and k < end
            if not goes_on or k >= node.max_iterations:
                break
            self.block(node.body, here)
            carried = self.results(node.body, here)
            k += 1
        if end is not None:
            self.values[node.id, index] = carried

    def arms(self, node: Branch | Try, index: tuple[int, ...]) -> None:
        chosen = self.decided(node.id, index)
        blocks: list[Block]
        if isinstance(node, Branch):
            blocks = [*(case.block for case in node.cases), node.otherwise]
            if chosen is None:
                return
            for case in node.cases[: chosen + 1]:
                self.read(node.id, (("test", case.test),), index)
            self.block(blocks[chosen], index)
        else:
            blocks = [node.body, *(handler.block for handler in node.handlers)]
            self.block(node.body, index)
            if chosen is not None and chosen > 0:
                self.block(blocks[chosen], index)
            if chosen is not None and chosen >= 0:
                self.values[node.id, index] = self.results(blocks[chosen], index)
            if node.final is not None:
                self.block(node.final, index)
        if chosen is not None and chosen >= 0:
            self.values[node.id, index] = self.results(blocks[chosen], index)

    def results(self, block: Block, index: tuple[int, ...]) -> dict[str, Origins]:
        return self.available(block.results, index)

    def available(self, pairs: Any, index: tuple[int, ...]) -> dict[str, Origins]:
        found = {}
        for name, operand in pairs:
            try:
                found[name] = self.origins(operand, index)
            except KeyError:
                continue
        return found

    def read(self, node: str, inputs: tuple[tuple[str, Operand], ...], index: tuple[int, ...]) -> None:
        for port, operand in inputs:  # whoever read has all it refers to: a KeyError here is a failure of the test
            self.found |= {(*origin, node, port) for origin in self.origins(operand, index)}

    def origins(self, operand: Operand, index: tuple[int, ...]) -> Origins:
        return frozenset(o for reference in references(operand) for o in self.follow(reference, index))

    def follow(self, reference: Reference, index: tuple[int, ...]) -> Origins:
        match reference:
            case Param(name):
                return frozenset({("", name)})
            case Output(node, port):
                return self.values[node, index[: self.depth[node]]][port]
            case Item(node):
                return self.items[node, index[: self.depth[node]]]
            case Carried(node, name):
                return self.carried[node, index[: self.depth[node] + 1]][name]
        return frozenset()


def edges_in(catalog: Catalog, run: str) -> set[tuple[str, str, str, str]]:
    sql = "SELECT source, source_port, node, port FROM edges WHERE run = ?"
    return catalog.index.ask(lambda db: set(db.execute(sql, (run,)).fetchall()))


def executed_in(catalog: Catalog, run: str) -> set[tuple[str, int, int]]:
    sql = "SELECT node, instances, cached FROM executed WHERE run = ? AND kind = 'call'"
    return catalog.index.ask(lambda db: set(db.execute(sql, (run,)).fetchall()))


@pytest.mark.parametrize("fail_fast", [True, False])
@some(25)
@given(program=programs())
def test_edges_are_the_ways_that_values_went(program: Generated, fail_fast: bool) -> None:
    with stored() as catalog:
        run = run_program(program.pipeline, catalog, fail_fast)
        facts = Facts(read_records(catalog.storage, run.id))
        assert edges_in(catalog, run.id) == Forward(program.pipeline, facts).found


@some(20)
@given(programs())
def test_a_run_in_the_index_is_the_run(program: Generated) -> None:
    with stored() as catalog:
        for run in (run_program(program.pipeline, catalog), run_program(program.pipeline, catalog)):
            (row,) = [row for row in catalog.run_rows(RunFilter()) if row.id == run.id]
            assert (row.pipeline, row.state, row.counts) == (run.pipeline, run.state, run.counts)
            assert (row.started_at, row.finished_at) == (run.started_at, run.finished_at)
            expected = set()
            for node in run.nodes():
                done = {state: n for state, n in node.counts.items() if state in (*OK, "failed")}
                if node.kind == "call" and done:
                    expected.add((node.id, sum(done.values()), int(set(done) == {"cached"})))
            assert executed_in(catalog, run.id) == expected


def dump(catalog: Catalog) -> dict[str, list[Any]]:
    """All an index says, without what it remembers of the files it read."""

    def question(db: sqlite3.Connection) -> dict[str, list[Any]]:
        tables = ("params", "made", "executed", "edges", "metrics", "tags")
        found = {name: sorted(db.execute(f"SELECT * FROM {name}").fetchall()) for name in tables}
        columns = "id, pipeline, state, started_at, finished_at, problem, program, engine, executor, counts"
        found["runs"] = sorted(db.execute(f"SELECT {columns} FROM runs").fetchall())
        used = "SELECT * FROM refs WHERE key IN (SELECT ref FROM made UNION SELECT ref FROM params)"
        found["refs"] = sorted(db.execute(used).fetchall())
        return found

    return catalog.index.ask(question)


@some(12)
@given(program=programs(most=15), data=st.data())
def test_caught_up_in_any_number_of_steps_it_is_the_same(program: Generated, data: st.DataObject) -> None:
    with stored() as origin, stored() as catalog:
        records = []
        for _ in range(2):
            run = run_program(program.pipeline, origin)
            records.append(read_records(origin.storage, run.id))
        catalog.save_program(Program(program.pipeline))
        writers = []
        for told in records:
            started = next(record for record in told if isinstance(record, RunStarted))
            write_run(catalog.storage, started)
            writers.append((RunWriter(catalog.storage, started.run), [r for r in told if r is not started]))
        while writers:
            number = data.draw(st.integers(0, len(writers) - 1))
            writer, rest = writers[number]
            step = data.draw(st.integers(1, max(1, len(rest))))
            for record in rest[:step]:
                writer.append(record)
            del rest[:step]
            writer.flush()
            if not rest:
                writer.close()
                del writers[number]
            if data.draw(st.booleans()):
                dump(catalog)
            if catalog.artifacts() and data.draw(st.booleans()):
                name = data.draw(st.sampled_from([a.name for a in catalog.artifacts()]))
                catalog.tag(name, data.draw(st.sampled_from(["prod", "é ☃"])))
        caught_up = dump(catalog)
        catalog.rebuild()
        assert dump(catalog) == caught_up
        assert {row[2] for row in caught_up["runs"]} <= {"succeeded", "failed"}


@some(8)
@given(programs(most=15))
def test_lineage_goes_back_to_parameters_and_is_the_same_from_both_ends(program: Generated) -> None:
    with stored() as catalog:
        run_program(program.pipeline, catalog)
        run_program(program.pipeline, catalog)
        for artifact in catalog.artifacts():
            for version in artifact.versions:
                up = catalog.lineage(artifact.name, version.number, "up")
                ids = {node.id for node in up.nodes}
                assert {end for edge in up.edges for end in (edge.source, edge.target)} <= ids
                assert not up.truncated
                json.dumps(up.to_json())
                assert up.root in up.to_text() or artifact.name in up.to_text()
                for node in up.nodes:
                    if node.id != up.root and hasattr(node, "number"):
                        down = catalog.lineage(node.name, node.number, "down")
                        assert up.root in {found.id for found in down.nodes}, (up.root, node.id)
