"""Tracing straight-line code: node ids and places, operands, effects and order, nested pipelines, static parameters."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from drawloom import DefinitionError
from drawloom.dsl.place import function_span
from drawloom.dsl.tracing import Trace, trace
from drawloom.ir.check import check_pipeline
from drawloom.ir.interpret import interpret
from drawloom.ir.nodes import Call, PipelineCall
from drawloom.ir.operands import Apply, Const, Field, Key, Operand, Output, Param, RunInfo
from drawloom.ir.policies import Policies, RetryPolicy
from drawloom.ir.program import pipeline_digest
from drawloom.ir.types import FLOAT, INT, STR, Type
from drawloom.ir.walk import walk

TASKS = """
    from __future__ import annotations
    from dataclasses import dataclass
    from typing import Any, NamedTuple
    from drawloom import *

    class Split(NamedTuple):
        train: list[int]
        test: list[int]

    @dataclass
    class Report:
        score: float
        names: dict[str, int]

    @task
    def load(path: str) -> list[int]: return [len(path), 2, 3]
    @task
    def split(table: list[int]) -> Split: return Split(table[:1], table[1:])
    @task
    def halves(table: list[int]) -> tuple[int, str]: return (1, "a")
    @task
    def train(table: list[int], depth: int = 3) -> Report: return Report(0.5, {"a": depth})
    @task
    def total(values: list[Any]) -> float: return sum(values)
    @task
    def publish(value: Any) -> None: print(value)
    @task
    def clock() -> float: return 0.0
    @task
    def show(value: Any) -> str: return repr(value)
"""

Load = Callable[..., ModuleType]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def traced(user_module: Load) -> Callable[..., Trace]:
    """The trace of the pipeline `p` in a module that begins with `TASKS`."""

    def make(text: str, **static: object) -> Trace:
        import textwrap

        return trace(user_module(textwrap.dedent(TASKS) + textwrap.dedent(text)).p, static)

    return make


def calls(made: Trace) -> dict[str, Call]:
    return {node.id: node for node in walk(made.program.pipeline.body) if isinstance(node, Call)}


def inputs(made: Trace, node: str) -> dict[str, Operand]:
    return dict(calls(made)[node].inputs)


def result(made: Trace) -> Operand:
    return dict(made.program.pipeline.body.results)["result"]


def refusal_of(make: Callable[[], object]) -> str:
    with pytest.raises(DefinitionError) as caught:
        make()
    (found,) = caught.value.diagnostics
    assert found.where is not None
    return f"{found.code} {found.where.line} {found.what} | {found.fix}"


# ids and places


def test_a_node_is_named_by_what_it_is_assigned_to_else_by_its_task(traced: Callable[..., Trace]) -> None:
    made = traced("""
        TABLE = None
        @pipeline
        def p(path: str):
            global TABLE
            table = load(path)
            TABLE = load(path)
            first = second = load(path)
            if (third := load(path)) is not None:
                load(path)
            a, b = split(table)
            _ = load(path)
            cell = load(path)
            def helper():
                inner = load(path)
                return cell
            helper()
            for i in range(2):
                table = load(path)
            models = [train(table, i) for i in range(2)]
            total([load(path), 1])
            return load(path)
    """)
    assert list(calls(made)) == [
        "table", "TABLE", "first", "third", "branch/load", "split", "load", "cell", "inner",
        "table-2", "table-3", "train", "train-2", "load-2", "total", "load-3",
    ]  # fmt: skip


def test_names_are_found_behind_long_jumps_of_the_name_table(traced: Callable[..., Trace]) -> None:
    lines = "\n".join(f"    x{i} = load(path)" for i in range(300))  # more names than one byte can number
    made = traced(f"@pipeline\ndef p(path: str):\n{lines}\n    return x299\n")
    assert list(calls(made)) == [f"x{i}" for i in range(300)]


def test_an_unrelated_line_changes_neither_ids_nor_digest(user_module: Load) -> None:
    body = """
    @pipeline
    def p(path: str) -> Report:
        table = load(path)
        return train(table)
    """
    other = """
    # a comment

    @pipeline
    def p(path: str) -> Report:

        table = load(
            path,
        )
        return train(table)
    """
    one = trace(user_module(TASKS + body, name="moved").p).program.pipeline
    two = trace(user_module(TASKS + other, name="moved").p).program.pipeline
    assert one == two
    assert pipeline_digest(one) == pipeline_digest(two)


def test_spans_lead_to_the_users_lines(user_module: Load) -> None:
    module = user_module("""\
        from drawloom import for_each, pipeline, task
        @task
        def load(path: str) -> list[int]: return []
        @task
        def double(n: int) -> int: return n
        def helper(path):
            return load(path)
        @pipeline
        def p(path: str) -> list[int]:
            a = helper(path)
            b = load(
                path
            )
            return for_each(b, double)
    """)
    spans = trace(module.p).program.spans
    assert {node: (span.line, span.symbol) for node, span in spans.items()} == {
        "": (8, "p"),
        "load": (7, "helper"),
        "b": (11, "p"),
        "for_each": (14, "p"),
        "for_each/double": (14, "p"),
    }
    assert {span.file for span in spans.values()} == {module.__file__}
    assert len(spans) == 5


PORTABLE = """
from drawloom import branch, for_each, pipeline, task, while_loop
@task
def f(n: int) -> int: return n
@task
def pair(n: int) -> tuple[int, int]: return n, n
@pipeline
def p(n: int) -> list[int]:
    a = f(n)
    b = f(a)
    c = d = f(b)
    x, y = pair(d)
    def inner():
        nonlocal a
        a = f(x)
        return a
    e = [f(i) for i in range(2)]
    g = for_each([inner(), y, *e], lambda i: branch(i > 1, lambda: f(i)), batch_size=2)
    h = while_loop(lambda s: s < n, lambda s: f(s) + 1, c, max_iterations=3)
    return [h]
