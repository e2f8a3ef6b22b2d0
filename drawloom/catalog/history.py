"""What earlier runs of a pipeline say of its nodes: their latest commits, how long they took, how large they were.

Runs are looked for by their records alone, so that a question that must leave no trace needs no index.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

from drawloom.catalog.facts import Facts
from drawloom.catalog.functions import FunctionSource, load_function_source
from drawloom.catalog.keys import environment_key
from drawloom.catalog.lookup import Lookup, NoValueError
from drawloom.catalog.outcomes import read_run
from drawloom.catalog.programs import load_program
from drawloom.catalog.records import Commit, Index, RunStarted, ValueRef
from drawloom.catalog.runlog import read_records
from drawloom.errors import DrawloomError
from drawloom.ir.canonical import Json
from drawloom.ir.nodes import Call, Pipeline
from drawloom.ir.operands import Carried, Const, Item, Operand, Output, Param
from drawloom.ir.policies import Policies
from drawloom.ir.sources import Source
from drawloom.ir.walk import walk
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.prefixed import local_path
from drawloom.values.store import Values

__all__ = ["EarlierRun", "History", "latest_runs", "runs_of"]

_MOST_RUNS: Final = 500  # how many of a project's runs are looked at for those of one pipeline
_MOST_READ: Final = 20  # how many of those are read for a node that none of the later ones has
_READERS: Final = 16
_SMALL_BYTES: Final = 4096
_RAN: Final = ("succeeded", "cached", "failed")


class EarlierRun:
    """A run, its records read when they are asked for.

    Args:
        storage: the project's storage.
        values: its values.
        started: the record it began with.
    """

    def __init__(self, storage: Storage, values: Values, started: RunStarted) -> None:
        self._storage = storage
        self._values = values
        self.started = started

    @property
    def id(self) -> str:
        """The run's id."""
        return self.started.run

    @cached_property
    def facts(self) -> Facts:
        """Its records; none where they can't be read."""
        try:
            return Facts(read_records(self._storage, self.id))
        except DrawloomError:
            return Facts(())

    @cached_property
    def pipeline(self) -> Pipeline | None:
        """What was run, None where it can't be read."""
        try:
            return load_program(self._storage, self.started.program).pipeline
        except DrawloomError:
            return None

    def commit(self, node: str, index: Index) -> Commit | None:
        """The commit of a call that was executed, answered, or failed."""
        found = self.facts.commits.get((node, index))
        return found if found is not None and found.outcome in _RAN and found.function else None

    @cached_property
    def by_node(self) -> dict[str, list[Commit]]:
        """Node id -> the commits of its instances."""
        found: dict[str, list[Commit]] = {}
        for (node, _), commit in self.facts.commits.items():
            found.setdefault(node, []).append(commit)
        return found

    def source(self, function: str) -> FunctionSource | None:
        """What the digest of a function is made of, None where it isn't in the store."""
        return load_function_source(self._storage, function)

    def policies(self, node: str) -> Policies | None:
        """How a call was run, None where that isn't known."""
        call = self.calls.get(node)
        if call is None or self.pipeline is None:
            return None
        return call.policies or next((spec.policies for spec in self.pipeline.tasks if spec.name == call.task), None)

    @cached_property
    def calls(self) -> dict[str, Call]:
        """Node id -> the call."""
        nodes = walk(self.pipeline.body) if self.pipeline is not None else ()
        return {node.id: node for node in nodes if isinstance(node, Call)}

    def tree(self, node: str, index: Index, port: str, ref: ValueRef) -> tuple[bool, Json]:
        """(whether it can be had, the envelope) of what a call was given under `port`."""
        try:
            if ref.tree is not None or ref.object:
                return True, self._values.tree(ref)
            known = self._refs.get(ref.digest)
            if known is not None:
                return True, self._values.tree(known)
            if ref.size_bytes > _SMALL_BYTES:
                return False, None
            return self._computed(node, index, port)
        except (DrawloomError, KeyError, ValueError):
            return False, None

    @cached_property
    def _refs(self) -> dict[str, ValueRef]:
        """Value digest -> a reference with the envelope, of everything the run made or was given."""
        made = [*self.started.params]
        for commit in self.facts.commits.values():
            made += [*commit.outputs, *commit.inputs]
        # None is an envelope, too; it is what a reference without one has
        return {ref.digest: ref for _, ref in made if ref.object or ref.tree is not None or ref.type}

    def _computed(self, node: str, index: Index, port: str) -> tuple[bool, Json]:
        """What an expression gave: computed again, from what the run's records hold."""
        call = self.calls.get(node)
        operand = dict(call.inputs).get(port) if call is not None else None
        if operand is None or self.pipeline is None:
            return False, None
        load = self._values
        with suppress(Exception):  # whatever is no plain part of a value is computed below
            return True, _Envelopes(self.pipeline, self.facts, load).operand(operand, index)
        lookup = Lookup(self.pipeline, self.facts, load.decode, lambda ref: load.decode(load.tree(ref)))
        try:
            return True, load.encode(lookup.operand(operand, index))
        except Exception:  # noqa: BLE001  # whatever the user's values raise: then it isn't shown
            return False, None


