"""Each program gives the same result, failure, states and versions everywhere: as the reference interpreter does."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

sys.path[:0] = [path for path in (str(Path(__file__).parent),) if path not in sys.path]
from harness import PROGRAMS, Case, assert_same, case_names  # noqa: E402  # a sibling file, found where tests are imported by path

from drawloom.catalog.catalog import Catalog  # noqa: E402
from drawloom.compilers.base import compiler_of, engine_names  # noqa: E402
from drawloom.runtimes.engine_faults import Faults  # noqa: E402

CASES = [pytest.param(module, name, id=f"{module}-{name}") for module, name in case_names()]
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
LARGE = {("fan_out", "fifty")}  # its width is proven with faults
# one case of each program, and those whose failures meet the faults
FAULTY = {*LARGE, ("handlers", "each"), ("handlers", "unhandled"), ("failing", "independent"), ("batches", "one-fails")}
FAULTY |= {next((m, name) for m, name in case_names() if m == module) for module, _ in case_names()}


@pytest.mark.parametrize("executor", ["inline", "threads", "processes"])
@pytest.mark.parametrize(("module", "name"), CASES)
def test_a_local_executor_gives_what_the_interpreter_gives(
    tmp_path: Path, module: str, name: str, executor: str
) -> None:
    case = Case(module, name)
    assert_same(case.run_locally(_folder(tmp_path, "run"), executor), case.expected(_folder(tmp_path, "oracle")))


@pytest.mark.parametrize("engine", engine_names())
@pytest.mark.parametrize(("module", "name"), [case for case in CASES if case.values not in LARGE])
def test_an_engine_gives_what_the_interpreter_gives(tmp_path: Path, module: str, name: str, engine: str) -> None:
    _assert_engine(tmp_path, Case(module, name), engine, None)


@pytest.mark.parametrize("engine", engine_names())
@pytest.mark.parametrize(("module", "name"), [case for case in CASES if case.values in FAULTY])
def test_an_engine_under_faults_gives_the_same(tmp_path: Path, module: str, name: str, engine: str) -> None:
    _assert_engine(tmp_path, Case(module, name), engine, FAULTS)


def _assert_engine(tmp_path: Path, case: Case, engine: str, faults: Faults | None) -> None:
    folder = _folder(tmp_path, "run")
    compiler_of(engine).compile(case.trace.program, root=str(PROGRAMS)).write(folder / "compiled")
    catalog = Catalog.open(str(folder / "store"))
    run = importlib.import_module(f"drawloom.runtimes.{engine}").run_bundle(
        folder / "compiled",
        case.encoded(folder, catalog),
        str(folder / "store"),
        faults=faults,
        bare=True,
        environment={"DRAWLOOM_CACHE": str(tmp_path.parent / "cache")},
    )
    assert_same(case.outcome(run, catalog, folder), case.expected(_folder(tmp_path, "oracle")))


def _folder(path: Path, name: str) -> Path:
    made = path / name
    made.mkdir()
    return made
