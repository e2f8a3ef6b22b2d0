"""A run, read from its records: its state, its nodes, its values and logs.

Nothing is kept here that the store doesn't hold: a run that is still going, in this process or in another one, is read
anew whenever it is asked for something, until its end is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Generic

from drawloom.catalog.commands import RunAddress, address_of
from drawloom.catalog.facts import Facts, Instance
from drawloom.catalog.logged import LOGGED, logged_name, logs_of, of_instance, telling, telling_elsewhere
from drawloom.catalog.lookup import Lookup, NoValueError
from drawloom.catalog.node_view import NodeView
from drawloom.catalog.programs import load_program
from drawloom.catalog.raising import rebuild_exception
from drawloom.catalog.records import AttemptFinished, Commit, Index, RunStarted, ValueRef
from drawloom.catalog.run_problems import (
    RunNames,
    cancelled,
    failed,
    needs_index,
    no_node,
    no_start,
    no_value,
    not_ended,
)
from drawloom.catalog.runlog import is_alive, read_records
from drawloom.catalog.series import read_series
from drawloom.catalog.state import RunState, run_state
from drawloom.errors import DrawloomError, RunCancelled, RunFailed, StoreError
from drawloom.ir.layout import layout
from drawloom.ir.program import Program
from drawloom.ir.protocol import index_text, parse_indices
from drawloom.storage.base import Storage
from drawloom.storage.objects import Objects
from drawloom.values.store import Values

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from drawloom.catalog.catalog import Catalog
    from drawloom.catalog.diff import RunDiff
    from drawloom.catalog.why import Why

    R = TypeVar("R", default=Any)  # a run that is found by its id may have any result
else:
    from typing import TypeVar

    R = TypeVar("R")

__all__ = ["NodeView", "Run"]

_FINAL = frozenset({"succeeded", "failed", "cancelled"})


class Run(Generic[R]):  # over 150 lines by its documentation: it is the whole of what a user asks a run
    """One execution of a pipeline; `R` is the type of its result.

    Args:
        id: the run's id.
        storage: the project's storage.
        objects: the project's objects.
        values: decodes the project's values.
        catalog: the catalog it belongs to.
    """

    def __init__(
        self,
        id: str,  # noqa: A002  # `Run.id`
        storage: Storage,
        objects: Objects,
        values: Values,
        catalog: Catalog | None = None,
    ) -> None:
        self.id = id
        self._catalog = catalog
        self._storage = storage
        self._objects = objects
        self._values = values
        self._exception: BaseException | None = None
        self._program: Program | None = None
        self._facts: Facts | None = None
        self._state: RunState | None = None

    def __repr__(self) -> str:
        return f"Run({self.id!r}, pipeline={self.pipeline!r}, state={self.state!r})"

    def _repr_html_(self) -> str:
        from drawloom.display.notebook import run_html  # lazy: only notebooks ask

        return run_html(self)

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return self._started().pipeline

    @property
    def program(self) -> Program:
        """What was run, and where the user wrote it."""
        if self._program is None:
            self._program = load_program(self._storage, self._started().program)
        return self._program

    @property
    def record(self) -> RunStarted:
        """The record the run began with."""
        return self._started()

    @property
    def catalog(self) -> Catalog:
        """The catalog it belongs to."""
        assert self._catalog is not None, "a catalog made this run"
        return self._catalog

    @property
    def address(self) -> RunAddress:
        """Where commands find it."""
        return address_of(self._started(), self._catalog)

    @property
    def facts(self) -> Facts:
        """Its records, sorted by what they are about."""
        return self._refresh()

    def commits(self) -> dict[Instance, Commit]:
        """The commit of each node instance; of a call in a map that was answered as a whole, the one it is from.

        Commits of a run that isn't there any more are missing.
        """
        found = dict(self._refresh().commits)
        sources = layout(self.program.pipeline)
        inner: dict[str, list[str]] = {}
        for source in sources.values():
            if source.kind == "call" and source.parent:
                inner.setdefault(source.parent, []).append(source.id)
        origins: dict[str, Facts] = {}
        for (node, index), commit in list(found.items()):
            if commit.outcome != "cached" or not commit.source or node not in sources or sources[node].kind != "map":
                continue
            from dataclasses import replace  # lazy: only maps answered as a whole ask, after the run

            run, name, outer = commit.source
            if run not in origins:
                origins[run] = Facts(read_records(self._storage, run))
            decision = origins[run].decisions.get((name, parse_indices(outer)[0]))
            for k in range(decision.value if decision is not None else 0):
                for call in inner.get(node, ()):
                    made = origins[run].commits.get((call, (*parse_indices(outer)[0], k)))
                    if made is not None:
                        at = (*index, k)
                        origin = (run, call, index_text(made.index))
                        found[call, at] = replace(made, run=self.id, index=at, outcome="cached", source=origin)
        return found

    @property
    def state(self) -> str:
        """`pending`, `running`, `succeeded`, `failed` or `cancelled`."""
        return self.details.state

    @property
    def details(self) -> RunState:
        """The whole state (`catalog.state`)."""
        self._refresh()
        assert self._state is not None  # set by `_refresh`
        return self._state

    @property
    def counts(self) -> dict[str, int]:
        """State -> number of nodes, those that don't occur left out."""
        return self.details.counts

    @property
    def params(self) -> dict[str, Any]:
        """Parameter name -> value."""
        return {name: self._decode(ref) for name, ref in self._started().params}

    @property
    def started_at(self) -> float | None:
        """When it began, in seconds since the epoch; None if not known."""
        return self.details.started_at

    @property
    def finished_at(self) -> float | None:
        """When it ended, in seconds since the epoch; None if it hasn't, or nobody lived to tell."""
        return self.details.finished_at

    @property
    def result(self) -> R:
        """What the pipeline returned.

        Returns:
            The value; None if the pipeline returns nothing; a dict by name if it has several named results.

        Raises:
            RunFailed: S470, the run failed; `__cause__` is the task's own exception where it can be had.
            RunCancelled: S471, the run was cancelled.
            DrawloomError: S472, the run hasn't ended.
        """
        details = self.details
        if details.state == "failed":
            raise RunFailed(failed(self._about(), details)) from self._cause(details)
        if details.state == "cancelled":
            raise RunCancelled(cancelled(self._about()))
        if details.state != "succeeded":
            raise DrawloomError(not_ended(self._about(), details))
        names = [port.name for port in self.program.pipeline.results]
        if names in ([], ["result"]):
            found: Any = self._value("", (), "result") if names else None
        else:
            found = {name: self._value("", (), name) for name in names}
        return found  # type: ignore[no-any-return]  # what was stored has the type that the pipeline declares

    def nodes(self, state: str | None = None) -> list[NodeView]:
        """The run's nodes in program order.

        Args:
            state: only those in this state; None for all.
        """
        spans = self.program.spans
        return [
            NodeView(n.id, n.kind, n.state, n.counts, n.attempts, n.seconds, n.failure, n.task, spans.get(n.id))
            for n in self.details.nodes.values()
            if state is None or n.state == state
        ]

    def logs(self, node: str, index: Index | None = None) -> str:
        """What a node printed and logged, all its instances and attempts in order.

        Args:
            node: the node's id; of a control node, the logs of the calls in it.
            index: only this instance's; None for all.

        Returns:
            The text; where there are several attempts, each under a line that names it.

        Raises:
            StoreError: S454, the pipeline has no such node.
        """
        self._check_node(node)
        facts = self._refresh()
        parts = [part for name in self._calls_in(node) for part in self._printed(facts, name, index)]
        if len(parts) == 1:
            return parts[0][1]
        return "".join(
            f"--- {title}\n{text}{'' if text.endswith(chr(10)) or not text else chr(10)}" for title, text in parts
        )

    def load(self, node: str, index: Index | None = None, port: str = "result") -> Any:
        """A value a node made.

        Args:
            node: the node's id; `""` for the pipeline itself.
            index: which instance, one number for each map and loop around the node; not needed for a node outside them.
            port: which result; calls have the one `result`. `":name"` is what the task logged under `name`.

        Raises:
            StoreError: S454, no such node; S455, an index is needed; S456, there is no such value.
        """
        if node:
            self._check_node(node)
            index = self._index(node, index)
            if port.startswith(LOGGED):
                return self._logged_value(node, index, port)
        return self._value(node, index or (), port)

    def metrics(self, node: str | None = None, index: Index | None = None) -> dict[str, float]:
        """The last value of each metric that tasks logged (`drawloom.log_metric`).

        A cached node has those of the run it was answered from, a failed one those of its last attempt.

        Args:
            node: a call, or a control node for the calls in it; None for the whole run.
            index: which instance of a call in a map or a loop.

        Returns:
            Metric -> value for one call instance; else `node:metric`, in a map or a loop `node[3]:metric`, -> value.

        Raises:
            StoreError: S454, no such node.
        """
        plain = self._is_one(node, index)
        found: dict[str, float] = {}
        for name, at, record in self.told(node, index):
            found.update((key if plain else logged_name(name, at, key), value) for key, value in record.metrics)
        return found

    def series(self, node: str, metric: str, index: Index | None = None) -> list[tuple[int, float]]:
        """Every value of a metric, with its step, in the order they were logged.

        Args:
            node: the call.
            metric: the metric's name.
            index: which instance; as for `load`.

        Raises:
            StoreError: S454, no such node; S455, an index is needed; S456, there is no such metric.
        """
        self._check_node(node)
        at = self._index(node, index)
        origin = self._origin(node, at)
        if origin is not None:
            return origin[0].series(node, metric, origin[1])
        record = of_instance(self._refresh(), node, at)
        last = dict(record.metrics) if record is not None else {}
        if metric not in last or record is None:
            raise StoreError(no_value(self._about(), (node, at, metric), list(last), self._instance_state(node, at)))
        several = read_series(self._objects.get(record.series)) if record.series else {}
        return several.get(metric, [(0, last[metric])])

    def logged(self, node: str | None = None, index: Index | None = None) -> dict[str, ValueRef]:
        """The versions of the artifacts and figures that tasks logged; `load(node, port=":name")` gives the values.

        Args:
            node, index: as for `metrics`.

        Returns:
            Name -> version; the names are made as those of `metrics`.

        Raises:
            StoreError: S454, no such node.
        """
        plain = self._is_one(node, index)
        found: dict[str, ValueRef] = {}
        for name, at, record in self.told(node, index):
            found.update((key if plain else logged_name(name, at, key), ref) for key, ref in record.logged)
        return found

    def told(
        self, node: str | None = None, index: Index | None = None
    ) -> Iterator[tuple[str, Index, Commit | AttemptFinished]]:
        """(node, index, record) of each call instance that logged something, as `metrics` chooses them."""
        if node is not None:
            self._check_node(node)
        facts = self._refresh()
        calls = [n for n, d in self.details.nodes.items() if d.kind == "call"] if node is None else self._calls_in(node)
        known = [*telling(facts, calls), *telling_elsewhere(self._storage, layout(self.program.pipeline), facts, calls)]
        order = {name: place for place, name in enumerate(calls)}
        for name, at, record in sorted(known, key=lambda one: (order[one[0]], one[1])):
            if index is None or at == tuple(index):
                yield name, at, record

    def why(self, node: str, index: Index | None = None, *, deep: bool = False) -> Why:
        """Why a node was executed, answered from an earlier run, skipped, cancelled, or failed.

        It is compared with the latest earlier run of the same pipeline, in the words of `drawloom.plan`.

        Args:
            node: the node's id.
            index: which instance; None for all, those with reasons of the same kind together.
            deep: whether tables that changed are read and compared.

        Raises:
            StoreError: S454, no such node; S456, no such instance.
        """
        from drawloom.catalog.why import why  # lazy: few ask

        self._check_node(node)
        details = self.details
        if index is not None and tuple(index) not in details.nodes[node].instances:
            raise StoreError(no_value(self._about(), (node, tuple(index), "result"), [], "not known to this run"))
        at = None if index is None else tuple(index)
        return why(self._storage, self._values, self._started(), self.program, details, node, at, deep=deep)

    def diff(self, other: Run) -> RunDiff:
        """What differs between this run and a later one: code, graph, parameters, data, results, states and times."""
        from drawloom.catalog.diff import diff  # lazy: it imports what only looking at two runs needs

        return diff(self, other)

    def debug(self, node: str, **options: Any) -> Any:  # a runtimes.debug.Debugged
        """Makes one node of the run again, here, as `drawloom.debug` does."""
        from drawloom import api  # lazy: sugar that goes up

        return api.debug(self, node, **options)

    def resume(self, **options: Any) -> Run:
        """Runs what is left of the run, as `drawloom.resume` does."""
        from drawloom import api  # lazy: sugar that goes up

        return api.resume(self, **options)

    def attach_failure(self, exception: BaseException) -> None:
        """Keeps the live exception the run failed with: `result` raises from it rather than from one made again."""
        self._exception = exception

    @property
    def live_failure(self) -> BaseException | None:
        """The exception of `attach_failure`, None if the run was not made by this process or didn't fail."""
        return self._exception

    # reading

    def _refresh(self) -> Facts:
        if self._facts is None or self._state is None or self._state.state not in _FINAL:
            alive = is_alive(self._storage, self.id)  # first: what a writer that is gone wrote is all there to be read
            if self._facts is None or self._facts.finished is None:  # else its end is among what was read
                self._facts = Facts(read_records(self._storage, self.id))
            self._state = run_state(self.program.pipeline, self._facts, alive=alive)
        return self._facts

    def _started(self) -> RunStarted:
        if self._facts is None:
            self._facts = Facts(read_records(self._storage, self.id))
        if self._facts.started is None:
            raise StoreError(no_start(self.id, self._storage.url))
        return self._facts.started

    def _decode(self, ref: ValueRef) -> Any:
        return self._values.decode(self._values.tree(ref))

    def _value(self, node: str, index: Index, port: str) -> Any:
        facts = self._refresh()
        try:
            return Lookup(self.program.pipeline, facts, self._values.decode, self._decode).value(node, index, port)
        except NoValueError:
            origin = self._origin(node, index)
            if origin is not None:
                return origin[0].load(node, origin[1], port)
            state = self._instance_state(node, index) if node else self.state
            ports = [name for name, _ in facts.commits[node, index].outputs] if (node, index) in facts.commits else []
            raise StoreError(no_value(self._about(), (node, index, port), ports, state)) from None

    def _is_one(self, node: str | None, index: Index | None) -> bool:
        """Whether what is asked for is one instance of a call, whose metrics need no node before them."""
        known = self.details.nodes.get(node or "")
        return known is not None and known.kind == "call" and (index is not None or not self._depth(node or ""))

    def _depth(self, node: str) -> int:
        return layout(self.program.pipeline)[node].depth

    def _logged_value(self, node: str, index: Index, port: str) -> Any:
        origin = self._origin(node, index)
        if origin is not None:
            return origin[0].load(node, origin[1], port)
        record = of_instance(self._refresh(), node, index)
        known = {LOGGED + name: ref for name, ref in record.logged} if record is not None else {}
        if port not in known:
            raise StoreError(
                no_value(self._about(), (node, index, port), list(known), self._instance_state(node, index))
            )
        return self._decode(known[port])

    def _instance_state(self, node: str, index: Index) -> str:
        return self.details.nodes[node].instances.get(index, "not known to this run")

    def _origin(self, node: str, index: Index) -> tuple[Run, Index] | None:
        """The run, and there the index, of a call in a map that was answered from that run as a whole; else None."""
        source = layout(self.program.pipeline).get(node)
        if source is None or source.kind != "call" or not source.parent or not index:
            return None
        commit = self._refresh().commits.get((source.parent, index[:-1]))
        if commit is None or commit.outcome != "cached" or not commit.source:
            return None
        run, _, outer = commit.source
        return Run(run, self._storage, self._objects, self._values), (*parse_indices(outer)[0], index[-1])

    def _calls_in(self, node: str) -> list[str]:
        kinds = self.details.nodes
        inside = [name for name in kinds if name == node or self._holds(node, name)]
        return [name for name in inside if kinds[name].kind == "call"]

    def _holds(self, holder: str, node: str) -> bool:
        sources = layout(self.program.pipeline)
        while node:
            node = sources[node].parent
            if node == holder:
                return True
        return False

    def _printed(self, facts: Facts, node: str, index: Index | None) -> list[tuple[str, str]]:
        found = logs_of(facts, node, index)
        return [(title, self._objects.get(sha).decode("utf-8", "replace")) for title, sha in found]

    def _check_node(self, node: str) -> None:
        known = self.details.nodes
        if node not in known:
            raise StoreError(no_node(self._about(), node, list(known)))

    def _index(self, node: str, index: Index | None) -> Index:
        known = self.details.nodes[node].instances
        if index is not None:
            return tuple(index)
        depth = self._depth(node)
        if depth == 0:
            return ()
        raise StoreError(needs_index(self._about(), node, sorted(known), depth))

    def _cause(self, details: RunState) -> BaseException | None:
        failure = details.failure
        if self._exception is not None or failure is None or failure.info is None:
            return self._exception
        where = self.program.spans.get(failure.node)
        return rebuild_exception(failure.info, self._values.decode, node=failure.node, where=where)

    def _about(self) -> RunNames:
        return RunNames(self.address, self.pipeline, self.program.spans)
