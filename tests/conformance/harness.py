"""Runs a program somewhere and says what came of it, in a form in which any two runs can be compared."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.records import Commit
from drawloom.catalog.run import Run
from drawloom.catalog.runlog import read_records
from drawloom.dsl.tracing import Trace, trace
from drawloom.ir.check import check_pipeline
from drawloom.ir.envelope import class_ref, value_digest
from drawloom.ir.interpret import interpret
from drawloom.ir.walk import walk
from drawloom.runtimes.local import run_local

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Args:
        result: the digest of each result, by port; None if it failed.
        failure: (node, index, exception class, message) of the failure that counts, None if it succeeded.
        states: node id -> state; `cached` counts as `succeeded`.
        versions: (call, index) -> the digest of its result, or the class of its failure.
        lines: what the program's effects wrote, repeated lines once.
    """

    result: dict[str, str] | None
    failure: tuple[str, tuple[int, ...], str, str] | None
    states: dict[str, str]
    versions: dict[tuple[str, tuple[int, ...]], str]
    lines: tuple[str, ...]


class Case:
    """One pipeline of a program with its parameters."""

    def __init__(self, module: str, name: str) -> None:
        found = importlib.import_module(module)
        self.pipeline, self._params = found.CASES[name]
        self._wants_path = self.pipeline in getattr(found, "WANTS_PATH", ())
        self.trace: Trace = trace(self.pipeline, {})
        assert check_pipeline(self.trace.program) == []

    def params(self, folder: Path) -> dict[str, Any]:
        """The parameters; a path for effects in `folder` where the pipeline asks for one."""
        return self._params | ({"path": str(folder / "effects")} if self._wants_path else {})

    def expected(self, folder: Path) -> Outcome:
        """What the reference interpreter says."""
        ir = self.trace.program.pipeline
        catalog = Catalog.open(str(folder / "store"))
        types = {task.name: task.result for task in ir.tasks}
        calls = {node.id: types[node.task] for node in walk(ir.body) if hasattr(node, "task")}
        outcome = interpret(ir, self.trace.functions, self.params(folder), leaf=catalog.values.decode)
        failure = None
        if outcome.failure is not None:
            assert outcome.failed is not None
            failure = (*outcome.failed, class_ref(type(outcome.failure)), str(outcome.failure))
        versions = {
            place: class_ref(type(value))
            if isinstance(value, BaseException)
            else value_digest(catalog.values.encode(value, calls[place[0]]))
            for place, value in outcome.commits.items()
        }
        names = [port.name for port in ir.results]
        values = {"result": outcome.result} if names == ["result"] else outcome.result or {}
        types_of = {port.name: port.type for port in ir.results}
        result = (
            {name: value_digest(catalog.values.encode(values[name], types_of[name])) for name in names}
            if not failure
            else None
        )
        return Outcome(result, failure, dict(outcome.states), versions, _lines(folder))

    def encoded(self, folder: Path, catalog: Catalog) -> dict[str, Any]:
        """The parameters as envelope trees."""
        types = {port.name: port.type for port in self.trace.program.pipeline.params}
        return {name: catalog.values.encode(value, types[name]) for name, value in self.params(folder).items()}

    def run_locally(self, folder: Path, executor: str) -> Outcome:
        """On a local executor."""
        catalog = Catalog.open(str(folder / "store"))
        catalog.save_program(self.trace.program)
        defaults = {p.name: json.loads(p.default) for p in self.trace.program.pipeline.params if p.default is not None}
        params = defaults | self.encoded(folder, catalog)
        run = run_local(
            self.trace.program, self.trace.functions, params, catalog, executor=executor, workers=2, fail_fast=False
        )
        return self.outcome(run, catalog, folder)

    def outcome(self, run: Run, catalog: Catalog, folder: Path) -> Outcome:
        """What a run's records say."""
        details = run.details
        commits = {(r.node, r.index): r for r in read_records(catalog.storage, run.id) if isinstance(r, Commit)}
        calls = {node.id for node in walk(self.trace.program.pipeline.body) if hasattr(node, "task")}
        failure = None
        if details.state != "succeeded":
            assert details.failure is not None
            assert details.failure.info is not None
            failure = (
                details.failure.node,
                details.failure.index,
                details.failure.info.type,
                details.failure.info.message,
            )
        own = commits.get(("", ()))
        return Outcome(
            result=None if failure else {name: ref.digest for name, ref in (own.outputs if own is not None else ())},
            failure=failure,
            states={
                name: "succeeded" if node.state == "cached" else node.state for name, node in details.nodes.items()
            },
            versions={
                place: _version(commit) for place, commit in commits.items() if place[0] in calls and _ran(commit)
            },
            lines=_lines(folder),
        )


def _ran(commit: Commit) -> bool:
    return commit.outcome in ("succeeded", "cached", "failed")


def _version(commit: Commit) -> str:
    if commit.outcome == "failed":
        return commit.failure.type if commit.failure is not None else "?"
    return dict(commit.outputs)["result"].digest


def _lines(folder: Path) -> tuple[str, ...]:
    path = folder / "effects"
    # an engine makes an attempt at least once: a line may come again, but never before what it waits for
    return tuple(dict.fromkeys(path.read_text().split())) if path.exists() else ()


def assert_same(found: Outcome, expected: Outcome) -> None:
    """Field by field, the telling ones first."""
    for name in ("failure", "states", "versions", "result", "lines"):
        assert getattr(found, name) == getattr(expected, name), name


def case_names() -> list[tuple[str, str]]:
    """(module, case) of every program."""
    found = []
    for path in sorted(PROGRAMS.glob("*.py")):
        found += [(path.stem, name) for name in importlib.import_module(path.stem).CASES]
    return found
