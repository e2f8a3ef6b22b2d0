"""The outcomes of a run that is over, from its records: what `resolve.Resolver` needs to find any input again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from drawloom.catalog.causes import Causes
from drawloom.catalog.facts import Facts, Instance
from drawloom.catalog.records import Commit, Index
from drawloom.catalog.state import NodeState
from drawloom.ir.canonical import Json
from drawloom.ir.envelope import encode
from drawloom.ir.nodes import Pipeline, Try
from drawloom.ir.walk import walk
from drawloom.runtimes.resolve import UpstreamFailed
from drawloom.values.store import Values

__all__ = ["RecordedOutcomes"]


class RecordedOutcomes:
    """What happened in a run (`resolve.Outcomes`), whichever engine ran it.

    Args:
        pipeline: what was run.
        facts: the run's records.
        commits: the commit of each node instance (`Run.commits`).
        nodes: the states of its nodes.
        values: reads trees that are objects.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        facts: Facts,
        commits: Mapping[Instance, Commit],
        nodes: Mapping[str, NodeState],
        values: Values,
    ) -> None:
        self._pipeline = pipeline
        self._facts = facts
        self._commits = commits
        self._states = {name: node.instances for name, node in nodes.items()}
        self._values = values
        self._params = dict(facts.started.params) if facts.started is not None else {}

    def output(self, node: str, index: Index, port: str) -> Json:
        """The tree a call committed under `port`."""
        commit = self._commits.get((node, index))
        if commit is None or commit.outcome in ("failed", "skipped"):
            raise UpstreamFailed(node, index)
        return self._values.tree(dict(commit.outputs)[port])

    def decision(self, node: str, index: Index) -> int:
        """What a control node decided."""
        found = self._facts.decisions.get((node, index))
        if found is None:
            raise UpstreamFailed(node, index)
        return found.value

    def param(self, name: str) -> Json:
        """The tree of a run parameter."""
        return self._values.tree(self._params[name])

    def info(self, field: str) -> Json:
        """The tree of a fact about the run."""
        started = self._facts.started
        assert started is not None, "a run with nodes has begun"
        if field == "run_id":
            return started.run
        interval = started.interval or ("", "")
        times = {"logical_time": started.logical_time, "interval_start": interval[0], "interval_end": interval[-1]}
        return encode(datetime.fromisoformat(times[field])) if times[field] else None

    def caught(self, node: str, index: Index) -> Json:
        """The tree of the `Failure` a handler was chosen for."""
        found = next(n for n in walk(self._pipeline.body) if n.id == node)
        decision = self._facts.decisions.get((node, index))
        assert isinstance(found, Try), f"{node} is no try"
        causes = Causes(self._pipeline, self._states, self._facts.decisions, self._facts.failed)
        first = causes.of_block(found.body, index)
        if decision is None or decision.caught is None:
            raise UpstreamFailed(node, index)
        where = first[0].partition(":")[0] if first is not None else node
        fields = [["type", decision.caught.type], ["message", decision.caught.message], ["node", where]]
        return {"$": "dataclass", "class": "drawloom.values.failure:Failure", "v": fields}
