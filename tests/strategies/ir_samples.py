"""A few fixed pipelines with every node kind and hostile values; their digests are pinned. Standard library alone."""

from __future__ import annotations

from drawloom.ir.canonical import canonical_json
from drawloom.ir.envelope import encode
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
    Pipeline,
    PipelineCall,
    Port,
    TaskSpec,
    Try,
)
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
from drawloom.ir.policies import CachePolicy, Parallelism, PipelinePolicies, Policies, RetryPolicy
from drawloom.ir.tasks import Container, EngineSpec, InputPath, InputText, OutputPath
from drawloom.ir.types import ANY, FLOAT, INT, NONE, STR, Type

__all__ = ["SAMPLES"]

MODEL = Type("dataclass", ref="ml:Model", fields=(("size", INT), ("label", STR)), bases=("ml:Base",))
FRAME = Type("dataframe", fields=(("a", INT), ("größe", FLOAT)))
COLOUR = Type("enum", ref="ml:Colour", values=("RED", "GREEN"))
MAYBE = Type("union", (MODEL, NONE))
CAUGHT = Apply("len", (Caught("guard", (Field("message"),)),))
HOSTILE: list[object] = ["{{x}}", "${y}", "'\"`\\", "a\nb\t\x00\x7f", "☃😀\u202e", "\ud800", "1e-7", "", "null"]
HOSTILE += [2**63, -0.0, 1e-7, float("nan"), b"\x00\xff", {"b": 1, "a": (2,)}, None]


def _task(name: str, inputs: tuple[Port, ...], result: Type, **more: object) -> TaskSpec:
    return TaskSpec(f"ml:{name}", FunctionRef("ml", name, "ab" * 32), inputs, result, **more)  # type: ignore[arg-type]


def _const(value: object) -> Const:
    return Const(canonical_json(encode(value)))


def _give(operand: Operand, *nodes: Call) -> Block:
    return Block(nodes, (("result", operand),))


TASKS = (
    _task("load", (Port("csv", Type("file")), Port("sep", STR, '","')), FRAME, effect=False),
    _task("publish", (Port("text", STR),), NONE, effect=True),
    _task("score", (Port("model", MAYBE), Port("table", FRAME)), FLOAT),
    _task(
        "train",
        (Port("table", FRAME), Port("depth", INT)),
        MODEL,
        policies=Policies(RetryPolicy(3, 0.5, on=("builtins:OSError", "infra")), packages=("pandas>=2",)),
    ),
)
RESULT = (Port("result"),)

CHURN = Pipeline(
    name="churn",
    params=(
        Port("csv", Type("file")),
        Port("depths", Type("list", (INT,)), "[2,4,8]"),
        Port("colour", COLOUR, '{"$":"enum","class":"ml:Colour","v":"RED"}'),
    ),
    tasks=TASKS,
    body=Block(
        (
            Call("table", "ml:load", (("csv", Param("csv")),)),
            Map(
                "models",
                Param("depths"),
                _give(
                    Output("train"),
                    Call(
                        "train",
                        "ml:train",
                        (("table", Output("table")), ("depth", Item("models"))),
                        policies=Policies(attempt_timeout_seconds=60.0, cache=CachePolicy(False, "v1")),
                    ),
                ),
                (Port("result", Type("list", (MODEL,))),),
                INT,
                batch_size=4,
                parallelism=Parallelism(2),
            ),
            Call(
                "score",
                "ml:score",
                (("model", Output("models", path=(Key(-1),))), ("table", Output("table"))),
                after=("models",),
            ),
            Branch(
                "winner",
                (
                    Case(Apply("gt", (Output("score"), Const("0.8"))), _give(Output("models", path=(Key(0),)))),
                    Case(Apply("is_none", (Param("csv"),)), _give(Const("null"))),
                ),
                _give(Const("null")),
                (Port("result", MAYBE),),
            ),
            Call(
                "publish",
                "ml:publish",
                (("text", Apply("format", (_const("<"), Output("score"), _const(""), _const(".2f"), _const(">")))),),
            ),
        ),
        (("result", Output("winner")),),
    ),
    results=(Port("result", MAYBE),),
    policies=PipelinePolicies(3600.0),
)
BOX = Container(
    "alpine:3",
    (
        ("sh",),
        ("-c",),
        ("echo '{{x}}' >$1",),
        ("--n=", InputText("n")),
        (InputPath("n"),),
        (OutputPath("", ".txt"), "\u2603"),
        (),
    ),
    (("LANG", "C"),),
)
CONTROL = Pipeline(
    name="control",
    params=(Port("n", INT, "1"),),
    tasks=(
        *TASKS,
        TaskSpec("ml:box", FunctionRef("ml", "box"), (Port("n", INT),), STR, container=BOX),
        TaskSpec("ml:special", FunctionRef("ml", "special"), (Port("n", STR),), engine=EngineSpec("argo", '{"t":"☃"}')),
    ),
    body=Block(
        (
            Loop(
                "grow",
                (Carry("n", Param("n"), INT),),
                Block((), (("test", Apply("lt", (Carried("grow", "n"), Const("99")))),)),
                Block((), (("n", Apply("mul", (Carried("grow", "n"), Const("2")))),)),
                max_iterations=10,
                on_limit="stop",
            ),
            Try(
                "guard",
                _give(Output("grow", "n")),
                (
                    Handler(("builtins:ValueError", "ml:Bad"), _give(CAUGHT)),
                    Handler(("builtins:Exception",), _give(Const("0"))),
                ),
                Block((Call("last", "ml:publish", (("text", RunInfo("run_id")),)),)),
                (Port("result", INT),),
                after=("grow",),
            ),
            PipelineCall("inner", "other", _give(Output("guard")), (("n", Output("guard")),), (Port("result", INT),)),
            Call("box", "ml:box", (("n", Output("inner")),)),
            Call("special", "ml:special", (("n", Output("box")),), ("inner",)),
        ),
        (("result", Apply("tuple", (Output("special"), Const("true")))),),
    ),
    results=(Port("result", Type("tuple", (ANY, ANY))),),
)
VALUES = Pipeline(
    name="values",
    tasks=(_task("publish", (Port("text", ANY),), NONE, effect=True),),
    body=Block(tuple(Call(f"n-{i}", "ml:publish", (("text", _const(value)),)) for i, value in enumerate(HOSTILE))),
)
SAMPLES = {"churn": CHURN, "control": CONTROL, "empty": Pipeline("empty"), "values": VALUES}
