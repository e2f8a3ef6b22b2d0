"""Slices: what one step of a compiled program must know of it, and nothing more; sealed by their own digest.

`compilers.passes.lower_steps` makes them, deploying writes one object for each, and a step reads its own. Reading is
not validating: a sealed text was written by drawloom and its digest is checked first, so the classes are filled
straight from the JSON (`ir.serialize` is for documents from elsewhere, and its imports alone would cost a step some
milliseconds). Standard library alone: a step loads this module.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from drawloom.frozen import dataclass, field_defaults
from drawloom.ir.canonical import Json, canonical_json, digest_bytes
from drawloom.ir.operands import (
    Apply,
    Carried,
    Caught,
    Const,
    Field,
    Item,
    Key,
    Operand,
    Output,
    Param,
    RunInfo,
)
from drawloom.ir.policies import CachePolicy, Policies, RetryPolicy, SchedulePolicy
from drawloom.ir.sources import Source
from drawloom.ir.tasks import Container, EngineSpec, FunctionRef, InputPath, InputText, OutputPath, Port, TaskSpec
from drawloom.ir.types import Type

__all__ = [
    "LAYOUT",
    "SLICE_FORMAT",
    "BrokenSeal",
    "Place",
    "StepSlice",
    "layout_text",
    "read_layout",
    "read_slice",
    "slice_text",
    "step_file",
]

SLICE_FORMAT: Final = 0
LAYOUT: Final = ":layout"  # the layout lies among the slices, under a step id no node can have


class BrokenSeal(ValueError):
    """A sealed text doesn't have the digest it carries, or has a form this drawloom doesn't read."""


@dataclass(frozen=True, slots=True)
class StepSlice:
    """One step of a compiled program.

    Args:
        id: the step's id, unique in the program.
        does: `begin`, `call`, `give` and `take` (around what an engine has of its own in the place of a call), `map`,
            `branch`, `loop`, `try` (the deciding step of such a node), `follow` (all that a loop is, or a map, for an
            engine that can't follow it), `results`, `settle`, `end`.
        node: the node it runs, decides or settles; "" for begin and end, which stand for the pipeline. A `results` step
            is a node of its own here: its failure has a place in program order, the end of its block.
        depth: how many numbers its index vectors have.
        pipeline: the pipeline's name.
        task: the task with the policies that hold for this call, for a call, `give` and `take`.
        inputs: (name, operand) pairs. call: the parameters; map: `items`; branch: a test per case, named by its output;
            loop: `test`; try, results, end: the results of the block.
        sources: the sources that the operands can lead to.
        guards: the nodes that must not have failed; asked where the engine's order doesn't see to it: of a contained
            step, and of one that is started whichever way those before it have ended.
        loops: the loops in whose test it lies: none may have failed in an earlier iteration; asked as `guards` are.
        arms: (node, arm, depth) of the branches and handlers around it, up to the next loop: what must have been
            decided, of the instance with so many numbers; asked where the engine starts the steps of every arm.
        contained: a final failure is committed, but the engine goes on: a `try` around the node looks at it.
        limit: a loop's `max_iterations`; of a map, how many items one start is given, 0 for one; for results, how many
            numbers the index vector of the nodes in `covers` has.
        on_limit: a loop's `on_limit`.
        handlers: the exception classes of each handler of a try.
        covers: settle: the nodes it looks at; results: the node that fails with them, if that isn't for a try to say.
        ports: begin: the pipeline's parameters; end: its results; call: its one result.
        allow_pickle: whether the project allows the codec `pickle`.
        run_timeout_seconds: the longest the run may take; None for no limit.
        asks: begin: the facts about the run that the pipeline asks for (`operands.RunInfo`), its id left out.
        schedule: begin: when runs are started, for the interval that one is for.
        then: call: the deciding step that this one does, too, once it has ended as done.
        entries: follow: the node's entries of the step plan (`compilers.passes.plan`), as JSON.
    """

    id: str
    does: str
    node: str = ""
    depth: int = 0
    pipeline: str = ""
    task: TaskSpec | None = None
    inputs: tuple[tuple[str, Operand], ...] = ()
    sources: tuple[Source, ...] = ()
    guards: tuple[str, ...] = ()
    loops: tuple[str, ...] = ()
    arms: tuple[tuple[str, int, int], ...] = ()
    contained: bool = False
    limit: int = 0
    on_limit: str = "fail"
    handlers: tuple[tuple[str, ...], ...] = ()
    covers: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    allow_pickle: bool = False
    run_timeout_seconds: float | None = None
    asks: tuple[str, ...] = ()
    schedule: SchedulePolicy | None = None
    then: StepSlice | None = None
    entries: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A node's place in the whole program; read only once something has failed, and when a run ends.

    Args:
        id, depth, position, parent, arm: as in `ir.sources.Source`.
        role: the source's kind, or `results` for a step that computes the results of a block.
        arms: the number of arms whose results count (a try's `final` block is the arm after these).
        deps: the ids of the nodes that this one, or a node in it, needs or comes after.
    """

    id: str
    role: str
    depth: int = 0
    position: tuple[int, ...] = ()
    parent: str = ""
    arm: int = 0
    arms: int = 0
    deps: tuple[str, ...] = ()


def step_file(step: str) -> str:
    """The file name of a step's slice, safe on every storage whatever the step id holds."""
    return digest_bytes(step.encode("utf-8"))[:40] + ".json"


def seal(tree: Json) -> str:
    """The text of a tree with its digest in front."""
    body = canonical_json({"format": SLICE_FORMAT, "body": tree})
    return f"{digest_bytes(body.encode('ascii'))}\n{body}\n"


def unseal(data: bytes) -> Json:
    """The tree that `seal` was given.

    Raises:
        BrokenSeal: the digest doesn't match, or the format is another version's.
    """
    digest, _, body = data.partition(b"\n")
    body = body.rstrip(b"\n")
    if digest_bytes(body) != digest.decode("ascii", "replace"):
        raise BrokenSeal("its bytes don't have the digest it carries")
    tree = json.loads(body)
    if tree.get("format") != SLICE_FORMAT:
        raise BrokenSeal(f"it has the format {tree.get('format')!r}; this drawloom reads {SLICE_FORMAT}")
    return tree["body"]


def slice_text(step: StepSlice) -> str:
    """The sealed text of a slice."""
    return seal(_plain(step))


def layout_text(places: Iterable[Place]) -> str:
    """The sealed text of a program's places, in program order."""
    return seal([_plain(place) for place in places])


def read_slice(data: bytes) -> StepSlice:
    """The slice of a sealed text.

    Raises:
        BrokenSeal: as for `unseal`.
    """
    made: StepSlice = _rich(unseal(data))
    return made


def read_layout(data: bytes) -> dict[str, Place]:
    """The places of a sealed layout, by node id, in program order.

    Raises:
        BrokenSeal: as for `unseal`.
    """
    return {place["id"]: _rich(place) for place in unseal(data)}


_CLASSES: Final[dict[str, Any]] = {
    cls.__name__: cls
    for cls in (
        *(Apply, Carried, Caught, Const, Field, Item, Key, Output, Param, RunInfo),
        *(CachePolicy, Policies, RetryPolicy, SchedulePolicy, FunctionRef, Port, TaskSpec, Type),
        *(Container, EngineSpec, InputPath, InputText, OutputPath),
        *(Place, Source, StepSlice),
    )
}


def _plain(value: Any) -> Json:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    tree: dict[str, Json] = {"$": type(value).__name__}
    for name, default in field_defaults(type(value)):
        item = getattr(value, name)
        if item is not default and (item != default or type(item) is not type(default)):
            tree[name] = _plain(item)
    return tree


def _rich(tree: Json) -> Any:
    if isinstance(tree, list):
        return tuple(_rich(item) for item in tree)
    if isinstance(tree, dict):
        return _CLASSES[tree["$"]](**{name: _rich(item) for name, item in tree.items() if name != "$"})
    return tree
