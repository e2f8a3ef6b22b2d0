"""Runs a program somewhere and says what came of it, in a form in which any two runs can be compared.

A program is a file in `programs/`: tasks, pipelines, `CASES` (name -> (pipeline, parameters)) and, unless it is small,
`TAGS = {"scale"}`. A pipeline with a parameter `path` that no case gives is handed a file for its effects. Nothing
else is said there: where the programs run is `places`, what must come of them `expected`.
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from drawloom import Task
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.edges import Edge, edges, wiring
from drawloom.catalog.lineage import Execution, Lineage, VersionNode
from drawloom.catalog.records import Commit
from drawloom.catalog.run import Run
from drawloom.dsl.tracing import Trace, trace
from drawloom.ir.check import check_pipeline
from drawloom.ir.nodes import Call
from drawloom.ir.walk import walk

PROGRAMS = Path(__file__).parent / "programs"
Instance = tuple[str, tuple[int, ...]]


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Args:
        state: `succeeded` or `failed`.
        failure: (node, index, exception class, message) of the failure that counts, None if it succeeded.
        states: node id -> state; `cached` counts as `succeeded`.
        versions: call instance -> the digest of its result, or the class of its failure.
        inputs: call instance -> port -> the digest of what it was handed; nothing if an input couldn't be computed.
        result: the digest of each result, by port; None if it failed.
        lines: what the program's effects wrote, in order.
        artifacts: name -> the digests of its versions, in the catalog.
        functions: `module:qualname` -> the digests of its versions, in the catalog.
        edges: where each input, each list of a map and the result came from.
    """

    state: str
    failure: tuple[str, tuple[int, ...], str, str] | None
    states: Mapping[str, str]
    versions: Mapping[Instance, str]
    inputs: Mapping[Instance, Mapping[str, str]]
    result: Mapping[str, str] | None
    lines: tuple[str, ...]
    artifacts: Mapping[str, tuple[str, ...]]
    functions: Mapping[str, tuple[str, ...]]
    edges: frozenset[Edge]


class Case:
    """One pipeline of a program with its parameters."""

    def __init__(self, module: str, name: str) -> None:
        self.module: ModuleType = importlib.import_module(module)
        self.pipeline, self.given = self.module.CASES[name]
        self.parameters = inspect.signature(self.pipeline.function).parameters

    @cached_property
    def trace(self) -> Trace:
        """The pipeline in the IR; nothing is wrong with it."""
        static = self.pipeline.signature().static
        found = trace(self.pipeline, {name: self.given[name] for name in static if name in self.given})
        problems = [str(problem) for problem in check_pipeline(found.program)]
        assert problems == [], "\n".join(problems)
        return found

    @property
    def tasks(self) -> list[Task[..., Any]]:
        """The tasks of the program."""
        return [value for value in vars(self.module).values() if isinstance(value, Task)]

    def arguments(self, folder: Path) -> dict[str, Any]:
        """What the plain function is given; a file as `path`, if it asks for one."""
        wanted = "path" in self.parameters and "path" not in self.given
        return self.given | ({"path": str(effects_of(folder))} if wanted else {})

    def params(self, folder: Path) -> dict[str, Any]:
        """What a run is given: the arguments without those that are known while it is traced."""
        static = self.pipeline.signature().static
        return {name: value for name, value in self.arguments(folder).items() if name not in static}

    def encoded(self, folder: Path, catalog: Catalog) -> dict[str, Any]:
        """The parameters as envelope trees, defaults too."""
        ports = {port.name: port for port in self.trace.program.pipeline.params}
        defaults = {name: json.loads(port.default) for name, port in ports.items() if port.default is not None}
        given = {n: catalog.values.encode(value, ports[n].type) for n, value in self.params(folder).items()}
        return defaults | given

    def outcome(self, run: Run, catalog: Catalog, folder: Path) -> Outcome:
        """What a run's records and the catalog say."""
        details, program = run.details, self.trace.program.pipeline
        commits = run.commits()
        calls = {node.id for node in walk(program.body) if isinstance(node, Call)}
        failure = None
        if details.state != "succeeded":
            assert details.failure is not None
            assert details.failure.info is not None
            info = details.failure.info
            failure = (details.failure.node, details.failure.index, info.type, info.message)
        ran = {at: commit for at, commit in commits.items() if at[0] in calls and commit.outcome in _RAN}
        own = commits.get(("", ()))
        assert [found.id for found in catalog.runs()] == [run.id]
        assert [str(problem) for problem in catalog.verify()] == []
        found = frozenset(edges(wiring(program), run.facts))
        if failure is None and not any(commit.outcome == "cached" for commit in commits.values()):
            assert_lineage(catalog, program.name, found)
        return Outcome(
            state=details.state,
            failure=failure,
            states={n: "succeeded" if node.state == "cached" else node.state for n, node in details.nodes.items()},
            versions={at: _version(commit) for at, commit in ran.items()},
            inputs={at: {port: ref.digest for port, ref in commit.inputs} for at, commit in ran.items()},
            result=None if failure else {name: ref.digest for name, ref in (own.outputs if own is not None else ())},
            lines=take_lines(folder),
            artifacts={a.name: tuple(version.digest for version in a.versions) for a in catalog.artifacts()},
            functions=_grouped((f.name, f.digest) for f in catalog.functions()),
            edges=comparable(found, calls, failed=failure is not None),
        )


