"""The text of a pipeline before and after each pass, byte for byte; `pass_cases.py` writes the files anew."""

from __future__ import annotations

import doctest
import sys

import pytest
from pass_cases import CASES, FOLDER, after, before, text

from drawloom.compilers.passes.order import PASSES, Pass
from drawloom.ir.check import check_pipeline
from drawloom.ir.program import Program

EACH = [(name, case) for name, cases in CASES.items() for case in cases]


@pytest.mark.parametrize(("name", "case"), EACH, ids=["/".join(pair) for pair in EACH])
def test_the_text_before_and_after_is_the_reviewed_one(name: str, case: str) -> None:
    folder = FOLDER / name
    assert text(before(name, case)) == (folder / f"{case}.before.txt").read_text(encoding="utf-8")
    assert text(after(name, case)) == (folder / f"{case}.after.txt").read_text(encoding="utf-8")
    assert check_pipeline(Program(after(name, case))) == []


def test_every_pass_has_a_case_and_every_file_belongs_to_one() -> None:
    assert set(CASES) == {one.__name__ for one in PASSES} | {"run_passes"}
    expected = {f"{name}/{case}.{when}.txt" for name, case in EACH for when in ("before", "after")}
    assert {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.txt")} == expected


@pytest.mark.parametrize("one", PASSES, ids=lambda one: one.__name__)
def test_the_text_in_a_docstring_is_what_the_pass_gives(one: Pass) -> None:
    module = sys.modules[one.__module__]
    found = doctest.DocTestFinder().find(one, one.__name__, module)
    assert [test.examples != [] for test in found] == [True]
    assert doctest.DocTestRunner().run(found[0]).failed == 0