"""


@pytest.mark.parametrize(("version", "full"), [("3.11", "3.11.7"), ("3.12", "3.12.1"), ("3.13", "3.13.0")])
def test_every_python_gives_the_same_ids_and_digest(version: str, full: str, tmp_path: Path) -> None:
    python = shutil.which(f"python{version}")
    env = os.environ | {"PYENV_VERSION": full}
    if python is None or subprocess.run([python, "-c", ""], env=env, capture_output=True, check=False).returncode:
        pytest.skip(f"there is no Python {version} here")
    (tmp_path / "portable.py").write_text(PORTABLE)
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(tmp_path)!r}]; import portable; "
        "from drawloom.ir.program import pipeline_digest; program = portable.p.graph; "
        "print(pipeline_digest(program.pipeline), *program.spans)"
    )
    there = subprocess.run([python, "-S", "-c", code], capture_output=True, text=True, env=env, check=False)
    here = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert there.returncode == here.returncode == 0, there.stderr + here.stderr
    assert there.stdout == here.stdout
    _, *ids = there.stdout.split()
    assert ids == [
        *["a", "b", "c", "pair", "f", "f-2", "a-2"],
        *["g", "g/branch", "g/branch/f", "h", "h/f"],
    ]


# operands


def test_arguments_become_operands(traced: Callable[..., Trace]) -> None:
    made = traced("""
        @pipeline
        def p(path: str, depth: int = 2) -> float:
            table = load(path=path)
            model = train(table, depth=depth)
            other = train(table)
            return total([model.score, other.names["a"], table[0], 1.5, [depth], {"k": depth}])
    """)
    assert made.program.pipeline.params[1].default == "2"
    assert inputs(made, "table") == {"path": Param("path")}
    assert inputs(made, "model") == {"table": Output("table"), "depth": Param("depth")}
    assert inputs(made, "other") == {"table": Output("table"), "depth": Const("3")}
    assert inputs(made, "total")["values"] == Apply(
        "list",
        (
            Output("model", path=(Field("score"),)),
            Output("other", path=(Field("names"), Key("a"))),
            Output("table", path=(Key(0),)),
            Const("1.5"),
            Apply("list", (Param("depth"),)),
            Apply("dict", (Const('"k"'), Param("depth"))),
        ),
    )
    assert made.program.pipeline.results[0].type == FLOAT


def test_tuples_of_known_length_unpack(traced: Callable[..., Trace]) -> None:
    made = traced("""
        @pipeline
        def p(path: str):
            table = load(path)
            a, b = split(table)
            n, text = halves(table)
            pair = halves(table)
            return (a, b, n, text, len(pair), list(pair))
    """)
    operand = result(made)
    assert isinstance(operand, Apply)
    assert operand.args[:5] == (
        Output("split", path=(Field("train"),)),
        Output("split", path=(Field("test"),)),
        Output("halves", path=(Key(0),)),
        Output("halves", path=(Key(1),)),
        Const("2"),
    )
    assert made.program.pipeline.results[0].type == Type(
        "tuple",
        (Type("list", (INT,)), Type("list", (INT,)), INT, STR, INT, Type("list", (Type("union", (INT, STR)),))),
    )


def test_run_facts_are_operands(traced: Callable[..., Trace]) -> None:
    made = traced("""
        @pipeline
        def p() -> str:
            return show(run_info.logical_time)
    """)
    assert inputs(made, "show") == {"value": RunInfo("logical_time")}


def test_run_facts_outside_a_pipeline_are_refused() -> None:
    from drawloom import run_info

    with pytest.raises(DefinitionError) as caught:
        _ = run_info.run_id
    (found,) = caught.value.diagnostics
    assert (found.code, found.what, found.fix) == (
        "D129",
        "`run_info.run_id` is asked for outside a run",
        "ask for it inside a @pipeline, and give tasks the value as a parameter",
    )


def test_a_pipeline_that_returns_nothing_has_no_results(traced: Callable[..., Trace]) -> None:
    assert traced("@pipeline\ndef p(n: int) -> None:\n    publish(n)\n").program.pipeline.results == ()
    assert traced("@pipeline\ndef p(n: int):\n    return publish(n)\n").program.pipeline.results == ()


def test_the_tasks_of_a_trace_are_listed_once_and_sorted(traced: Callable[..., Trace]) -> None:
    made = traced("""
        @pipeline
        def p(path: str):
            return train(load(path)), load("b")
    """)
    names = [spec.name.partition(":")[2] for spec in made.program.pipeline.tasks]
    assert names == ["load", "train"]
    assert sorted(made.functions) == [spec.name for spec in made.program.pipeline.tasks]
    assert all(made.functions[n] is made.tasks[n].function for n in made.functions)


def test_options_of_one_call_stand_at_the_call(traced: Callable[..., Trace]) -> None:
    made = traced("""
        @pipeline
        def p(path: str):
            a = load(path)
            b = load.with_options(retry=Retry(4))(path)
            return a, b
    """)
    assert calls(made)["a"].policies is None
    assert calls(made)["b"].policies == Policies(retry=RetryPolicy(4))


# order


def test_effects_keep_their_order_and_sources_wait_for_them(traced: Callable[..., Trace]) -> None:
    made = traced("""
        @pipeline
        def p(path: str):
            before = clock()
            publish(path)
            free = load(path)
            after = clock()
            publish.with_options(independent=True)(1)
            last = publish(free)
            constant = load("b")
            return after
    """)
    assert {n: c.after for n, c in calls(made).items()} == {
        "before": (),
        "publish": (),
        "free": ("publish",),
        "after": ("publish",),
        "publish-2": (),
        "last": ("publish",),
        "constant": ("last",),
    }


def test_a_container_with_effects_or_sources_counts_as_one(traced: Callable[..., Trace]) -> None:
    made = traced("""
        @pipeline
        def sends(n: int) -> None:
            publish(n)
            publish(n)
        @pipeline
        def reads(n: int) -> float:
            return clock()
        @pipeline
        def pure(n: int) -> str:
            return show(n)
        @pipeline
        def p(n: int):
            publish(n)
            sends(n)
            reads(n)
            pure(n)
            publish(n)
    """)
    top = {node.id: node.after for node in made.program.pipeline.body.nodes}
    assert top == {
        "publish": (), "sends": ("publish",), "reads": ("sends",), "pure": ("sends",), "publish-2": ("sends",),
    }  # fmt: skip
    assert calls(made)["sends/publish-2"].after == ("sends/publish",)


def test_after_adds_edges_to_tasks_pipelines_and_results(traced: Callable[..., Trace]) -> None:
    made = traced("""
        @pipeline
        def inner(n: int) -> str:
            return show(n)
        @pipeline
        def p(n: int):
            a = show(n)
            b = show(n)
            done = publish(n)
            c = show.after(a, [b, done])(n)
            d = show(c)
            d.after(a)
            e = inner.after(b)(n)
            f = publish(n)
            f.after(e)
            return d
    """)
    assert calls(made)["c"].after == ("done", "a", "b")
    assert calls(made)["d"].after == ("a",)
    assert next(n.after for n in made.program.pipeline.body.nodes if n.id == "e") == ("done", "b")
    assert calls(made)["f"].after == ("done", "e")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            "show.after(3)(n)",
            "`.after(...)` is given a int, not what a call in this pipeline returned | pass the results of calls",
        ),
        (
            "a = show(n); b = show(a); a.after(b)",
            "`a` can't come after `b`, which is called later | call `b` first",
        ),
        (
            "n.after(show(n))",
            (
                "`.after(...)` is called on \u27e8run-time value the parameter `n`: int\u27e9, "
                "which no call returned | "
                "call it on a result"
            ),
        ),
    ],
)
def test_an_impossible_order_is_refused(traced: Callable[..., Trace], body: str, text: str) -> None:
    found = refusal_of(lambda: traced(f"@pipeline\ndef p(n: int):\n    {body}\n"))
    assert found.partition(" ")[0] == "D122"
    assert found.split(" ", 2)[2] == text


# nested pipelines and static parameters


NESTED = """
    @pipeline
    def inner(x: int, scale: int = 2, *, folds: Static[int] = 2) -> list[str]:
        first = show(x * scale)
        return [first, *[show(i) for i in range(folds)]]
    @pipeline
    def p(n: int):
        a = inner(n)
        b = inner(4, scale=n, folds=1)
        return a, b
