"""The meaning of the IR, on small programs: results, failures in program order, states, by-value hand-over."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from drawloom.errors import BoundReached, RunRefused
from drawloom.ir.check import check_pipeline
from drawloom.ir.interpret import Outcome, exception_names, interpret
from drawloom.ir.nodes import (
    Block,
    Branch,
    Call,
    Carry,
    Case,
    FunctionRef,
    Handler,
    Loop,
    Map,
    Node,
    Pipeline,
    PipelineCall,
    Port,
    TaskSpec,
    Try,
)
from drawloom.ir.operands import Apply, Carried, Caught, Const, Field, Item, Key, Operand, Output, Param, RunInfo
from drawloom.ir.policies import Policies, RetryPolicy
from drawloom.ir.program import Program
from drawloom.ir.tasks import EngineSpec
from drawloom.ir.types import ANY, STR, Type

LIST = Type("list", (ANY,))


class Missing(KeyError):
    pass


@dataclass
class Box:
    items: list[int]


class World:
    """Tasks that note what ran; `boom` fails the first `failures` times it is called with a value."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.failures = 10**9
        self.errors: dict[Any, int] = {}

    def same(self, value: Any) -> Any:
        self.log.append(value)
        return value

    def boom(self, value: Any) -> Any:
        self.log.append(f"boom {value}")
        self.errors[value] = self.errors.get(value, 0) + 1
        if self.errors[value] <= self.failures:
            raise Missing(value)
        return value

    def append(self, values: list[Any], value: Any) -> list[Any]:
        values.append(value)
        return values

    def leave(self, code: int) -> None:
        raise SystemExit(code)

    def functions(self) -> dict[str, Callable[..., Any]]:
        return {f"w:{name}": getattr(self, name) for name in ("same", "boom", "append", "leave")}


TASKS = tuple(
    TaskSpec(f"w:{name}", FunctionRef("w", name), tuple(Port(p) for p in params))
    for name, params in {
        "append": ("values", "value"),
        "boom": ("value",),
        "leave": ("code",),
        "same": ("value",),
    }.items()
)


def call(node: str, task: str, value: Operand | str, after: tuple[str, ...] = (), **more: Any) -> Call:
    operand = Const(value) if isinstance(value, str) else value
    name = "code" if task == "leave" else "value"
    return Call(node, f"w:{task}", ((name, operand),), after, **more)


def pipeline(*nodes: Node, result: Operand | None = None, params: tuple[Port, ...] = ()) -> Pipeline:
    given = (("result", result),) if result is not None else ()
    made = Pipeline("p", params, TASKS, Block(nodes, given), tuple(Port(name) for name, _ in given))
    assert [str(d) for d in check_pipeline(Program(made))] == []
    return made


def run(*nodes: Node, result: Operand | None = None, world: World | None = None) -> Outcome:
    return interpret(pipeline(*nodes, result=result), (world or World()).functions())


def give(operand: Operand, *nodes: Node) -> Block:
    return Block(nodes, (("result", operand),))


RESULT = (Port("result"),)
RESULTS = (Port("result", LIST),)


def test_a_straight_line_gives_its_result_and_each_commit() -> None:
    outcome = run(
        call("a", "same", "1"), call("b", "same", Apply("add", (Output("a"), Const("2")))), result=Output("b")
    )
    assert outcome.result == 3
    assert outcome.commits == {("a", ()): 1, ("b", ()): 3}
    assert outcome.states == {"a": "succeeded", "b": "succeeded"}


def test_a_pipeline_without_results_gives_none() -> None:
    assert run(call("a", "same", "1")).result is None


def test_parameters_take_their_defaults_and_others_are_refused() -> None:
    made = pipeline(result=Param("n"), params=(Port("n", default="[1]"), Port("m", STR)))
    assert interpret(made, {}, {"m": "x"}).result == [1]
    with pytest.raises(TypeError, match=r"p\(\) is missing the parameter 'm'"):
        interpret(made, {})
    with pytest.raises(TypeError, match=r"p\(\) got the unknown parameter 'k'"):
        interpret(made, {}, {"m": "x", "k": 1})


