"""Each program gives the same everywhere: as the reference interpreter does, which does what CPython does.

Compared are the result or the exception, the final state, the state of each node, every value and what it was made of,
the effects in their order, and what the catalog has of it. `make test` runs a part: every case inline, the first case
of each program everywhere, some with faults. `make conformance` (`TEST_CONFORMANCE=all`) runs all of it.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest

sys.path[:0] = [path for path in (str(Path(__file__).parent),) if path not in sys.path]
from expected import expected, interpreted  # noqa: E402  # sibling files, found where tests are imported by path
from harness import Case, assert_same, case_names, programs, take_lines  # noqa: E402
from places import ENGINE_PLACES, PLACES, run_on  # noqa: E402
from plain import assert_equal, is_subsequence, run_plainly  # noqa: E402

from drawloom.ir.envelope import class_ref  # noqa: E402
from drawloom.ir.policies import RetryPolicy  # noqa: E402
from drawloom.runtimes.engine_faults import Faults  # noqa: E402

ALL = os.environ.get("TEST_CONFORMANCE") == "all"
FAULTS = Faults(
    double_start=0.15,
    zombie=0.1,
    kill_before_commit=0.15,
    kill_after_commit=0.15,
    lost_exit_code=0.1,
    failing_store=0.1,
    slow_store_seconds=0.001,
    seed=7,
    lost_retries=3,
)
# the plain function shares what a task changes with everybody else, and a run doesn't
CHANGES_ARGUMENTS = {"by_value"}
CASES = case_names()
SMALL, SCALE = case_names("small"), case_names("scale")
FIRST = [next((module, name) for module, name in CASES if module == program) for program in programs()]
LARGE = {("fan_out", "fifty")}  # its width is proven with faults
QUICK = {place: [case for case in (CASES if place == "inline" else FIRST) if case not in SCALE] for place in PLACES}
QUICK["reference"] = QUICK["reference"][::3]  # the same steps run all of them on a real engine
QUICK["inline"] += SCALE
QUICK["threads"] += [case for case in SCALE if case not in QUICK["threads"]]
LONG = pytest.mark.timeout(1800)  # a thousand steps, each a process of its own


def _marks(case: tuple[str, str]) -> list[pytest.MarkDecorator]:
    return [LONG] * (case in SCALE)


EVERYWHERE = [
    pytest.param(place, module, name, id=f"{module}-{name}-{place}", marks=_marks((module, name)))
    for place in PLACES
    for module, name in (CASES if ALL else QUICK[place])
    if place not in ENGINE_PLACES or (module, name) not in LARGE
]


# what meets the faults in `make test`: kinds of nodes, and failures that are handled
FAULTY_CASES = [
    *LARGE,
    *(("handlers", case) for case in ("none", "each", "unhandled")),
    *(("batches", case) for case in ("fine", "one-fails")),
    *(case for case in FIRST if case[0] in ("branches", "effects", "failing", "loops", "mixture", "retries")),
]
if ALL:
    FAULTY_CASES += [case for case in FIRST if case not in FAULTY_CASES and case not in SCALE]
    FAULTY_CASES += [("wide_map", "small"), ("fallback_cleanup_retries", "twenty"), ("hostile_everywhere", "all")]
FAULTY = [
    pytest.param(engine, module, name, id=f"{module}-{name}-{engine}", marks=_marks((module, name)))
    for engine in ENGINE_PLACES
    for module, name in FAULTY_CASES
]


def test_every_program_says_what_it_is_of() -> None:
    assert len(programs()) >= 60
    assert set(SMALL) | set(SCALE) == set(CASES)
    assert len(SCALE) >= 4
    for name in programs():
        module = importlib.import_module(name)
        assert module.__doc__, name
        assert module.CASES, name


@pytest.mark.parametrize(
    ("module", "name"),
    [pytest.param(m, name, id=f"{m}-{name}", marks=_marks((m, name))) for m, name in CASES],
)
def test_the_interpreter_does_what_the_plain_function_does(tmp_path: Path, module: str, name: str) -> None:
    case = Case(module, name)
    changed = any(task.policies.retry != RetryPolicy() or task.policies.env for task in case.tasks)
    if module in CHANGES_ARGUMENTS or changed:
        pytest.skip("a run isn't meant to do what the plain function does")
    plain = run_plainly(case, _folder(tmp_path, "plain"))
    folder = _folder(tmp_path, "oracle")
    outcome, handed = interpreted(case, folder)
    failure = None if outcome.failure is None else (class_ref(type(outcome.failure)), str(outcome.failure))
    assert failure == plain.failure
    assert_equal(outcome.result, plain.result)
    lines = take_lines(folder)
    calls = handed.counted()
    if failure is not None or "failed" in outcome.instances.values():  # a run goes on behind a failure
        assert is_subsequence(plain.lines, lines)
        assert not plain.calls - calls
    else:
        assert lines == plain.lines
        assert calls == plain.calls


@pytest.mark.parametrize(("place", "module", "name"), EVERYWHERE)
def test_a_place_gives_what_the_interpreter_gives(tmp_path: Path, place: str, module: str, name: str) -> None:
    case = Case(module, name)
    found = run_on(place, case, _folder(tmp_path, "run"), cache=tmp_path.parent / "cache")
    assert_same(found, expected(case, _folder(tmp_path, "oracle")))


@pytest.mark.parametrize(("engine", "module", "name"), FAULTY)
def test_an_engine_under_faults_gives_the_same(tmp_path: Path, engine: str, module: str, name: str) -> None:
    case = Case(module, name)
    found = run_on(engine, case, _folder(tmp_path, "run"), FAULTS, tmp_path.parent / "cache")
    assert_same(found, expected(case, _folder(tmp_path, "oracle")), again=True)


def _folder(path: Path, name: str) -> Path:
    made = path / name
    made.mkdir()
    return made
