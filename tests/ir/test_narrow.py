"""What tests tell of values is true of them, whatever the values are."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from drawloom.ir.evaluate import evaluate
from drawloom.ir.narrow import Facts, Truth, facts, narrowed, together, told_by
from drawloom.ir.operands import Apply, Const, Operand, Output, Param
from drawloom.ir.types import ANY, INT, NEVER, NONE, Type

NAMES = ("a", "b", "c")
OPTIONAL = Type("union", (INT, NONE))
FLAG = Output("node", "flag")


def _tests(leaves: st.SearchStrategy[Operand]) -> st.SearchStrategy[Operand]:
    def larger(inner: st.SearchStrategy[Operand]) -> st.SearchStrategy[Operand]:
        two = st.tuples(inner, inner)
        return (
            st.builds(Apply, st.sampled_from(["not", "bool"]), st.tuples(inner))
            | st.builds(Apply, st.sampled_from(["and", "or"]), two)
            | st.builds(Apply, st.just("select"), st.tuples(inner, inner, inner))
        )

    return st.recursive(leaves, larger, max_leaves=6)


PARAMS = st.sampled_from([Param(name) for name in NAMES])
LEAVES = (
    PARAMS
    | st.sampled_from([Const("true"), Const("false"), Const("null"), Const("0")])
    | st.builds(lambda p: Apply("is_none", (p,)), PARAMS)
    | st.builds(lambda op, p: Apply(op, (p, Const("null"))), st.sampled_from(["eq", "ne"]), PARAMS)
    | st.builds(lambda op, p: Apply(op, (Const("null"), p)), st.sampled_from(["eq", "ne"]), PARAMS)
)
VALUES = st.fixed_dictionaries({name: st.sampled_from([None, 0, 1]) for name in NAMES})


def _value(operand: Operand, values: dict[str, Any], flag: object = None) -> Any:
    def lookup(reference: Any) -> Any:
        return flag if reference == FLAG else values[reference.name]

    return evaluate(operand, lookup, lambda const: {"true": True, "false": False, "null": None, "0": 0}[const.json])


def _holds(known: Facts, values: dict[str, Any], flag: object = None) -> bool:
    return all(_is_so(about, values, flag) is told for about, told in known.items())


def _is_so(about: Operand | Truth, values: dict[str, Any], flag: object) -> bool:
    if isinstance(about, Truth):
        return bool(_value(about.operand, values, flag))
    return _value(about, values, flag) is None


@given(_tests(LEAVES), VALUES)
def test_what_a_test_tells_is_so(test: Operand, values: dict[str, Any]) -> None:
    assert _holds(facts(test, bool(_value(test, values))), values)


@given(st.lists(st.tuples(_tests(LEAVES), _tests(LEAVES)), min_size=1, max_size=3), _tests(LEAVES), VALUES, st.data())
def test_what_the_flag_of_a_branch_tells_is_so(
    cases: list[tuple[Operand, Operand]], otherwise: Operand, values: dict[str, Any], data: st.DataObject
) -> None:
    arms: list[tuple[Facts, Operand]] = []
    untaken: Facts = {}
    for test, flag in cases:
        arms.append((together(untaken, facts(test, truth=True)), flag))
        untaken = together(untaken, facts(test, truth=False))
    arms.append((untaken, otherwise))
    taken = next((k for k, (test, _) in enumerate(cases) if _value(test, values)), len(cases))
    value = _value(arms[taken][1], values)
    told = {FLAG: told_by(arms, {})}
    around = data.draw(_tests(LEAVES | st.just(FLAG)))
    assert _holds(facts(around, bool(_value(around, values, value)), told), values, value)


def test_an_arm_that_gives_nothing_tells_nothing() -> None:
    none, some = {Param("a"): True}, {Param("a"): False}
    arms = [(none, Apply("unset", ())), (some, Const("true")), (some, Param("b"))]
    assert told_by(arms, {}) == ({Param("a"): False, Truth(Param("b")): False}, {Param("a"): False})


def test_an_arm_that_can_not_give_a_flag_tells_nothing_of_it() -> None:
    ready = Output("other", "ready")
    arms = [({Truth(ready): True, Param("a"): False}, Const("true")), ({Truth(ready): False}, ready)]
    assert told_by(arms, {})[1] == arms[0][0]


def test_facts_that_contradict_each_other_leave_no_value() -> None:
    both = together({Param("a"): True}, {Param("a"): False})
    assert both == {Param("a"): None}
    assert together(both, {Param("a"): True}) == both
    assert narrowed(OPTIONAL, None) == NEVER
    assert [narrowed(OPTIONAL, known) for known in (True, False)] == [NONE, INT]
    assert narrowed(ANY, is_none=True) == NONE