_RAN = ("succeeded", "cached", "failed")


def _version(commit: Commit) -> str:
    if commit.outcome == "failed":
        return commit.failure.type if commit.failure is not None else "?"
    return dict(commit.outputs)["result"].digest


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, digest in pairs:
        found[name] = (*found.get(name, ()), digest)
    return found


def comparable(found: Iterable[Edge], calls: Iterable[str], *, failed: bool) -> frozenset[Edge]:
    """The edges two runs must have in common; of a failed one, those into its calls."""
    known = set(calls)
    return frozenset(edge for edge in found if not failed or edge.node in known)


def effects_of(folder: Path) -> Path:
    """Where effects write; the same file for runs in folders beside each other, so that their parameters are equal."""
    return folder.parent / "effects"


def take_lines(folder: Path) -> tuple[str, ...]:
    """What effects wrote; it is gone afterwards, and so is what tasks kept beside it."""
    path = effects_of(folder)
    found = tuple(path.read_text("utf-8").splitlines()) if path.exists() else ()
    for written in path.parent.glob(f"{path.name}*"):
        written.unlink()
    return found


def above(found: Iterable[Edge], node: str = "") -> set[Edge]:
    """The edges over which anything came to a node: to the pipeline's result by default."""
    into: dict[str, set[Edge]] = {}
    for edge in found:
        into.setdefault(edge.node, set()).add(edge)
    reached: set[Edge] = set()
    waiting, seen = [node], {node}
    while waiting:
        for edge in into.get(waiting.pop(), ()):
            reached.add(edge)
            if edge.source and edge.source not in seen:
                seen.add(edge.source)
                waiting.append(edge.source)
    return reached


def assert_lineage(catalog: Catalog, name: str, found: frozenset[Edge]) -> None:
    """What the catalog tells of where the result came from is what the run's edges say."""
    if not any(artifact.name == name for artifact in catalog.artifacts()):
        return  # it returns nothing
    told = catalog.lineage(name, direction="up")
    assert not told.truncated
    assert _told_edges(told) == above(found)


def _told_edges(told: Lineage) -> set[Edge]:
    """The edges between executions that a lineage tells of, versions looked through."""
    nodes = {node.id: node for node in told.nodes}
    made: dict[str, tuple[str, str]] = {}  # version -> (node, port) that made it
    for edge in told.edges:
        if edge.kind == "made":
            source = nodes[edge.source]
            assert isinstance(source, Execution)
            made[edge.target] = (source.node, edge.port)
    found = set()
    for edge in told.edges:
        source, target = nodes[edge.source], nodes[edge.target]
        if edge.kind not in ("read", "passed"):
            continue
        assert isinstance(target, Execution)
        if isinstance(source, Execution):
            origin = (source.node, "result")
        elif source.role == "param":
            origin = ("", source.name.rpartition("/")[2])
        else:
            assert isinstance(source, VersionNode)
            origin = made[source.id]
        found.add(Edge(*origin, target.node, edge.port))
    return found


def assert_same(found: Outcome, expected: Outcome, *, again: bool = False) -> None:
    """Field by field, the telling ones first.

    Args:
        found: what came of a run.
        expected: what must come of it.
        again: whether attempts may have been made again: then a line may come twice, but never before its turn.
    """
    fields = ["failure", "state", "states", "versions", "inputs", "result", "artifacts", "functions", "edges"]
    for name in fields:
        assert getattr(found, name) == getattr(expected, name), name
    if again:
        assert tuple(dict.fromkeys(found.lines)) == tuple(dict.fromkeys(expected.lines)), "lines"
    else:
        assert found.lines == expected.lines, "lines"


def programs() -> list[str]:
    """The module names of all programs."""
    return sorted(path.stem for path in PROGRAMS.glob("*.py"))


def case_names(tag: str = "") -> list[tuple[str, str]]:
    """(module, case) of every program, or of those with a tag; the cases of a program in their order."""
    found = []
    for name in programs():
        module = importlib.import_module(name)
        if not tag or tag in getattr(module, "TAGS", {"small"}):
            found += [(name, case) for case in module.CASES]
    return found
