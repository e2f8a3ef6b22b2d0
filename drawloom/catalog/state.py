"""What a run, each node and each node instance is: one pure function of the pipeline and the records.

The command line, a page, tests and the conformance suite all ask here, so that there is one answer. It depends on the
set of records alone, not on their order, and a record more only moves states forward: pending, running, then one of the
settled ones (succeeded, cached, skipped, failed, cancelled).

What records say comes first. What they don't is concluded from the pipeline's structure: a node in an arm that wasn't
taken or behind a failed one is skipped; what else never began is cancelled once the run is over, and pending before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from drawloom.catalog.causes import Causes
from drawloom.catalog.facts import Facts
from drawloom.catalog.readings import SETTLED, STATES, Reading
from drawloom.catalog.records import FailureInfo, Index, Record
from drawloom.frozen import dataclass
from drawloom.ir.nodes import Call, Pipeline
from drawloom.ir.walk import walk

__all__ = ["SETTLED", "STATES", "FailurePlace", "NodeState", "RunState", "state"]

LOST = FailureInfo(type="infra", message="the process that ran it ended before it was done")


_NONE: Final[Mapping[Index, str]] = {}


@dataclass(frozen=True, slots=True)
class FailurePlace:
    """Which node instance failed, and why: `info` is None where nobody lived to tell."""

    node: str
    index: Index = ()
    info: FailureInfo | None = None


@dataclass(frozen=True, slots=True)
class NodeState:
    """What a node is.

    Args:
        id: the node's id.
        kind: `call`, `group`, `map`, `branch`, `loop`, `try`.
        state: all instances taken together: failed if one failed, running if one runs, succeeded if one executed.
        instances: index vector -> state, of every instance that is known of.
        attempts: attempts at all instances; for a control node those of the calls in it.
        seconds: time spent in those attempts, added up.
        failure: the first failure in program order, None if no instance failed.
        task: the name of the task a call calls, "" for control nodes.
    """

    id: str
    kind: str
    state: str
    instances: Mapping[Index, str] = _NONE
    attempts: int = 0
    seconds: float = 0.0
    failure: FailurePlace | None = None
    task: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """State -> number of instances, in the order of `STATES`, those that don't occur left out."""
        return _count(self.instances.values())


@dataclass(frozen=True, slots=True)
class RunState:
    """What a run is.

    Args:
        state: `pending`, `running`, `succeeded`, `failed`, `cancelled`.
        nodes: node id -> its state, in program order.
        failure: the failure that counts: the first in program order that no `try_` handled.
        generation: how often the run was cleared and run again; the states are those of this generation.
        started_at, finished_at: seconds since the epoch, None if not known.
        lost: the run's writer died before it wrote the end.
    """

    state: str
    nodes: Mapping[str, NodeState]
    failure: FailurePlace | None = None
    generation: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    lost: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """State -> number of nodes, in the order of `STATES`, those that don't occur left out."""
        return _count(node.state for node in self.nodes.values())


def state(pipeline: Pipeline, records: Iterable[Record], *, alive: bool | None = None) -> RunState:
    """The state of a run and of each of its nodes.

    Args:
        pipeline: what was run.
        records: everything that was recorded of the run, in any order; doubles do no harm.
        alive: whether the run's writer still lives: False settles a run without an end, None (not known) doesn't.

    Returns:
        The run's state; `nodes` has every node of the pipeline.
    """
    return run_state(pipeline, Facts(records), alive=alive)


def run_state(pipeline: Pipeline, facts: Facts, *, alive: bool | None = None) -> RunState:
    """`state`, from records that are sorted already."""
    dead = facts.finished is None and alive is False and not facts.empty
    reading = Reading(pipeline, facts, over=facts.finished is not None or dead, dead=dead)
    whole = reading.whole()
    nodes = _node_states(pipeline, facts, reading)
    outcome = _outcome(facts, whole, dead)
    failure = _failure(reading, facts) if outcome == "failed" else None
    return RunState(
        state=outcome,
        nodes=nodes,
        failure=failure,
        generation=facts.generation,
        started_at=_start_time(facts),
        finished_at=facts.finished.at or None if facts.finished is not None else None,
        lost=dead and outcome != "succeeded",
    )


def _start_time(facts: Facts) -> float | None:
    started = facts.started
    own = started is not None and started.generation == facts.generation
    return (started.at if own and started is not None else facts.first_at) or None


def _outcome(facts: Facts, whole: str, dead: bool) -> str:
    if facts.finished is not None:
        return facts.finished.outcome
    if not dead:
        return "pending" if facts.empty else "running"
    own = facts.commits.get(("", ()))
    done = own is not None and own.outcome == "succeeded" and whole in ("succeeded", "cached")
    return "succeeded" if done else "failed"  # died after the last commit, or before


def _failure(reading: Reading, facts: Facts) -> FailurePlace:
    place = Causes(reading.pipeline, reading.states, facts.decisions, facts.failed).of_run()
    if place is not None:
        return FailurePlace(*place, _info(reading, facts, *place))
    own = facts.commits.get(("", ()))
    info = own.failure if own is not None else None
    if info is None:
        info = facts.finished.failure if facts.finished is not None else LOST
    return FailurePlace("", (), info)


def _info(reading: Reading, facts: Facts, node: str, index: Index) -> FailureInfo | None:
    commit = facts.commits.get((node, index))
    if commit is not None:
        return commit.failure
    last = facts.last_failure((node, index))
    if last is not None and last.failure is not None:
        return last.failure
    if facts.events.get((node, index)):
        event = max(facts.events[node, index])[1]
        return FailureInfo(type="infra", message=f"the engine reported: {event.replace('_', ' ')}")
    return LOST if reading.dead and (node, index) in facts.attempts else None


def _node_states(pipeline: Pipeline, facts: Facts, reading: Reading) -> dict[str, NodeState]:
    attempts, seconds = _effort(facts, reading)
    causes = Causes(pipeline, reading.states, facts.decisions, facts.failed)
    made = {}
    for node in walk(pipeline.body):
        source = reading.sources[node.id]
        failed = causes.of_node(node)
        made[node.id] = NodeState(
            id=node.id,
            kind=source.kind,
            state=reading.node_state(node.id),
            instances=reading.states[node.id],
            attempts=attempts.get(node.id, 0),
            seconds=seconds.get(node.id, 0.0),
            failure=FailurePlace(*failed, _info(reading, facts, *failed)) if failed is not None else None,
            task=node.task if isinstance(node, Call) else "",
        )
    return made


def _effort(facts: Facts, reading: Reading) -> tuple[dict[str, int], dict[str, float]]:
    """Attempts and seconds of each node; a control node has those of the calls in it."""
    attempts: dict[str, int] = {}
    seconds: dict[str, float] = {}
    for node, index in sorted(facts.places()):
        source = reading.sources.get(node)
        if source is None or source.kind != "call":
            continue
        count, time = facts.attempt_count((node, index)), facts.seconds((node, index))
        holder = node
        while holder:
            attempts[holder] = attempts.get(holder, 0) + count
            seconds[holder] = seconds.get(holder, 0.0) + time
            holder = reading.sources[holder].parent
    return attempts, seconds


def _count(states: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = dict.fromkeys(STATES, 0)
    for one in states:
        counts[one] += 1
    return {name: count for name, count in counts.items() if count}