def test_run_infos_come_from_the_caller() -> None:
    assert interpret(pipeline(result=RunInfo("run_id")), {}, info={"run_id": "r-1"}).result == "r-1"


def test_a_failure_skips_what_needs_it_and_nothing_else() -> None:
    world = World()
    outcome = run(
        call("bad", "boom", "1"),
        call("after", "same", "2", after=("bad",)),
        call("user", "same", Output("bad")),
        call("free", "same", "3"),
        result=Output("free"),
        world=world,
    )
    assert outcome.states == {"bad": "failed", "after": "skipped", "user": "skipped", "free": "succeeded"}
    assert isinstance(outcome.failure, Missing)
    assert outcome.failed == ("bad", ())
    assert outcome.result is None
    assert world.log == ["boom 1", 3]


def test_of_several_failures_the_first_in_program_order_counts() -> None:
    outcome = run(call("a", "same", "1"), call("b", "boom", '"b"'), call("c", "boom", '"c"'))
    assert outcome.failed == ("b", ())


def test_an_input_that_cannot_be_evaluated_fails_its_node() -> None:
    outcome = run(call("a", "same", Apply("floordiv", (Const("1"), Const("0")))))
    assert isinstance(outcome.failure, ZeroDivisionError)
    assert outcome.states == {"a": "failed"}


def test_a_result_that_cannot_be_evaluated_fails_the_run() -> None:
    outcome = run(call("a", "same", "[]"), result=Output("a", path=(Key(0),)))
    assert isinstance(outcome.failure, IndexError)
    assert outcome.failed == ("", ())
    assert outcome.states == {"a": "succeeded"}


def test_a_task_may_end_with_system_exit() -> None:
    outcome = run(call("a", "leave", "3"))
    assert isinstance(outcome.failure, SystemExit)
    assert outcome.states == {"a": "failed"}


def test_hand_over_is_by_value() -> None:
    world = World()
    shared: list[Any] = [1]
    append = Call("more", "w:append", (("values", Output("first")), ("value", Const("2"))))
    again = Call("again", "w:append", (("values", Output("first")), ("value", Const("3"))))
    made = pipeline(
        call("first", "same", Param("xs")),
        append,
        again,
        result=Apply("list", (Output("first"), Output("more"), Output("again"))),
        params=(Port("xs"),),
    )
    outcome = interpret(made, world.functions(), {"xs": shared})
    assert outcome.result == [[1], [1, 2], [1, 3]]
    assert shared == [1]


def test_a_value_is_a_tree_so_shared_parts_come_apart() -> None:
    row: list[int] = []
    made = pipeline(
        Call("x", "w:append", (("values", Param("rows", (Key(0),))), ("value", Const("1")))),
        call("y", "same", Param("rows")),
        result=Output("y"),
        params=(Port("rows"),),
    )
    result = interpret(made, World().functions(), {"rows": [row, row]}).result
    assert result == [[], []]
    assert result[0] is not result[1]


def test_records_and_their_fields_travel() -> None:
    made = pipeline(call("a", "same", Param("box", (Field("items"),))), result=Output("a"), params=(Port("box"),))
    assert interpret(made, World().functions(), {"box": Box([1, 2])}).result == [1, 2]


# retries


def test_an_attempt_is_made_again_up_to_max_attempts() -> None:
    world = World()
    world.failures = 2
    three = Policies(RetryPolicy(3, delay_seconds=3600.0))
    assert run(call("a", "boom", "1", policies=three), result=Output("a"), world=world).result == 1
    world = World()
    world.failures = 3
    outcome = run(call("a", "boom", "1", policies=three), world=world)
    assert isinstance(outcome.failure, Missing)
    assert world.errors[1] == 3