"""


def test_a_nested_pipeline_is_inlined_under_its_name(traced: Callable[..., Trace]) -> None:
    made = traced(NESTED)
    a, b = made.program.pipeline.body.nodes
    assert isinstance(a, PipelineCall)
    assert isinstance(b, PipelineCall)
    assert (a.id, a.pipeline, a.inputs) == ("a", "inner", (("x", Param("n")), ("scale", Const("2"))))
    assert b.inputs == (("x", Const("4")), ("scale", Param("n")))
    assert [n.id for n in a.body.nodes] == ["a/first", "a/show", "a/show-2"]
    assert [n.id for n in b.body.nodes] == ["b/first", "b/show"]
    assert inputs(made, "b/first") == {"value": Apply("mul", (Const("4"), Param("n")))}
    assert a.results[0].type == Type("list", (STR,))


def test_a_nested_pipeline_means_what_its_function_does(user_module: Load) -> None:
    module = user_module(TASKS + NESTED)
    made = trace(module.p)
    assert check_pipeline(made.program) == []
    assert interpret(made.program.pipeline, made.functions, {"n": 3}).result == module.p(3)


def test_parts_of_a_known_argument_of_a_nested_pipeline_are_known(user_module: Load) -> None:
    module = user_module(
        TASKS
        + """
    @pipeline
    def inner(report: Report) -> str:
        return show([report.score, report.names["a"]])
    @pipeline
    def p() -> str:
        return inner(Report(0.5, {"a": 1}))
