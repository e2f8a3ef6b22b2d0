"""Runs written by hand, record by record, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.records import Commit, Decision, FailureInfo, Record, RunFinished, RunStarted
from drawloom.catalog.run import Run
from drawloom.catalog.runlog import RunWriter, write_run
from drawloom.errors import Span
from drawloom.ir.nodes import Block, Call, Map, Pipeline
from drawloom.ir.operands import Item, Output, Param
from drawloom.ir.program import Program
from drawloom.ir.tasks import FunctionRef, Port, TaskSpec
from drawloom.ir.types import INT

DOUBLE = TaskSpec("flow:double", FunctionRef("flow", "double", "d" * 64), (Port("n", INT),), INT)
PIPELINE = Pipeline(
    "p",
    params=(Port("n", INT),),
    tasks=(DOUBLE,),
    body=Block(
        (
            Call("first", "flow:double", (("n", Param("n")),)),
            Map(
                "all",
                Output("first"),
                Block((Call("one", "flow:double", (("n", Item("all")),)),), (("result", Output("one")),)),
                (Port("result"),),
            ),
            Call("last", "flow:double", (("n", Output("first")),)),
        ),
        (("result", Output("last")),),
    ),
    results=(Port("result", INT),),
)
SPANS = {"": Span("flow.py", 9, "p"), "first": Span("flow.py", 10, "p"), "last": Span("flow.py", 12, "p")}


class Recorder:
    """Writes runs of `PIPELINE` into a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.program = catalog.save_program(Program(PIPELINE, SPANS))

    def refs(self, **values: Any) -> tuple[tuple[str, Any], ...]:
        encoder = self.catalog.values
        return tuple((name, encoder.ref(encoder.encode(value), "int")) for name, value in values.items())

    def commit(self, run: str, node: str, value: Any, *index: int, at: float = 0.0, **more: Any) -> Commit:
        return Commit(run, node, index, outputs=self.refs(result=value), at=at, **more)

    def run(self, run: str, *records: Record, at: float = 1.0, n: int = 3, outcome: str | None = "succeeded") -> Run:
        storage = self.catalog.storage
        write_run(storage, RunStarted(run, "p", self.program, self.refs(n=n), at=at))
        with RunWriter(storage, run) as writer:
            for record in records:
                writer.append(record)
            if outcome is not None:
                writer.append(RunFinished(run, outcome, at=at + 5))
        return self.catalog.run(run)

    def good(self, run: str, n: int = 3, at: float = 1.0, **more: Any) -> Run:
        """A run of which everything succeeded."""
        value, inputs = 2 * n, self.refs(n=n)
        return self.run(
            run,
            self.commit(run, "first", [value], inputs=inputs, function="d" * 64, at=at + 1, seconds=0.5),
            Decision(run, "all", value=1, at=at + 2),
            self.commit(run, "one", 2 * value, 0, inputs=self.refs(n=value), at=at + 2, **more),
            self.commit(run, "all", [2 * value], at=at + 3),
            self.commit(run, "last", value, inputs=self.refs(n=[value]), at=at + 3),
            self.commit(run, "", value, at=at + 4),
            at=at,
            n=n,
        )

    def failed(self, run: str, failure: FailureInfo, at: float = 1.0) -> Run:
        """A run whose first node failed."""
        commit = Commit(run, "first", outcome="failed", failure=failure, function="d" * 64, at=at + 1)
        return self.run(run, commit, at=at, outcome="failed")


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    monkeypatch.setenv("DRAWLOOM_CACHE", str(tmp_path / "cache"))
    return Catalog.open(str(tmp_path / "store"))


@pytest.fixture
def recorder(catalog: Catalog) -> Recorder:
    return Recorder(catalog)


@pytest.fixture
def new_recorder() -> Callable[[Catalog], Recorder]:
    """Makes a recorder for another catalog than the test's own."""
    return Recorder
