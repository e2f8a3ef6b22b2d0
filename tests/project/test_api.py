"""The verbs run, check and compile: what they are given, and what they refuse before anything runs."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import drawloom
from drawloom import Catalog, CompileError, File, RunRefused, Static, ValueRefused, pipeline, task
from drawloom.compilers.base import compiler_of
from drawloom.dsl.place import function_span

COUNTER: Iterator[int] = itertools.count()


@task
def double(n: int) -> int:
    return 2 * n


@task
def scaled(n: int, by: float) -> float:
    return n * by


@task
def length(source: File) -> int:
    with open(source.path) as file:
        return len(file.read())


@pipeline
def twice(n: int, times: Static[int] = 2) -> int:
    for _ in range(times):
        n = double(n)
    return n


@pipeline
def measured_file(source: File) -> int:
    return length(source)


@pipeline
def defaulted(n: int = 4, scale: float = 0.5) -> float:
    return scaled(double(n), scale)


@pipeline
def needs_static(times: Static[int]) -> int:
    return double(times)


@pipeline
def counting() -> int:
    first = double(1)
    return double(first + next(COUNTER))


@pipeline
def growing() -> int:
    last = 1
    for _ in range(next(COUNTER) + 1):
        last = double(last)
    return last


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("CATALOG", "PROJECT", "PROFILE", "EXECUTOR", "WORKERS"):
        monkeypatch.delenv(f"DRAWLOOM_{name}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def place(flow: Any) -> str:
    return f"  where  {function_span(flow.function)}\n"


def refusal(flow: Any, params: dict[str, object] | None = None, **options: Any) -> str:
    with pytest.raises(RunRefused) as caught:
        drawloom.run(flow, params, **options)
    return str(caught.value)


def test_a_run_gives_its_result(folder: Path) -> None:
    run = drawloom.run(twice, {"n": 3, "times": 3})
    assert (run.state, run.result, run.counts) == ("succeeded", 24, {"succeeded": 3})


def test_the_catalog_is_the_projects(folder: Path) -> None:
    (folder / "drawloom.toml").write_text('catalog = "kept"\nproject = "mine"\n')
    run = drawloom.run(twice, {"n": 3})
    assert Catalog.open(str(folder / "kept"), "mine").run(run.id).result == 12


@pytest.mark.parametrize("kind", ["path", "text", "catalog"])
def test_the_catalog_may_be_given(folder: Path, kind: str) -> None:
    path = folder / "here"
    given = {"path": path, "text": str(path), "catalog": Catalog.open(str(path))}[kind]
    run = drawloom.run(twice, {"n": 3}, catalog=given)
    assert Catalog.open(str(path)).run(run.id).result == 12


def test_a_path_will_do_for_a_file(folder: Path) -> None:
    (folder / "data.txt").write_text("12345")
    for given in ("data.txt", folder / "data.txt", File("data.txt")):
        assert drawloom.run(measured_file, {"source": given}).result == 5


def test_a_default_is_what_python_says_it_is(folder: Path) -> None:
    run = drawloom.run(defaulted)
    assert (run.result, run.params) == (defaulted(), {"n": 4, "scale": 0.5})


def test_r541_missing_parameters() -> None:
    assert refusal(twice) == (
        "error[R541] parameter `n` (int) is missing\n"
        f"{place(twice)}"
        "  fix    give it a value, or give it a default in the pipeline (on the command line: --n)"
    )


def test_r541_a_missing_static_parameter_is_told_by_check_and_compile() -> None:
    text = "error[R541] parameter `times` (int) is missing"
    assert [str(d).splitlines()[0] for d in drawloom.check(needs_static)] == [text]
    with pytest.raises(RunRefused) as caught:
        drawloom.compile(needs_static, "reference")
    assert str(caught.value).startswith(text)
    assert drawloom.check(needs_static, static={"times": 3}) == []


def test_r542_an_unknown_parameter() -> None:
    assert refusal(twice, {"n": 1, "tmes": 3}) == (
        f"error[R542] there is no parameter `tmes`, did you mean `times`?\n{place(twice)}  fix    it takes n, times"
    )


def test_r543_a_parameter_of_another_type() -> None:
    assert refusal(twice, {"n": "3"}) == (
        "error[R543] parameter `n`: expected int, got str\n"
        f"{place(twice)}"
        "  fix    give a value of the type int, or change the annotation; nothing is converted in silence"
    )


def test_r543_a_static_parameter_of_another_type() -> None:
    assert "error[R543] parameter `times`: expected int, got str" in refusal(twice, {"n": 3, "times": "3"})


def test_all_wrong_parameters_are_told_at_once() -> None:
    text = refusal(twice, {"m": 1, "times": None})
    assert [line.split("]")[0] for line in text.splitlines() if line.startswith("error")] == [
        "error[R541",
        "error[R542",
        "error[R543",
    ]


def test_r544_a_time_without_a_zone() -> None:
    assert refusal(twice, {"n": 1}, logical_time=datetime(2026, 1, 31)) == (
        "error[R544] `logical_time` is 2026-01-31 00:00:00, which has no zone\n"
        "  fix    give it one: `.replace(tzinfo=UTC)`"
    )
    text = refusal(twice, {"n": 1}, interval=(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1)))
    assert text.startswith("error[R544] `interval_end` is 2026-02-01 00:00:00, which has no zone\n")


def test_a_file_that_is_not_there_is_told_with_its_parameter() -> None:
    with pytest.raises(ValueRefused) as caught:
        drawloom.run(measured_file, {"source": "nowhere.txt"})
    assert str(caught.value) == (
        "error[V305] parameter `source`: the file nowhere.txt can't be read: No such file or directory\n"
        "  where  nowhere.txt\n"
        "  fix    check the path; a task's result must exist until the task has returned, and be readable by this user"
    )


def test_nothing_is_kept_of_a_run_that_was_refused(folder: Path) -> None:
    refusal(twice, {"n": "3"})
    assert not (folder / ".drawloom").exists()


def test_check_gives_problems_rather_than_raising() -> None:
    assert drawloom.check(twice) == []
    assert drawloom.check(twice, "reference") == []
    assert [d.code for d in drawloom.check(twice, "argot")] == ["E702"]


def test_compile_gives_files(folder: Path) -> None:
    bundle = drawloom.compile(twice, "reference", root=str(Path(__file__).parent))
    assert {"engine.json", "pipeline.json", "bundle.zip"} <= set(bundle)


def test_e790_an_option_the_engine_does_not_have() -> None:
    with pytest.raises(CompileError) as caught:
        drawloom.compile(twice, "reference", rot="x")
    options = inspect.signature(compiler_of("reference").compile).parameters
    known = ", ".join(name for name in options if name != "program")
    assert str(caught.value) == (
        f"error[E790] reference has no option `rot`, did you mean `root`?\n  fix    it takes {known}"
    )


def test_compile_takes_what_the_project_says_of_pickle(folder: Path) -> None:
    root = str(Path(__file__).parent)
    safe = dict(drawloom.compile(twice, "reference", root=root))
    allowed = dict(drawloom.compile(twice, "reference", root=root, allow_pickle=True))
    assert safe != allowed
    (folder / "drawloom.toml").write_text("allow_pickle = true\n")
    assert dict(drawloom.compile(twice, "reference", root=root)) == allowed


@pytest.mark.parametrize(("flow", "node"), [(counting, "double"), (growing, "last-2")])
def test_e791_a_pipeline_that_differs_is_refused_where_it_differs(flow: Any, node: str) -> None:
    global COUNTER
    COUNTER = itertools.count()
    with pytest.raises(CompileError) as caught:
        drawloom.compile(flow, "reference")
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.code == "E791"
    assert diagnostic.what == f"`{flow.name}` is not the same each time it is traced: node `{node}` differs"
    assert diagnostic.where is not None
    assert diagnostic.where.symbol == flow.name
    assert diagnostic.where.line > flow.function.__code__.co_firstlineno
    once, then = diagnostic.excerpt.splitlines()
    assert once.startswith("once  ")
    assert then.startswith(f"then  {node} = ")
    assert once[6:] != then[6:]