"""
    )
    made = trace(module.p)
    assert interpret(made.program.pipeline, made.functions).result == module.p() == "[0.5, 1]"


def test_a_static_parameter_is_a_plain_value_while_tracing(traced: Callable[..., Trace]) -> None:
    text = """
        @pipeline
        def p(n: int, folds: Static[int] = 2) -> list[str]:
            return [show(n) for _ in range(folds)]
    """
    assert list(calls(traced(text))) == ["show", "show-2"]
    assert list(calls(traced(text, folds=1))) == ["show"]
    assert [p.name for p in traced(text).program.pipeline.params] == ["n"]


@pytest.mark.parametrize(
    ("text", "static", "refusal"),
    [
        (
            "@pipeline\ndef p(folds: Static[int]): ...",
            {},
            (
                "the static parameter `folds` of `p` has no value while the pipeline is traced | "
                "give `folds` a default, or a value for this trace"
            ),
        ),
        (
            "@pipeline\ndef p(folds: Static[int]): ...",
            {"fold": 3},
            (
                "`p` has no static parameter `fold`, did you mean `folds`? | "
                "mark it `Static[...]`, or give it as a parameter of the run"
            ),
        ),
        (
            "@pipeline\ndef q(folds: Static[int]): ...\n@pipeline\ndef p(n: int):\n    q(n)",
            {},
            (
                "the static parameter `folds` of `q` is given \u27e8run-time value the parameter `n`: int\u27e9 | "
                "give it a value that is known while the pipeline is traced, or take `Static[...]` away"
            ),
        ),
    ],
)
def test_a_static_parameter_must_be_known(
    traced: Callable[..., Trace], text: str, static: dict[str, object], refusal: str
) -> None:
    found = refusal_of(lambda: traced(text, **static))
    assert (found.split()[0], found.split(" ", 2)[2]) == ("D123", refusal)


# refusals of arguments


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        ("train()", "D112", "`train` is not given `table` | it takes `table`, `depth`"),
        ("train(n, 1, 2)", "D112", "`train` takes 2 arguments by position, got 3 | it takes `table`, `depth`"),
        (
            "train(n, dept=3)",
            "D112",
            "`train` has no parameter `dept`, did you mean `depth`? | it takes `table`, `depth`",
        ),
        ("train(n, table=n)", "D112", "`train` is given `table` twice | give it once, by position or by name"),
        (
            "show(open)",
            "D113",
            (
                "input `value` of `show` can't be kept as a constant: value is a builtin_function_or_method | "
                "make it a parameter of the pipeline, or load it in a @task"
            ),
        ),
        (
            "report = Report(0.5, {}); report.score = n; show(report)",
            "D114",
            (
                "input `value` of `show` is a `Report` that hides \u27e8run-time value the parameter `n`: int\u27e9 | "
                "pass the parts to a @task and make the `Report` in it"
            ),
        ),
        (
            "show(publish(n))",
            "D115",
            (
                "input `value` of `show` is \u27e8run-time value the result of `publish`: None\u27e9, "
                "but that call returns nothing | give the task a result, or order the calls with `.after(...)`"
            ),
        ),
        (
            "show('%s' % [n])",
            "D127",
            (
                "input `value` of `show` is a text that was made of a run-time value: "
                "'[\u27e8run-time value the parameter `n`: int\u27e9]' | make the text in a @task"
            ),
        ),
        (
            "show(File('data.csv'))",
            "D128",
            (
                "input `value` of `show` is a `File`, whose version is known only when a run begins | "
                "make it a parameter of the pipeline"
            ),
        ),
    ],
)
def test_an_argument_that_cannot_be_one_is_refused(
    traced: Callable[..., Trace], body: str, code: str, text: str
) -> None:
    found = refusal_of(lambda: traced(f"@pipeline\ndef p(n: int):\n    {body}\n"))
    assert (found.split(" ", 2)[0], found.split(" ", 2)[2]) == (code, text)


def test_a_secret_may_be_a_constant_and_a_default(user_module: Load) -> None:
    made = trace(
        user_module(
            TASKS
            + """
    @task
    def connect(key: Secret, other: Secret = Secret("other")) -> str: return key.name
    @pipeline
    def p(mine: Secret = Secret("mine")) -> str:
        return connect(Secret("db-password"))
