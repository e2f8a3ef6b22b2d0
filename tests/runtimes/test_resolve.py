"""Operands to trees: paths, control nodes followed by their decisions, lazy operators, loops of any length."""

import pytest
import sample_tasks as tasks
from sample_programs import Sheet, const, out

from drawloom.ir.envelope import decode, encode
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Block, Branch, Carry, Case, Handler, Loop, Map, PipelineCall, Port, Try
from drawloom.ir.operands import Apply, Carried, Caught, Item, Key, Param, RunInfo
from drawloom.runtimes.resolve import Resolver, UpstreamFailed, item_trees
from drawloom.storage.local import LocalStorage
from drawloom.storage.objects import Objects
from drawloom.values.store import Values

RESULT = (Port("result"),)


class Outcomes:
    """Outcomes as dicts of plain values."""

    def __init__(self, outputs=None, decisions=None, params=None, caught=None):
        self.outputs, self.decisions, self.params, self.caughts = (
            outputs or {},
            decisions or {},
            params or {},
            caught or {},
        )

    def output(self, node, index, port):
        assert port == "result"
        if (node, index) not in self.outputs:
            raise UpstreamFailed(node, index)
        return encode(self.outputs[node, index])

    def decision(self, node, index):
        return self.decisions[node, index]

    def param(self, name):
        return encode(self.params[name])

    def info(self, field):
        return f"the {field}"

    def caught(self, node, index):
        return encode(self.caughts[node, index])


@pytest.fixture
def resolver(tmp_path):
    def make(nodes, **outcomes):
        program = Sheet().program(*nodes)
        values = Values(Objects(LocalStorage(str(tmp_path))))
        return Resolver(layout(program.pipeline), Outcomes(**outcomes), values)

    return make


def test_a_path_is_followed(resolver):
    found = resolver((), params={"p": {"a": [1, (2, 3)]}})
    assert found.tree(Param("p", (Key("a"), Key(-1), Key(0)))) == 2


def test_a_missing_key_raises_as_in_python(resolver):
    with pytest.raises(KeyError, match="b"):
        resolver((), params={"p": {"a": 1}}).tree(Param("p", (Key("b"),)))


def test_facts_about_the_run_are_found(resolver):
    assert resolver(()).tree(RunInfo("run_id")) == "the run_id"


def call(node="c"):
    return Sheet().call(node, tasks.one)


def test_a_call_is_seen_at_its_own_depth_from_an_inner_index(resolver):
    found = resolver((call(),), outputs={("c", ()): 7})
    assert found.tree(out("c"), (4, 2)) == 7


def test_a_failed_call_is_upstream_failed(resolver):
    with pytest.raises(UpstreamFailed) as caught:
        resolver((call(),)).tree(out("c"))
    assert (caught.value.node, caught.value.index) == ("c", ())


def test_a_group_gives_its_bodys_result(resolver):
    group = PipelineCall("g", "inner", Block((call(),), (("result", out("c")),)), (), RESULT)
    assert resolver((group,), outputs={("c", ()): 7}).tree(out("g")) == 7


def test_a_map_gives_the_list_of_its_items_results_in_order(resolver):
    node = Map("m", const([5, 6]), Block((call(),), (("result", out("c")),)), RESULT)
    found = resolver((node,), outputs={("c", (0,)): "x", ("c", (1,)): "y"}, decisions={("m", ()): 2})
    assert found.tree(out("m")) == ["x", "y"]


def test_an_empty_map_gives_an_empty_list(resolver):
    node = Map("m", const([]), Block((call(),), (("result", out("c")),)), RESULT)
    assert resolver((node,), decisions={("m", ()): 0}).tree(out("m")) == []


def test_an_item_is_that_of_its_own_index(resolver):
    inner = Map("inner", Item("outer"), Block(), RESULT)
    found = resolver((Map("outer", const([[1, 2], [3]]), Block((inner,)), RESULT),))
    assert found.tree(Item("outer"), (1, 0)) == [3]
    assert found.tree(Item("inner"), (0, 1)) == 2


@pytest.mark.parametrize(
    ("value", "items"),
    [([1, 2], [1, 2]), ((1, "a"), [1, "a"]), ({3, 1, 2}, [1, 2, 3]), ("ab", ["a", "b"]), ({"k": 1}, ["k"])],
)
def test_items_come_in_order(resolver, value, items):
    assert item_trees(encode(value), resolver(())._values) == items


