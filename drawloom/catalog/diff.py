"""What differs between two runs: code, graph, parameters, inputs, environment, data, results, metrics, states, times.

Everything is read from the two runs' records and programs, whichever engines ran them; nodes belong together by id, in
runs of different pipelines too. What is dear (the profiles of tables) is computed when it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drawloom.catalog.diff_data import DataDiff, data_differences
from drawloom.catalog.diff_metrics import MetricDiff, metric_differences
from drawloom.catalog.functions import FunctionSource, PartChange, compare, load_function_source
from drawloom.catalog.keys import environment_key
from drawloom.catalog.records import ValueRef
from drawloom.ir.canonical import Json
from drawloom.ir.nodes import Block, Branch, Call, Map, Node, Pipeline, TaskSpec
from drawloom.ir.text import Printer
from drawloom.ir.walk import blocks, walk
from drawloom.storage.base import KeyMissing

if TYPE_CHECKING:
    from drawloom.catalog.run import NodeView, Run

__all__ = [
    "EnvironmentDiff",
    "FunctionDiff",
    "GraphDiff",
    "InputDiff",
    "LineDiff",
    "NodeDiff",
    "RunDiff",
    "ValueDiff",
    "diff",
]

_BY_REFERENCE = ("file", "directory", "external")


@dataclass(frozen=True, slots=True)
class FunctionDiff:
    """A task's function whose code differs.

    Args:
        name: `module:qualname`.
        nodes: the calls of it, in program order.
        before, after: the digests.
        changes: the parts that differ; empty where a source isn't kept, or only what names stand for differs.
        known: whether both sources are kept.
    """

    name: str
    nodes: tuple[str, ...]
    before: str
    after: str
    changes: tuple[PartChange, ...] = ()
    known: bool = False

    def text(self) -> str:
        """A unified diff of every part that differs."""
        return "".join(change.diff() for change in self.changes)


@dataclass(frozen=True, slots=True)
class LineDiff:
    """Something that is written as one line of the graph's text form, "" where a run hasn't got it."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class GraphDiff:
    """How two graphs differ.

    Args:
        added, removed: nodes that only the later, or only the earlier, run has.
        rewired: nodes that both have, and that take other inputs, call another task or have other options.
        tasks: tasks whose ports or options differ.
        results: what the pipelines' blocks give, where it differs; "" names the pipeline itself.
    """

    added: tuple[LineDiff, ...] = ()
    removed: tuple[LineDiff, ...] = ()
    rewired: tuple[LineDiff, ...] = ()
    tasks: tuple[LineDiff, ...] = ()
    results: tuple[LineDiff, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.rewired or self.tasks or self.results)


@dataclass(frozen=True, slots=True)
class ValueDiff:
    """A named value whose version differs; None where a run hasn't got it."""

    name: str
    before: ValueRef | None
    after: ValueRef | None


@dataclass(frozen=True, slots=True)
class InputDiff:
    """A file, folder or external that a run was given, and that differs.

    Args:
        name: the parameter, or the node that gave it, with the way to it (`files[2]`).
        kind: `file`, `directory` or `external`.
        before, after: its name or URI and its version; ("", "") where a run hasn't got it.
    """

    name: str
    kind: str
    before: tuple[str, str]
    after: tuple[str, str]


@dataclass(frozen=True, slots=True)
class EnvironmentDiff:
    """How the environments differ.

    Args:
        facts: (what, before, after) of Python, drawloom, the engine and the executor.
        packages: (name, version before, version after); "" where it wasn't installed.
        known: whether both runs say what was installed.
    """

    facts: tuple[tuple[str, str, str], ...] = ()
    packages: tuple[tuple[str, str, str], ...] = ()
    known: bool = True

    def __bool__(self) -> bool:
        return bool(self.facts or self.packages)


