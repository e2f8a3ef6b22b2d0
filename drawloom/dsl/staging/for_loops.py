"""`for`: a loop over known values is unrolled, one over run-time values is recorded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from drawloom.dsl.bounded import Bounded
from drawloom.dsl.handles import Handle, shown
from drawloom.dsl.place import refusal
from drawloom.dsl.staging.changes import check_change
from drawloom.dsl.staging.loops import KnownLoop
from drawloom.dsl.staging.once import taken
from drawloom.dsl.staging.run_loops import LoopStatement, RunLoop
from drawloom.dsl.staging.scopes import Stage, current_stage
from drawloom.dsl.staging.values import computed, open_ended, run_time
from drawloom.ir.iterated import iterated_type

__all__ = ["For", "loop_source"]

# Any: what a loop runs over is the user's value, or a handle over it


class _KnownFor(KnownLoop):
    """A `for` over known values."""

    def __init__(self, stage: Stage | None, items: Any, names: tuple[str, ...], shape: object) -> None:
        super().__init__(stage, names)
        self.items = items
        self.shape = shape

    def __iter__(self) -> Iterator[Any]:
        return self.each(self.items, self.shape)


def For(  # noqa: N802  # it stands for a statement, as `If` and `While` do
    source: Any,
    names: tuple[str, ...],
    behind: tuple[str, ...],
    read: tuple[str, ...],
    hint: str,
    extended: tuple[str, ...],
    shape: object,
    has_else: bool,
) -> KnownLoop | RunLoop:
    """One `for` statement.

    Args:
        source: what it runs over.
        names: the names it binds.
        behind: those of them that are read outside of it.
        read: names that its body reads, other than to make a list grow.
        hint: what its node is named after.
        extended: those names that only grow, by `+=`, or that only its `else` binds.
        shape: how the target takes an item apart.
        has_else: whether it has an `else`.
    """
    stage = current_stage()
    if stage is None:
        return _KnownFor(None, source, names, shape)
    found = loop_source(stage, source)
    if isinstance(found, Bounded) or open_ended(found):
        frame = sys._getframe(1)
        about = LoopStatement(names, behind, read, hint, extended, shape, has_else, (frame.f_code, frame.f_lasti))
        return RunLoop(stage, found, about)
    return _KnownFor(stage, found, names, shape)


def loop_source(stage: Stage, source: Any) -> Any:
    """What a loop runs over: known values as they are, a run-time value as a list.

    Raises:
        DefinitionError: its type can't be iterated over (D110).
    """
    found = taken(run_time(stage, source))
    if not open_ended(found):
        if isinstance(found, Iterator) and not isinstance(found, Bounded):
            check_change(stage, found, "for")
        return found
    assert isinstance(found, Handle)
    if iterated_type(found._dl_type) is None:
        raise refusal(
            "D110",
            f"{shown(found)} is iterated over, but it has no items",
            "loop over a list",
        )
    return found if found._dl_type.name in ("list", "tuple_of") else computed(stage, "as_list", found)
