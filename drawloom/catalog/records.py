"""Records: what happened, append-only. Everything else about a run is computed from these and the program.

A record is a frozen dataclass, written as a JSON object with its `kind`. Readers are tolerant: fields they don't know
are kept out of the object, unless the record lists them in `must_understand`; then it is refused. Times are seconds
since the epoch (UTC, float). Index vectors are tuples of ints, one for each map and loop around the node. Standard
library alone: a step loads this module.
"""

from __future__ import annotations

from sys import intern
from typing import Any, Final

from drawloom.frozen import MISSING, dataclass, field_defaults
from drawloom.ir.canonical import Json
from drawloom.values.ref import ValueRef

__all__ = [
    "RECORD_KINDS",
    "AttemptFinished",
    "AttemptStarted",
    "Commit",
    "Decision",
    "Deployment",
    "EngineObservation",
    "FailureInfo",
    "Index",
    "MustUnderstand",
    "Record",
    "RunFinished",
    "RunStarted",
    "Tag",
    "ValueRef",
    "record_from_json",
    "record_to_json",
    "results_of_item",
]

Index = tuple[int, ...]


def results_of_item(node: str) -> str:
    """The node of a commit that says: the results of one item of the map `node` failed; its index is the item's."""
    return f"{node}:results-0"


class MustUnderstand(ValueError):
    """A record was written by a newer drawloom and says that it can't be read without the fields it names."""