@dataclass(frozen=True, slots=True)
class NodeDiff:
    """What became of a node in each run, and how long its attempts took; None where a run hasn't got it."""

    id: str
    before: NodeView | None
    after: NodeView | None

    @property
    def same_state(self) -> bool:
        """Whether both runs have it, in the same state with the same counts."""
        both = self.before is not None and self.after is not None
        return both and (self.before.state, dict(self.before.counts)) == (self.after.state, dict(self.after.counts))  # type: ignore[union-attr]  # `both`


@dataclass(frozen=True, slots=True)
class RunDiff:
    """What differs between two runs.

    Args:
        before, after: the runs.
        code: functions whose code differs.
        graph: nodes added, removed and rewired.
        params: parameters with another value; compile-time ones and the run's times too.
        inputs: files, folders and externals of another version.
        environment: Python and packages.
        data: values of nodes that differ.
        metrics: what tasks logged, where its last value differs.
        results: what the pipelines returned, where it differs.
        nodes: every node of either run: its states and times.
    """

    before: Run
    after: Run
    code: tuple[FunctionDiff, ...]
    graph: GraphDiff
    params: tuple[ValueDiff, ...]
    inputs: tuple[InputDiff, ...]
    environment: EnvironmentDiff
    data: tuple[DataDiff, ...]
    metrics: tuple[MetricDiff, ...]
    results: tuple[ValueDiff, ...]
    nodes: tuple[NodeDiff, ...]

    @property
    def same_pipeline(self) -> bool:
        """Whether both are runs of a pipeline of the same name."""
        return self.before.pipeline == self.after.pipeline

    @property
    def states(self) -> tuple[NodeDiff, ...]:
        """The nodes whose states differ."""
        return tuple(node for node in self.nodes if not node.same_state)

    def __bool__(self) -> bool:
        """Whether anything differs but the times."""
        given = (self.code, self.graph, self.params, self.inputs, self.environment)
        return (
            any(map(bool, (*given, self.data, self.metrics, self.results)))
            or bool(self.states)
            or not self.same_pipeline
        )


def diff(before: Run, after: Run) -> RunDiff:
    """What differs between two runs, which may be of different pipelines, engines and catalogs.

    Raises:
        StoreError: a run's records or program can't be read, or an object is missing or corrupt.
    """
    old, new = before.program.pipeline, after.program.pipeline
    given = list(_params(before, after))
    return RunDiff(
        before=before,
        after=after,
        code=tuple(_functions(before, after)),
        graph=_graph(old, new),
        params=tuple(value for value in given if not _is_by_reference(value)),
        inputs=tuple(_inputs(before, after, given)),
        environment=_environment(before, after),
        data=tuple(data_differences(before, after)),
        metrics=tuple(metric_differences(before, after)),
        results=tuple(_results(before, after)),
        nodes=tuple(_nodes(before, after)),
    )


# code


def _functions(before: Run, after: Run) -> Iterator[FunctionDiff]:
    old = {spec.name: spec for spec in before.program.pipeline.tasks}
    calls: dict[str, list[str]] = {}
    for node in walk(after.program.pipeline.body):
        if isinstance(node, Call):
            calls.setdefault(node.task, []).append(node.id)
    for spec in after.program.pipeline.tasks:
        one, other = old[spec.name].function.digest if spec.name in old else "", spec.function.digest
        if spec.name not in old or one == other:
            continue
        sources = (_source(before, one), _source(after, other))
        changes = compare(sources[0], sources[1]) if sources[0] is not None and sources[1] is not None else ()
        yield FunctionDiff(spec.name, tuple(calls.get(spec.name, ())), one, other, changes, None not in sources)


def _source(run: Run, digest: str) -> FunctionSource | None:
    return load_function_source(run.catalog.storage, digest)


# graph


