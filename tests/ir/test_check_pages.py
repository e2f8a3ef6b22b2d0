"""The programs on the pages of the check's diagnostics: the first fails with that code, the second is clean."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from drawloom.dsl.tracing import trace
from drawloom.errors import DrawloomError
from drawloom.ir import nodes, operands, policies, types
from drawloom.ir.check import check_pipeline
from drawloom.ir.interpret import interpret
from drawloom.ir.nodes import Pipeline
from drawloom.ir.program import Program

PAGES = sorted((Path(__file__).parents[2] / "docs" / "errors").glob("G2*.md"))
NAMES = {name: getattr(module, name) for module in (nodes, operands, policies, types) for name in module.__all__}


def _codes_of(source: str, folder: Path) -> set[str]:
    """The codes of all diagnostics that a program on a page gives."""
    path = folder / "page_program.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("page_program", path)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    vars(module).update(NAMES, interpret=interpret)
    try:
        spec.loader.exec_module(module)
    except DrawloomError as error:
        return {d.code for d in error.diagnostics}
    built = isinstance(module.pipeline, Pipeline)
    return {d.code for d in check_pipeline(Program(module.pipeline) if built else trace(module.nightly).program)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_first_program_fails_with_its_code_and_the_second_is_clean(page: Path, tmp_path: Path) -> None:
    failing, repaired = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert _codes_of(failing, tmp_path) == {page.stem}
    assert _codes_of(repaired, tmp_path) == set()


def test_there_are_pages() -> None:
    assert len(PAGES) >= 30