@pytest.mark.parametrize(
    ("on", "attempts"),
    [((), 3), (("builtins:LookupError",), 3), (("builtins:ValueError", "infra"), 1), ((f"{__name__}:Missing",), 3)],
)
def test_only_the_named_exceptions_and_their_subclasses_are_tried_again(on: tuple[str, ...], attempts: int) -> None:
    world = World()
    run(call("a", "boom", "1", policies=Policies(RetryPolicy(3, on=on))), world=world)
    assert world.errors[1] == attempts


def test_an_attempt_does_not_see_what_the_one_before_did_to_its_input() -> None:
    seen: list[list[int]] = []

    def spoil(value: list[int]) -> None:
        seen.append(list(value))
        value.clear()
        raise ValueError

    made = pipeline(call("a", "same", "[1]", policies=Policies(RetryPolicy(2))))
    interpret(made, {"w:same": spoil})
    assert seen == [[1], [1]]


# maps


def map_(name: str, items: Operand, body: Block, **more: Any) -> Map:
    return Map(name, items, body, RESULTS, **more)


@pytest.mark.parametrize("items", ["[]", "[1]", "[3,1,2]"])
def test_a_map_gives_the_results_in_order(items: str) -> None:
    body = give(Output("f"), call("f", "same", Item("m")))
    outcome = run(map_("m", Const(items), body), result=Output("m"))
    assert outcome.result == json.loads(items)
    assert outcome.states["f"] == ("succeeded" if outcome.result else "skipped")


def test_a_map_over_a_set_runs_in_the_order_of_its_envelope() -> None:
    items = Const('{"$":"set","v":["a","b","c"]}')
    assert run(map_("m", items, give(Item("m"))), result=Output("m")).result == ["a", "b", "c"]


def test_items_after_a_failed_one_run_and_the_first_failure_counts() -> None:
    world = World()
    test = Case(Apply("gt", (Item("m"), Const("1"))), give(Output("bad"), call("bad", "boom", Item("m"))))
    choice = Branch("choice", (test,), give(Item("m")), RESULT)
    outcome = run(map_("m", Const("[1,3,2,0]"), give(Output("choice"), choice)), world=world)
    assert outcome.failed == ("bad", (1,))
    assert world.log == ["boom 3", "boom 2"]
    assert outcome.states == {"m": "failed", "choice": "failed", "bad": "failed"}
    assert outcome.instances["choice", (3,)] == "succeeded"


def test_nested_maps_number_their_instances_outer_first() -> None:
    inner = map_("inner", Item("outer"), give(Output("f"), call("f", "same", Item("inner"))))
    outcome = run(map_("outer", Const("[[1,2],[],[3]]"), give(Output("inner"), inner)), result=Output("outer"))
    assert outcome.result == [[1, 2], [], [3]]
    assert [key for key in outcome.commits if key[0] == "f"] == [("f", (0, 0)), ("f", (0, 1)), ("f", (2, 0))]


def test_a_map_over_what_cannot_be_iterated_over_fails() -> None:
    made = pipeline(map_("m", Param("n"), give(Item("m"))), params=(Port("n"),))
    outcome = interpret(made, {}, {"n": 3})
    assert isinstance(outcome.failure, TypeError)
    assert outcome.states == {"m": "failed"}


def test_a_control_node_behind_a_failure_is_skipped_with_all_it_holds() -> None:
    world = World()
    body = give(Output("f"), call("f", "same", "1"), call("g", "same", Output("bad")))
    outcome = run(call("bad", "boom", "1"), map_("m", Const("[1]"), body), world=world)
    assert outcome.states == {"bad": "failed", "m": "skipped", "f": "skipped", "g": "skipped"}
    assert world.log == ["boom 1"]


# branches


