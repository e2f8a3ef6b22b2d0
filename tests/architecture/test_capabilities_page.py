"""docs/capabilities.md is what the compilers declare."""

from __future__ import annotations

from pathlib import Path

from drawloom.compilers.base import compiler_of, engine_names
from drawloom.compilers.matrix import matrix_page


def test_the_page_is_what_the_compilers_declare() -> None:
    page = Path(__file__).parents[2] / "docs" / "capabilities.md"
    assert page.read_text(encoding="utf-8") == matrix_page(map(compiler_of, engine_names())), "run `make docs`"
