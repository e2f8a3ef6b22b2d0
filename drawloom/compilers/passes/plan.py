"""The step plan: a pipeline as steps and the little control flow around them that any engine has.

An engine is asked for four things only: order (`after`), a boolean (`When`), a count (`Each`), a retry. A compiler
prints a plan in its engine's words; the reference engine runs its JSON as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drawloom.frozen import dataclass, field_defaults, is_frozen
from drawloom.ir.canonical import Json
from drawloom.ir.policies import Policies
from drawloom.ir.slices import Place, StepSlice

__all__ = ["Each", "Entry", "Group", "Own", "Run", "StepPlan", "When", "While", "entry_json"]


@dataclass(frozen=True, slots=True)
class Run:
    """Start a step.

    Args:
        id: the step's id, which is also the entry's.
        after: the entries of the same sequence that must have ended before.
        finished: begin once those have ended in whichever way; else only if all of them are done.
        retries: how often the step may be started again after it said `failed-retry`.
        lost_retries: how often it may be started again after it was lost.
        delay_seconds, factor, max_delay_seconds: the pause before the first retry, and how it grows.
    """

    id: str
    after: tuple[str, ...] = ()
    finished: bool = False
    retries: int = 0
    lost_retries: int = 0
    delay_seconds: float = 0.0
    factor: float = 1.0
    max_delay_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that count as one in an order: a nested pipeline, the body of a try."""

    id: str
    body: tuple[Entry, ...]
    after: tuple[str, ...] = ()
    finished: bool = False


@dataclass(frozen=True, slots=True)
class When:
    """`body` if the step `step` wrote `true` under the name `output`."""

    id: str
    step: str
    output: str
    body: tuple[Entry, ...]
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Each:
    """`body` for each number below the count that the step `step` wrote; the number goes to the index vector's end.

    Args:
        batch_size: how many numbers one start of a step is given.
        parallelism: how many of them at once; 0 for no limit.
    """

    id: str
    step: str
    body: tuple[Entry, ...]
    after: tuple[str, ...] = ()
    batch_size: int = 1
    parallelism: int = 0


@dataclass(frozen=True, slots=True)
class While:
    """For k = 0, 1, ...: `test`; stop unless its step `step` wrote `true`; `body`. k goes to the index vector's end."""

    id: str
    test: tuple[Entry, ...]
    step: str
    body: tuple[Entry, ...]
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Own:
    """Start the step `give`; if it wrote `true`, what the engine has of its own; then in any case the step `take`.

    Args:
        id: the id of the node.
        give: the step that writes the inputs, one text each under its name, and `protocol.WANTED`.
        take: the step that is given how the engine's own ended, and its results.
        spec: the engine's description of its own.
        inputs: the names of the inputs.
        results: the names of the results.
        after: as of `Run`.
    """

    id: str
    give: str
    take: str
    spec: str
    inputs: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


Entry = Run | Group | When | Each | While | Own


@dataclass(frozen=True, slots=True)
class StepPlan:
    """A lowered pipeline.

    Args:
        steps: the slice of every step, in program order, `begin` first and `end` last.
        body: what an engine runs between `begin` and `end`.
        places: every node's place, for what looks at failures.
        policies: step id -> the policies of the call it runs, for engines that make pods; a step needs few of them.
    """

    steps: tuple[StepSlice, ...]
    body: tuple[Entry, ...]
    places: tuple[Place, ...]
    policies: Mapping[str, Policies]


def entry_json(entry: Any) -> Json:
    """The JSON of an entry, or of a tuple of them: its class's name under `do`, fields at their defaults left out."""
    if isinstance(entry, tuple):
        return [entry_json(item) for item in entry]
    if not is_frozen(entry):
        return entry
    tree: dict[str, Json] = {"do": type(entry).__name__.lower()}
    for name, default in field_defaults(type(entry)):
        item = getattr(entry, name)
        if item != default:
            tree[name] = entry_json(item)
    return tree
