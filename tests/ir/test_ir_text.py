"""The text form: the documented example, hostile names and values, excerpts."""

from __future__ import annotations

import textwrap

import pytest

from drawloom.ir import text
from drawloom.ir.nodes import Block, Branch, Call, Case, FunctionRef, Map, Pipeline, Port, TaskSpec
from drawloom.ir.operands import (
    Apply,
    Carried,
    Caught,
    Const,
    Field,
    Item,
    Key,
    Operand,
    Output,
    Param,
    RunInfo,
)
from drawloom.ir.policies import Policies, RetryPolicy
from drawloom.ir.text import excerpt, format_name, format_operand, format_pipeline, format_type
from drawloom.ir.types import FLOAT, INT, NONE, STR, Type

MODEL = Type("dataclass", ref="ml:Model", fields=(("size", INT),))
FRAME = Type("dataframe")
PLAIN = Policies()


def task(name: str, inputs: tuple[Port, ...], result: Type, policies: Policies = PLAIN) -> TaskSpec:
    return TaskSpec(f"ml:{name}", FunctionRef("ml", name), inputs, result, policies=policies)


def give(operand: Operand, *nodes: Call) -> Block:
    return Block(nodes, (("result", operand),))


FIRST = Output("models", path=(Key(0),))
CHURN = Pipeline(
    "churn",
    (Port("csv", Type("file")), Port("depths", Type("list", (INT,)), "[2,4]")),
    (
        task("load", (Port("csv", Type("file")),), FRAME),
        task("score", (Port("model", MODEL), Port("table", FRAME)), FLOAT),
        task("train", (Port("table", FRAME), Port("depth", INT)), MODEL, Policies(RetryPolicy(3))),
    ),
    Block(
        (
            Call("table", "ml:load", (("csv", Param("csv")),)),
            Map(
                "models",
                Param("depths"),
                give(
                    Output("train"), Call("train", "ml:train", (("table", Output("table")), ("depth", Item("models"))))
                ),
                (Port("result", Type("list", (MODEL,))),),
                INT,
            ),
            Call("score", "ml:score", (("model", FIRST), ("table", Output("table"))), after=("models",)),
            Branch(
                "winner",
                (Case(Apply("gt", (Output("score"), Const("0.8"))), give(FIRST)),),
                give(Const("null")),
                (Port("result", Type("union", (MODEL, NONE))),),
            ),
        ),
        (("result", Output("winner")),),
    ),
    (Port("result", Type("union", (MODEL, NONE))),),
)


def test_the_example_in_the_documentation_is_what_is_printed() -> None:
    assert text.__doc__ is not None
    example = text.__doc__.partition("\n\n")[2].partition("\n\nGrammar")[0]
    assert textwrap.dedent(example) == format_pipeline(CHURN)


@pytest.mark.parametrize(
    ("operand", "expected"),
    [
        (Param("n"), "$n"),
        (Output("a"), "a"),
        (Output("a", "out", (Field("x"), Key(-1), Key('a"b'))), 'a:out.x[-1]["a\\"b"]'),
        (Output("models/train-2"), "models/train-2"),
        (Output("true"), "`true`"),
        (Output("a.b"), "`a.b`"),
        (Output("größe"), "größe"),
        (Item("m", (Field("x"),)), "@m.x"),
        (Carried("l", "n"), "@l:n"),
        (Caught("t", (Field("message"),)), "!t.message"),
        (RunInfo("run_id"), "%run_id"),
        (Apply("add", (Param("n"), Apply("neg", (Const("1"),)))), "($n + neg(1))"),
        (Apply("add", (Param("n"),)), "add($n)"),
        (Apply("list", (Const("1"),)), "list(1)"),
        (Const("[1]"), "[1]"),
    ],
    ids=str,
)
def test_an_operand_is_written_like_this(operand: Operand, expected: str) -> None:
    assert format_operand(operand) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "``"),
        ("a b", "`a b`"),
        ("a`b", "`a\\u0060b`"),
        ("a\nb", "`a\\nb`"),
        ("\u202e", "`\\u202e`"),
        ("1st", "`1st`"),
        ("give", "give"),
        ("null", "`null`"),
    ],
)
def test_a_hostile_name_stands_in_backticks(name: str, expected: str) -> None:
    assert format_name(name) == expected


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        (Type("union", (INT, NONE)), "int | None"),
        (Type("list", (MODEL,)), "list[ml:Model]"),
        (Type("tuple_of", (MODEL,)), "tuple[ml:Model, ...]"),
        (Type("tuple"), "tuple[()]"),
        (Type("dataframe", fields=(("a b", INT),)), "DataFrame(`a b`: int)"),
        (Type("object", ref="m:Thing", codec="thing"), "m:Thing via thing"),
        (Type("literal", values=('"a\\n"', "1")), 'Literal["a\\n", 1]'),
        (Type("dict", (STR, Type("decimal"))), "dict[str, Decimal]"),
    ],
    ids=str,
)
def test_a_type_is_written_in_full(type_: Type, expected: str) -> None:
    assert format_type(type_) == expected


def test_a_long_constant_is_cut_in_an_excerpt_and_whole_in_the_full_form() -> None:
    long = '"' + "x" * 500 + '"'
    pipeline = Pipeline("p", (), CHURN.tasks, Block((Call("a", "ml:load", (("csv", Const(long)),)),)))
    assert excerpt(pipeline, "a") == f"a = ml:load(csv={long[:37]}...) -> DataFrame    <- here"
    assert long in format_pipeline(pipeline)


def test_an_excerpt_shows_the_nearest_producers_in_program_order() -> None:
    nodes = [Call(f"n{i}", "ml:load", (("csv", Const("1")),)) for i in range(6)]
    last = Call("last", "ml:load", tuple((f"p{i}", Output(f"n{i}")) for i in reversed(range(6))))
    lines = excerpt(Pipeline("p", (), CHURN.tasks, Block((*nodes, last))), "last").splitlines()
    assert [line.split()[0] for line in lines] == ["n3", "n4", "n5", "last"]
    assert lines[-1].endswith("    <- here")


def test_an_excerpt_of_a_very_long_line_is_cut() -> None:
    call = Call("a", "ml:load", tuple((f"input_{i}", Const(str(i))) for i in range(99)))
    (line,) = excerpt(Pipeline("p", (), CHURN.tasks, Block((call,))), "a").splitlines()
    assert len(line) < 160
    assert line.endswith("...    <- here")


def test_the_pipeline_itself_is_marked_where_no_node_is_meant() -> None:
    assert excerpt(CHURN) == ("pipeline churn(csv: File, depths: list[int] = [2,4]) -> result: Model | None    <- here")
    assert excerpt(CHURN, "nowhere") == excerpt(CHURN)