@dataclass(frozen=True, slots=True)
class FailureInfo:
    """Why an attempt failed.

    Args:
        type: `module:qualname` of the exception class, or `infra`, `timeout`, `cancelled`.
        message: `str` of the exception, secrets taken out.
        bases: `module:qualname` of the class and its bases in method resolution order; what handlers match.
        traceback: the formatted traceback, drawloom's own frames taken out.
        arguments: the envelope of `exception.args` where they have one, so that it can be raised again; never a pickle.
    """

    type: str
    message: str = ""
    bases: tuple[str, ...] = ()
    traceback: str = ""
    arguments: Any = None  # a JSON tree


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run began: everything that identifies it. `generation` grows when a run is cleared and run again.

    `target` says where the pipeline is found again: `file.py:name`, relative to the project, or `module:name`; "" where
    nobody told. `static` has the compile-time parameters it was traced with. `resumed` is the run that this one goes on
    with, "" for a run of its own; `deployed_to` the target of the project file that it was deployed to.
    `continues` is the generation whose outcomes count where this one has none of its own, None for none; `clears` how
    often the engine had cleared something of its run when the generation began.
    """

    run: str
    pipeline: str
    program: str
    params: tuple[tuple[str, ValueRef], ...] = ()
    engine: str = "local"
    executor: str = ""
    engine_ids: tuple[tuple[str, str], ...] = ()
    logical_time: str = ""  # ISO 8601, "" if the run has none
    interval: tuple[str, ...] = ()  # (start, end), ISO 8601
    generation: int = 0
    at: float = 0.0
    drawloom: str = ""  # the version that wrote it
    python: str = ""
    bundle: str = ""  # the SHA-256 of the code bundle it was begun with, "" without one
    target: str = ""
    static: tuple[tuple[str, ValueRef], ...] = ()
    resumed: str = ""
    deployed_to: str = ""
    continues: int | None = None
    clears: int = 0
    must_understand: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunFinished:
    """A run's writer is done with it. `outcome`: `succeeded`, `failed`, `cancelled`."""

    run: str
    outcome: str
    generation: int = 0
    failure: FailureInfo | None = None
    at: float = 0.0
    must_understand: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """An attempt at a node instance began; `attempt` counts from 1."""

    run: str
    node: str
    index: Index = ()
    attempt: int = 1
    generation: int = 0
    worker: str = ""
    at: float = 0.0
    must_understand: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptFinished:
    """An attempt ended. `outcome`: `succeeded`, `failed`, `timeout`, `cancelled`. `log` is the object of its output.

    What a failed attempt logged is kept here (`Commit` says what the fields mean); a successful one's is in its commit.
    """

    run: str
    node: str
    index: Index = ()
    attempt: int = 1
    generation: int = 0
    outcome: str = "succeeded"
    seconds: float = 0.0
    failure: FailureInfo | None = None
    log: str = ""
    metrics: tuple[tuple[str, float], ...] = ()
    series: str = ""
    logged: tuple[tuple[str, ValueRef], ...] = ()
    at: float = 0.0
    must_understand: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineObservation:
    """What no process lived to write: `event` is `lost`, `out_of_memory`, `evicted`, `skipped` or `cancelled`.

    `refused` says that an engine started a step of a run that was over; it changes nothing of what the run is.
    """

    run: str
    node: str
    event: str
    index: Index = ()
    attempt: int = 1
    generation: int = 0
    detail: str = ""
    at: float = 0.0
    must_understand: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """The one accepted outcome of a node instance.

    Args:
        outcome: `succeeded` (it executed), `cached`, `failed` (finally), `skipped` (an input failed).
        outputs: (port, value) pairs; for `cached` those of the commit it was answered from.
        inputs: (parameter, value) pairs without trees: digests and sizes.
        function: the digest of the task's function.
        cache_key: the key it was looked up under, "" if it isn't cacheable.
        environment: the digest of the environment it ran in (`keys.environment_key`), "" if nobody looked.
        source: (run, node, index as text) of the commit a cached one was answered from.
        metrics: (name, last value) of each metric the task logged (in JSON, `nan` and `inf` are texts).
        series: the object with every value of the metrics that have several, "" if there are none.
        logged: (name, value) of each artifact and figure the task logged.
    """

    run: str
    node: str
    index: Index = ()
    generation: int = 0
    attempt: int = 1
    outcome: str = "succeeded"
    outputs: tuple[tuple[str, ValueRef], ...] = ()
    inputs: tuple[tuple[str, ValueRef], ...] = ()
    failure: FailureInfo | None = None
    function: str = ""
    cache_key: str = ""
    environment: str = ""
    source: tuple[str, ...] = ()
    seconds: float = 0.0
    log: str = ""
    metrics: tuple[tuple[str, float], ...] = ()
    series: str = ""
    logged: tuple[tuple[str, ValueRef], ...] = ()
    at: float = 0.0
    must_understand: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What a control node decided.

    `value`: a map's number of items; a branch's arm; of a loop at `index + (k,)` 1 or 0 for its test before iteration
    k, and at `index` the number of iterations once it ended; a try's arm (0 the body, h+1 handler h, -1 nobody's).
    `caught` is the failure a handler was chosen for.
    """

    run: str
    node: str
    index: Index = ()
    generation: int = 0
    value: int = 0
    caught: FailureInfo | None = None
    at: float = 0.0
    must_understand: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployment:
    """A program was deployed to a target.

    `run` is the run that was started with it, "" for none, and `engine_ids` are the engine's names of that;
    `objects` has `kind/namespace/name` of what the engine was given.
    """

    target: str
    pipeline: str
    program: str
    at: float = 0.0
    engine: str = ""
    run: str = ""
    engine_ids: tuple[tuple[str, str], ...] = ()
    objects: tuple[str, ...] = ()
    must_understand: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tag:
    """A name was given to a version of an artifact; a later record of the same name moves it."""

    artifact: str
    tag: str
    digest: str
    at: float = 0.0
    must_understand: tuple[str, ...] = ()


Record = (
    RunStarted
    | RunFinished
    | AttemptStarted
    | AttemptFinished
    | EngineObservation
    | Commit
    | Decision
    | Deployment
    | Tag
)

RECORD_KINDS: Final[dict[str, type]] = {
    "run-started": RunStarted,
    "run-finished": RunFinished,
    "attempt-started": AttemptStarted,
    "attempt-finished": AttemptFinished,
    "engine-observation": EngineObservation,
    "commit": Commit,
    "decision": Decision,
    "deployment": Deployment,
    "tag": Tag,
}
_SHARED: Final = frozenset({"run", "node", "function", "environment", "type", "outcome"})
_NAMES: Final = {cls: kind for kind, cls in RECORD_KINDS.items()}
_FIELDS: Final = {cls: field_defaults(cls) for cls in (*_NAMES, ValueRef, FailureInfo)}


def record_to_json(record: Record) -> Json:
    """The JSON object of a record; fields at their defaults are left out."""
    return {"kind": _NAMES[type(record)], **_object(record)}


def _object(record: Any) -> dict[str, Json]:
    tree: dict[str, Json] = {}
    for name, default in _FIELDS[type(record)]:
        value = getattr(record, name)
        if value is default or (default is not MISSING and type(value) is type(default) and value == default):
            continue
        tree[name] = _plain(name, value)
    return tree


def _plain(name: str, value: Any) -> Json:
    if name in ("params", "static", "outputs", "inputs", "logged"):
        return [[key, _object(ref)] for key, ref in value]
    if name == "metrics":
        return [[key, one if one - one == 0.0 else repr(one)] for key, one in value]  # JSON has no nan, no inf
    if name in ("failure", "caught"):
        return _object(value)
    return value  # scalars, trees, and tuples of scalars, which json writes as lists


def record_from_json(tree: Json) -> Record:
    """The record of a JSON object; fields this version doesn't know are ignored.

    Raises:
        MustUnderstand: the record names an unknown field in `must_understand`, or its kind is unknown.
    """
    cls = RECORD_KINDS.get(tree["kind"])
    if cls is None:
        raise MustUnderstand(f"a record of the unknown kind {tree['kind']!r}: it was written by a newer drawloom")
    known = {name for name, _ in _FIELDS[cls]}
    missing = sorted(set(tree.get("must_understand", ())) - known)
    if missing:
        raise MustUnderstand(f"a {tree['kind']} record needs {', '.join(missing)}: it was written by a newer drawloom")
    made: Record = _from_object(cls, tree)
    return made


def _from_object(cls: type, tree: Json) -> Any:
    values = {}
    for name, _ in _FIELDS[cls]:
        if name in tree:
            value = tree[name]
            # what a hundred thousand commits of a run share they share in memory, too
            values[name] = intern(value) if name in _SHARED and type(value) is str else _rich(name, value)
    return cls(**values)


def _rich(name: str, value: Json) -> Any:
    if name in ("params", "static", "outputs", "inputs", "logged"):
        return tuple((key, _from_object(ValueRef, ref)) for key, ref in value)
    if name in ("failure", "caught"):
        return _from_object(FailureInfo, value)
    if name == "metrics":
        return tuple((key, float(one)) for key, one in value)
    if name == "engine_ids":
        return tuple((key, one) for key, one in value)
    if name in ("index", "interval", "must_understand", "source", "bases", "objects"):
        return tuple(value)
    return value