@pytest.mark.parametrize(("value", "expected"), [(0, "none"), (1, "one"), (2, "two"), ("", "none")])
def test_the_first_true_case_is_taken(value: Any, expected: str) -> None:
    cases = (
        Case(Apply("eq", (Param("n"), Const("2"))), give(Const('"two"'))),
        Case(Param("n"), give(Output("f"), call("f", "same", '"one"'))),
    )
    made = pipeline(Branch("b", cases, give(Const('"none"')), RESULT), result=Output("b"), params=(Port("n"),))
    outcome = interpret(made, World().functions(), {"n": value})
    assert outcome.result == expected
    assert outcome.states["f"] == ("succeeded" if expected == "one" else "skipped")


# loops


def loop(limit: int, on_limit: str = "fail", *nodes: Node, after: tuple[str, ...] = ()) -> Loop:
    step = Output(nodes[-1].id) if nodes else Apply("add", (Carried("l", "i"), Const("1")))
    test = Block((call("t", "same", Carried("l", "i")),), (("test", Apply("lt", (Output("t"), Const("3")))),))
    return Loop("l", (Carry("i", Const("0")),), test, Block(nodes, (("i", step),)), limit, on_limit, after)


def test_a_loop_ends_when_its_test_is_false() -> None:
    outcome = run(loop(3), result=Output("l", "i"))
    assert outcome.result == 3
    assert sorted(key for key in outcome.commits) == [("t", (k,)) for k in range(4)]


def test_a_loop_whose_test_stays_true_fails_or_stops_as_it_says() -> None:
    outcome = run(loop(2))
    assert isinstance(outcome.failure, BoundReached)
    assert str(outcome.failure) == "the loop's test is still true after max_iterations=2 iterations"
    assert outcome.failed == ("l", ())
    assert run(loop(2, "stop"), result=Output("l", "i")).result == 2


def test_a_loop_ends_with_the_iteration_that_fails() -> None:
    world = World()
    outcome = run(loop(3, "fail", call("f", "boom", Carried("l", "i"))), world=world)
    assert outcome.failed == ("f", (0,))
    assert world.log == [0, "boom 0"]


# tries


def guard(body: Block, *handlers: Handler, final: Block | None = None) -> Try:
    return Try("g", body, handlers, final, RESULT)


BAD = give(Output("bad"), call("bad", "boom", "7"))


@pytest.mark.parametrize(
    "name", [f"{__name__}:Missing", "builtins:KeyError", "builtins:LookupError", "builtins:Exception"]
)
def test_a_handler_is_for_its_class_and_the_classes_under_it(name: str) -> None:
    outcome = run(guard(BAD, Handler((name,), give(Const("0")))), result=Output("g"))
    assert outcome.result == 0
    assert outcome.failure is None
    assert outcome.states == {"g": "succeeded", "bad": "failed"}


def test_the_first_handler_that_matches_is_taken_and_sees_the_failure() -> None:
    facts = Apply("list", tuple(Caught("g", (Field(name),)) for name in ("type", "message", "node")))
    handlers = (
        Handler(("builtins:ValueError",), give(Const("1"))),
        Handler(("builtins:TypeError", "builtins:LookupError"), give(Output("h"), call("h", "same", facts))),
        Handler(("builtins:Exception",), give(Const("3"))),
    )
    assert run(guard(BAD, *handlers), result=Output("g")).result == [f"{__name__}:Missing", "7", "bad"]


def test_a_failure_without_a_handler_goes_on() -> None:
    outcome = run(guard(BAD, Handler(("builtins:ValueError",), give(Const("0")))), call("next", "same", Output("g")))
    assert outcome.failed == ("bad", ())
    assert outcome.states == {"g": "failed", "bad": "failed", "next": "skipped"}


