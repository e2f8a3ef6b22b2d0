"""Iterators over run-time lists, which can be used up once, as in Python: `zip`, `enumerate`, `reversed`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.dsl.current import CURRENT
from drawloom.dsl.handles import Handle
from drawloom.dsl.place import refusal

if TYPE_CHECKING:
    from drawloom.dsl.blocks import OpenBlock

__all__ = ["Once", "taken"]


class Once:
    """A run-time list in the place of an iterator.

    Args:
        handle: the list.
        what: the function that gave it: "zip".
        block: the block that was open then.
    """

    __slots__ = ("block", "handle", "used", "what")

    def __init__(self, handle: Handle, what: str, block: OpenBlock) -> None:
        self.handle = handle
        self.what = what
        self.block = block
        self.used = False


def taken(value: Any) -> Any:  # Any: the user's value, or a handle over it
    """The list in the place of an iterator, which is used up by this; any other value as it is.

    Raises:
        DefinitionError: it was used up before (D155).
    """
    if type(value) is not Once:
        return value
    if value.used:
        raise refusal(
            "D155",
            f"what `{value.what}(...)` gave is used up: a second loop over it finds nothing",
            f"keep a list of it: `list({value.what}(...))`",
        )
    value.used = True
    tracer = CURRENT.get()
    if tracer is not None and tracer.block is not value.block:
        raise refusal(
            "D155",
            f"what `{value.what}(...)` gave is used up under a run-time test or in a loop, but was made outside of it",
            f"keep a list of it: `list({value.what}(...))`",
        )
    return value.handle
