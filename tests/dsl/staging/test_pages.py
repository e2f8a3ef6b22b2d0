"""The programs on the pages of what can't be staged: the first is refused with that code, the second is clean."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from drawloom.dsl.tracing import trace
from drawloom.errors import DefinitionError
from drawloom.ir.check import check_pipeline

FIRST = 138
PAGES = [
    page
    for page in sorted((Path(__file__).parents[3] / "docs" / "errors").glob("D1*.md"))
    if int(page.stem[1:]) >= FIRST
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_first_program_is_refused_and_the_second_is_clean(
    page: Path, user_module: Callable[[str], ModuleType]
) -> None:
    failing, repaired = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    with pytest.raises(DefinitionError) as caught:
        trace(user_module(failing).flow)
    (found,) = caught.value.diagnostics
    assert found.code == page.stem
    assert found.where is not None
    assert 0 < found.where.line <= failing.count("\n")
    assert check_pipeline(trace(user_module(repaired).flow).program) == []


def test_there_are_pages() -> None:
    assert len(PAGES) >= 18
