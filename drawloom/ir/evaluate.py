"""The meaning of the operators in `operands.OPS`, on Python values.

Standard library alone: a step loads this module.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from drawloom.ir.operands import Apply, Const, Field, Operand, Path, Reference

__all__ = ["OPERATORS", "evaluate", "follow", "map_items"]


_CONVERSIONS: Final[dict[str, Callable[[Any], str]]] = {"r": repr, "s": str, "a": ascii}


def _format(*parts: Any) -> str:
    """An f-string's parts: text, then (value, conversion, spec, text) again and again."""
    made = [parts[0]]
    for i in range(1, len(parts), 4):
        value, conversion, spec, text = parts[i : i + 4]
        if conversion:
            value = _CONVERSIONS[conversion](value)
        made += [format(value, spec), text]
    return "".join(made)


def _unpack(value: Any, count: int) -> tuple[Any, ...]:
    """Exactly `count` items, with Python's own errors where there are fewer or more."""
    found = tuple(value)
    if len(found) < count:
        raise ValueError(f"not enough values to unpack (expected {count}, got {len(found)})")
    if len(found) > count:
        raise ValueError(f"too many values to unpack (expected {count})")
    return found


def map_items(value: Any) -> list[Any]:
    """The items a map runs over, as Python iterates; those of a set in the order in which its envelope is written.

    Raises:
        TypeError: `value` can't be iterated over.
    """
    if isinstance(value, (set, frozenset)):
        from drawloom.ir.canonical import canonical_json  # sets are rare: steps without one don't pay
        from drawloom.ir.envelope import encode

        return sorted(value, key=lambda item: canonical_json(encode(item)))
    return list(value)


# `and`, `or` and `select` are not here: `evaluate` runs them lazily
OPERATORS: Final[dict[str, Callable[..., Any]]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "pow": operator.pow,
    "neg": operator.neg,
    "pos": operator.pos,
    "abs": abs,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "is_none": lambda value: value is None,
    "not": operator.not_,
    "contains": operator.contains,
    "attr": getattr,
    "get": operator.getitem,
    "len": len,
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "sum": sum,
    "min": min,
    "max": max,
    "sorted": sorted,
    "any": any,
    "all": all,
    "round": round,
    "range": lambda *limits: list(range(*limits)),
    "zip": lambda *lists: list(zip(*map(map_items, lists))),  # as Python: the shortest decides
    "enumerate": lambda items, start: list(enumerate(map_items(items), start)),
    "reversed": lambda items: list(reversed(items)),
    "keys": lambda table: list(table.keys()),
    "values": lambda table: list(table.values()),
    "items": lambda table: list(table.items()),
    "as_list": map_items,
    "as_tuple": lambda items: tuple(map_items(items)),
    "as_set": set,
    "as_dict": dict,
    "flatten": lambda lists: [item for items in lists for item in items],
    "slice": lambda container, start, stop, step: container[start:stop:step],
    "unpack": _unpack,
    "unset": lambda: None,
    "format": _format,
    "list": lambda *items: list(items),
    "tuple": lambda *items: tuple(items),
    "dict": lambda *pairs: {pairs[i]: pairs[i + 1] for i in range(0, len(pairs), 2)},
}


def evaluate(operand: Operand, lookup: Callable[[Reference], Any], constant: Callable[[Const], Any]) -> Any:
    """The value of an operand.

    Args:
        operand: a constant, a reference or an expression.
        lookup: gives the value of a reference, its path already followed.
        constant: decodes a constant.

    Raises:
        Exception: whatever the operator raises in Python (`ZeroDivisionError`, `KeyError`, ...).
    """
    if isinstance(operand, Const):
        return constant(operand)
    if not isinstance(operand, Apply):
        return lookup(operand)
    if operand.op in ("and", "or"):
        first = evaluate(operand.args[0], lookup, constant)
        go_on = bool(first) == (operand.op == "and")
        return evaluate(operand.args[1], lookup, constant) if go_on else first
    if operand.op == "select":
        chosen = operand.args[1 if evaluate(operand.args[0], lookup, constant) else 2]
        return evaluate(chosen, lookup, constant)
    return OPERATORS[operand.op](*[evaluate(a, lookup, constant) for a in operand.args])


def follow(value: Any, path: Path) -> Any:
    """The part of `value` that a path leads to.

    Raises:
        AttributeError, KeyError, IndexError: there is no such part.
    """
    for step in path:
        value = getattr(value, step.name) if isinstance(step, Field) else value[step.key]
    return value