"""
        ).p
    )
    assert made.program.pipeline.params[0].default == '{"$":"secret","name":"mine"}'
    assert inputs(made, "connect") == {
        "key": Const('{"$":"secret","name":"db-password"}'),
        "other": Const('{"$":"secret","name":"other"}'),
    }
    assert check_pipeline(made.program) == []


def test_a_value_of_another_trace_is_refused(user_module: Load) -> None:
    module = user_module(
        TASKS
        + """
    KEPT = []
    @pipeline
    def p(n: int):
        KEPT.append(show(n))
        return show(KEPT[0])
"""
    )
    trace(module.p)
    assert refusal_of(lambda: trace(module.p)).split(" ", 2)[2] == (
        "input `value` of `show` is \u27e8run-time value the result of `show`: str\u27e9, "
        "which was made in another trace or in a block that is closed | "
        "return it from the block's function (or pass it as a parameter) and use what comes back"
    )
    with pytest.raises(DefinitionError) as caught:
        _ = module.KEPT[0] + "x"
    (found,) = caught.value.diagnostics
    assert (found.code, found.what, found.fix) == (
        "D111",
        "a run-time value is used outside the block it was made in",
        "return it from the block's function (or from the pipeline) and use what comes back",
    )


def test_a_value_of_a_nested_pipelines_block_is_refused_outside(traced: Callable[..., Trace]) -> None:
    found = refusal_of(
        lambda: traced("""
        KEPT = []
        @pipeline
        def inner(n: int) -> None:
            KEPT.append(show(n))
        @pipeline
        def p(n: int):
            inner(n)
            return KEPT[0]
    """)
    )
    assert found.startswith("D111 ")
    assert "the result of `p` is \u27e8run-time value the result of `inner/show`: str\u27e9" in found


def test_two_tasks_of_one_name_are_refused(user_module: Load) -> None:
    module = user_module(
        TASKS
        + """
    def make(k):
        @task
        def work(n: int) -> int:
            return n + k
        return work
    @pipeline
    def p(n: int):
        return make(1)(n), make(2)(n)
