"""Operands: what a node's input may be: a constant, a reference, or a small typed expression over them.

A reference is a type, never a formatted string. References are lexical: a block sees the nodes of the blocks around
it, and node ids are unique in the whole pipeline. Standard library alone: a step loads this module.
"""

from __future__ import annotations

from typing import Final

from drawloom.frozen import dataclass

__all__ = [
    "OPS",
    "Apply",
    "Carried",
    "Caught",
    "Const",
    "Field",
    "Item",
    "Key",
    "Operand",
    "Output",
    "Param",
    "Path",
    "Reference",
    "RunInfo",
]


@dataclass(frozen=True, slots=True)
class Field:
    """One step of a path: the attribute `name` of a record."""

    name: str


@dataclass(frozen=True, slots=True)
class Key:
    """One step of a path: the item under `key` of a dict (str) or a sequence (int, may be negative)."""

    key: str | int


Path = tuple[Field | Key, ...]


@dataclass(frozen=True, slots=True)
class Const:
    """A value known when the pipeline was built: `json` is the canonical JSON of its envelope (`ir.envelope`)."""

    json: str


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the run."""

    name: str
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Output:
    """A result of a node. A call has the one port `result`; a control node has the ports its `results` declare."""

    node: str
    port: str = "result"
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Item:
    """The item of the enclosing map `map` that this instance works on."""

    map: str
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Carried:
    """The value of `name` that the enclosing loop `loop` carries into this iteration."""

    loop: str
    name: str
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Caught:
    """The failure that the enclosing handler of the try `node` was chosen for (a `Failure` record)."""

    node: str
    path: Path = ()


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A fact about the run: `run_id`, `logical_time` (datetime), `interval_start`, `interval_end` (datetime)."""

    field: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operator of `OPS` over operands; evaluated by `ir.evaluate`, typed by `ir.infer`."""

    op: str
    args: tuple[Operand, ...]


Reference = Param | Output | Item | Carried | Caught | RunInfo
Operand = Const | Param | Output | Item | Carried | Caught | RunInfo | Apply

# operator -> how many arguments it takes (None: any number). `and`, `or`, `select` evaluate lazily, as Python does.
OPS: Final[dict[str, int | None]] = {
    "add": 2,
    "sub": 2,
    "mul": 2,
    "truediv": 2,
    "floordiv": 2,
    "mod": 2,
    "pow": 2,
    "neg": 1,
    "pos": 1,
    "abs": 1,
    "eq": 2,
    "ne": 2,
    "lt": 2,
    "le": 2,
    "gt": 2,
    "ge": 2,
    "is_none": 1,
    "not": 1,
    "and": 2,
    "or": 2,
    "select": 3,  # select(test, a, b): `a if test else b`
    "contains": 2,  # contains(container, item)
    "attr": 2,  # attr(value, name): `value.name`, of an expression; of a reference it is a path
    "get": 2,  # get(container, index) with an index known only at run time
    "len": 1,
    "int": 1,
    "float": 1,
    "str": 1,
    "bool": 1,
    "sum": 1,
    "min": 1,
    "max": 1,
    "sorted": 1,
    "any": 1,
    "all": 1,
    "round": None,  # round(number) or round(number, digits)
    "range": None,  # range(stop), range(start, stop), range(start, stop, step), as a list
    "zip": None,  # a list of tuples
    "enumerate": 2,  # enumerate(items, start), as a list of tuples
    "reversed": 1,  # a list
    "keys": 1,  # of a dict, as a list
    "values": 1,
    "items": 1,
    "as_list": 1,  # `list(x)`
    "as_tuple": 1,
    "as_set": 1,
    "as_dict": 1,  # of pairs, as `dict(x)`
    "flatten": 1,  # a list of lists as one list
    "slice": 4,  # slice(container, start, stop, step): `container[start:stop:step]`
    "unpack": 2,  # unpack(value, count): a tuple of exactly so many items, as `a, b = value` takes them
    "unset": 0,  # a value that nobody reads: what a block gives in the place of a name it doesn't bind
    "format": None,  # format(text, value, conversion, spec, text, ...): an f-string's parts
    "list": None,
    "tuple": None,
    "dict": None,  # dict(key, value, key, value, ...)
}
