"""Decisions that ask no more than one call's result, and can't fail: how many items a list has, how a number compares.

Such a decision may be made by the step of the call itself: it never ends that step otherwise than the call does.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final

from drawloom.compilers.passes.operand_types import OperandTypes
from drawloom.ir.nodes import Branch, Map
from drawloom.ir.operands import Apply, Const, Operand, Output
from drawloom.ir.walk import references

__all__ = ["sure_of"]

_LISTS: Final = ("list", "tuple", "set", "frozenset")  # their items can be counted, whatever they are
_COMPARISONS: Final = ("eq", "ne", "lt", "le", "gt", "ge")
_SCALARS: Final = {"int": "number", "float": "number", "bool": "number", "str": "text"}


def sure_of(node: Map | Branch, calls: Container[str], types: OperandTypes) -> str:
    """The id of the call whose result is all that a map or a branch needs to decide, surely; "" if there is none.

    Args:
        node: the map or the branch.
        calls: the ids of calls that may be asked.
        types: the types of the pipeline's operands.
    """
    asked = [node.items] if isinstance(node, Map) else [case.test for case in node.cases]
    found = {reference for operand in asked for reference in references(operand)}
    names = {one.node if isinstance(one, Output) else "" for one in found}
    call = names.pop() if len(names) == 1 else ""
    if call not in calls:
        return ""
    if isinstance(node, Map):
        sure = node.items == Output(call) and types.of(node.items).name in _LISTS
    else:
        sure = _are_sure(asked, types)
    return call if sure else ""


def _are_sure(tests: Iterable[Operand], types: OperandTypes) -> bool:
    return all(_is_sure(test, types) for test in tests)


def _is_sure(test: Operand, types: OperandTypes) -> bool:
    """Whether a test is of numbers and texts in such a way that computing it can't fail."""
    if not isinstance(test, Apply):
        return _scalar(test, types) != ""
    if test.op in ("and", "or", "not"):
        return _are_sure(test.args, types)
    kinds = {_scalar(arg, types) for arg in test.args}
    return test.op in _COMPARISONS and len(kinds) == 1 and "" not in kinds


def _scalar(operand: Operand, types: OperandTypes) -> str:
    """`number` or `text` for a constant, or a call's whole result, that is one; else ""."""
    if isinstance(operand, Const) or (isinstance(operand, Output) and not operand.path):
        return _SCALARS.get(str(types.of(operand)), "")
    return ""
