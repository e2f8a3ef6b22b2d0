"""From an operand and an index vector to the envelope tree it stands for, by following commits and decisions.

Works on trees, not on values: what only moves a value (a path, a list of results, the arm of a branch) never decodes
it; an operator decodes its arguments, applies Python's own operator and encodes the outcome. Standard library alone: a
step loads this module.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from drawloom.ir.canonical import Json
from drawloom.ir.evaluate import OPERATORS, map_items
from drawloom.ir.operands import Apply, Carried, Caught, Const, Item, Key, Operand, Output, Param, Path, RunInfo
from drawloom.ir.sources import Results, Source

__all__ = ["Index", "Outcomes", "Resolver", "TreeStore", "UpstreamFailed", "item_trees"]

Index = tuple[int, ...]


class UpstreamFailed(Exception):  # a state of the run, not an error
    """A value isn't there and never will be: the node instance that should have made it failed or was skipped."""

    def __init__(self, node: str, index: Index = ()) -> None:
        self.node = node
        self.index = index
        super().__init__(f"{node}{list(index) if index else ''} has no outcome to use")


class Outcomes(Protocol):
    """What has happened in a run so far; a method raises `UpstreamFailed` where a node ended without a result."""

    def output(self, node: str, index: Index, port: str) -> Json:
        """The tree a call committed under `port`."""
        ...

    def decision(self, node: str, index: Index) -> int:
        """What a control node decided (`records.Decision.value`)."""
        ...

    def param(self, name: str) -> Json:
        """The tree of a run parameter."""
        ...

    def info(self, field: str) -> Json:
        """The tree of a fact about the run (`operands.RunInfo`)."""
        ...

    def caught(self, node: str, index: Index) -> Json:
        """The tree of the `Failure` that a handler of the try `node` was chosen for."""
        ...


class TreeStore(Protocol):
    """What a resolver needs of `values.store.Values`."""

    def encode(self, value: Any, type: Any = None, what: str = "value") -> Json: ...  # noqa: A002  # the name is the interface's

    def decode(self, tree: Json) -> Any: ...

    def narrow(self, tree: Json, path: Path) -> Json: ...


def item_trees(tree: Json, values: TreeStore) -> list[Json]:
    """The trees of the items a map over the value of `tree` runs over, in order (`evaluate.map_items`).

    Raises:
        TypeError: the value can't be iterated over.
    """
    if isinstance(tree, list):
        return tree
    if isinstance(tree, dict) and tree["$"] in ("tuple", "set", "frozenset"):
        return list(tree["v"])  # a set's items are written in the order a map takes them
    return [values.encode(item, what="an item") for item in map_items(values.decode(tree))]


