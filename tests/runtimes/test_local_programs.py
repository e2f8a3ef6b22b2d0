"""Every executor gives what the reference interpreter gives: result or exception, states, values of each instance."""

import pytest
import sample_tasks as tasks
from sample_programs import Sheet, const, listed, out

from drawloom.errors import RunFailed
from drawloom.ir.interpret import interpret
from drawloom.ir.nodes import Block, Branch, Carry, Case, Handler, Loop, Map, PipelineCall, Port, Try
from drawloom.ir.operands import Apply, Carried, Caught, Item, Key, Param
from drawloom.ir.policies import Parallelism, Policies, RetryPolicy
from drawloom.runtimes.local import run_local

RESULT = (Port("result"),)
UNLUCKY = ("sample_tasks:Unlucky",)
EXECUTORS = ("inline", "threads", "processes")


def straight(sheet):
    one = sheet.call("one", tasks.one)
    two = sheet.call("two", tasks.add, a=out("one"), b=Param("n"))
    return (one, two), Apply("mul", (out("two"), const(10))), {"n": 4}


def fan_out(sheet, width, limit=None):
    body = Block((sheet.call("twice", tasks.double, n=Item("each")),), (("result", out("twice")),))
    each = Map("each", out("made"), body, RESULT, parallelism=Parallelism(limit) if limit else None)
    made = sheet.call("made", tasks.numbers, n=Param("n"))
    return (made, each, sheet.call("sum", tasks.total, items=out("each"))), out("sum"), {"n": width}


def nested_fan_out(sheet):
    inner_body = Block((sheet.call("both", tasks.add, a=Item("inner"), b=out("length")),), (("result", out("both")),))
    inner = Map("inner", Item("outer"), inner_body, RESULT)
    length = sheet.call("length", tasks.total, items=Item("outer"))
    outer_body = Block((length, inner), (("result", out("inner")), ("size", out("length"))))
    outer = Map("outer", out("made"), outer_body, (Port("result"), Port("size")))
    made = sheet.call("made", tasks.rows, n=Param("n"))
    return (made, outer), listed(out("outer"), out("outer", "size")), {"n": 4}


def branch(sheet, n):
    small = Block((sheet.call("little", tasks.double, n=Param("n")),), (("result", out("little")),))
    middle = Block((), (("result", const("middle")),))
    large = Block((sheet.call("large", tasks.number, n=Param("n")),), (("result", Apply("neg", (out("large"),))),))
    is_middle = Apply("lt", (Param("n"), const(100)))
    cases = (Case(out("test"), small), Case(is_middle, middle))
    test = sheet.call("test", tasks.is_small, n=Param("n"))
    after = sheet.call("after", tasks.echo, value=out("chosen"))
    return (test, Branch("chosen", cases, large, RESULT), after), out("after"), {"n": n}


def loop(sheet, limit, on_limit="fail"):
    test = Block((sheet.call("go_on", tasks.is_small, n=Carried("until", "n")),), (("test", out("go_on")),))
    count = Apply("add", (Carried("until", "count"), const(1)))
    body = Block((sheet.call("grown", tasks.double, n=Carried("until", "n")),), (("n", out("grown")), ("count", count)))
    carried = (Carry("n", Param("n")), Carry("count", const(0)))
    return (
        (Loop("until", carried, test, body, limit, on_limit),),
        listed(out("until", "n"), out("until", "count")),
        {"n": 1},
    )


def loop_of_maps(sheet):
    body = Block((sheet.call("twice", tasks.double, n=Item("each")),), (("result", out("twice")),))
    each = Map("each", Carried("until", "items"), body, RESULT)
    test = Block((), (("test", Apply("lt", (Apply("sum", (Carried("until", "items"),)), const(30)))),))
    grown = Loop("until", (Carry("items", Param("items")),), test, Block((each,), (("items", out("each")),)), 9)
    return (grown,), out("until", "items"), {"items": [1, 2]}


def attempt_to(sheet, function, exceptions=UNLUCKY, final=None):
    body = Block((sheet.call("risky", function, n=Param("n")),), (("result", out("risky")),))
    told = sheet.call("told", tasks.tell, failure=Caught("safe"))
    handler = Handler(exceptions, Block((told,), (("result", out("told")),)))
    node = Try("safe", body, (handler,), final(sheet) if final else None, RESULT)
    return (node, sheet.call("after", tasks.echo, value=out("safe"))), out("after"), {"n": 3}


def clean_up(sheet):
    return Block((sheet.call("clean", tasks.one),))


def broken_clean_up(sheet):
    return Block((sheet.call("clean", tasks.fails_awkwardly, n=9),))


def no_handler_fits(sheet):
    return attempt_to(sheet, tasks.fails, exceptions=("builtins:KeyError",), final=clean_up)


def fan_out_with_failures(sheet):
    body = Block((sheet.call("odd", tasks.fails_on_odd, n=Item("each")),), (("result", out("odd")),))
    each = Map("each", out("made"), body, RESULT)
    made = sheet.call("made", tasks.numbers, n=Param("n"))
    behind = sheet.call("behind", tasks.total, items=out("each"))
    apart = sheet.call("apart", tasks.double, n=Param("n"))
    return (made, each, behind, apart), out("behind"), {"n": 6}


def first_in_program_order(sheet):
    slow = sheet.call("slow", tasks.fails, n=1)
    quick = sheet.call("quick", tasks.fails_awkwardly, n=2)
    return (slow, quick), listed(out("slow"), out("quick")), {}


def expression_fails(sheet):
    one = sheet.call("one", tasks.one)
    two = sheet.call("two", tasks.double, n=Apply("truediv", (out("one"), const(0))))
    return (one, two, sheet.call("three", tasks.double, n=out("two"))), out("three"), {}