"""
    )
    name = module.__name__
    assert refusal_of(lambda: trace(module.p)).split(" ", 2)[2] == (
        f"two tasks are named `{name}:make.<locals>.work`, both called in this pipeline | give one of them another name"
    )
    with pytest.raises(DefinitionError, match="D120"):
        trace(module.p)


def test_a_pipeline_that_calls_itself_is_refused(traced: Callable[..., Trace]) -> None:
    found = refusal_of(lambda: traced("@pipeline\ndef p(n: int):\n    return p(n)\n"))
    assert found.startswith("D121 ")
    assert found.split(" ", 2)[2] == (
        "`p` is called inside itself without end; a graph must be finite | "
        "use `while_loop`, or stop the recursion by a `Static` parameter"
    )


def test_the_users_own_error_comes_out_unchanged(traced: Callable[..., Trace]) -> None:
    with pytest.raises(KeyError, match="missing"):
        traced("@pipeline\ndef p(n: int):\n    return show({}['missing'])\n")


def test_ten_thousand_calls_give_ten_thousand_nodes_in_order(user_module: Load) -> None:
    module = user_module(
        TASKS
        + """
    @pipeline
    def p(n: int, times: Static[int] = 10_000):
        for _ in range(times):
            n = show(n)
        return n
"""
    )
    made = trace(module.p)
    nodes = made.program.pipeline.body.nodes
    assert len(nodes) == 10_000
    assert nodes[-1].id == "n-10000"
    assert dict(nodes[-1].inputs) == {"value": Output("n-9999")}  # type: ignore[union-attr]


def test_what_a_trace_leaves_behind_is_nothing(traced: Callable[..., Trace]) -> None:
    from drawloom.dsl.current import CURRENT

    with pytest.raises(ZeroDivisionError):
        traced("@pipeline\ndef p(n: int):\n    return 1 / 0\n")
    assert CURRENT.get() is None


def test_what_is_wrong_with_a_result_is_told_at_the_pipeline(user_module: Load) -> None:
    module = user_module(
        TASKS
        + """
    class Box:
        pass
    @pipeline
    def p(n: int):
        box = Box()
        return box
"""
    )
    with pytest.raises(DefinitionError) as caught:
        trace(module.p)
    [told] = caught.value.diagnostics
    assert told.code == "D113"
    assert str(told.where) == str(function_span(module.p.function))