class Resolver:
    """Finds the trees of operands.

    Args:
        sources: node id -> where its results come from; only nodes that operands can lead to are needed.
        outcomes: what has happened so far.
        values: encodes and decodes for operators and paths.

    `known` holds results of control nodes that need not be followed again: (node, index, port) -> tree.
    """

    def __init__(self, sources: Mapping[str, Source], outcomes: Outcomes, values: TreeStore) -> None:
        self._sources = sources
        self._outcomes = outcomes
        self._values = values
        self._constants: dict[str, Json] = {}
        self._items: dict[tuple[str, Index], list[Json]] = {}
        self._carried: dict[tuple[str, Index], dict[int, dict[str, Json]]] = {}
        self.known: dict[tuple[str, Index, str], Json] = {}

    def tree(self, operand: Operand, index: Index = ()) -> Json:
        """The tree `operand` stands for at `index`, which has at least the numbers of the maps and loops it refers to.

        Raises:
            UpstreamFailed: a node instance it needs ended without a result.
            Exception: whatever an operator or a path raises in Python (`ZeroDivisionError`, `KeyError`, ...).
        """
        kind = type(operand)
        if kind is Const:
            return self._constant(operand)  # type: ignore[arg-type]  # narrowed by `kind`: one look-up, not eight
        if kind is Apply:
            return self._apply(operand, index)  # type: ignore[arg-type]
        tree = _FOLLOW[kind](self, operand, index)
        path: Path = getattr(operand, "path", ())
        return self._values.narrow(tree, path) if path else tree

    def depth(self, node: str) -> int:
        """How many maps and loops are around a node."""
        return self._sources[node].depth

    def items(self, map_id: str, index: Index) -> list[Json]:
        """The item trees of a map instance; kept until `forget`."""
        key = (map_id, index)
        found = self._items.get(key)
        if found is None:
            operand = self._sources[map_id].items
            assert operand is not None, f"{map_id} is no map"
            found = self._items[key] = item_trees(self.tree(operand, index), self._values)
        return found

    def carry(self, loop: str, index: Index, trees: dict[str, Json]) -> None:
        """Notes what a loop carries into the iteration `index[-1]`, so that it need not be followed."""
        levels = self._carried.setdefault((loop, index[:-1]), {})
        levels[index[-1]] = trees
        levels.pop(index[-1] - 2, None)

    def forget(self, node: str, index: Index) -> None:
        """Drops what was kept for a map or loop instance that has ended."""
        self._items.pop((node, index), None)
        self._carried.pop((node, index), None)

    def truth(self, operand: Operand, index: Index = ()) -> bool:
        """Whether Python takes the value of `operand` for true."""
        return self.is_true(self.tree(operand, index))

    def is_true(self, tree: Json) -> bool:
        """Whether Python takes the value of `tree` for true."""
        return bool(self._values.decode(tree)) if isinstance(tree, dict) else bool(tree)

    def _constant(self, operand: Const) -> Json:
        text = operand.json
        if text not in self._constants:
            self._constants[text] = json.loads(text)
        return self._constants[text]

    def _param(self, operand: Param, _index: Index) -> Json:
        return self._outcomes.param(operand.name)

    def _info(self, operand: RunInfo, _index: Index) -> Json:
        return self._outcomes.info(operand.field)

    def _caught(self, operand: Caught, index: Index) -> Json:
        return self._outcomes.caught(operand.node, index[: self._sources[operand.node].depth])

    def _item(self, operand: Item, index: Index) -> Json:
        depth = self._sources[operand.map].depth
        return self.items(operand.map, index[:depth])[index[depth]]

    def _output(self, operand: Output, index: Index) -> Json:
        source = self._sources[operand.node]
        here = index[: source.depth]
        if source.kind == "call":
            return self._outcomes.output(source.id, here, operand.port)
        key = (source.id, here, operand.port)
        if key in self.known:
            return self.known[key]
        return self._control(source, here, operand.port)

    def _control(self, source: Source, index: Index, port: str) -> Json:
        if source.kind == "group":
            return self.tree(_result(source.results[0], port), index)
        chosen = self._outcomes.decision(source.id, index)
        if source.kind == "map":
            operand = _result(source.results[0], port)
            return [self.tree(operand, (*index, k)) for k in range(chosen)]
        if source.kind == "loop":
            return self._carry(source, port, (*index, chosen))
        if chosen < 0:  # a try whose failure no handler was for
            raise UpstreamFailed(source.id, index)
        return self.tree(_result(source.results[chosen], port), index)

    def _carried_value(self, operand: Carried, index: Index) -> Json:
        source = self._sources[operand.loop]
        return self._carry(source, operand.name, index[: source.depth + 1])

    def _carry(self, source: Source, name: str, index: Index) -> Json:
        """The carried value at iteration `index[-1]`, from the nearest iteration already known upwards.

        Upwards, not by recursion: `n = n + 1` as an operand would nest once for each iteration. Two are kept.
        """
        *outer, last = index
        levels = self._carried.setdefault((source.id, tuple(outer)), {})
        start = max((k for k in levels if k <= last), default=0)
        for k in range(start, last + 1):
            self._carry_level(source, (*outer, k), levels.setdefault(k, {}))
            for stale in [known for known in levels if known < k - 1]:
                del levels[stale]
        if name in levels[last]:
            return levels[last][name]
        return self._carry_one(source, name, index)  # it can't be had: raises why

    def _carry_level(self, source: Source, index: Index, level: dict[str, Json]) -> None:
        for name, _ in source.results[0]:
            if name in level:
                continue
            try:
                level[name] = self._carry_one(source, name, index)
            except Exception:  # noqa: BLE001, S112  # perhaps nobody asks for this one; who does meets the same exception
                continue

    def _carry_one(self, source: Source, name: str, index: Index) -> Json:
        *outer, k = index
        if k == 0:
            return self.tree(_result(source.results[0], name), tuple(outer))
        return self.tree(_result(source.results[1], name), (*outer, k - 1))

    def _apply(self, operand: Apply, index: Index) -> Json:
        op, args = operand.op, operand.args
        if op in ("and", "or"):
            first = self.tree(args[0], index)
            return self.tree(args[1], index) if self.is_true(first) == (op == "and") else first
        if op == "select":
            return self.tree(args[1 if self.truth(args[0], index) else 2], index)
        return self._operate(op, [self.tree(a, index) for a in args])

    def _operate(self, op: str, trees: list[Json]) -> Json:
        if op == "list":
            return trees
        if op == "tuple":
            return {"$": "tuple", "v": trees}
        if op == "dict":
            return self._dict(trees)
        if op == "is_none":
            return trees[0] is None
        if op == "get" and type(trees[1]) in (int, str):
            return self._values.narrow(trees[0], (Key(trees[1]),))
        if op == "len" and isinstance(trees[0], list):
            return len(trees[0])
        outcome = OPERATORS[op](*[self._values.decode(t) for t in trees])
        return self._values.encode(outcome, what=f"the outcome of `{op}`")

    def _dict(self, trees: list[Json]) -> Json:
        """As a dict display: a key given twice keeps its first place and form, and takes its last value."""
        pairs: dict[Any, list[Json]] = {}
        for i in range(0, len(trees), 2):
            key = self._values.decode(trees[i])
            pairs.setdefault(key, [trees[i], None])[1] = trees[i + 1]
        return {"$": "dict", "v": list(pairs.values())}


def _result(results: Results, port: str) -> Operand:
    for name, operand in results:
        if name == port:
            return operand
    raise KeyError(f"no result {port!r} among {[name for name, _ in results]}")


_FOLLOW: dict[type, Any] = {  # operand class -> unbound method; a table, because resolving is on the path of every task
    Param: Resolver._param,
    Output: Resolver._output,
    Item: Resolver._item,
    Carried: Resolver._carried_value,
    Caught: Resolver._caught,
    RunInfo: Resolver._info,
}
