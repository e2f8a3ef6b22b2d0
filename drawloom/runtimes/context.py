"""What a step knows and can reach: its run, its slice, the store, and the outcomes of the steps before it.

Standard library alone: a step loads this module.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from drawloom.catalog import keys
from drawloom.catalog.outcomes import commit_once, decode_record, failures, read_commit, read_decision
from drawloom.catalog.records import Commit, Decision, Index, RunStarted, ValueRef
from drawloom.errors import Diagnostic, Span, StoreError
from drawloom.ir.canonical import Json
from drawloom.ir.operands import Operand
from drawloom.ir.protocol import TRUE_TEXT, index_text
from drawloom.ir.slices import LAYOUT, BrokenSeal, Place, StepSlice, read_layout, read_slice
from drawloom.ir.sources import Source
from drawloom.runtimes.resolve import Resolver, UpstreamFailed
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.objects import Objects
from drawloom.values.store import Values

if TYPE_CHECKING:
    from drawloom.runtimes.failures import FailedNodes  # loaded where something may have failed, not before

__all__ = [
    "StepContext",
    "carried_node",
    "check_bundle",
    "is_over",
    "open_project",
    "read_started",
    "run_reference",
    "split_reference",
]


def carried_node(loop: str) -> str:
    """What the values a loop carries into an iteration are committed under: no node's id holds a colon."""
    return f"{loop}:carried"


def run_reference(run: str, generation: int) -> str:
    """What steps are started with: the run and its generation.

    >>> run_reference("reference-1f", 2)
    'reference-1f.2'
    """
    return f"{run}.{generation}"


def split_reference(reference: str) -> tuple[str, int]:
    """The inverse of `run_reference`."""
    run, _, generation = reference.rpartition(".")
    return run, int(generation)


def open_project(url: str, project: str, faults: str = "") -> Storage:
    """A project's part of the store at `url`, as a step opens it."""
    from drawloom.storage.open import open_storage
    from drawloom.storage.prefixed import Prefixed

    storage: Any = open_storage(url, step=True)
    if "store=" in faults:
        from drawloom.runtimes.faults import FaultyStorage, parse

        storage = FaultyStorage(storage, parse(faults)["store"])
    return Prefixed(storage, keys.project_prefix(project))


def read_started(storage: Storage, reference: str) -> RunStarted:
    """The record of the run a reference names.

    Raises:
        StoreError: E711, there is no such run.
    """
    run, generation = split_reference(reference)
    key = keys.started_key(run, generation)
    try:
        found: object = decode_record(storage.read(key), f"{storage.url}/{key}")
    except KeyMissing:
        found = None
    if found is None and generation:
        from drawloom.runtimes.generations import opened_generation

        found = opened_generation(storage, run, generation)
    if not isinstance(found, RunStarted):
        raise StoreError(
            Diagnostic(
                "E711",
                f"there is no run {reference!r} in this project",
                Span(f"{storage.url}/{key}", 0),
                "start steps with the reference the begin step wrote, and with the same --store and --project",
            )
        )
    return found


def check_bundle(run: RunStarted) -> None:
    """Refuses to work for a run that was begun with other code than this process has.

    Raises:
        StoreError: E718.
    """
    mine = os.environ.get("DRAWLOOM_BUNDLE", "")  # the bootstrap stub says so
    if mine != run.bundle:
        raise StoreError(
            Diagnostic(
                "E718",
                f"run {run.run} was begun with {_bundle_text(run.bundle)}, and this step has {_bundle_text(mine)}",
                None,
                "let the engine start all steps of a run from one compiled program; a run of newer code is a new run",
            )
        )


def is_over(storage: Storage, run: RunStarted) -> bool:
    """Whether the run's end is written: then nothing of it may begin any more."""
    return storage.exists(keys.finished_key(run.run, run.generation))


def _bundle_text(sha: str) -> str:
    return f"the code bundle {sha[:12]}" if sha else "no code bundle"


