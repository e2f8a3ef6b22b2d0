"""What would be stale if a function or an artifact changed: the nodes that reach it, and everything downstream.

Walks the programs of the latest run of each pipeline, and of pipelines at hand; follows the edges of the IR, so that
what only waits for a node (`after`) isn't stale by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from drawloom.catalog.artifacts import artifact_name
from drawloom.catalog.functions import FunctionPart, FunctionSource, function_source, load_function_source
from drawloom.catalog.history import EarlierRun
from drawloom.errors import Diagnostic, Span, StoreError, did_you_mean
from drawloom.ir.nodes import Call, Loop, Map, Node, Pipeline, Try
from drawloom.ir.operands import Carried, Caught, Item, Operand, Output, Param
from drawloom.ir.program import Program
from drawloom.ir.walk import blocks, operands, references, walk
from drawloom.storage.base import Storage

__all__ = ["Impact", "PipelineImpact", "StaleNode", "Subject", "artifact_impact", "function_impact", "is_function"]

_SMALL_BYTES: Final = 256  # values up to this size are equal by chance: they link no pipelines


@dataclass(frozen=True, slots=True)
class Subject:
    """A pipeline that is looked at.

    Args:
        program: its graph.
        run: the id of its latest run, "" for one that was given as a TARGET.
        record: that run, None for one that was given.
    """

    program: Program
    run: str = ""
    record: EarlierRun | None = None


@dataclass(frozen=True, slots=True)
class StaleNode:
    """A node that would be stale.

    Args:
        id: the node's id.
        kind: `call`, `map`, ...
        task: `module:qualname` of the task a call calls, "" for others.
        because: the nodes, parameters (`params/x`) or parts of a function it is stale by.
        direct: whether it reaches the function, or reads the artifact, itself.
        where: the user's source line, None if not known.
    """

    id: str
    kind: str
    task: str
    because: tuple[str, ...]
    direct: bool
    where: Span | None = None


@dataclass(frozen=True, slots=True)
class PipelineImpact:
    """What would be stale in one pipeline.

    Args:
        pipeline: its name.
        run: the id of the run that was looked at, "" for a TARGET.
        tasks: `module:qualname` of each task that reaches the function.
        nodes: in program order.
        results: the names of the pipeline's results that would be stale, as artifacts.
    """

    pipeline: str
    run: str
    tasks: tuple[str, ...]
    nodes: tuple[StaleNode, ...]
    results: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Impact:
    """What would be stale if something changed.

    Args:
        subject: the names of the parts, or the artifact, that were meant.
        kind: `function` or `artifact`.
        pipelines: those in which something would be.
        looked_at: the names of all that were looked at.
    """

    subject: tuple[str, ...]
    kind: str
    pipelines: tuple[PipelineImpact, ...]
    looked_at: tuple[str, ...]


def is_function(name: str) -> bool:
    """Whether a name is one of a function (`module:name`, `file.py:name`) rather than one of an artifact.

    >>> is_function("flows.clean:drop"), is_function("src/flows.py:drop"), is_function("churn/train:auc")
    (True, True, False)
    """
    place, colon, _ = name.rpartition(":")
    return bool(colon) and (place.endswith(".py") or "/" not in place)


def function_impact(storage: Storage, subjects: Iterable[Subject], name: str) -> Impact:
    """What would be stale if a function, class, constant or module of the user's changed.

    Args:
        storage: the project's storage, which has the functions' sources.
        subjects: the pipelines to look at.
        name: `module:qualname` or `file.py:qualname`; a module's or file's name alone stands for all of it.

    Raises:
        StoreError: P655, nothing of that name is reached by any task.
    """
    given = list(subjects)
    known: set[str] = set()
    meant: set[str] = set()
    found = []
    for subject in given:
        reached: dict[str, tuple[str, ...]] = {}
        for task, source in _sources(storage, subject.program):
            known |= {part.name for part in source.parts}
            hits = tuple(part.name for part in source.parts if _is_meant(part, name))
            meant |= set(hits)
            if hits:
                reached[task] = hits
        if reached:
            found.append(_pipeline(subject, reached, frozenset(), frozenset()))
    if not meant:
        raise StoreError(_no_function(name, known, [_name(subject) for subject in given]))
    return Impact(tuple(sorted(meant)), "function", tuple(found), tuple(_name(subject) for subject in given))


def _sources(storage: Storage, program: Program) -> Iterator[tuple[str, FunctionSource]]:
    """(task, what its function's digest is made of) of each task whose source is known."""
    for spec in program.pipeline.tasks:
        digest = spec.function.digest
        known = program.sources.get(digest)
        source = function_source(known) if known is not None else load_function_source(storage, digest)
        if source is None:  # saved by an older drawloom: the task's own name is known all the same
            source = FunctionSource(spec.name, spec.function.scope, (FunctionPart(spec.name, digest),))
        yield spec.name, source


def _is_meant(part: FunctionPart, name: str) -> bool:
    if part.name == name:
        return True
    place, _, own = name.rpartition(":")
    module, _, qualname = part.name.rpartition(":")
    if part.kind in ("module", "file"):  # all of it counts, so what is in it does
        return _is_place(part.name, place)
    plain = re.sub(r" \(\d+\)$", "", qualname)
    return plain == own and _is_place(module, place)


def _is_place(module: str, place: str) -> bool:
    """Whether a module's name, or a file's path, is the one that was meant: `src/flows/clean.py` is `flows.clean`."""
    if module == place:
        return True
    if not place.endswith(".py"):
        return module.endswith(".py") and _dotted(module) == place
    wanted, found = _dotted(place), _dotted(module) if module.endswith(".py") else module
    return wanted == found or wanted.endswith(f".{found}") or found.endswith(f".{wanted}")


def _dotted(path: str) -> str:
    return path.removesuffix(".py").replace("\\", "/").strip("./").replace("/", ".").removesuffix(".__init__")


def artifact_impact(subjects: Iterable[Subject], name: str) -> Impact:
    """What would be stale if an artifact had another value.

    Args:
        subjects: the pipelines to look at; those with a run are followed by its values, too.
        name: `<pipeline>/<node>`, `<pipeline>/<node>.<port>`, `<pipeline>/params/<name>` or `<pipeline>`.

    Raises:
        StoreError: P657, no pipeline that was looked at has it.
    """
    given = list(subjects)
    owner = next((subject for subject in given if _belongs(subject, name)), None)
    if owner is None:
        raise StoreError(_no_artifact(name, given))
    pipeline = owner.program.pipeline
    own = name.removeprefix(pipeline.name).removeprefix("/")
    params = frozenset({own.removeprefix("params/")} if own.startswith("params/") else ())
    nodes = frozenset({_node_of(pipeline, own)} if own and not params else ())
    found = []
    digests = _digests(owner, params, nodes, whole=not own)
    if own:
        impact = _pipeline(owner, {}, params, nodes)
        found = [impact] if impact.nodes or impact.results else []
        digests |= _digests(owner, frozenset(), frozenset(node.id for node in impact.nodes), whole=bool(impact.results))
    for subject in given:
        read = frozenset() if subject is owner or subject.record is None else _given(subject.record, digests)
        if read:
            found.append(_pipeline(subject, {}, read, frozenset()))
    return Impact((name,), "artifact", tuple(found), tuple(_name(subject) for subject in given))


def _belongs(subject: Subject, name: str) -> bool:
    pipeline = subject.program.pipeline
    own = name.removeprefix(f"{pipeline.name}/")
    if name == pipeline.name:
        return True
    if own == name:
        return False
    if own.startswith("params/"):
        return own.removeprefix("params/") in [port.name for port in pipeline.params]
    return bool(_node_of(pipeline, own))


def _node_of(pipeline: Pipeline, own: str) -> str:
    """The node of `split.test`, `models/train`, or of what a task logged, `train[3]:auc`; "" where there is none."""
    ids = {node.id for node in walk(pipeline.body)}
    for text in (own, own.rpartition(":")[0], own.rpartition(".")[0]):
        plain = re.sub(r"\[[\d, ]*\]$", "", text)
        if plain in ids:
            return plain
    return ""


def _digests(subject: Subject, params: frozenset[str], nodes: frozenset[str], *, whole: bool) -> set[str]:
    """The value digests that the subject's run gave to parameters, nodes and results; small values are left out."""
    if subject.record is None:
        return set()
    refs = [ref for name, ref in subject.record.started.params if name in params]
    for (node, index), commit in subject.record.facts.commits.items():
        if (node in nodes and not index) or (whole and not node):
            refs += [ref for _, ref in commit.outputs]
    return {ref.digest for ref in refs if ref.size_bytes > _SMALL_BYTES}


def _given(run: EarlierRun, digests: set[str]) -> frozenset[str]:
    """The parameters of a run that were given one of these values."""
    return frozenset(name for name, ref in run.started.params if ref.digest in digests)


def _pipeline(
    subject: Subject, tasks: Mapping[str, tuple[str, ...]], params: frozenset[str], nodes: frozenset[str]
) -> PipelineImpact:
    """What is stale in a pipeline if these tasks, parameters and nodes' results are."""
    pipeline, spans = subject.program.pipeline, subject.program.spans
    stale = _Stale(pipeline, tasks, params, nodes)
    found = []
    for node in walk(pipeline.body):
        if node.id in stale.because and node.id not in nodes:
            because = tuple(dict.fromkeys(stale.because[node.id]))
            task = node.task if isinstance(node, Call) else ""
            direct = bool(task and task in tasks) or any(b.startswith("params/") or b in nodes for b in because)
            kind = "group" if type(node).__name__ == "PipelineCall" else type(node).__name__.lower()
            found.append(StaleNode(node.id, kind, task, because, direct, spans.get(node.id)))
    results = [artifact_name(pipeline.name, "", port) for port, operand in pipeline.body.results if stale.by(operand)]
    return PipelineImpact(pipeline.name, subject.run, tuple(sorted(tasks)), tuple(found), tuple(results))


class _Stale:
    """Which nodes of a pipeline are stale; `because`: node id -> what each is stale by."""

    def __init__(
        self,
        pipeline: Pipeline,
        tasks: Mapping[str, tuple[str, ...]],
        params: frozenset[str],
        nodes: frozenset[str],
    ) -> None:
        self.because: dict[str, list[str]] = {node: [] for node in nodes}
        self._tasks = tasks
        self._params = params
        self._all = list(walk(pipeline.body))
        self._nodes = {node.id: node for node in self._all}
        size = -1
        while size != len(self.because):  # loops carry staleness back: until nothing new is found
            size = len(self.because)
            for node in reversed(self._all):  # inner ones before what holds them
                self._look(node)
            for node in self._all:
                self._look(node)

    def _look(self, node: Node) -> None:
        if node.id in self.because:
            return
        found = list(self._tasks.get(node.task, ())) if isinstance(node, Call) else []
        for operand in operands(node):
            found += self.by(operand)
        if isinstance(node, Try):  # its body decides whether a handler is entered
            found += [inner.id for inner in walk(node.body) if inner.id in self.because]
        if isinstance(node, Loop):
            found += [name for _, operand in node.test.results for name in self.by(operand)]
        if found:
            self.because[node.id] = found

    def by(self, operand: Operand) -> list[str]:
        """What an operand is stale by: nodes and parameters; empty if it isn't."""
        return [name for reference in references(operand) for name in self._reference(reference)]

    def _reference(self, reference: object) -> list[str]:
        if isinstance(reference, Output):
            return [reference.node] if reference.node in self.because else []
        if isinstance(reference, Param):
            return [f"params/{reference.name}"] if reference.name in self._params else []
        if isinstance(reference, Item):
            holder = self._nodes[reference.map]
            assert isinstance(holder, Map), "an item is one of a map"
            return self.by(holder.items)
        if isinstance(reference, Carried):
            holder = self._nodes[reference.loop]
            assert isinstance(holder, Loop), "a loop carries it"
            return self._carried(holder, reference.name)
        if isinstance(reference, Caught):
            holder = self._nodes[reference.node]
            assert isinstance(holder, Try), "a try caught it"
            return [inner.id for inner in walk(holder.body) if inner.id in self.because]
        return []

    def _carried(self, loop: Loop, name: str) -> list[str]:
        """A carried value is stale by its initial one, or by what the body makes of it; not by itself."""
        found = [by for carry in loop.carried if carry.name == name for by in self.by(carry.initial)]
        for block in blocks(loop)[1:]:
            for port, operand in block.results:
                own = [r for r in references(operand) if not isinstance(r, Carried)]
                found += [by for r in own for by in self._reference(r) if port == name]
        return found


def _name(subject: Subject) -> str:
    return subject.program.pipeline.name


def _no_function(name: str, known: set[str], pipelines: list[str]) -> Diagnostic:
    looked = ", ".join(sorted(set(pipelines))) or "no pipeline: the catalog has no runs"
    return Diagnostic(
        code="P655",
        what=f"no task reaches anything called `{name}`{did_you_mean(name, known)}",
        where=None,
        fix=f"give module:name or file.py:name; looked at {looked}; name others with --in TARGET",
    )


def _no_artifact(name: str, subjects: list[Subject]) -> Diagnostic:
    known = []
    for subject in subjects:
        pipeline = subject.program.pipeline
        known += [pipeline.name, *(f"{pipeline.name}/params/{port.name}" for port in pipeline.params)]
        known += [f"{pipeline.name}/{node.id}" for node in walk(pipeline.body)]
    return Diagnostic(
        code="P657",
        what=f"no pipeline has an artifact `{name}`{did_you_mean(name, known)}",
        where=None,
        fix="see the names there are with `drawloom catalog ls`; a function is named module:name or file.py:name",
    )
