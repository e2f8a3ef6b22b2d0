"""One wrong pipeline for each diagnostic of the check; the exact texts are in `golden/diagnostics.txt`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drawloom.errors import Span
from drawloom.ir.check import check_pipeline
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
    Port,
    TaskSpec,
    Try,
)
from drawloom.ir.operands import Apply, Carried, Caught, Const, Field, Item, Key, Operand, Output, Param, RunInfo
from drawloom.ir.policies import CachePolicy, Parallelism, PipelinePolicies, Policies, RetryPolicy
from drawloom.ir.program import Program
from drawloom.ir.tasks import EngineSpec
from drawloom.ir.types import ANY, INT, NONE, STR, Type

MODEL = Type("dataclass", ref="ml:Model", fields=(("size", INT), ("label", STR)))
INTS = Type("list", (INT,))


def task(name: str, inputs: dict[str, Type], result: Type, **more: Any) -> TaskSpec:
    return TaskSpec(f"ml:{name}", FunctionRef("ml", name), tuple(Port(n, t) for n, t in inputs.items()), result, **more)


TASKS = (
    task("fit", {"n": INT}, MODEL),
    task("load", {"path": STR}, STR),
    task("numbers", {"n": INT}, INTS),
    task("plus", {"a": INT, "b": INT}, INT),
)
ONE = Const("1")


def plus(name: str, a: Operand = ONE, b: Operand = ONE, **more: Any) -> Call:
    return Call(name, "ml:plus", (("a", a), ("b", b)), **more)


def fit(name: str, n: Operand) -> Call:
    return Call(name, "ml:fit", (("n", n),))


def P(*nodes: Node, result: Operand | None = None, result_type: Type = ANY, **more: Any) -> Pipeline:
    given = () if result is None else (("result", result),)
    ports = () if result is None else (Port("result", result_type),)
    facts = {"name": "nightly", "params": (Port("path", STR), Port("n", INT)), "tasks": TASKS, "results": ports}
    return Pipeline(**(facts | {"body": Block(nodes, given)} | more))


def R(operand: Operand) -> tuple[tuple[str, Operand], ...]:
    return (("result", operand),)


def RP(type_: Type = ANY) -> tuple[Port, ...]:
    return (Port("result", type_),)


CASES: dict[str, Pipeline] = {
    "G201": P(name=" "),
    "G202": P(Call("s", "ml:plus", (("a", Const("1")),))),
    "G203": P(Call("load", "ml:load", (("path", Param("path")),)), fit("train", Output("load"))),
    "G203 constant": P(fit("train", Const('"a very long text that has no business in a place for an int"'))),
    "G203 optional": P(
        Branch(
            "b",
            (Case(Const("true"), Block((), R(Param("n")))),),
            Block((), R(Const("null"))),
            RP(Type("union", (INT, NONE))),
        ),
        fit("train", Output("b")),
    ),
    "G203 result": P(plus("s"), result=Output("s"), result_type=STR),
    "G204": P(Call("train", "ml:fit", (("n", Const("1")), ("dept", Const("2"))))),
    "G205": P(plus("total"), fit("train", Output("totl"))),
    "G205 after": P(plus("total", after=("x",))),
    "G205 map": P(fit("train", Item("models"))),
    "G206": P(fit("train", Param("m"))),
    "G207": P(plus("total"), fit("train", Output("total", "res"))),
    "G207 carried": P(
        Loop(
            "grow",
            (Carry("size", Const("1"), INT),),
            Block((), (("test", Const("true")),)),
            Block((fit("train", Carried("grow", "siz")),), (("size", Const("2")),)),
            3,
        )
    ),
    "G208": P(
        Map("models", Const("[1]"), Block((fit("inner", Item("models")),)), (), INT),
        Call("use", "ml:fit", (("n", Output("inner", path=(Field("size"),))),)),
    ),
    "G208 item": P(Map("models", Const("[1]"), Block(), (), INT), fit("train", Item("models"))),
    "G208 caught": P(Try("guard", Block((fit("train", Apply("len", (Caught("guard", (Field("message"),)),))),)))),
    "G209": P(plus("a", Output("c")), plus("b", Output("a")), plus("c", Output("b"))),
    "G209 self": P(plus("a", Output("a"))),
    "G209 inside": P(
        Loop(
            "grow",
            (Carry("size", Const("1"), INT),),
            Block((), (("test", Const("true")),)),
            Block((plus("next", Output("grow", "size")),), (("size", Output("next")),)),
            3,
        )
    ),
    "G209 after": P(plus("a", after=("b",)), plus("b", after=("a",))),
    "G210": P(plus("a", Output("b")), plus("b")),
    "G211": P(plus("a"), plus("a")),
    "G212": P(plus("total"), plus("Total")),
    "G213": P(Call("x", "ml:fitt", ())),
    "G214": P(tasks=(TASKS[0], TASKS[0])),
    "G215": P(fit("model", Const("1")), plus("s", Output("model", path=(Field("sizes"),)))),
    "G215 none": P(
        Branch(
            "b",
            (Case(Const("true"), Block((fit("model", Const("1")),), R(Output("model")))),),
            Block((), R(Const("null"))),
            RP(Type("union", (MODEL, NONE))),
        ),
        plus("s", Output("b", path=(Field("size"),))),
    ),
    "G215 key": P(Call("list", "ml:numbers", (("n", Const("1")),)), plus("s", Output("list", path=(Key("first"),)))),
    "G216": P(plus("s", Param("pair", (Key(2),))), params=(Port("pair", Type("tuple", (INT, STR))),)),
    "G217": P(plus("s", Apply("add", (Param("path"), Const("1"))))),
    "G217 unknown": P(plus("s", Apply("plus", (Param("n"), Const("1"))))),
    "G217 arity": P(plus("s", Apply("add", (Param("n"),)))),
    "G218": P(Branch("b", (Case(Const("true"), Block((), R(Const("1")))),), Block(), RP(INT))),
    "G218 extra": P(
        Branch(
            "b",
            (Case(Const("true"), Block((), (("resul", Const("1")), ("result", Const("2"))))),),
            Block((), R(Const("1"))),
            RP(INT),
        )
    ),
    "G218 map": P(Map("m", Const("[1]"), Block((), R(Item("m"))), RP(INT), INT)),
    "G218 final": P(Try("t", Block(), (), Block((), R(Const("1"))))),
    "G219": P(Map("m", Param("path"), Block(), (), STR)),
    "G220": P(
        Loop(
            "grow",
            (Carry("size", Const("1"), INT),),
            Block((), (("go", Const("true")),)),
            Block((), (("sise", Const("1")),)),
            3,
        )
    ),
    "G221": P(Loop("grow", (), Block((), (("test", Const("true")),)), Block(), 0, "halt")),
    "G222": P(plus("s", policies=Policies(RetryPolicy(0, -1.0, on=("ValueError", "infre"))))),
    "G223": P(
        plus("s", policies=Policies(attempt_timeout_seconds=0.0, node_timeout_seconds=-5.0)),
        policies=PipelinePolicies(float("nan")),
    ),
    "G224": P(Map("m", Const("[]"), Block(), (), ANY, 0, Parallelism(0, "run"))),
    "G225": P(params=(Port("n", INT, '"x"'),)),
    "G226": P(requires=("spot",)),
    "G227": P(kind="stream"),
    "G228": P(params=(Port("n", Type("lst", (INT,))), Port("m", Type("list")))),
    "G228 constant": P(fit("train", Const("{n}"))),
    "G229": P(Call("l", "ml:load", (("path", RunInfo("runid")),))),
    "G230": P(params=(Port("n", INT), Port("n", STR))),
    "G232": P(Try("t", Block(), (Handler(("ValueError",), Block()),))),
    "G233": P(plus("a:b"), plus("")),
}

SPANS = {"": Span("pipelines/train.py", 40, "nightly"), "train": Span("pipelines/train.py", 42, "nightly")}


def _golden() -> dict[str, str]:
    text = (Path(__file__).parent / "golden" / "diagnostics.txt").read_text(encoding="utf-8")
    sections = (part.partition("\n") for part in text.split("## ")[1:])
    return {name: body.strip("\n") for name, _, body in sections}


GOLDEN = _golden()


def _told(pipeline: Pipeline) -> str:
    return "\n".join(str(d) for d in check_pipeline(Program(pipeline, SPANS)))


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_pipeline_is_told_with_this_text(name: str) -> None:
    assert _told(CASES[name]) == GOLDEN[name]


@pytest.mark.parametrize("name", CASES)
def test_one_mistake_gives_no_diagnostics_of_other_kinds(name: str) -> None:
    assert {d.code for d in check_pipeline(Program(CASES[name], SPANS))} == {name[:4]}


def test_every_golden_text_belongs_to_a_case() -> None:
    assert sorted(GOLDEN) == sorted(CASES)


def test_every_problem_is_told_at_once_in_program_order() -> None:
    inner = Block((plus("total", Item("m"), Param("nn")),), R(Output("total")))
    pipeline = P(
        fit("train", Param("path")),
        Map("m", Param("n"), inner, RP(Type("list", (STR,))), INT),
        plus("last", Output("total"), Output("trian")),
        name="",
        params=(Port("path", STR), Port("n", INT, "null")),
    )
    codes = [d.code for d in check_pipeline(Program(pipeline))]
    assert codes == ["G201", "G225", "G203", "G219", "G206", "G203", "G208", "G205"]


def test_a_problem_without_a_known_place_has_no_where() -> None:
    (found,) = check_pipeline(Program(CASES["G206"]))
    assert found.where is None
    assert "  where" not in str(found)


def test_hostile_names_stay_on_one_line() -> None:
    name = "a\n\x1b[31m\u202e`b"
    (found,) = check_pipeline(Program(P(fit("train", Param(name)), params=())))
    assert found.what == "the pipeline has no parameter `a\\n\\u001b[31m\\u202e`b`"
    assert all(line.isprintable() for line in str(found).split("\n"))


def test_two_classes_of_one_name_are_told_apart() -> None:
    other = Type("dataclass", ref="elsewhere:Model")
    take = TaskSpec("ml:take", FunctionRef("ml", "take"), (Port("model", other),), NONE)
    pipeline = P(fit("train", ONE), Call("use", "ml:take", (("model", Output("train")),)), tasks=(*TASKS, take))
    (found,) = check_pipeline(Program(pipeline))
    assert found.what == "input `model` of `use` needs elsewhere:Model, got ml:Model"


def test_a_mistake_in_a_definition_is_not_told_again_at_its_uses() -> None:
    unknown = Call("x", "ml:gone")
    pipeline = P(unknown, plus("a", Output("x"), Output("x", "other")), plus("b", Param("n", ())))
    assert [d.code for d in check_pipeline(Program(pipeline))] == ["G213"]


def test_a_node_of_an_enclosing_block_may_be_used_and_one_of_a_sibling_block_may_not() -> None:
    outer = plus("base")
    first = Block((plus("left", Output("base")),), R(Output("left")))
    second = Block((plus("right", Output("left")),), R(Output("right")))
    branch = Branch("choice", (Case(Const("true"), first),), second, RP(INT))
    (found,) = check_pipeline(Program(P(outer, branch)))
    assert (found.code, found.what) == (
        "G208",
        "`right` takes a value from `left`, which lies in a block of `choice` and can't be seen outside it",
    )


def test_an_id_may_not_come_back_in_an_inner_block() -> None:
    inner = Block((plus("total", Item("m")),), R(Output("total")))
    pipeline = P(plus("total"), Map("m", Const("[1]"), inner, RP(Type("list", (INT,))), INT), result=Output("total"))
    assert [d.code for d in check_pipeline(Program(pipeline))] == ["G211"]


def test_a_cycle_is_told_once_however_many_edges_it_has() -> None:
    nodes = [plus(f"n{i}", Output(f"n{(i + 1) % 5}"), Output(f"n{(i + 2) % 5}")) for i in range(5)]
    found = check_pipeline(Program(P(*nodes)))
    assert [d.what for d in found] == ["these nodes wait for each other: `n0` -> `n1` -> `n3` -> `n0`"]


def test_a_cycle_through_a_block_is_found() -> None:
    inner = Block((plus("inside", Output("late")),), R(Output("inside")))
    pipeline = P(
        Map("m", Const("[1]"), inner, RP(Type("list", (INT,))), INT),
        plus("late", Apply("len", (Output("m"),))),
    )
    (found,) = check_pipeline(Program(pipeline))
    assert found.what == "these nodes wait for each other: `m` -> `late` -> `m`"


def test_what_only_an_engine_runs_is_checked_as_any_task() -> None:
    spec = TaskSpec("ml:special", FunctionRef("ml", "special"), (Port("n", STR),), INT, engine=EngineSpec("argo", "{}"))
    nodes = (Call("one", "ml:special", (("n", Const("1")),)), plus("s", Output("one")))
    assert [d.code for d in check_pipeline(Program(P(*nodes, tasks=(*TASKS, spec))))] == ["G203"]


@pytest.mark.parametrize(
    ("option", "policies"),
    [
        ("retry", Policies(RetryPolicy(max_attempts=2))),
        ("cache", Policies(cache=CachePolicy(True))),
        ("image", Policies(image="alpine")),
    ],
)
def test_what_an_engine_has_of_its_own_takes_no_options(option: str, policies: Policies) -> None:
    spec = TaskSpec("ml:special", FunctionRef("ml", "special"), (), INT, engine=EngineSpec("argo", "{}"))
    pipeline = P(Call("one", "ml:special", policies=policies), tasks=(*TASKS, spec))
    (found,) = check_pipeline(Program(pipeline))
    assert (found.code, found.what) == (
        "G237",
        f"`one` runs what an engine has of its own, and is given `{option}`: how that runs is said there",
    )


def test_a_node_of_an_unknown_class_is_refused() -> None:
    class Teleport:
        id = "train"
        after = ()

    (found,) = check_pipeline(Program(P(Teleport(), plus("s", Output("train")))))  # type: ignore[arg-type]
    assert found.code == "G227"
    assert found.what == "the node `train` has the kind `Teleport`, which this drawloom doesn't know"
