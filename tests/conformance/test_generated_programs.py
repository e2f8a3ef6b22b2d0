"""Generated programs give the same everywhere: results, the failure that counts, states, every version, every effect.

The reference interpreter is the oracle. `TEST_EXAMPLES` multiplies the number of examples (`make torture`).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

TESTS = Path(__file__).parents[1]
GENERATED = str(TESTS / "conformance" / "generated")
sys.path[:0] = [path for path in (str(TESTS / "strategies"), GENERATED) if path not in sys.path]
from ir_program_tasks import FUNCTIONS, PARAMS  # noqa: E402  # found beside these tests, imported by path
from ir_programs import Generated, programs  # noqa: E402

from drawloom.catalog.catalog import Catalog  # noqa: E402
from drawloom.catalog.records import Commit  # noqa: E402
from drawloom.catalog.run import Run  # noqa: E402
from drawloom.catalog.runlog import read_records  # noqa: E402
from drawloom.compilers.reference import compile_reference  # noqa: E402
from drawloom.ir.check import check_pipeline  # noqa: E402
from drawloom.ir.envelope import class_ref, value_digest  # noqa: E402
from drawloom.ir.interpret import Outcome, interpret  # noqa: E402
from drawloom.ir.layout import layout  # noqa: E402
from drawloom.ir.nodes import Block, Call, Map, Pipeline, Try  # noqa: E402
from drawloom.ir.program import Program  # noqa: E402
from drawloom.ir.protocol import parse_indices  # noqa: E402
from drawloom.ir.walk import walk  # noqa: E402
from drawloom.runtimes.cache import is_cacheable  # noqa: E402
from drawloom.runtimes.local import run_local  # noqa: E402
from drawloom.runtimes.reference import run_bundle  # noqa: E402

TIMES = int(os.environ.get("TEST_EXAMPLES", "1"))
pytestmark = pytest.mark.timeout(300 * TIMES)
TIME = datetime(2024, 2, 29, 23, 59, tzinfo=UTC)
Instance = tuple[str, tuple[int, ...]]


def some(examples: int) -> Any:
    """Settings for so many examples."""
    return settings(
        max_examples=examples * TIMES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


@dataclass(frozen=True)
class Seen:
    """What came of a run, comparable.

    Args:
        failure: (node, index, exception class, message) of the failure that counts, None if it succeeded.
        states: node id -> state; `cached` counts as `succeeded`.
        instances: node instance -> state, of those that didn't just get left out.
        versions: call instance -> the digest of its value, or the class and text of its failure.
        result: port -> digest; empty if the run failed.
        effects: line -> how often it was written.
    """

    failure: tuple[str, tuple[int, ...], str, str] | None
    states: Mapping[str, str]
    instances: Mapping[Instance, str]
    versions: Mapping[Instance, str]
    result: Mapping[str, str]
    effects: Mapping[str, int]


class Bench:
    """A pipeline, a store for its runs, and what the oracle says of it."""

    def __init__(self, pipeline: Pipeline, folder: Path) -> None:
        self.pipeline = pipeline
        self.program = Program(pipeline)
        self.folder = folder
        self.catalog = Catalog.open(str(folder / "store"))
        self.types = {port.name: port.type for port in (*pipeline.params, *pipeline.results)}
        self.calls = {node.id: node for node in walk(pipeline.body) if isinstance(node, Call)}
        self.maps = {m.id: {n.id for n in m.body.nodes} for m in walk(pipeline.body) if isinstance(m, Map)}
        self.tasks = {task.name: task for task in pipeline.tasks}
        params = PARAMS | {"path": str(self._effects("oracle"))}
        self.outcome: Outcome = interpret(pipeline, FUNCTIONS, params, info={"logical_time": TIME})
        assume(len(self.outcome.instances) <= 300)

    def _effects(self, name: str) -> Path:
        made = self.folder / name
        made.mkdir()
        return made

    def expected(self) -> Seen:
        outcome = self.outcome
        failure = None
        if outcome.failure is not None:
            assert outcome.failed is not None
            failure = (*outcome.failed, class_ref(type(outcome.failure)), str(outcome.failure))
        names = [port.name for port in self.pipeline.results]
        values = {"result": outcome.result} if names == ["result"] else outcome.result or {}
        return Seen(
            failure=failure,
            states=dict(outcome.states),
            instances={place: state for place, state in outcome.instances.items() if state != "skipped"},
            versions={place: self._version(value) for place, value in outcome.commits.items()},
            result={} if failure else {name: self._digest(values[name]) for name in names},
            effects=_lines(self.folder / "oracle"),
        )

    def _digest(self, value: Any) -> str:
        return value_digest(self.catalog.values.encode(value))

    def _version(self, value: Any) -> str:
        if isinstance(value, BaseException):
            return f"{class_ref(type(value))} {value}"
        return self._digest(value)

    def params(self, name: str) -> dict[str, Any]:
        """The parameters as trees, the effects going to a folder of their own."""
        values = PARAMS | {"path": str(self._effects(name))}
        defaults = {p.name: json.loads(p.default) for p in self.pipeline.params if p.default is not None}
        return defaults | {key: self.catalog.values.encode(value, self.types[key]) for key, value in values.items()}

    def run(self, executor: str, workers: int | None = None, *, name: str = "run", **options: Any) -> tuple[Run, Seen]:
        run = run_local(
            self.program,
            FUNCTIONS,
            self.params(name),
            self.catalog,
            executor=executor,
            workers=workers,
            info={"logical_time": self.catalog.values.encode(TIME)},
            **{"fail_fast": False, **options},
        )
        return run, self.seen(run, name)

    def commits(self, run: Run) -> dict[Instance, Commit]:
        """Of a map that is answered as a whole, those of its calls are with the one that answered it, in its run."""
        own = self._records(run.id)
        found = dict(own)
        for (node, index), commit in own.items():
            if node not in self.maps or commit.outcome != "cached":
                continue
            source, _, text = commit.source
            for (name, at), made in self._records(source).items():
                if name in self.maps[node] and at[:-1] == parse_indices(text)[0]:
                    found[name, (*index, at[-1])] = replace(made, outcome="cached")
        return found

    def _records(self, run: str) -> dict[Instance, Commit]:
        records = read_records(self.catalog.storage, run)
        return {(r.node, r.index): r for r in records if isinstance(r, Commit)}

    def seen(self, run: Run, name: str) -> Seen:
        details, commits = run.details, self.commits(run)
        failure = None
        if details.state == "failed":
            assert details.failure is not None
            info = details.failure.info
            assert info is not None
            failure = (details.failure.node, details.failure.index, info.type, info.message)
        own = commits.get(("", ()))
        return Seen(
            failure=failure,
            states={node: _plain(found.state) for node, found in details.nodes.items()},
            instances={
                (node, index): _plain(state)
                for node, found in details.nodes.items()
                for index, state in found.instances.items()
                if state in ("succeeded", "cached", "failed")
            },
            versions={place: _committed(c) for place, c in commits.items() if place[0] in self.calls and _ran(c)},
            result={port: ref.digest for port, ref in own.outputs} if own is not None and not failure else {},
            effects=_lines(self.folder / name),
        )


def _plain(state: str) -> str:
    return "succeeded" if state == "cached" else state


def _ran(commit: Commit) -> bool:
    return commit.outcome in ("succeeded", "cached", "failed")


def _committed(commit: Commit) -> str:
    if commit.failure is not None:
        return f"{commit.failure.type} {commit.failure.message}"
    return dict(commit.outputs)["result"].digest


def _lines(folder: Path) -> Counter[str]:
    log = folder / "log"
    return Counter(log.read_text("ascii").splitlines()) if log.exists() else Counter()


def assert_same(found: Seen, expected: Seen) -> None:
    for name in ("failure", "result", "versions", "instances", "states", "effects"):
        assert getattr(found, name) == getattr(expected, name), name


@contextmanager
def bench(generated: Generated) -> Iterator[Bench]:
    """A bench in a folder that is gone afterwards."""
    pipeline = generated.pipeline
    folder = Path(tempfile.mkdtemp(prefix="drawloom-generated-"))
    try:
        assert [str(d) for d in check_pipeline(Program(pipeline))] == []
        yield Bench(pipeline, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@some(100)
@given(programs())
def test_a_program_gives_the_same_inline(program: Generated) -> None:
    with bench(program) as at:
        assert_same(at.run("inline")[1], at.expected())


@pytest.mark.parametrize("workers", [1, 4])
@some(60)
@given(program=programs())
def test_a_program_gives_the_same_in_threads(program: Generated, workers: int) -> None:
    with bench(program) as at:
        assert_same(at.run("threads", workers)[1], at.expected())


@some(6)
@given(programs(most=12))
def test_a_program_gives_the_same_in_worker_processes(program: Generated) -> None:
    with bench(program) as at:
        assert_same(at.run("processes", 2)[1], at.expected())


@some(60)
@given(programs())
def test_a_second_run_takes_from_the_cache_what_may_be_and_gives_the_same(program: Generated) -> None:
    with bench(program) as at:
        expected = at.expected()
        first, _ = at.run("inline")
        second, seen = at.run("threads", 2, name="again")
        assert_same(seen, expected)
        before = at.commits(first)
        for (node, index), commit in at.commits(second).items():
            if node not in at.calls:
                continue
            call = at.calls[node]
            spec = at.tasks[call.task]
            cacheable = is_cacheable(call.inputs, spec, call.policies or spec.policies)
            succeeded = before[node, index].outcome in ("succeeded", "cached")
            reads_path = any(port.name == "path" for port in spec.inputs)  # another folder each time
            expects = "cached" if cacheable and succeeded and not reads_path else "executed"
            assert (commit.outcome == "cached") == (expects == "cached"), (node, index, commit.outcome)


@some(60)
@given(programs())
def test_fail_fast_fails_when_the_oracle_fails_and_does_nothing_else(program: Generated) -> None:
    with bench(program) as at:
        expected = at.expected()
        run, seen = at.run("threads", 3, fail_fast=True)
        if expected.failure is None:
            assert_same(seen, expected)
            return
        assert run.state == "failed"
        assert seen.failure is not None
        assert expected.instances.get(seen.failure[:2], "failed") == "failed"
        # what was done is part of what would have been done
        assert {place: expected.versions.get(place) for place in seen.versions} == seen.versions
        assert not seen.effects - expected.effects  # type: ignore[operator]  # both are counters
        assert not {"pending", "running"} & {node.state for node in run.details.nodes.values()}
        _assert_finals_ran(at, seen, expected)


def _assert_finals_ran(at: Bench, seen: Seen, expected: Seen) -> None:
    """A try that began anything in its body has run all of its `final`."""
    sources = layout(at.pipeline)
    for node in walk(at.pipeline.body):
        if not isinstance(node, Try) or node.final is None:
            continue
        depth = sources[node.id].depth
        inside = {inner.id for inner in walk(node.body)}
        begun = {index[:depth] for name, index in seen.versions if name in inside}
        finals = {inner.id for inner in walk(Block(node.final.nodes)) if isinstance(inner, Call)}
        for place, version in expected.versions.items():
            if place[0] in finals and place[1][:depth] in begun:
                assert seen.versions.get(place) == version, f"{place} of a `final` didn't run"


@some(5)
@given(programs(most=8, max_depth=2, per_block=3))
def test_a_program_gives_the_same_on_the_reference_engine(program: Generated) -> None:
    with bench(program) as at:
        assume(len(at.outcome.commits) <= 8)
        compile_reference(at.program, root=GENERATED).write(at.folder / "compiled")
        run = run_bundle(
            at.folder / "compiled",
            at.params("run"),
            str(at.folder / "store"),
            bare=True,
            logical_time=TIME.isoformat(),
            environment={"DRAWLOOM_CACHE": str(Path(tempfile.gettempdir()) / f"drawloom-generated-{os.getuid()}")},
        )
        assert_same(at.seen(run, "run"), at.expected())
