"""docs/control-flow.md does what it says: each program gives, as plain Python and as a graph, what stands below it."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

from drawloom import Catalog, DefinitionError, Pipeline, check, run
from drawloom.dsl.tracing import trace
from drawloom.ir.text import format_pipeline

# Any: parameters and results of any pipeline

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "control-flow.md").read_text(encoding="utf-8")
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
BLOCKS = [(found[1], found[2]) for found in FENCE.finditer(PAGE)]
PROGRAMS = [place for place, (language, _) in enumerate(BLOCKS) if language == "python"]
GIVES = re.compile(r"^# (\w+)\((.*)\) == (.*)$", re.MULTILINE)
RAISES = re.compile(r"^# (\w+)\((.*)\) raises (\w+)$", re.MULTILINE)
REFUSED = re.compile(r"^# (\w+) is refused: (D\d{3})$", re.MULTILINE)
SAME = re.compile(r"^# (\w+) and (\w+) have one graph$", re.MULTILINE)


def _name(place: int) -> str:
    return "shop" if place == PROGRAMS[0] else f"control_flow_{place}"


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], ModuleType]]:
    """Gives the module of the page's n-th block."""
    folder = tmp_path_factory.mktemp("page")
    for place in PROGRAMS:
        (folder / f"{_name(place)}.py").write_text(BLOCKS[place][1], encoding="utf-8")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    yield lambda place: importlib.import_module(_name(place))
    sys.path.remove(str(folder))
    for place in PROGRAMS:
        sys.modules.pop(_name(place), None)


def _given(pipeline: Pipeline[..., Any], words: str) -> dict[str, Any]:
    args, kwargs = eval(f"(lambda *args, **kwargs: (args, kwargs))({words})")
    given: dict[str, Any] = dict(zip(pipeline.function.__code__.co_varnames, args)) | kwargs
    return given


def _refused(text: str) -> set[str]:
    return {found[0] for found in REFUSED.findall(text)}


@pytest.mark.parametrize("place", PROGRAMS)
def test_a_program_gives_what_stands_below_it(place: int, modules: Callable[[int], ModuleType], tmp_path: Path) -> None:
    module, text = modules(place), BLOCKS[place][1]
    for name in {found for found in vars(module) if type(getattr(module, found)) is Pipeline} - _refused(text):
        assert check(getattr(module, name)) == [], name
    catalog = Catalog.open(str(tmp_path))
    for name, words, expected in GIVES.findall(text):
        pipeline = getattr(module, name)
        given, wanted = _given(pipeline, words), eval(expected)
        assert pipeline(**given) == wanted, f"{name}({words}), plain"
        assert run(pipeline, given, catalog=catalog, executor="inline").result == wanted, f"{name}({words}), a run"
    for name, words, error in RAISES.findall(text):
        pipeline = getattr(module, name)
        given = _given(pipeline, words)
        with pytest.raises(Exception) as plain:  # any, by its name
            pipeline(**given)
        assert type(plain.value).__name__ == error, f"{name}({words}), plain"
        ended = run(pipeline, given, catalog=catalog, executor="inline")
        with pytest.raises(Exception) as failed:
            ended.result  # noqa: B018
        assert error in str(failed.value), f"{name}({words}), a run: {failed.value}"


@pytest.mark.parametrize("place", [place for place in PROGRAMS if _refused(BLOCKS[place][1])])
def test_what_is_refused_is_refused(place: int, modules: Callable[[int], ModuleType]) -> None:
    for name, code in REFUSED.findall(BLOCKS[place][1]):
        with pytest.raises(DefinitionError) as refused:
            trace(getattr(modules(place), name))
        assert refused.value.diagnostics[0].code == code


@pytest.mark.parametrize("place", [place for place in PROGRAMS if SAME.search(BLOCKS[place][1])])
def test_both_spellings_have_one_graph(place: int, modules: Callable[[int], ModuleType]) -> None:
    for plain, explicit in SAME.findall(BLOCKS[place][1]):
        texts = [format_pipeline(trace(getattr(modules(place), n)).program.pipeline) for n in (plain, explicit)]
        assert texts[0].replace(plain, explicit) == texts[1]


@pytest.mark.parametrize("place", [p for p, (language, _) in enumerate(BLOCKS) if language == "text"])
def test_a_graph_is_as_shown(place: int, modules: Callable[[int], ModuleType]) -> None:
    program = max(p for p in PROGRAMS if p < place)
    module = modules(program)
    name = re.findall(r"^@pipeline\ndef (\w+)", BLOCKS[program][1], re.MULTILINE)[-1]
    body = format_pipeline(trace(getattr(module, name)).program.pipeline).partition("\n\n")[2]
    assert "\n".join(line.removeprefix("  ") for line in body.splitlines()) == BLOCKS[place][1].rstrip()


def test_tracing_runs_both_sides_on_the_users_lines(modules: Callable[[int], ModuleType]) -> None:
    place = next(place for place in PROGRAMS if "def rated(" in BLOCKS[place][1])
    module, hit = modules(place), set()

    def watch(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename == module.__file__:
            hit.add(frame.f_lineno)
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        trace(module.rated)
    finally:
        sys.settrace(before)
    lines = BLOCKS[place][1].splitlines()
    statements = {number for number, line in enumerate(lines, 1) if " = " in line and line.startswith("    ")}
    assert statements <= hit


def test_the_first_example_of_the_readme_is_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = FENCE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert first is not None
    (tmp_path / "churn.py").write_text(first[2], encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert check(importlib.import_module("churn").churn) == []
    sys.modules.pop("churn")