def group_result_fails(sheet):
    group = PipelineCall(
        "group",
        "inner",
        Block((sheet.call("one", tasks.one),), (("result", out("one", "result", Key("k"))),)),
        (),
        RESULT,
    )
    return (group, sheet.call("behind", tasks.double, n=out("group"))), out("behind"), {}


def branch_test_fails(sheet):
    cases = (Case(Apply("lt", (Param("n"), const("text"))), Block()),)
    return (Branch("chosen", cases, Block((sheet.call("one", tasks.one),))),), None, {"n": 1}


def own_result_fails(sheet):
    return (sheet.call("one", tasks.one),), Apply("get", (out("one"), const(0))), {}


def by_value(sheet):
    made = sheet.call("made", tasks.numbers, n=2)
    first = sheet.call("first", tasks.grow, items=out("made"))
    second = sheet.call("second", tasks.grow, items=out("made"), after=("first",))
    return (made, first, second), listed(out("made"), out("first"), out("second")), {}


HOSTILE = [
    "{{",
    "${x}",
    "'\"`\\",
    "y",
    "no",
    "1e-7",
    "",
    "\n",
    "a\x00b",
    "\ud83d\ude00",
    "😀",
    "NaN",
    "__main__:x",
    "$",
]


def hostile(sheet):
    body = Block((sheet.call("same", tasks.echo, value=Item("each")),), (("result", out("same")),))
    values = [*HOSTILE, 2**63, -(2**53), 1e-7, float("inf"), None, True, -0.0, b"\xff", {"$": "list"}, (1, [2]), {1, 2}]
    each = Map("each", Param("values"), body, RESULT)
    return (each, sheet.call("all", tasks.echo, value=out("each"))), out("all"), {"values": values}


def big(sheet):
    values = {"text": "x" * 5_000_000, "bytes": bytes(300_000), "items": list(range(20_000))}
    one = sheet.call("one", tasks.echo, value=Param("values"))
    return (one, sheet.call("two", tasks.echo, value=out("one"))), out("two"), {"values": values}


def effects_in_order(sheet):
    first = sheet.call("first", tasks.nothing, effect=True)
    second = sheet.call("second", tasks.fails, n=2, effect=True, after=("first",))
    third = sheet.call("third", tasks.nothing, effect=True, after=("second",))
    return (first, second, third), None, {}


def retried(sheet):
    call = sheet.call("risky", tasks.fails, n=1, policies=Policies(retry=RetryPolicy(3)))
    return (call,), out("risky"), {}


def empty(sheet):
    return (), None, {}


PROGRAMS = {
    "straight": straight,
    "fan_out_of_0": lambda s: fan_out(s, 0),
    "fan_out_of_1": lambda s: fan_out(s, 1),
    "fan_out_of_50": lambda s: fan_out(s, 50),
    "fan_out_limited": lambda s: fan_out(s, 7, 2),
    "nested_fan_out": nested_fan_out,
    "branch_first": lambda s: branch(s, 4),
    "branch_second": lambda s: branch(s, 40),
    "branch_otherwise": lambda s: branch(s, 400),
    "loop": lambda s: loop(s, 9),
    "loop_never": lambda s: (lambda n, r, _: (n, r, {"n": 50}))(*loop(s, 9)),
    "loop_to_its_limit": lambda s: loop(s, 2),
    "loop_stopped_at_its_limit": lambda s: loop(s, 2, "stop"),
    "loop_exactly_at_its_limit": lambda s: loop(s, 4),
    "loop_of_maps": loop_of_maps,
    "try_succeeds": lambda s: attempt_to(s, tasks.number, final=clean_up),
    "try_handled": lambda s: attempt_to(s, tasks.fails, final=clean_up),
    "try_handled_by_base": lambda s: attempt_to(s, tasks.fails, exceptions=("builtins:Exception",)),
    "try_not_handled": no_handler_fits,
    "try_final_fails": lambda s: attempt_to(s, tasks.number, final=broken_clean_up),
    "fan_out_with_failures": fan_out_with_failures,
    "first_in_program_order": first_in_program_order,
    "expression_fails": expression_fails,
    "group_result_fails": group_result_fails,
    "branch_test_fails": branch_test_fails,
    "own_result_fails": own_result_fails,
    "by_value": by_value,
    "hostile": hostile,
    "big": big,
    "effects_in_order": effects_in_order,
    "retried": retried,
    "empty": empty,
}


def outcome_of(run):
    try:
        return run.result, None
    except RunFailed as failed:
        return None, failed.__cause__


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_it_is_as_the_interpreter_says(name, executor, catalog):
    sheet = Sheet(name)
    nodes, result, params = PROGRAMS[name](sheet)
    program = sheet.program(*nodes, result=result, params=tuple(params))
    expected = interpret(program.pipeline, sheet.functions, params)

    trees = {key: catalog.values.encode(value) for key, value in params.items()}
    run = run_local(
        program, sheet.functions, trees, catalog, executor=executor, workers=2, cache=False, fail_fast=False
    )

    found, exception = outcome_of(run)
    assert run.state == ("succeeded" if expected.failure is None else "failed")
    assert repr(found) == repr(expected.result)
    assert {node.id: node.state for node in run.nodes()} == expected.states
    if expected.failure is not None:
        assert expected.failed == (run.details.failure.node, run.details.failure.index)
        assert str(expected.failure) in str(exception)
    for (node, index), value in expected.commits.items():
        if not isinstance(value, BaseException):
            assert repr(run.load(node, index)) == repr(value)
