"""A run, read from its records: its state, its nodes, its values and logs.

Nothing is kept here that the store doesn't hold: a run that is still going, in this process or in another one, is read
anew whenever it is asked for something, until its end is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from drawloom.catalog.facts import Facts
from drawloom.catalog.lookup import Lookup, NoValueError
from drawloom.catalog.programs import load_program
from drawloom.catalog.raising import rebuild_exception
from drawloom.catalog.records import Index, RunStarted, ValueRef
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
from drawloom.catalog.state import FailurePlace, RunState, run_state
from drawloom.errors import DrawloomError, RunCancelled, RunFailed, Span, StoreError
from drawloom.frozen import dataclass
from drawloom.ir.layout import layout
from drawloom.ir.program import Program
from drawloom.storage.base import Storage
from drawloom.storage.objects import Objects
from drawloom.values.store import Values

__all__ = ["NodeView", "Run"]

_FINAL = frozenset({"succeeded", "failed", "cancelled"})


_NONE: Final[Mapping[str, int]] = {}


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node of a run, as it stood when it was asked for.

    Args:
        id: the node's id.
        kind: `call`, `group`, `map`, `branch`, `loop`, `try`.
        state: `pending`, `running`, `succeeded`, `cached`, `skipped`, `failed` or `cancelled`.
        counts: state -> number of instances; a node outside maps and loops has one at most.
        attempts: attempts at all instances.
        seconds: time spent in those attempts, added up.
        failure: the first failure in program order, None if no instance failed.
        task: `module:qualname` of the task a call calls, "" for other kinds.
        where: the user's source line, None if not known.
    """

    id: str
    kind: str
    state: str
    counts: Mapping[str, int] = _NONE
    attempts: int = 0
    seconds: float = 0.0
    failure: FailurePlace | None = None
    task: str = ""
    where: Span | None = None


class Run:  # over 150 lines by its documentation: it is the whole of what a user asks a run
    """One execution of a pipeline.

    Args:
        id: the run's id.
        storage: the project's storage.
        objects: the project's objects.
        values: decodes the project's values.
    """

    def __init__(self, id: str, storage: Storage, objects: Objects, values: Values) -> None:  # noqa: A002  # `Run.id`
        self.id = id
        self._storage = storage
        self._objects = objects
        self._values = values
        self._exception: BaseException | None = None
        self._program: Program | None = None
        self._facts: Facts | None = None
        self._state: RunState | None = None

    def __repr__(self) -> str:
        return f"Run({self.id!r}, pipeline={self.pipeline!r}, state={self.state!r})"

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
    def result(self) -> Any:
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
            return self._value("", (), "result") if names else None
        return {name: self._value("", (), name) for name in names}

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

    def logs(self, node: str) -> str:
        """What a node printed and logged, all its instances and attempts in order.

        Args:
            node: the node's id; of a control node, the logs of the calls in it.

        Returns:
            The text; where there are several attempts, each under a line that names it.

        Raises:
            StoreError: S454, the pipeline has no such node.
        """
        self._check_node(node)
        facts = self._refresh()
        parts = [part for name in self._calls_in(node) for part in self._log_parts(facts, name)]
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
            port: which result; calls have the one `result`.

        Raises:
            StoreError: S454, no such node; S455, an index is needed; S456, there is no such value.
        """
        if node:
            self._check_node(node)
            index = self._index(node, index)
        return self._value(node, index or (), port)

    def attach_failure(self, exception: BaseException) -> None:
        """Keeps the live exception the run failed with: `result` raises from it rather than from one made again."""
        self._exception = exception

    # reading

    def _refresh(self) -> Facts:
        if self._facts is None or self._state is None or self._state.state not in _FINAL:
            alive = is_alive(self._storage, self.id)  # first: what a writer that is gone wrote is all there to be read
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
            state = self.details.nodes[node].instances.get(index, "not known to this run") if node else self.state
            ports = [name for name, _ in facts.commits[node, index].outputs] if (node, index) in facts.commits else []
            raise StoreError(no_value(self._about(), (node, index, port), ports, state)) from None

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

    def _log_parts(self, facts: Facts, node: str) -> list[tuple[str, str]]:
        found: dict[tuple[Index, int], str] = {}
        for (name, index), attempts in facts.attempts.items():
            if name == node:
                found |= {(index, n): a.log for n, a in attempts.items() if a is not None and a.log}
        for (name, index), commit in facts.commits.items():
            if name == node and commit.log:
                found.setdefault((index, commit.attempt), commit.log)
        return [
            (f"{node}{list(index) if index else ''}, attempt {n}", self._objects.get(sha).decode("utf-8", "replace"))
            for (index, n), sha in sorted(found.items())
        ]

    def _check_node(self, node: str) -> None:
        known = self.details.nodes
        if node not in known:
            raise StoreError(no_node(self._about(), node, list(known)))

    def _index(self, node: str, index: Index | None) -> Index:
        known = self.details.nodes[node].instances
        if index is not None:
            return tuple(index)
        depth = layout(self.program.pipeline)[node].depth
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
        return RunNames(self.id, self.pipeline, self.program.spans)
