"""The user's lists while a region is recorded that may not be run, or run many times.

The list object stays the same, so that every alias sees it. What it held when a block was opened is kept by the block
and put back at its end; at the join one `Splice` stands in it for what the run will have put there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.dsl.splice import Splice

if TYPE_CHECKING:
    from drawloom.dsl.blocks import OpenBlock
    from drawloom.dsl.tracer import Tracer

__all__ = [
    "Kept",
    "changing",
    "common_start",
    "contents",
    "copied",
    "has_splice",
    "kept",
    "made_in",
    "plain",
    "reading",
    "restore",
]

# Any: lists hold the user's values, or handles over them


def has_splice(value: object) -> bool:
    """Whether a value is a list, or a tuple, whose length is known only at run time."""
    return type(value) in (list, tuple) and any(isinstance(item, Splice) for item in value)  # type: ignore[attr-defined]


def changing(tracer: Tracer, changed: list[Any]) -> None:
    """Note, before a list is changed, what it holds, for every open block that is younger than it."""
    blocks = tracer.open_blocks
    born = next((i for i in range(len(blocks) - 1, -1, -1) if id(changed) in blocks[i].born), -1)
    for block in blocks[born + 1 :]:
        if id(changed) not in block.lists:
            block.lists[id(changed)] = (changed, list(changed))
            block.grown_at[id(changed)] = (len(block.nodes), len(block.standing))


def reading(tracer: Tracer, read: object) -> None:
    """Note that a list was read: a loop that changes it too can't be recorded."""
    if type(read) is list:
        for block in tracer.open_blocks:
            if id(read) not in block.born:
                block.read[id(read)] = read


def made_in(tracer: Tracer, made: Any) -> Any:
    """A list or dict that was made just now; the innermost block may change it as it likes."""
    blocks = tracer.open_blocks
    if blocks:
        blocks[-1].born[id(made)] = made
    return made


def contents(block: OpenBlock) -> dict[int, tuple[list[Any], list[Any]]]:
    """The lists that changed in a block, with what they hold now."""
    return {key: (changed, list(changed)) for key, (changed, _) in block.lists.items()}


def restore(block: OpenBlock) -> None:
    """Give the lists that changed in a block what they held before."""
    for changed, before in block.lists.values():
        changed[:] = before


class Kept:
    """A list under a name, with what it holds at the end of a side; the list itself may be put back, or change."""

    __slots__ = ("content", "value")

    def __init__(self, value: list[Any], content: list[Any] | None = None) -> None:
        self.value = value
        self.content = copied(value if content is None else content)


def kept(value: Any) -> Any:
    """A value that leaves, as it is now: a list stays itself."""
    return Kept(value) if type(value) is list else copied(value)


def plain(value: Any) -> Any:
    """The value itself of one that was kept."""
    return value.value if type(value) is Kept else value


def copied(value: Any) -> Any:
    """A value that leaves: its lists, tuples and dicts as they are now, whatever is done to them after."""
    kind = type(value)
    if kind is list:
        return [copied(item) for item in value]
    if kind is tuple:
        return tuple(copied(item) for item in value)
    if kind is dict:
        return {key: copied(item) for key, item in value.items()}
    return value


def common_start(first: list[Any], second: list[Any]) -> int:
    """How many items two lists begin with alike."""
    count = 0
    for one, other in zip(first, second):
        if one is not other:
            break
        count += 1
    return count
