"""Expressions that may raise, and stand where nobody takes their value: they are recorded where they stand.

In Python `q = 1 / x` raises there, whoever reads `q`. An expression of the IR is evaluated where it is used; so one
that may raise, and that the next node of its block doesn't take, gets a node of its own: a nested pipeline without
nodes, whose result it is. So what fails first in Python fails first in a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from drawloom.ir.nodes import Block, Branch, Call, Loop, Map, Node, PipelineCall
from drawloom.ir.operands import Apply, Const, Field, Key, Operand, RunInfo
from drawloom.ir.tasks import Port
from drawloom.ir.types import ANY, NEVER, Type
from drawloom.ir.walk import with_path

if TYPE_CHECKING:
    from drawloom.dsl.blocks import OpenBlock

__all__ = ["Standing", "left_out", "may_raise", "part_may_raise", "recorded_block"]

_NEVER: Final = frozenset(
    {"is_none", "not", "bool", "str", "eq", "ne", "select", "and", "or", "list", "tuple", "unset"},
)
# these don't, where the types are known and fit
_TYPED: Final = frozenset(
    {"add", "sub", "mul", "neg", "pos", "abs", "lt", "le", "gt", "ge", "contains", "len", "sum", "any", "all", "zip"}
    | {"enumerate", "reversed", "keys", "values", "items", "as_list", "as_tuple", "as_set", "flatten", "sorted", "dict"}
)
_RECORDS: Final = ("namedtuple", "dataclass", "pydantic")
_SURE: Final = (
    "failure",
    "datetime",
    "date",
    "time",
    "timedelta",
    "enum",
)  # a wrong name is found before anything runs


class Standing:
    """An expression that may raise.

    Attributes:
        position: how many nodes were in the block before it.
        operand, type: the expression.
        site: where it stands.
    """

    __slots__ = ("operand", "position", "site", "type")

    def __init__(self, position: int, operand: Operand, type_: Type, site: Any) -> None:
        self.position = position
        self.operand = operand
        self.type = type_
        self.site = site


def may_raise(op: str, args: Sequence[Operand], types: Sequence[Type], result: Type) -> bool:
    """Whether an operator may raise on values of these types; huge numbers and broken classes aside."""
    if op in _NEVER:
        return False
    if op in _TYPED:
        return result == ANY or any(type_ == ANY for type_ in types)
    if op == "float":
        return types[0].name not in ("int", "float", "bool")
    if op == "range":
        return len(args) > 2 and not _is_nonzero(args[2])
    if op == "slice":
        return result == ANY or not (args[3] == Const("null") or _is_nonzero(args[3]))
    if op == "format":
        return any(spec != Const('""') for spec in args[3::4])
    return True


def _is_nonzero(operand: Operand) -> bool:
    return isinstance(operand, Const) and operand.json.lstrip("-").isdigit() and operand.json not in ("0", "-0")


def part_may_raise(type_: Type, step: Field | Key) -> bool:
    """Whether a value of a type may be without a part."""
    if isinstance(step, Field):
        return type_.name not in _SURE and not (type_.name in _RECORDS and type_.fields)
    return type_.name not in ("tuple", "namedtuple")


def recorded_block(block: OpenBlock, results: Iterable[tuple[str, Operand]] = ()) -> Block:
    """A block that is closed, in the IR; expressions that may raise and aren't evaluated where they stand are nodes.

    Args:
        block: the block.
        results: what it gives.
    """
    given = tuple(results)
    if not block.standing:
        return Block(tuple(block.nodes), given)
    places: dict[int, list[Standing]] = {}
    for standing in block.standing:
        places.setdefault(standing.position, []).append(standing)
    block.standing.clear()
    nodes: list[Node] = []
    for position, node in enumerate([*block.nodes, None]):
        operands = [operand for _, operand in given] if node is None else list(_own(node))
        nodes += [_check(block, standing) for standing in left_out(places.get(position, ()), operands)]
        nodes += [node] if node is not None else []
    block.nodes[:] = nodes
    return Block(tuple(nodes), given)


def left_out(standing: Sequence[Standing], operands: Iterable[Operand]) -> list[Standing]:
    """The expressions that must be nodes before something that evaluates `operands`.

    The last ones needn't, as far as they are evaluated in the order in which they stand; nor what the others evaluate
    themselves.
    """
    order = [operand for root in operands for operand in _evaluated(root)]
    start, bound = len(standing), len(order)
    while start:
        operand = standing[start - 1].operand
        place = order.index(operand) if operand in order else len(order) + 1
        if place > bound:
            break
        start, bound = start - 1, place
    if not start:
        return []
    last = standing[start - 1]
    return [*left_out(standing[: start - 1], [last.operand]), last]


def _check(block: OpenBlock, standing: Standing) -> Node:
    ordinal = block.counts["check"] = block.counts.get("check", 0) + 1
    node = f"{block.prefix}check" if ordinal == 1 else f"{block.prefix}check-{ordinal}"
    block.sites[node] = standing.site
    inner = Block((), (("result", standing.operand),))
    type_ = ANY if standing.type == NEVER else standing.type
    return PipelineCall(node, "expression", inner, results=(Port("result", type_),))


def _own(node: Node) -> Iterator[Operand]:
    if isinstance(node, Call):
        yield from (operand for _, operand in node.inputs)
    elif isinstance(node, Map):
        yield node.items
    elif isinstance(node, Branch):
        yield node.cases[0].test
    elif isinstance(node, Loop):
        yield from (carry.initial for carry in node.carried)


def _evaluated(operand: Operand) -> Iterator[Operand]:
    """What is evaluated with an operand in any case, in this order; a part of a value after the whole."""
    if isinstance(operand, Apply):
        args = operand.args[:1] if operand.op in ("and", "or", "select") else operand.args
        for arg in args:
            yield from _evaluated(arg)
    elif not isinstance(operand, (Const, RunInfo)):
        yield from (with_path(operand, operand.path[:length]) for length in range(1, len(operand.path)))
    yield operand
