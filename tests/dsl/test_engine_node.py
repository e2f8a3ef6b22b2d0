"""`@engine_node`: what one engine alone has, in the graph as any task; wrong ones refused with their place."""

from __future__ import annotations

import json
from datetime import date
from typing import Any, NamedTuple

import pytest

from drawloom import DefinitionError, Retry, Static, engine_node, pipeline, run_on_engine, task
from drawloom.api import check
from drawloom.dsl.tracing import trace
from drawloom.errors import RunRefused
from drawloom.ir.text import format_pipeline
from drawloom.testing import run


class Sent(NamedTuple):
    id: str
    count: int


@engine_node
def send(to: str, texts: list[str], urgent: bool = False) -> Sent:
    return run_on_engine("argo", templateRef={"name": "mail", "template": "send"})


@engine_node(independent=True)
def ping(to: str) -> None:
    run_on_engine("argo", templateRef={"name": "mail", "template": "ping", "clusterScope": True})


@task
def shout(sent: Sent) -> str:
    return sent.id.upper() * sent.count


@pipeline
def flow(to: str = "bob") -> str:
    sent = send(to, ["a", "b"])
    ping(to)
    return shout(sent)


def test_it_is_a_call_of_a_task_that_says_what_the_engine_runs() -> None:
    made = trace(flow, {}).program.pipeline
    engines = {spec.name.rpartition(":")[2]: spec.engine for spec in made.tasks}
    assert engines["shout"] is None
    assert engines["send"] is not None
    assert json.loads(engines["send"].spec) == {"templateRef": {"name": "mail", "template": "send"}}
    assert " on argo " in format_pipeline(made)
    assert check(flow) == []


def test_what_the_engine_runs_is_part_of_the_version_of_the_task() -> None:
    def declared(template: str) -> str:
        namespace: dict[str, Any] = {"engine_node": engine_node, "run_on_engine": run_on_engine, "__name__": __name__}
        code = f"def other(n: int) -> int:\n    return run_on_engine('argo', templateRef={{'name': {template!r}}})\n"
        exec(compile(code, f"{template}.py", "exec"), namespace)  # the same function, but for one text
        other = engine_node(namespace["other"])

        @pipeline
        def one() -> int:
            return other(1)

        (spec,) = trace(one, {}).program.pipeline.tasks
        return spec.function.digest

    assert declared("a") != declared("b")


def test_its_edges_are_typed_as_those_of_any_task() -> None:
    @pipeline
    def wrong() -> str:
        return shout(send("bob", [1]).id)  # type: ignore[arg-type,list-item]  # that is the point

    assert [diagnostic.code for diagnostic in check(wrong)] == ["G203", "G203"]


def test_in_a_test_a_function_takes_its_place() -> None:
    made = run(flow, {}, substitute={send: lambda to, texts, urgent: Sent(to, len(texts)), ping: lambda to: None})
    assert made.result == "BOBBOB"


def test_a_local_run_refuses_it() -> None:
    with pytest.raises(RunRefused) as refused:
        run(flow, {})
    assert [diagnostic.code for diagnostic in refused.value.diagnostics] == ["R518", "R518"]
    assert refused.value.diagnostics[0].where is not None


def test_it_takes_no_options_of_how_it_runs() -> None:
    @pipeline
    def insistent() -> Sent:
        return send.with_options(retry=Retry(max_attempts=3))("bob", [])

    (found,) = check(insistent)
    assert (found.code, "`retry`" in found.what) == ("G237", True)


def refused(declared: Any) -> str:
    """The first line of what is refused when a pipeline calls it."""

    @pipeline
    def calling() -> None:
        declared(1)

    with pytest.raises(DefinitionError) as caught:
        trace(calling, {})
    (found,) = caught.value.diagnostics
    assert found.where is not None
    assert found.where.file == __file__
    return f"{found.code} {found.what}"


def test_a_call_outside_of_a_pipeline_is_refused() -> None:
    with pytest.raises(DefinitionError) as caught:
        send("bob", [])
    (found,) = caught.value.diagnostics
    assert (found.code, found.what) == (
        "D177",
        "`send` is called outside of a pipeline, and only argo has what it runs",
    )


def test_a_function_that_names_nothing_is_refused() -> None:
    @engine_node
    def nothing(n: int) -> str:
        return str(1)

    @engine_node
    def forgotten(n: int) -> int:
        run_on_engine("argo", templateRef={})
        return None  # type: ignore[return-value]  # that is the point

    assert refused(nothing) == "D174 `nothing` returns '1', not what `run_on_engine(...)` gives"
    assert refused(forgotten).startswith("D174 ")


def test_types_that_no_text_can_hold_are_refused() -> None:
    @engine_node
    def taking(day: date) -> int:
        return run_on_engine("argo", templateRef={})

    @engine_node
    def giving(n: int) -> set[int]:
        return run_on_engine("argo", templateRef={})

    @engine_node
    def static(n: Static[int]) -> int:
        return run_on_engine("argo", templateRef={})

    @engine_node
    def untold(n: int):  # type: ignore[no-untyped-def]  # that is the point
        return run_on_engine("argo", templateRef={})

    assert refused(taking) == (
        "D175 the parameter `day` of the engine node `taking` has the type `date`, which no text can hold"
    )
    assert refused(giving).startswith("D175 the result of the engine node `giving` has the type `set[int]`")
    assert refused(static).startswith("D175 the parameter `n` of the engine node `static` is `Static`")
    assert refused(untold) == "D175 the engine node `untold` doesn't say what it gives"


@engine_node
def empty(n: int) -> int:
    return run_on_engine("argo")


@engine_node
def holding(n: int) -> int:
    return run_on_engine("argo", ref={"a": [1, {2}]})


@engine_node
def keyed(n: int) -> int:
    return run_on_engine("argo", ref={1: "a"})


@engine_node
def endless(n: int) -> int:
    return run_on_engine("argo", ref=float("nan"))


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (empty, "it is empty"),
        (holding, "`ref.a[1]` is {2}"),
        (keyed, "`ref` has a key that is no text"),
        (endless, "`ref` is nan"),
    ],
)
def test_what_is_no_json_is_refused(declared: Any, told: str) -> None:
    assert refused(declared) == f"D176 what the engine node `{declared.__name__}` tells argo is no JSON: {told}"


def test_an_input_within_the_description_and_an_engine_without_a_name_are_refused() -> None:
    @engine_node
    def within(n: int) -> int:
        return run_on_engine("argo", templateRef={"name": n})

    @engine_node
    def formatted(n: int) -> int:
        return run_on_engine("argo", templateRef={"name": f"mail-{n}"})

    @engine_node
    def nameless(n: int) -> int:
        return run_on_engine("", templateRef={})

    assert refused(within) == (
        "D176 what the engine node `within` tells argo is no JSON: `templateRef.name` is <input 'n' of an engine node>"
    )
    assert refused(formatted).startswith("D172 <input 'n' of an engine node> is used as a value")
    assert refused(nameless).startswith("D176 the engine node `nameless` names the engine ''")
