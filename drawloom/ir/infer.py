"""The type of an operand: paths through records, containers and unions, and the operators.

What can't be known gives `any`: members of classes whose fields aren't declared, operators on frames and arrays. What
would certainly raise in Python is a `TypeProblem`, so that a wrong edge is found before anything runs.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Final, Protocol

from drawloom.errors import did_you_mean
from drawloom.ir.assign import RECORDS, assignable, const_type, union_of, widen
from drawloom.ir.narrow import Facts, Told, facts, narrowed
from drawloom.ir.operands import Apply, Const, Field, Key, Operand, Reference, RunInfo
from drawloom.ir.operators import operator_type
from drawloom.ir.problems import TypeProblem
from drawloom.ir.types import ANY, INT, NEVER, STR, Type
from drawloom.ir.walk import with_path

__all__ = ["RUN_INFO", "Scope", "TypeProblem", "member_type", "operand_type", "path_type"]

RUN_INFO: Final = {
    "run_id": STR,
    "logical_time": Type("datetime"),
    "interval_start": Type("datetime"),
    "interval_end": Type("datetime"),
}
_SECOND_PARTS: Final = {"hour": INT, "minute": INT, "second": INT, "microsecond": INT, "fold": INT, "tzinfo": ANY}
_DAY_PARTS: Final = {"year": INT, "month": INT, "day": INT}
_NUMBER_PARTS: Final = {"real": INT, "imag": INT, "numerator": INT, "denominator": INT}
# the data attributes of types without declared fields; the names left out here have members nobody declared
_ATTRIBUTES: Final[dict[str, dict[str, Type]]] = {
    "none": {},
    "bool": _NUMBER_PARTS,
    "int": _NUMBER_PARTS,
    "float": {"real": Type("float"), "imag": Type("float")},
    "str": {},
    "bytes": {},
    "datetime": _DAY_PARTS | _SECOND_PARTS,
    "date": _DAY_PARTS,
    "time": _SECOND_PARTS,
    "timedelta": {"days": INT, "seconds": INT, "microseconds": INT},
    "decimal": {"real": Type("decimal"), "imag": Type("decimal")},
    "list": {},
    "set": {},
    "frozenset": {},
    "dict": {},
    "typeddict": {},
    "tuple": {},
    "tuple_of": {},
    "enum": {"name": STR, "value": ANY},
    "failure": {"type": STR, "message": STR, "node": STR},
}


class Scope(Protocol):
    """What an operand is typed against: the references it may hold, and where problems go."""

    def reference(self, reference: Reference) -> Type:
        """The type a reference has before its path is followed; `any` if it leads nowhere (and that is reported)."""
        ...

    @property
    def known(self) -> Facts:
        """What the tests around tell of operands."""
        ...

    @property
    def told(self) -> Told:
        """What the flags tell that nodes give."""
        ...

    def under(self, facts: Facts) -> AbstractContextManager[None]:
        """Where these facts hold too."""
        ...

    def problem(self, problem: TypeProblem) -> None:
        """Takes note of a path or an operator that can't be; the operand goes on as `any`."""
        ...


def operand_type(operand: Operand, scope: Scope) -> Type:
    """The type of an operand.

    Args:
        operand: a constant, a reference or an expression.
        scope: types the references and collects the problems.
    """
    try:
        if isinstance(operand, Const):
            return const_type(operand.json)
        if isinstance(operand, Apply):
            types = _argument_types(operand, scope)
            if operand.op == "attr" and isinstance(operand.args[1], Const):
                return _with_facts(member_type(types[0], Field(json.loads(operand.args[1].json))), operand, scope)
            found = operator_type(operand.op, types)
            return _with_facts(found, operand, scope)
        return _reference_type(operand, scope)
    except TypeProblem as problem:
        scope.problem(problem)
        return ANY


def _argument_types(operand: Apply, scope: Scope) -> list[Type]:
    """The types of the arguments; of an operand that is evaluated only if another allows it, where that holds."""
    if operand.op not in ("and", "or", "select"):
        return [operand_type(a, scope) for a in operand.args]
    test, *rest = operand.args
    first = operand_type(test, scope)
    if operand.op == "or":  # the first is the outcome only if it is true
        first = narrowed(first, is_none=False)
    truths = (True, False) if operand.op == "select" else (operand.op == "and",)
    types = [first]
    for truth, argument in zip(truths, rest, strict=True):
        with scope.under(facts(test, truth, scope.told)):
            types.append(operand_type(argument, scope))
    return types


def _reference_type(reference: Reference, scope: Scope) -> Type:
    start = scope.reference(reference)
    if isinstance(reference, RunInfo):
        return start
    if not scope.known:
        return path_type(start, reference.path)
    found = _with_facts(start, with_path(reference, ()), scope)
    for length, step in enumerate(reference.path, 1):
        found = _with_facts(member_type(found, step), with_path(reference, reference.path[:length]), scope)
    return found