def test_the_first_failure_in_program_order_picks_the_handler() -> None:
    body = give(
        Output("bad"),
        call("quit", "leave", "1"),
        call("bad", "boom", "7"),
    )
    handlers = (Handler(("builtins:KeyError",), give(Const("1"))), Handler(("builtins:SystemExit",), give(Const("2"))))
    assert run(guard(body, *handlers), result=Output("g")).result == 2


def test_a_result_of_the_body_that_cannot_be_evaluated_is_caught() -> None:
    body = give(Output("f", path=(Key(5),)), call("f", "same", "[]"))
    assert run(guard(body, Handler(("builtins:IndexError",), give(Const("1")))), result=Output("g")).result == 1


def test_final_runs_in_any_case_and_last() -> None:
    for body, handlers in (
        (give(Const("1"), call("ok", "same", '"body"')), ()),
        (BAD, ()),
        (BAD, (Handler(("builtins:KeyError",), give(Const("0"), call("h", "same", '"handler"'))),)),
        (BAD, (Handler(("builtins:KeyError",), give(Output("h"), call("h", "boom", "8"))),)),
    ):
        world = World()
        run(guard(body, *handlers, final=Block((call("last", "same", '"final"'),))), world=world)
        assert world.log[-1] == "final"


def test_a_failure_in_final_replaces_the_one_before() -> None:
    outcome = run(guard(BAD, final=Block((call("last", "boom", "9"),))))
    assert outcome.failed == ("last", ())
    assert outcome.states == {"g": "failed", "bad": "failed", "last": "failed"}


def test_final_does_not_run_where_the_try_was_never_reached() -> None:
    world = World()
    body = give(Const("1"), call("f", "same", Output("first")))
    outcome = run(
        call("first", "boom", "1"),
        guard(body, Handler(("builtins:Exception",), give(Const("0"))), final=Block((call("last", "same", "1"),))),
        world=world,
    )
    assert outcome.states == {"first": "failed", "g": "skipped", "f": "skipped", "last": "skipped"}
    assert world.log == ["boom 1"]


# the rest


def test_a_nested_pipeline_is_its_body() -> None:
    group = PipelineCall("g", "inner", give(Output("f"), call("f", "same", "4")), (), RESULT)
    assert run(group, result=Output("g")).result == 4


def test_what_only_an_engine_runs_is_refused() -> None:
    tasks = (TaskSpec("ml:box", FunctionRef("ml", "box"), engine=EngineSpec("argo", "{}")),)
    pipeline = Pipeline("p", tasks=tasks, body=Block((Call("box", "ml:box"),)))
    with pytest.raises(RunRefused) as refused:
        interpret(pipeline, {})
    assert str(refused.value) == (
        "error[G231] `box` is a node that only argo has; the reference interpreter runs Python tasks only\n"
        "  fix    compile the pipeline for an engine that has it, or put a @task in its place"
    )


def test_and_or_and_select_evaluate_what_python_evaluates() -> None:
    bad = Apply("floordiv", (Const("1"), Const("0")))
    lazy = Apply("list", (Apply("and", (Const("0"), bad)), Apply("or", (Const("1"), bad))))
    assert run(result=lazy).result == [0, 1]
    assert run(result=Apply("select", (Const("true"), Const("1"), bad))).result == 1


def test_effects_keep_program_order() -> None:
    world = World()
    run(
        call("one", "same", "1"),
        map_("m", Const("[2,3]"), give(Const("null"), call("f", "same", Item("m"))), after=("one",)),
        call("last", "same", "4", after=("m",)),
        world=world,
    )
    assert world.log == [1, 2, 3, 4]


def test_exception_names_are_those_of_the_method_resolution_order() -> None:
    names = exception_names(Missing(1))
    assert names[:3] == (f"{__name__}:Missing", "builtins:KeyError", "builtins:LookupError")
    assert names[-1] == "builtins:object"


def test_a_keyboard_interrupt_ends_the_interpreter() -> None:
    def stop(value: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interpret(pipeline(call("a", "same", "1")), {"w:same": stop})
