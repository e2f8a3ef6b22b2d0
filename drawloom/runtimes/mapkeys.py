"""The cache key of a whole map: what answers a thousand items with one look-up.

A map whose body is nothing but cacheable calls gives the same list wherever the same code meets an equal list, in an
equal environment, with equal values from around it. So the commit of its list has a key of its own, and only where that
has no answer is each item looked up. What is seen of the run is the same either way.

A body that applies operators to its items has none: an operator of the user's is code that no call's key knows of, and
`x or rest["of"]` asks for its second value only where the first one is false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Final

from drawloom.ir.canonical import digest_json
from drawloom.ir.nodes import Call, Map
from drawloom.ir.operands import Apply, Item, Operand, Output, Reference
from drawloom.ir.serialize import to_json
from drawloom.ir.walk import operands, references
from drawloom.runtimes.cache import CacheKeys

__all__ = ["MapKeys", "map_keys"]

_PLAIN: Final = ("list", "tuple", "is_none")  # the user's code has no part in these


class MapKeys:
    """The cache keys of one map.

    Args:
        static: the digest of what is the same for all its instances.
        captured: what its body refers to outside of itself.
    """

    __slots__ = ("captured", "static")

    def __init__(self, static: str, captured: tuple[Operand, ...]) -> None:
        self.static = static
        self.captured = captured

    def key(self, digests: list[str]) -> str:
        """The key of an instance, given the value digests of its items and of what is captured, in this order."""
        return sha256("\n".join([self.static, *digests]).encode("ascii")).hexdigest()


def map_keys(node: Map, keys_of: Callable[[Call], CacheKeys | None]) -> MapKeys | None:
    """What makes the keys of a map; None if it can't be answered as a whole.

    Args:
        node: the map.
        keys_of: gives what makes the keys of a call; None if it isn't cacheable, or for a limited time alone.
    """
    inner = node.body.nodes
    if any(_computes(operand) for operand in _operands(node)):
        return None
    parts = []
    for call in inner:
        keys = keys_of(call) if isinstance(call, Call) else None
        if keys is None:
            return None
        parts.append([call.id, keys.static])
    if not parts:
        return None
    ports = [[port.name, str(port.type)] for port in node.results]
    static = digest_json({"map": to_json(node.body), "calls": parts, "ports": ports})
    return MapKeys(static, tuple(dict.fromkeys(_captured(node))))


def _operands(node: Map) -> Iterator[Operand]:
    for call in node.body.nodes:
        yield from operands(call)
    for _, operand in node.body.results:
        yield operand


def _computes(operand: Operand) -> bool:
    """Whether more is done to values than putting them together."""
    return isinstance(operand, Apply) and (operand.op not in _PLAIN or any(_computes(a) for a in operand.args))


def _captured(node: Map) -> Iterator[Reference]:
    inside = {call.id for call in node.body.nodes}
    for operand in _operands(node):
        for reference in references(operand):
            own = isinstance(reference, Output) and reference.node in inside
            if not own and not (isinstance(reference, Item) and reference.map == node.id):
                yield reference
