"""Flattens nested maps: afterwards a map that is all another map does holds no calls, where that can be expressed.

For engines that can't fan out inside a fan-out. What is left of the outer map are maps without calls: expressions that
pair, count and regroup items, each of which one step can compute.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from drawloom.compilers.passes.made_nodes import Names, computing, holds_calls, waiting
from drawloom.compilers.passes.operand_types import OperandTypes
from drawloom.compilers.passes.rewriting import rebuilt, rebuilt_operand, with_blocks
from drawloom.ir.nodes import Block, Map, Node, Pipeline, Port
from drawloom.ir.operands import Apply, Const, Item, Key, Operand, Output, Path, Reference
from drawloom.ir.types import INT, Type
from drawloom.ir.walk import blocks, dependencies

__all__ = ["flatten_maps"]

_ITERABLE: Final = ("list", "tuple", "tuple_of", "set", "frozenset")
_OUTER, _INNER = Key(0), Key(1)  # the parts of a pair


def flatten_maps(pipeline: Pipeline) -> Pipeline:
    """Each map whose body is a map, and gives that map's results alone, becomes one map over pairs of items.

    The pairs are made before it, and its results are cut into the lists of the outer map after it. The flat map has the
    inner map's id, the one that cuts has the outer's. Nodes keep their ids; in their index vectors the two numbers
    become one. The outer map's `batch_size` is dropped.

    Left as they are: maps that do more than the inner map (its calls wait for what only this item needs); inner maps
    over an expression, which could fail for one item and not for the others; maps with a parallelism of their own,
    which counts the items of one list.

    >>> from drawloom.ir.nodes import Call, FunctionRef, TaskSpec
    >>> from drawloom.ir.operands import Param
    >>> from drawloom.ir.text import format_pipeline
    >>> tasks = (TaskSpec("m:f", FunctionRef("m", "f"), (Port("n", INT),), INT),)
    >>> row, rows = Type("list", (INT,)), Type("list", (Type("list", (INT,)),))
    >>> call = Call("x", "m:f", (("n", Item("cells")),))
    >>> cells = Map("cells", Item("lines"), Block((call,), (("result", Output("x")),)), (Port("result", row),), INT)
    >>> body = Block((cells,), (("result", Output("cells")),))
    >>> lines = Map("lines", Param("grid"), body, (Port("result", rows),), row)
    >>> before = Pipeline("p", (Port("grid", rows),), tasks, Block((lines,)))
    >>> print(format_pipeline(before))
    pipeline p(grid: list[list[int]])
      task m:f(n: int) -> int
    <BLANKLINE>
      lines = map $grid of list[int] -> result: list[list[int]]
        do
          cells = map @lines of int -> result: list[int]
            do
              x = m:f(n=@cells) -> int
              give result=x
          give result=cells
    >>> print(format_pipeline(flatten_maps(before)))
    pipeline p(grid: list[list[int]])
      task m:f(n: int) -> int
    <BLANKLINE>
      lines~pairs = map $grid of list[int] -> pairs: list[list[tuple[list[int], int]]], count: list[int]
        do
          cells~pairs = map @lines~pairs of int -> result: list[tuple[list[int], int]]
            do
              give result=tuple(@lines~pairs, @cells~pairs)
          give pairs=cells~pairs, count=len(cells~pairs)
      cells = map flatten(lines~pairs:pairs) of tuple[list[int], int] -> result: list[int]
        do
          x = m:f(n=@cells[1]) -> int
          give result=x
      lines = map enumerate(lines~pairs:count, 0) of tuple[int, int] -> result: list[list[int]]
        do
          give result=slice(cells, sum(slice(lines~pairs:count, 0, @lines[0], 1)), \
sum(slice(lines~pairs:count, 0, (@lines[0] + 1), 1)), 1)
    """
    return replace(pipeline, body=_Flattening(pipeline).block(pipeline.body))


class _Flattening:
    """One run of the pass. `shapes` holds the items of the flat maps made so far."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.names = Names(pipeline)
        self.types = OperandTypes(pipeline)
        self.shapes: dict[str, Type] = {}

    def block(self, block: Block) -> Block:
        return Block(tuple(made for node in block.nodes for made in self.nodes(node)), block.results)

    def nodes(self, node: Node) -> Iterable[Node]:
        """What stands in a node's place: maps are made flat from the outside in."""
        inner = self.only_map(node)
        if inner is None or not isinstance(node, Map):
            return (with_blocks(node, [self.block(one) for one in blocks(node)]),)
        pairs = self.pairs(node, inner)
        return (pairs, *self.nodes(self.flat(node, inner, pairs.id)), _cut(node, inner.id, pairs.id))

    def only_map(self, node: Node) -> Map | None:
        """The inner map, if a node is a map that can be made flat."""
        if not isinstance(node, Map) or len(node.body.nodes) != 1:
            return None
        inner = node.body.nodes[0]
        if not isinstance(inner, Map) or not holds_calls(inner) or not self.is_list(inner.items):
            return None
        given = all(isinstance(o, Output) and o.node == inner.id and not o.path for _, o in node.body.results)
        return inner if given and node.parallelism is None and inner.parallelism is None else None

    def is_list(self, operand: Operand) -> bool:
        """Whether a map over an operand can't fail: a whole value that is a list, or such a part of a pair."""
        if isinstance(operand, (Const, Apply)):
            return False
        path: Path = getattr(operand, "path", ())
        if isinstance(operand, Item) and operand.map in self.shapes:
            type_ = self.shapes[operand.map]
            while path and type_.name == "tuple" and path[0] in (_OUTER, _INNER):
                type_, path = type_.args[1 if path[0] == _INNER else 0], path[1:]
            return not path and type_.name in _ITERABLE
        return not path and self.types.of(operand).name in _ITERABLE

    def pairs(self, outer: Map, inner: Map) -> Map:
        """The map that gives (outer item, inner item) of all items, and how many there are for each outer one."""
        name, within = self.names.fresh(f"{outer.id}~pairs"), self.names.fresh(f"{inner.id}~pairs")
        self.shapes[inner.id] = Type("tuple", (outer.item, inner.item))
        self.shapes[name] = outer.item
        row = Type("list", (self.shapes[inner.id],))

        def reference(one: Reference) -> Operand:
            return replace(one, map=name) if isinstance(one, Item) and one.map == outer.id else one

        pair = Apply("tuple", (Item(name), Item(within)))
        items = rebuilt_operand(inner.items, reference)
        body = Map(within, items, Block((), (("result", pair),)), (Port("result", row),), inner.item)
        results = (("pairs", Output(within)), ("count", Apply("len", (Output(within),))))
        ports = (Port("pairs", Type("list", (row,))), Port("count", Type("list", (INT,))))
        made = Map(name, outer.items, Block((body,), results), ports, outer.item, after=outer.after)
        return waiting(made, sorted(dependencies(outer)))

    def flat(self, outer: Map, inner: Map, pairs: str) -> Map:
        """The one map over all pairs."""

        def reference(one: Reference) -> Operand:
            if isinstance(one, Item) and one.map in (outer.id, inner.id):
                return Item(inner.id, (_INNER if one.map == inner.id else _OUTER, *one.path))
            return one

        def operand(one: Operand) -> Operand:
            return rebuilt_operand(one, reference)

        nodes = tuple(rebuilt(node, operand, {}) for node in inner.body.nodes)
        body = Block(nodes, tuple((name, operand(one)) for name, one in inner.body.results))
        items = Apply("flatten", (Output(pairs, "pairs"),))
        return replace(inner, items=items, body=body, item=self.shapes[inner.id])


def _cut(outer: Map, flat: str, pairs: str) -> Node:
    """What has the outer map's id and gives its results: the flat map's, cut into lists."""
    if not outer.results:
        return computing(outer.id, (), (flat,))
    counts = Output(pairs, "count")
    here: Operand = Item(outer.id, (Key(0),))
    start, stop = (_before(counts, place) for place in (here, Apply("add", (here, Const("1")))))
    given = ((name, o.port) for name, o in outer.body.results if isinstance(o, Output))
    results = tuple((name, Apply("slice", (Output(flat, port), start, stop, Const("1")))) for name, port in given)
    items = Apply("enumerate", (counts, Const("0")))
    return Map(outer.id, items, Block((), results), outer.results, Type("tuple", (INT, INT)))


def _before(counts: Operand, place: Operand) -> Operand:
    """How many items there are in the lists before a place."""
    return Apply("sum", (Apply("slice", (counts, Const("0"), place, Const("1"))),))