@pytest.mark.parametrize("value", [None, 3])
def test_what_python_does_not_iterate_over_has_no_items(resolver, value):
    with pytest.raises(TypeError, match="not iterable"):
        item_trees(encode(value), resolver(())._values)


@pytest.mark.parametrize(("arm", "expected"), [(0, "yes"), (1, "no")])
def test_a_branch_gives_the_chosen_arms_result(resolver, arm, expected):
    node = Branch(
        "b", (Case(const(True), Block((), (("result", const("yes")),))),), Block((), (("result", const("no")),))
    )
    assert resolver((node,), decisions={("b", ()): arm}).tree(out("b")) == expected


@pytest.mark.parametrize(("arm", "expected"), [(0, "fine"), (1, "boom")])
def test_a_try_gives_the_bodys_or_the_handlers_result(resolver, arm, expected):
    handler = Handler(("builtins:ValueError",), Block((), (("result", Caught("t", (Key(0),))),)))
    node = Try("t", Block((), (("result", const("fine")),)), (handler,), None, RESULT)
    found = resolver((node,), decisions={("t", ()): arm}, caught={("t", ()): ["boom"]})
    assert found.tree(out("t")) == expected


def test_an_unhandled_try_is_upstream_failed(resolver):
    with pytest.raises(UpstreamFailed):
        resolver((Try("t", Block()),), decisions={("t", ()): -1}).tree(out("t"))


def counting(count):
    body = Block((), (("n", Apply("add", (Carried("l", "n"), Carried("l", "step")))), ("step", Carried("l", "step"))))
    return Loop("l", (Carry("n", const(0)), Carry("step", const(2))), Block((), (("test", const(True)),)), body, count)


def test_a_loop_gives_the_carried_values_after_its_last_iteration(resolver):
    found = resolver((counting(9),), decisions={("l", ()): 3})
    assert (found.tree(out("l", "n")), found.tree(out("l", "step"))) == (6, 2)


def test_a_long_loop_of_expressions_needs_no_deep_stack(resolver):
    assert resolver((counting(5000),), decisions={("l", ()): 5000}).tree(out("l", "n")) == 10000


def test_a_carried_value_is_found_in_any_iteration_in_any_order(resolver):
    found = resolver((counting(9),))
    assert [found.tree(Carried("l", "n"), (k,)) for k in (4, 1, 0, 5, 4)] == [8, 2, 0, 10, 8]


def failing():
    return Apply("truediv", (const(1), const(0)))


@pytest.mark.parametrize(
    ("operand", "expected"),
    [
        (Apply("and", (const(0), failing())), 0),
        (Apply("or", (const("a"), failing())), "a"),
        (Apply("select", (const([1]), const("then"), failing())), "then"),
        (Apply("select", (const({}), failing(), const("else"))), "else"),
        (Apply("is_none", (const(None),)), True),
        (Apply("is_none", (const([]),)), False),
        (Apply("list", (const(1), const(2))), [1, 2]),
        (Apply("tuple", (const(1), const(2))), (1, 2)),
        (Apply("len", (const([1, 2, 3]),)), 3),
        (Apply("len", (const("four"),)), 4),
        (Apply("get", (const({"k": (1, 2)}), const("k"))), (1, 2)),
        (Apply("get", (const({2: "two"}), const(2.0))), "two"),
        (Apply("get", (const("text"), const(-1))), "t"),
        (Apply("mul", (const(2**60), const(8))), 2**63),
        (Apply("dict", (const("a"), const(1), const(True), const(2), const(1), const(3))), {"a": 1, True: 3}),
    ],
)
def test_operators_mean_what_they_mean_in_python(resolver, operand, expected):
    tree = resolver(()).tree(operand)
    assert decode(tree) == expected
    assert type(decode(tree)) is type(expected)


def test_a_dict_keeps_the_order_of_its_display(resolver):
    operand = Apply("dict", (const("z"), const(1), const("a"), const(2)))
    assert list(decode(resolver(()).tree(operand))) == ["z", "a"]


def test_an_unhashable_key_is_refused_as_in_python(resolver):
    with pytest.raises(TypeError, match="unhashable"):
        resolver(()).tree(Apply("dict", (const([]), const(1))))


def test_an_operator_raises_what_it_raises_in_python(resolver):
    with pytest.raises(ZeroDivisionError):
        resolver(()).tree(failing())
