"""`@container`: what it records, what it refuses, and that nothing of a placeholder can be made but a part of a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pytest

import drawloom
from drawloom import (
    DefinitionError,
    Directory,
    File,
    Retry,
    RunRefused,
    Static,
    container,
    input_path,
    output_path,
    pipeline,
    run_image,
    task,
    testing,
)
from drawloom.catalog.catalog import Catalog
from drawloom.dsl.container import container_of
from drawloom.dsl.specs import task_spec
from drawloom.dsl.tracing import trace
from drawloom.ir.check import check_pipeline
from drawloom.ir.program import Program, pipeline_digest
from drawloom.ir.serialize import from_json, to_json
from drawloom.ir.tasks import Container, InputPath, InputText, OutputPath, TaskSpec
from drawloom.ir.text import format_pipeline

IMAGE = "registry.example/tool:1"


class Parts(NamedTuple):
    head: File
    size: int


@dataclass(frozen=True)
class Wrong:
    when: set[int]


@container(retry=Retry(max_attempts=2), attempt_timeout_seconds=5)
def convert(video: File, folder: Directory, tags: dict[str, int], level: int = 3, name: str = "x") -> Parts:
    return run_image(
        IMAGE,
        ["tool", video, folder, tags, ("--level=", level), input_path(name), name, output_path("head", suffix=".mp4")],
        env={"B": "{{x}}", "A": ""},
    )


@task
def given() -> File:
    return File(__file__)


@pipeline
def flow(level: int, folder: Directory) -> int:
    return convert(given(), folder, {"a": 1}, level).size


def spec_of(function) -> TaskSpec:
    return task_spec(container(function))


def refused(function) -> str:
    with pytest.raises(DefinitionError) as caught:
        container_of(container(function))
    (found,) = caught.value.diagnostics
    return f"{found.code} {found.what}"


def test_the_command_is_parts_in_the_ir():
    assert task_spec(convert).container == Container(
        IMAGE,
        (
            ("tool",),
            (InputPath("video"),),
            (InputPath("folder"),),
            (InputPath("tags"),),
            ("--level=", InputText("level")),
            (InputPath("name"),),
            (InputText("name"),),
            (OutputPath("head", ".mp4"),),
        ),
        (("A", ""), ("B", "{{x}}")),
    )


def test_a_call_of_it_is_a_call_of_any_task():
    program = trace(flow, {}).program
    assert check_pipeline(program) == []
    (node,) = [n for n in program.pipeline.body.nodes if n.id == "convert"]
    assert node.task.endswith(":convert")
    assert from_json(type(program.pipeline), to_json(program.pipeline)) == program.pipeline
    assert (
        'runs "registry.example/tool:1" ["tool", path video, path folder, path tags, "--level=" + text level, path name, '
        'text name, output "head" ".mp4"] env [["A", ""], ["B", "{{x}}"]]'
    ) in format_pipeline(program.pipeline)


def test_another_image_or_command_is_another_version():
    def one(n: int) -> int:
        return run_image("a:1", ["x", n])

    def two(n: int) -> int:
        return run_image("a:2", ["x", n])

    def three(n: int) -> int:
        return run_image("a:1", ["y", n])

    assert len({spec_of(function).function.digest for function in (one, two, three)}) == 3


def test_a_graph_with_another_command_is_another_program():
    def digest(command: str) -> str:
        spec = TaskSpec("m:f", task_spec(convert).function, container=Container("a", ((command,),)))
        return pipeline_digest(trace(flow, {}).program.pipeline.__class__("p", tasks=(spec,)))

    assert digest("a") != digest("b")


def test_a_part_of_an_unknown_input_is_refused_in_a_document():
    spec = TaskSpec("m:f", task_spec(convert).function, container=Container("a", ((InputText("n"),),)))
    pipeline_ = trace(flow, {}).program.pipeline.__class__("p", tasks=(spec,))
    (found,) = check_pipeline(Program(pipeline_))
    assert found.code == "G204"


def test_what_is_no_run_image_is_refused():
    def nothing(n: int) -> int:
        return n

    assert refused(nothing) == "D170 `nothing` returns <text 'n' of a container>, not what `run_image(...)` gives"


def test_an_effect_may_call_run_image_without_returning_it():
    def effect(n: int) -> None:
        run_image(IMAGE, ["x"])

    def twice(n: int) -> None:
        run_image(IMAGE, ["x"])
        run_image(IMAGE, ["y"])

    def lost(n: int) -> int:
        run_image(IMAGE, ["x"])

    assert spec_of(effect).container == Container(IMAGE, (("x",),))
    assert [refused(f)[:4] for f in (twice, lost)] == ["D170", "D170"]


def test_types_that_no_file_holds_are_refused():
    def taking(n: set[int]) -> None:
        return run_image(IMAGE, ["x"])

    def giving(n: int) -> tuple[int, str]:
        return run_image(IMAGE, ["x"])

    def holding(n: int) -> Wrong:
        return run_image(IMAGE, ["x"])

    def static(n: Static[int]) -> None:
        return run_image(IMAGE, ["x"])

    def untold(n: int):
        return run_image(IMAGE, ["x"])

    def twins(n: int, N: int) -> None:
        return run_image(IMAGE, ["x"])

    assert "`n` of the container `taking` has the type `set[int]`" in refused(taking)
    assert "the result of the container `giving` has the type `tuple[int, str]`" in refused(giving)
    assert "the field `when` of the result" in refused(holding)
    assert "is `Static`" in refused(static)
    assert "doesn't say what it gives" in refused(untold)
    assert "differ only in case" in refused(twins)
    assert {refused(f)[:4] for f in (taking, giving, holding, static, untold, twins)} == {"D171"}


@pytest.mark.parametrize(
    "use",
    [
        lambda n: f"{n}",
        str,
        lambda n: "%s" % n,  # noqa: UP031
        lambda n: "--n=" + n,
        lambda n: n + 1,
        lambda n: n == 3,
        lambda n: n > 3,
        lambda n: [] if n else ["x"],
        list,
        len,
        lambda n: n[0],
        lambda n: n.path,
        lambda n: 3 in n,
        input_path,
    ],
    ids=[str(n) for n in range(14)],
)
def test_a_placeholder_has_no_value(use):
    def using(n: int) -> int:
        if use is input_path:
            use("n")
        return run_image(IMAGE, [use(n)])

    assert refused(using).startswith("D172 ")


@pytest.mark.parametrize(
    ("image", "command", "told"),
    [
        ("", ["x"], "the image is ''"),
        ("-v", ["x"], "the image is '-v'"),
        (IMAGE, "x y", "the command is 'x y'"),
        (IMAGE, [], "the command is []"),
        (IMAGE, ["x", 3], "a part of the command is 3"),
        (IMAGE, ["a\0"], "null character"),
        (IMAGE, [output_path("gone")], "names no field of the result"),
        (IMAGE, [output_path("", suffix="/../x")], "can't end a file's name"),
        (IMAGE, [output_path(), output_path(suffix=".a")], "has two suffixes"),
    ],
)
def test_a_wrong_command_is_refused(image, command, told):
    def wrong(n: int) -> int:
        return run_image(image, command)

    found = refused(wrong)
    assert found.startswith("D173 container `wrong`: ")
    assert told in found


@pytest.mark.parametrize("env", [{"A B": "x"}, {"A": 3}, ["A"], {"A": "\0"}, {1: "x"}])
def test_wrong_variables_are_refused(env):
    def wrong(n: int) -> int:
        return run_image(IMAGE, ["x"], env=env)

    assert refused(wrong).startswith("D173 ")


@pytest.mark.parametrize("options", [{"env": {"A": "b"}}, {"image": "x:1"}, {"packages": ["pandas"]}])
def test_options_of_a_python_task_are_refused_wherever_they_come_from(options):
    @drawloom.task
    def count(n: int) -> int:
        return n

    @drawloom.container
    def boxed(n: int) -> int:
        return run_image(IMAGE, ["x", n])

    def both(n: int) -> int:
        with drawloom.call_options(**options):
            return boxed(count(n))

    def one(n: int) -> int:
        return boxed.with_options(**options)(n)

    for function in (both, one):
        (found,) = check_pipeline(trace(drawloom.pipeline(function), {}).program)
        assert found.code == "G236"
        assert f"`boxed` runs a container, and is given `{next(iter(options))}`" in found.what


def test_in_a_test_a_function_takes_its_place(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    def instead(video: File, folder: Directory, tags: dict[str, int], level: int, name: str) -> Parts:
        return Parts(video, level)

    found = testing.run(flow, {"level": 5, "folder": Directory(str(tmp_path))}, substitute={convert: instead})
    assert found.result == 5


def test_without_anything_to_run_containers_by_a_run_is_refused_before_it_begins(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    catalog = Catalog.open(str(tmp_path / "store"))
    with pytest.raises(RunRefused, match=r"R562.*`convert` runs a container, and neither docker nor podman is on PATH"):
        flow.options(catalog=catalog).run(level=3, folder=Directory(str(tmp_path)))
    monkeypatch.setenv("DRAWLOOM_CONTAINER_COMMAND", "no-such-program --now")
    with pytest.raises(RunRefused, match=r"R562.*'no-such-program --now' is no program"):
        flow.options(catalog=catalog).run(level=3, folder=Directory(str(tmp_path)))
    assert list(catalog.runs()) == []