def _with_facts(type_: Type, operand: Operand, scope: Scope) -> Type:
    known = scope.known
    return narrowed(type_, known[operand]) if operand in known else type_


def path_type(type_: Type, path: tuple[Field | Key, ...]) -> Type:
    """The type of the part of a value that a path leads to.

    Raises:
        TypeProblem: there is no such part (G215), or an index is outside a tuple (G216).
    """
    for step in path:
        type_ = member_type(type_, step)
    return type_


def member_type(type_: Type, step: Field | Key) -> Type:
    """The type of an attribute or an item of a value of `type_`.

    Raises:
        TypeProblem: the type has no such field or key (G215), or the index is outside a tuple (G216).
    """
    if type_.name == "any" or type_ == NEVER:
        return type_
    if type_.name == "union":
        return union_of([_of_member(member, step, type_) for member in type_.args])
    if type_.name == "literal":
        return member_type(widen(type_), step)
    return _field(type_, step.name) if isinstance(step, Field) else _item(type_, step.key)


def _of_member(member: Type, step: Field | Key, union: Type) -> Type:
    try:
        return member_type(member, step)
    except TypeProblem as problem:
        if member.name != "none":
            raise
        what = f"{problem.what}, and the value is {union}"
        fix = "handle the None first: branch on `is_none(...)`, or make the task return a value in every case"
        raise TypeProblem(problem.code, what, fix) from None


def _field(type_: Type, name: str) -> Type:
    fields = dict(type_.fields)
    if type_.name in RECORDS - {"typeddict"} and fields:
        if name in fields:
            return fields[name]
        fix = f"its fields are {', '.join(f'`{f}`' for f in fields)}; compute anything else in a @task"
        raise TypeProblem("G215", f"{type_} has no field `{name}`{did_you_mean(name, fields)}", fix)
    attributes = _ATTRIBUTES.get(type_.name)
    if attributes is None:
        return ANY
    if name in attributes:
        return attributes[name]
    fix = f'use `["{name}"]`' if type_.name in ("typeddict", "dict") else "compute it in a @task"
    raise TypeProblem("G215", f"{type_} has no field `{name}`{did_you_mean(name, attributes)}", fix)


def _item(type_: Type, key: str | int) -> Type:
    name = type_.name
    if name in ("list", "tuple_of", "str", "bytes"):
        if isinstance(key, int):
            return {"str": STR, "bytes": INT}[name] if name in ("str", "bytes") else type_.args[0]
        raise TypeProblem("G215", f"{type_} has no key {key!r}: it is indexed by int", "index it with a number")
    if name == "dict":
        if assignable(INT if isinstance(key, int) else STR, type_.args[0]) or type_.args[0].name in ("literal", "enum"):
            return type_.args[1]
        raise TypeProblem("G215", f"{type_} has no key {key!r}: its keys are {type_.args[0]}", "use a key of that type")
    if name in ("tuple", "namedtuple"):
        return _tuple_item(type_, key)
    if name == "typeddict":
        return _typeddict_item(type_, key)
    if name in _ATTRIBUTES or name in ("uuid", "figure", "file", "directory", "secret"):
        raise TypeProblem("G215", f"{type_} can't be indexed, got [{key!r}]", "take the part in a @task")
    if name in ("dataclass", "pydantic") and type_.fields:
        raise TypeProblem(
            "G215", f"{type_} can't be indexed, got [{key!r}]", f"use its fields: `.{type_.fields[0][0]}`"
        )
    return ANY


def _tuple_item(type_: Type, key: str | int) -> Type:
    parts = type_.args if type_.name == "tuple" else tuple(t for _, t in type_.fields)
    if isinstance(key, str):
        raise TypeProblem("G215", f"{type_} has no key {key!r}: it is indexed by int", "index it with a number")
    if -len(parts) <= key < len(parts):
        return parts[key]
    if type_.name == "namedtuple" and not parts:  # a recursive record, cut off
        return ANY
    what = f"index {key} is outside {type_}, which has {len(parts)} items"
    raise TypeProblem(
        "G216", what, f"use an index from {-len(parts)} to {len(parts) - 1}" if parts else "don't index it"
    )


def _typeddict_item(type_: Type, key: str | int) -> Type:
    fields = dict(type_.fields)
    if not fields or key in fields:
        return fields[str(key)] if fields else ANY
    fix = f"its keys are {', '.join(repr(f) for f in fields)}"
    raise TypeProblem("G215", f"{type_} has no key {key!r}{did_you_mean(str(key), fields)}", fix)
