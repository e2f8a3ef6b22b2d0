"""Every diagnostic's code has its page in docs/errors/, every page belongs to a code, and every code is tested."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "errors"
CODE = re.compile(r"""["']([DGVSRPE]\d{3})["']""")


def _codes_in(folder: Path) -> set[str]:
    return {code for path in folder.rglob("*.py") for code in CODE.findall(path.read_text(encoding="utf-8"))}


CODES = sorted(_codes_in(ROOT / "drawloom"))


@pytest.mark.parametrize("code", CODES)
def test_a_code_has_a_page_with_a_failing_and_a_repaired_program(code: str) -> None:
    page = PAGES / f"{code}.md"
    assert page.is_file(), f"docs/errors/{code}.md is missing"
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {code}: "), text.splitlines()[0]
    assert text.count("```") >= 4, f"{page.name} must show a failing program and the repaired one"


def test_no_page_is_left_over() -> None:
    assert {path.stem for path in PAGES.glob("[A-Z]*.md")} <= set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_named_by_a_test(code: str) -> None:
    tests = (path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__))
    assert any(code in path.read_text(encoding="utf-8") for path in tests), f"no test names {code}"


def test_the_list_of_errors_is_that_of_the_pages() -> None:
    spec = importlib.util.spec_from_file_location("index", PAGES / "index.py")
    assert spec is not None
    assert spec.loader is not None
    index = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(index)
    assert (ROOT / "docs" / "errors.md").read_text(encoding="utf-8") == index.page(PAGES), "run `make docs`"
