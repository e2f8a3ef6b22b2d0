"""The types of the operators in `operands.OPS`; their meaning is in `ir.evaluate`.

A rule takes the types of the arguments, no `union`, no `literal` and no `any` among them, and gives the type of the
outcome, or None if Python would certainly raise. Unions are tried member by member, and each must do.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Final

from drawloom.errors import did_you_mean
from drawloom.ir.assign import assignable, union_of, widen
from drawloom.ir.iterated import DATES, KNOWN, RANK, SEQUENCES, SETS, UNHASHABLE, iterated_type
from drawloom.ir.list_operators import LIST_RULES
from drawloom.ir.operands import OPS
from drawloom.ir.problems import TypeProblem
from drawloom.ir.types import ANY, BOOL, FLOAT, INT, NEVER, NONE, STR, Type

__all__ = ["operator_type"]

Rule = Callable[[list[Type]], Type | None]

_TIMEDELTA: Final = Type("timedelta")
_MOST_COMBINATIONS = 64  # of union members; beyond that the outcome is `any`


def operator_type(op: str, args: list[Type]) -> Type:
    """The type of an operator's outcome.

    Args:
        op: a key of `operands.OPS`.
        args: the types of its arguments.

    Raises:
        TypeProblem: there is no such operator, it takes another number of arguments, or not these types (G217).
    """
    wanted = OPS.get(op, -1)
    if wanted == -1:
        raise TypeProblem(
            "G217", f"there is no operator `{op}`{did_you_mean(op, OPS)}", "use one of drawloom.ir.operands.OPS"
        )
    if wanted is not None and len(args) != wanted:
        what = f"operator `{op}` takes {wanted} argument{'s' * (wanted != 1)}, got {len(args)}"
        raise TypeProblem("G217", what, "give it as many as it takes")
    if NEVER in args and op not in _LAZY:
        return NEVER
    whole = _WHOLE.get(op)
    return whole(args) if whole is not None else _by_members(op, [widen(a) for a in args])


def _by_members(op: str, args: list[Type]) -> Type:
    choices = [a.args if a.name == "union" else (a,) for a in args]
    size = 1
    for choice in choices:
        size *= len(choice)
    if size > _MOST_COMBINATIONS:
        return ANY
    found: list[Type] = []
    for combination in product(*choices):
        outcome = _outcome(op, list(combination))
        if outcome is None:
            raise TypeProblem("G217", _cant(op, list(combination), args), _FIX)
        found.append(outcome)
    return union_of(found)


_FIX: Final = "convert the values first, or compute this in a @task"


def _cant(op: str, combination: list[Type], args: list[Type]) -> str:
    text = f"operator `{op}` can't take {' and '.join(str(t) for t in combination)}"
    unions = [str(a) for a in args if a.name == "union"]
    return f"{text} (a value here is {' and '.join(unions)})" if unions else text


def _outcome(op: str, args: list[Type]) -> Type | None:
    if op in _ALWAYS:  # these never look into their arguments
        return _ALWAYS[op]
    if any(a.name not in KNOWN or a.bases for a in args):
        return ANY
    return _RULES[op](args)


# arithmetic


def _number(args: list[Type]) -> Type | None:
    """What two numbers give: the wider of both; decimals go with ints only."""
    names = {a.name for a in args}
    if names <= RANK.keys():
        return INT if names <= {"bool", "int"} else FLOAT
    return Type("decimal") if names <= {"decimal", "int", "bool"} else None


def _add(args: list[Type]) -> Type | None:
    left, right = args
    names = (left.name, right.name)
    if left.name in DATES and right.name == "timedelta":
        return left
    if left.name == "timedelta" and right.name in (*DATES, "timedelta"):
        return right
    if names in (("str", "str"), ("bytes", "bytes")):
        return left
    if names == ("list", "list"):
        return Type("list", (union_of([left.args[0], right.args[0]]),))
    if names == ("tuple", "tuple"):
        return Type("tuple", left.args + right.args)
    if {"tuple", "tuple_of"} >= set(names):
        return Type("tuple_of", (union_of([*left.args, *right.args]),))
    return _number(args)


def _sub(args: list[Type]) -> Type | None:
    left, right = args
    if left.name in (*DATES, "timedelta") and right.name == "timedelta":
        return left
    if left.name in DATES and left.name == right.name:
        return _TIMEDELTA
    if left.name in SETS and right.name in SETS:
        return left
    return _number(args)


def _mul(args: list[Type]) -> Type | None:
    for one, other in (args, args[::-1]):
        if other.name in ("int", "bool"):
            if one.name in ("str", "bytes", "list", "tuple_of"):
                return one
            if one.name == "tuple":
                return Type("tuple_of", (union_of(list(one.args)),))
        if one.name == "timedelta" and other.name in RANK:
            return one
    return _number(args)


def _truediv(args: list[Type]) -> Type | None:
    if args[0].name == "timedelta":
        return FLOAT if args[1].name == "timedelta" else _TIMEDELTA if args[1].name in RANK else None
    number = _number(args)
    return FLOAT if number == INT else number


def _floordiv(args: list[Type]) -> Type | None:
    if args[0].name == "timedelta":
        return INT if args[1].name == "timedelta" else _TIMEDELTA if args[1].name in ("int", "bool") else None
    return _number(args)


def _mod(args: list[Type]) -> Type | None:
    if args[0].name in ("str", "bytes"):  # formatting
        return args[0]
    return _TIMEDELTA if args[0] == args[1] == _TIMEDELTA else _number(args)


def _pow(args: list[Type]) -> Type | None:
    number = _number(args)
    return number if number is None or number.name == "decimal" else ANY  # an int to a negative power is a float


def _sign(args: list[Type]) -> Type | None:
    return args[0] if args[0].name == "timedelta" else _number(args)


# comparison and membership


def _order(args: list[Type]) -> Type | None:
    left, right = args
    if _number(args) is not None or {left.name, right.name} <= {"decimal", *RANK}:
        return BOOL
    for family in (("str",), ("bytes",), ("list",), ("tuple", "tuple_of"), SETS):
        if left.name in family and right.name in family:
            return BOOL
    return BOOL if left.name == right.name and left.name in (*DATES, "time", "timedelta", "uuid") else None


def _equal(args: list[Type]) -> Type:
    # arrays and frames compare item by item; all else gives a bool
    return ANY if any(member.name in _ELEMENTWISE for a in args for member in _members(a)) else BOOL


def _members(type_: Type) -> tuple[Type, ...]:
    return type_.args if type_.name == "union" else (type_,)


_ELEMENTWISE: Final = frozenset({"any", "ndarray", "dataframe", "series", "polars", "object"})


def _contains(args: list[Type]) -> Type | None:
    container, item = args
    if container.name == "str":
        return BOOL if item.name == "str" else None
    if container.name == "bytes":
        return BOOL if item.name in ("bytes", "int", "bool") else None
    return BOOL if iterated_type(container) is not None else None


def _get(args: list[Type]) -> Type | None:
    container, index = args
    name = container.name
    if name == "dict":
        return (
            container.args[1] if assignable(index, container.args[0]) or assignable(container.args[0], index) else None
        )
    if name == "typeddict":
        return union_of([t for _, t in container.fields]) if index.name == "str" else None
    if name not in SEQUENCES or index.name not in ("int", "bool"):
        return None
    return {"str": STR, "bytes": INT}.get(name) or union_of(list(container.args))


# conversions and reductions


def _len(args: list[Type]) -> Type | None:
    return INT if args[0].name in (*SEQUENCES, *SETS, "dict", "typeddict") else None


def _to_int(args: list[Type]) -> Type | None:
    return INT if args[0].name in (*RANK, "str", "bytes", "decimal", "uuid") else None


def _to_float(args: list[Type]) -> Type | None:
    return FLOAT if args[0].name in (*RANK, "str", "bytes", "decimal") else None


def _sum(args: list[Type]) -> Type | None:
    item = iterated_type(args[0])
    if item is None or item.name in ("any", "union"):
        return None if item is None else ANY
    item = widen(item)
    return _number([item, INT]) if item.name in KNOWN else ANY  # the sum of nothing is 0: so not of strings, nor lists


def _extreme(args: list[Type]) -> Type | None:
    item = iterated_type(args[0])
    return item if item is not None and _sortable(item) else None


def _sorted(args: list[Type]) -> Type | None:
    item = iterated_type(args[0])
    return Type("list", (item,)) if item is not None and _sortable(item) else None


def _sortable(item: Type) -> bool:
    item = widen(item)
    if item.name not in KNOWN:
        return True
    return _order([item, item]) is not None


def _round(args: list[Type]) -> Type | None:
    number, digits = args[0], args[1:]
    if len(args) > 2 or any(d.name not in ("int", "bool", "none") for d in digits):
        return None
    if number.name in ("int", "bool"):
        return INT
    return number if digits and digits[0] != NONE else INT if number.name in ("float", "decimal") else None


# operators that take unions and literals as they are


def _either(args: list[Type]) -> Type:
    return union_of(args)


def _select(args: list[Type]) -> Type:
    return union_of(args[1:])


def _list(args: list[Type]) -> Type:
    return Type("list", (union_of([widen(a) for a in args]) if args else ANY,))


def _tuple(args: list[Type]) -> Type:
    return Type("tuple", tuple(widen(a) for a in args))


def _dict(args: list[Type]) -> Type:
    if len(args) % 2:
        raise TypeProblem(
            "G217", f"operator `dict` takes pairs of key and value, got {len(args)} arguments", "pair them"
        )
    keys, values = [widen(a) for a in args[::2]], [widen(a) for a in args[1::2]]
    unhashable = next((k for k in keys if k.name in UNHASHABLE), None)
    if unhashable is not None:
        raise TypeProblem("G217", f"a dict can't have a key of type {unhashable}", "use a key that can be hashed")
    return Type("dict", (union_of(keys), union_of(values))) if args else Type("dict", (ANY, ANY))


def _format(args: list[Type]) -> Type:
    if len(args) % 4 != 1:
        what = f"operator `format` takes a text and then four arguments for each value, got {len(args)}"
        raise TypeProblem("G217", what, "give it text, (value, conversion, spec, text) again and again")
    return STR


def _get_whole(args: list[Type]) -> Type:
    container, index = args
    if container.name == "tuple" and index.name == "literal":
        number = int(index.values[0]) if index.values[0].lstrip("-").isdigit() else len(container.args)
        if -len(container.args) <= number < len(container.args):
            return container.args[number]
    return _by_members("get", [widen(a) for a in args])


def _unpack(args: list[Type]) -> Type:
    value, count = args
    if count.name == "any":
        return ANY
    parts = int(count.values[0]) if count.name == "literal" else -1
    if value.name == "tuple" and len(value.args) == parts:
        return value
    item = iterated_type(value)
    if item is None or value.name == "tuple" or parts < 0:
        raise TypeProblem("G217", f"operator `unpack` can't take {value} into {parts} parts", _FIX)
    return Type("tuple", (item,) * parts)


_LAZY: Final = ("and", "or", "select")  # they don't evaluate all of their arguments
_WHOLE: Final[dict[str, Callable[[list[Type]], Type]]] = {
    "and": _either,
    "or": _either,
    "select": _select,
    "list": _list,
    "tuple": _tuple,
    "dict": _dict,
    "format": _format,
    "eq": _equal,
    "ne": _equal,
    "get": _get_whole,
    "unpack": _unpack,
    "unset": lambda _: NEVER,
    "attr": lambda _: ANY,  # `ir.infer` knows the fields
}
_ALWAYS: Final = {"is_none": BOOL, "not": BOOL, "bool": BOOL, "str": STR}
_RULES: Final[dict[str, Rule]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "truediv": _truediv,
    "floordiv": _floordiv,
    "mod": _mod,
    "pow": _pow,
    "neg": _sign,
    "pos": _sign,
    "abs": _sign,
    "lt": _order,
    "le": _order,
    "gt": _order,
    "ge": _order,
    "contains": _contains,
    "get": _get,
    "len": _len,
    "int": _to_int,
    "float": _to_float,
    "sum": _sum,
    "min": _extreme,
    "max": _extreme,
    "sorted": _sorted,
    "round": _round,
    **LIST_RULES,
}