class _Envelopes(Lookup):
    """Finds envelopes: of a part of a value, too, without importing the class of the whole."""

    def __init__(self, pipeline: Pipeline, facts: Facts, values: Values) -> None:
        super().__init__(pipeline, facts, lambda tree: tree, values.tree)
        self._values = values

    def operand(self, operand: Operand, index: Index) -> Any:
        if isinstance(operand, Const):
            return super().operand(operand, index)
        if not isinstance(operand, (Output, Param, Item, Carried)):
            raise NoValueError("", index, "")  # an operator works on values
        return self._values.narrow(super().operand(replace(operand, path=()), index), operand.path)

    def _item(self, source: Source, index: Index) -> Any:
        assert source.items is not None, f"{source.id} is no map"
        items = self.operand(source.items, index[: source.depth])
        if not isinstance(items, list):
            raise NoValueError(source.id, index, "")  # the items of a dict or a set: as Python has them
        return items[index[source.depth]]


class History:
    """The earlier runs of one pipeline, the latest first.

    Args:
        storage: the project's storage.
        values: its values.
        pipeline: the pipeline's name.
        before: only runs that began before this one; None for all.
    """

    def __init__(self, storage: Storage, values: Values, pipeline: str, before: RunStarted | None = None) -> None:
        self._storage = storage
        self._values = values
        self._pipeline = pipeline
        self._before = before
        self._environments: dict[str, Json] = {}

    @cached_property
    def runs(self) -> list[EarlierRun]:
        """The runs, the latest first; at most 20."""
        found = runs_of(self._storage, self._values, self._pipeline)
        if self._before is not None:
            limit = (self._before.at, self._before.run)
            found = [run for run in found if (run.started.at, run.id) < limit]
        return found[:_MOST_READ]

    def find(self, node: str, index: Index) -> tuple[EarlierRun, Commit] | None:
        """The latest run that has a commit of a call instance, and that commit."""
        for run in self.runs:
            commit = run.commit(node, index)
            if commit is not None:
                return run, commit
        return None

    def original(self, commit: Commit) -> Commit:
        """The commit a cached one was answered from; itself, where it is none, or the other can't be had."""
        if commit.outcome != "cached" or not commit.source:
            return commit
        source, node, at = commit.source
        index = () if at == "-" else tuple(int(part) for part in at.split(","))
        other = next((known for known in self.runs if known.id == source), None) or self._run(source)
        found = other.commit(node, index) if other is not None else None
        return found if found is not None and found.outcome == "succeeded" else commit

    def _run(self, run: str) -> EarlierRun | None:
        if run not in self._others:
            started = read_run(self._storage, run)
            self._others[run] = EarlierRun(self._storage, self._values, started) if started is not None else None
        return self._others[run]

    @cached_property
    def _others(self) -> dict[str, EarlierRun | None]:
        return {}

    def environment(self, digest: str) -> Json:
        """What is known of an environment, None where nothing is."""
        if not digest:
            return None
        if digest not in self._environments:
            try:
                self._environments[digest] = json.loads(self._storage.read(environment_key(digest)))
            except (KeyMissing, ValueError):
                self._environments[digest] = None
        return self._environments[digest]

    def figures(self, node: str, task: str) -> tuple[float | None, int | None]:
        """The seconds and the bytes of results of one instance of a call, as they were last; None where not known."""
        seconds: float | None = None
        size: int | None = None
        for run in self.runs:
            commits = run.by_node.get(node) or _of_task(run, task)
            if commits:
                ran = [self.original(commit) for commit in commits if commit.outcome in ("succeeded", "cached")]
                times = [commit.seconds for commit in ran if commit.outcome == "succeeded"]
                sizes = [sum(ref.size_bytes for _, ref in commit.outputs) for commit in ran]
                seconds = sum(times) / len(times) if times and seconds is None else seconds
                size = round(sum(sizes) / len(sizes)) if sizes and size is None else size
            if seconds is not None and size is not None:
                break
        return seconds, size


def _of_task(run: EarlierRun, task: str) -> list[Commit]:
    """The commits of all calls of a task: a node that is new may call one that isn't."""
    calls = [call.id for call in run.calls.values() if call.task == task]
    return [commit for node in calls for commit in run.by_node.get(node, ())]


def runs_of(storage: Storage, values: Values, pipeline: str | None = None) -> list[EarlierRun]:
    """The latest runs of a project, the latest first.

    Args:
        storage: the project's storage.
        values: its values.
        pipeline: only those of the pipeline of this name; None for all.
    """
    ids = sorted(storage.folders("runs/"), reverse=True)[:_MOST_RUNS]
    found = [
        EarlierRun(storage, values, started)
        for started in _read_all(storage, ids)
        if started is not None and pipeline in (None, started.pipeline)
    ]
    return sorted(found, key=lambda run: (run.started.at, run.id), reverse=True)


def latest_runs(storage: Storage, values: Values) -> dict[str, EarlierRun]:
    """Pipeline name -> its latest run, of each pipeline of a project that was run, the names sorted."""
    found: dict[str, EarlierRun] = {}
    for run in runs_of(storage, values):
        found.setdefault(run.started.pipeline, run)
    return dict(sorted(found.items()))


def _read_all(storage: Storage, ids: list[str]) -> Iterator[RunStarted | None]:
    def read(run: str) -> Any:
        try:
            return read_run(storage, run)
        except DrawloomError:  # corrupt, or written by a newer drawloom: `catalog verify` tells
            return None

    if local_path(storage, "x") is not None or len(ids) < 2:
        yield from map(read, ids)
        return
    with ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(read, ids)