def _graph(old: Pipeline, new: Pipeline) -> GraphDiff:
    one, other = _lines(old), _lines(new)
    tasks = _task_lines(old), _task_lines(new)
    ends = _result_lines(old), _result_lines(new)
    return GraphDiff(
        added=tuple(LineDiff(name, "", line) for name, line in other.items() if name not in one),
        removed=tuple(LineDiff(name, line, "") for name, line in one.items() if name not in other),
        rewired=tuple(_changed(one, other)),
        tasks=tuple(_changed(*tasks)),
        results=tuple(_changed(*ends)),
    )


def _changed(one: Mapping[str, str], other: Mapping[str, str]) -> Iterator[LineDiff]:
    """What both have, and what differs."""
    for name, line in other.items():
        if name in one and one[name] != line:
            yield LineDiff(name, one[name], line)


def _lines(pipeline: Pipeline) -> dict[str, str]:
    """node id -> its line in the text form, a branch's tests included."""
    printer = Printer(pipeline)
    found = {}
    for node in walk(pipeline.body):
        tests = [printer.operand(case.test) for case in node.cases] if isinstance(node, Branch) else []
        found[node.id] = printer.node(node) + "".join(f" case {test}" for test in tests)
    return found


def _task_lines(pipeline: Pipeline) -> dict[str, str]:
    printer = Printer(pipeline)
    return {spec.name: printer.task(_without_digest(spec)) for spec in pipeline.tasks}


def _without_digest(spec: TaskSpec) -> TaskSpec:
    return replace(spec, function=replace(spec.function, digest="", scope="function"))


def _result_lines(pipeline: Pipeline) -> dict[str, str]:
    """What each block gives: "" for the pipeline's, else the id of the node that holds it."""
    printer = Printer(pipeline)
    held: list[tuple[str, tuple[Block, ...]]] = [("", (pipeline.body,))]
    held += [(node.id, tuple(blocks(node))) for node in walk(pipeline.body) if _holds(node)]
    return {name: "; ".join(printer.inputs(block.results) for block in inside) for name, inside in held}


def _holds(node: Node) -> bool:
    return isinstance(node, Map) or bool(list(blocks(node)))


# parameters, inputs, results


def _params(before: Run, after: Run) -> Iterator[ValueDiff]:
    one, other = _given(before), _given(after)
    for name in dict.fromkeys((*other, *one)):
        old, new = one.get(name), other.get(name)
        if old is None or new is None or old.digest != new.digest:
            yield ValueDiff(name, old, new)


def _given(run: Run) -> dict[str, ValueRef]:
    record = run.record
    times = {"logical time": [record.logical_time], "interval": list(record.interval)}
    told = {name: ValueRef(" ".join(texts), tree=" to ".join(texts)) for name, texts in times.items() if any(texts)}
    return {**dict(record.params), **dict(record.static), **told}


def _is_by_reference(value: ValueDiff) -> bool:
    """Whether a parameter is a file, folder or external in both runs: an input, then."""
    trees = [ref.tree for ref in (value.before, value.after) if ref is not None]
    return all(isinstance(tree, dict) and tree.get("$") in _BY_REFERENCE for tree in trees)


def _inputs(before: Run, after: Run, given: list[ValueDiff]) -> Iterator[InputDiff]:
    for value in given:
        yield from _leaf_differences(value.name, before, after, value)
    commits = before.facts.commits
    for (node, index), commit in after.facts.commits.items():
        earlier = commits.get((node, index))
        if not node or earlier is None or commit.inputs or earlier.inputs:
            continue  # only what is given nothing by others brings something from outside
        at = f"{list(index)}" if index else ""
        old = dict(earlier.outputs)
        for port, ref in commit.outputs:
            if port in old and old[port].digest != ref.digest:
                yield from _leaf_differences(f"{node}{at}", before, after, ValueDiff(port, old[port], ref))