class StepContext:
    """One step at work.

    Args:
        storage: the project's storage.
        run: the record of the run.
        step: the step's id.
        attempt: the engine's number of this start, from 1.
        out: the folder for what the engine reads; "" for none.
        after: how those before this step have ended, `done` or `ended` in whichever way, where the engine starts the
            steps of every arm; "" where it follows the whole plan.
        where: the options that every step of the run is given first.
    """

    def __init__(
        self,
        storage: Storage,
        run: RunStarted,
        step: str,
        attempt: int = 1,
        out: str = "",
        after: str = "",
        where: Sequence[str] = (),
    ) -> None:
        self.storage = storage
        self.run = run
        self.attempt = attempt
        self.out = self._all_out = out
        self.after = after
        self.where = where
        self.slice: StepSlice = self._read_slice(step)
        self.objects = Objects(storage)
        self.values = Values(self.objects, allow_pickle=self.slice.allow_pickle)
        self.outcomes = StoredOutcomes(self)
        self.resolver = self._resolver()
        self._failed: list[Commit] | None = None  # once asked for
        self._places: dict[str, Place] = {}

    def _resolver(self) -> StepResolver:
        return StepResolver({source.id: source for source in self.slice.sources}, self.outcomes, self.values)

    def following(self) -> StepContext | None:
        """The step that this one does, too (`StepSlice.then`), with what this one has read and written; or None."""
        if self.slice.then is None:
            return None
        from copy import copy

        made = copy(self)
        made.slice = self.slice.then
        made.resolver = made._resolver()
        return made

    def _read_slice(self, step: str) -> StepSlice:
        data = self._program_part(step)
        try:
            return read_slice(data)
        except BrokenSeal as problem:
            raise self._unreadable(step, str(problem)) from problem

    def _program_part(self, name: str) -> bytes:
        try:
            return self.storage.read(keys.slice_key(self.run.program, name))
        except KeyMissing:
            raise self._unreadable(name, "it isn't in the store") from None

    def _unreadable(self, name: str, reason: str) -> StoreError:
        key = keys.slice_key(self.run.program, name)
        return StoreError(
            Diagnostic(
                "E710",
                f"the slice of step `{name}` of program {self.run.program[:12]} can't be read: {reason}",
                Span(f"{self.storage.url}/{key}", 0),
                "publish the compiled program again; what is there already stays as it is",
            )
        )

    # records

    def commit(self, node: str, index: Index, outcome: str, **more: Any) -> Commit:
        """Commits an outcome, or adopts the one that was first; returns the one that counts."""
        from time import time

        fields = {"generation": self.run.generation, "attempt": 0, "at": time(), **more}
        won = commit_once(self.storage, Commit(self.run.run, node, index, outcome=outcome, **fields))
        if won.outcome == "failed":
            self._failed = None
        self.outcomes.learn(won)
        return won

    def decide(self, node: str, index: Index, value: int, caught: Any = None) -> int:
        """Writes a decision, or adopts the one that was first; returns the value that counts."""
        from time import time

        from drawloom.catalog.outcomes import decide_once

        made = Decision(self.run.run, node, index, self.run.generation, value, caught, time())
        return decide_once(self.storage, made).value

    def write_output(self, name: str, text: str) -> None:
        """Tells the engine something: a file in the folder it named."""
        if not self.out:
            return
        path = os.path.join(self.out, name)
        os.makedirs(self.out, exist_ok=True)
        with open(f"{path}.part", "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(f"{path}.part", path)  # a doubled step never shows half a text

    def choose_folder(self, index: Index) -> None:
        """What the step tells from now on is of this instance, of several that were asked for."""
        self.out = os.path.join(self._all_out, index_text(index))

    def write_flag(self, name: str, value: bool) -> None:
        """A boolean for the engine."""
        self.write_output(name, TRUE_TEXT[value])

    # what the engine doesn't see to

    @property
    def hides_failure(self) -> bool:
        """Whether a failure is told the engine as done, because it would else not start what comes after."""
        return self.slice.contained and self.after != "ended"

    def begin_anew(self, index: Index) -> None:
        """Takes note that an instance is begun in a generation that goes on with another one.

        Whatever becomes of it: what it decided in the generation before counts no more.
        """
        if self.run.continues is not None and self.slice.node:
            from drawloom.runtimes.generations import mark_begun

            then = self.slice.then
            for node in (self.slice.node, *([then.node] if then is not None else [])):
                mark_begun(self.storage, self.run, node, index)

    def was_done(self, index: Index) -> bool:
        """Whether an instance was run in an earlier generation, and cleared: then it is to be run, not looked up."""
        if self.run.continues is None:
            return False
        found = read_commit(self.storage, self.run.run, self.run.continues, self.slice.node, index)
        return found is not None and found.outcome in ("succeeded", "cached", "failed")

    def is_wanted(self, index: Index) -> bool:
        """Whether the arms that this step lies in were chosen."""
        if not self.after:
            return True
        return all(self.outcomes.decided(node, index[:depth]) == arm for node, arm, depth in self.slice.arms)

    # failures

    def failed_nodes(self) -> FailedNodes | None:
        """What has failed (`failures.FailedNodes`), or None if nothing has."""
        if self._failed is None:
            if self.run.continues is None:
                self._failed = failures(self.storage, self.run.run, self.run.generation)
            else:
                from drawloom.runtimes.generations import failures_of_all

                self._failed = failures_of_all(self.storage, self.run)
        return self.all_failed_nodes() if self._failed else None

    def all_failed_nodes(self) -> FailedNodes:
        """`failed_nodes`, also where nothing has failed."""
        from drawloom.runtimes.failures import FailedNodes

        if self._failed is None:
            self.failed_nodes()
        return FailedNodes(self.places(), self._failed or (), self.outcomes.decided)

    def places(self) -> dict[str, Place]:
        """The place of every node of the program."""
        if not self._places:
            self._places = read_layout(self._program_part(LAYOUT))
        return self._places

    def is_behind(self, index: Index) -> bool:
        """Whether something this step needs has failed, was skipped, or never began because of a failure."""
        asked = self.slice.contained or self.after == "ended"
        failed = self.failed_nodes() if asked and (self.slice.guards or self.slice.loops) else None
        if failed is None:
            return False
        for loop in self.slice.loops:
            depth = self.places()[loop].depth
            before = (*index[:depth], index[depth] - 1)
            if self.outcomes.ended_badly(loop, index[:depth]) or failed.first_in(loop, before, arm=1) is not None:
                return True
        known: dict[str, bool] = {}
        return any(self._is_bad(guard, index, failed, known) for guard in self.slice.guards)

    def _is_bad(self, node: str, index: Index, failed: FailedNodes, known: dict[str, bool]) -> bool:
        if node not in known:
            place = self.places()[node]
            at = index[: place.depth]
            outcome = self.outcomes.outcome(node, at)
            known[node] = outcome in ("failed", "skipped") or failed.first_in(node, at) is not None
            if not known[node] and not outcome:  # it has no commit of its own, or was never begun
                known[node] = any(self._is_bad(need, index, failed, known) for need in place.deps)
        return known[node]

    def tree(self, operand: Operand, index: Index) -> Json:
        """What an operand stands for."""
        return self.resolver.tree(operand, index)


class StoredOutcomes:
    """The outcomes of a run as its steps have written them, each read once (`resolve.Outcomes`)."""

    def __init__(self, context: StepContext) -> None:
        self._context = context
        self._run = context.run
        self._commits: dict[tuple[str, Index], Commit] = {}
        self._decisions: dict[tuple[str, Index], Decision] = {}
        self._params = dict(context.run.params)

    def learn(self, commit: Commit) -> None:
        """Keeps a commit this step has written."""
        self._commits[commit.node, commit.index] = commit

    def commit(self, node: str, index: Index) -> Commit | None:
        """The commit of a node instance, None if it has none yet."""
        found = self.written(node, index)
        if found is None and self._run.continues is not None:
            from drawloom.runtimes.generations import earlier_commit

            found = earlier_commit(self._context.storage, self._run, node, index)
            if found is not None:
                self._commits[node, index] = found
        return found

    def written(self, node: str, index: Index) -> Commit | None:
        """The commit of a node instance in this generation of the run, None if it has none there."""
        found = self._commits.get((node, index))
        if found is None:
            found = read_commit(self._context.storage, self._run.run, self._run.generation, node, index)
            if found is not None:
                self._commits[node, index] = found
        return found

    def outcome(self, node: str, index: Index) -> str:
        """The outcome of a node instance, "" if it has no commit yet."""
        found = self.commit(node, index)
        return found.outcome if found is not None else ""

    def ended_badly(self, node: str, index: Index) -> bool:
        """Whether a node instance has a commit that is `failed` or `skipped`."""
        return self.outcome(node, index) in ("failed", "skipped")

    def decided(self, node: str, index: Index) -> int | None:
        """What a control node decided, None if it hasn't yet."""
        found = self._decisions.get((node, index))
        if found is None:
            found = read_decision(self._context.storage, self._run.run, self._run.generation, node, index)
            if found is None and self._run.continues is not None:
                from drawloom.runtimes.generations import earlier_decision

                found = earlier_decision(self._context.storage, self._run, node, index)
            if found is None:
                return None
            self._decisions[node, index] = found
        return found.value

    def output(self, node: str, index: Index, port: str) -> Json:
        """The tree a call committed under `port`."""
        found = self.commit(node, index)
        if found is None or found.outcome in ("failed", "skipped"):
            raise UpstreamFailed(node, index)
        return self._context.values.tree(dict(found.outputs)[port])

    def decision(self, node: str, index: Index) -> int:
        """What a control node decided."""
        found = self.decided(node, index)
        if found is None:
            raise UpstreamFailed(node, index)
        return found

    def load(self, ref: ValueRef) -> Json:
        """The tree of a value."""
        return self._context.values.tree(ref)

    def collect(self, node: str, index: Index, trees: list[tuple[str, Json]]) -> Commit:
        """Writes the results of a map as its own commit, and returns the one that counts."""
        outputs = tuple((port, self._context.values.ref(tree)) for port, tree in trees)
        return self._context.commit(node, index, "succeeded", outputs=outputs, attempt=1)

    def param(self, name: str) -> Json:
        """The tree of a run parameter."""
        return self._context.values.tree(self._params[name])

    def info(self, field: str) -> Json:
        """The tree of a fact about the run."""
        if field == "run_id":
            return self._run.run
        text = {
            "logical_time": self._run.logical_time,
            "interval_start": (self._run.interval or ("",))[0],
            "interval_end": (self._run.interval or ("",))[-1],
        }[field]
        if not text:
            return None
        from datetime import datetime

        from drawloom.ir.envelope import encode

        return encode(datetime.fromisoformat(text))

    def caught(self, node: str, index: Index) -> Json:
        """The tree of the `Failure` a handler was chosen for."""
        self.decision(node, index)
        kept = self._decisions[node, index].caught
        first = self._context.all_failed_nodes().first_in(node, index, arm=0)
        if kept is None or first is None:
            raise UpstreamFailed(node, index)
        where = first.node.partition(":")[0]  # if a block's results failed: the node that holds the block
        fields = [["type", kept.type], ["message", kept.message], ["node", where]]
        return {"$": "dataclass", "class": "drawloom.values.failure:Failure", "v": fields}


class StepResolver(Resolver):
    """A resolver that reads a map's results from its manifest; the first consumer of a map writes it.

    Without it, each of m consumers of a map of n items would read n commits.
    """

    def __init__(self, sources: dict[str, Source], outcomes: StoredOutcomes, values: Values) -> None:
        super().__init__(sources, outcomes, values)
        self._stored = outcomes

    def _control(self, source: Source, index: Index, port: str) -> Json:
        if source.kind != "map":
            return super()._control(source, index, port)
        manifest = self._stored.written(source.id, index) or self._collect(source, index)
        if manifest.outcome in ("failed", "skipped"):
            raise UpstreamFailed(source.id, index)
        tree = self._stored.load(dict(manifest.outputs)[port])
        self.known[source.id, index, port] = tree
        return tree

    def keep_lists(self, node: str, index: Index) -> None:
        """Write the manifest of a map that no step has read: its lists are artifacts as others are."""
        source = self._sources.get(node)
        if source is not None and self._stored.written(node, index) is None:
            self._collect(source, index)

    def _carry(self, source: Source, name: str, index: Index) -> Json:
        levels = self._carried.setdefault((source.id, index[:-1]), {})
        for k in (index[-1], index[-1] - 1):
            if k >= 0 and not levels:
                kept = self._stored.written(carried_node(source.id), (*index[:-1], k))
                if kept is not None:
                    levels[k] = {port: self._stored.load(ref) for port, ref in kept.outputs}
        return super()._carry(source, name, index)

    def _collect(self, source: Source, index: Index) -> Commit:
        trees = [(port, super(StepResolver, self)._control(source, index, port)) for port, _ in source.results[0]]
        return self._stored.collect(source.id, index, trees)
