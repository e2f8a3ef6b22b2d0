"""Decisions that ask no more than one call's result, and can't fail: how many items a list has, how a number compares.

Such a decision may be made by the step of the call itself: it never ends that step otherwise than the call does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from drawloom.ir.nodes import Branch, Map
from drawloom.ir.operands import Apply, Const, Operand, Output
from drawloom.ir.types import Type
from drawloom.ir.walk import references

__all__ = ["sure_of"]

_LISTS: Final = ("list", "tuple", "set", "frozenset")  # their items can be counted, whatever they are
_COMPARISONS: Final = ("eq", "ne", "lt", "le", "gt", "ge")
_SCALARS: Final = {"int": "number", "float": "number", "bool": "number", "str": "text"}


def sure_of(node: Map | Branch, results: Mapping[str, Type]) -> str:
    """The id of the call whose result is all that a map or a branch needs to decide, surely; "" if there is none.

    Args:
        node: the map or the branch.
        results: the type of each call's result, by the call's id.
    """
    asked = [node.items] if isinstance(node, Map) else [case.test for case in node.cases]
    found = {reference for operand in asked for reference in references(operand)}
    calls = {one.node for one in found if isinstance(one, Output) and one.node in results}
    if len(calls) != 1 or not all(isinstance(one, Output) and one.node in calls for one in found):
        return ""
    (call,) = calls
    if isinstance(node, Map):
        sure = node.items == Output(call) and results[call].name in _LISTS
    else:
        sure = _are_sure(asked, results)
    return call if sure else ""


def _are_sure(tests: Sequence[Operand], results: Mapping[str, Type]) -> bool:
    """Whether tests are of numbers and texts in such a way that computing them can't fail."""
    for test in tests:
        if not isinstance(test, Apply):
            sure = _scalar(test, results) != ""
        elif test.op in ("and", "or", "not"):
            sure = _are_sure(test.args, results)
        else:
            kinds = {_scalar(arg, results) for arg in test.args}
            sure = test.op in _COMPARISONS and len(kinds) == 1 and "" not in kinds
        if not sure:
            return False
    return True


def _scalar(operand: Operand, results: Mapping[str, Type]) -> str:
    """`number` or `text` for a constant, or a call's whole result, that is one; else ""."""
    if isinstance(operand, Const):
        return _SCALARS.get(type(json.loads(operand.json)).__name__, "")
    if not isinstance(operand, Output) or operand.path:
        return ""
    return _SCALARS.get(str(results[operand.node]), "")