def _leaf_differences(name: str, before: Run, after: Run, value: ValueDiff) -> Iterator[InputDiff]:
    old = _leaves(name, before.catalog.values.tree(value.before)) if value.before is not None else {}
    new = _leaves(name, after.catalog.values.tree(value.after)) if value.after is not None else {}
    for place in dict.fromkeys((*new, *old)):
        one, other = old.get(place, ("", "", "")), new.get(place, ("", "", ""))
        if one != other:
            yield InputDiff(place, other[0] or one[0], one[1:], other[1:])


def _leaves(name: str, tree: Json) -> dict[str, tuple[str, str, str]]:
    """The way to each file, folder and external in an envelope -> (kind, name or URI, version)."""
    found: dict[str, tuple[str, str, str]] = {}
    waiting: list[tuple[str, Json]] = [(name, tree)]
    while waiting:
        place, part = waiting.pop()
        if isinstance(part, list):
            waiting += [(f"{place}[{k}]", item) for k, item in enumerate(part)]
            continue
        if not isinstance(part, dict):
            continue
        tag, inner = part.get("$"), part.get("v")
        if tag == "external":
            found[place] = (tag, str(part.get("uri", "")), str(part.get("version", "")))
        elif tag in _BY_REFERENCE:
            found[place] = (str(tag), str(part.get("name", "")), str(part.get("digest", part.get("object", ""))))
        elif isinstance(inner, list):
            waiting += [(f"{place}{_step(item, k)}", _held(item)) for k, item in enumerate(inner)]
    return found


def _step(item: Json, k: int) -> str:
    if isinstance(item, list) and len(item) == 2:
        return f".{item[0]}" if isinstance(item[0], str) and item[0].isidentifier() else f"[{json.dumps(item[0])}]"
    return f"[{k}]"


def _held(item: Json) -> Json:
    return item[1] if isinstance(item, list) and len(item) == 2 else item


def _results(before: Run, after: Run) -> Iterator[ValueDiff]:
    commits = [run.facts.commits.get(("", ())) for run in (before, after)]
    one, other = (dict(commit.outputs) if commit is not None else {} for commit in commits)
    for name in dict.fromkeys((*other, *one)):
        old, new = one.get(name), other.get(name)
        if old is None or new is None or old.digest != new.digest:
            yield ValueDiff(name, old, new)


# environment


def _environment(before: Run, after: Run) -> EnvironmentDiff:
    one, other = _installed(before), _installed(after)
    facts = [
        ("Python", one.get("") or before.record.python, other.get("") or after.record.python),
        ("drawloom", before.record.drawloom, after.record.drawloom),
        ("engine", before.record.engine, after.record.engine),
        ("executor", before.record.executor, after.record.executor),
    ]
    known = bool(one and other)
    names = sorted({*one, *other} - {""}) if known else []
    packages = [(name, one.get(name, ""), other.get(name, "")) for name in names]
    return EnvironmentDiff(
        tuple(fact for fact in facts if not _alike(fact[1], fact[2])),
        tuple(package for package in packages if package[1] != package[2]),
        known,
    )


def _alike(one: str, other: str) -> bool:
    """Whether two versions are the same, as far as both tell: `3.12` and `3.12.1`."""
    return one == other or f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _installed(run: Run) -> dict[str, str]:
    """Package -> version of all environments a run's tasks ran in, and "" -> Python; empty where nobody looked."""
    digests = {commit.environment for commit in run.commits().values() if commit.environment}
    found: dict[str, str] = {}
    for digest in sorted(digests):
        try:
            tree = json.loads(run.catalog.storage.read(environment_key(digest)))
            found |= {str(name): str(version) for name, version in tree["packages"]}
            found[""] = str(tree["python"])
        except (KeyMissing, ValueError, TypeError, KeyError):  # it only helps people
            continue
    return found


# states and times


def _nodes(before: Run, after: Run) -> Iterator[NodeDiff]:
    one = {node.id: node for node in before.nodes()}
    other = {node.id: node for node in after.nodes()}
    for name in dict.fromkeys((*other, *one)):
        yield NodeDiff(name, one.get(name), other.get(name))
