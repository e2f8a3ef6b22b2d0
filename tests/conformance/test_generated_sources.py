"""Generated modules: the plain function, the interpreter of what it is traced to, and a run all come to the same.

Compared are the result or the exception, which calls are made, and the order of effects. In a run everything goes on
whose inputs are there, so it makes more calls than Python once something has failed, and never fewer.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings

sys.path[:0] = [path for path in (str(Path(__file__).parents[1] / "strategies"),) if path not in sys.path]
from dsl_sources import PARAMS, Source, sources  # noqa: E402  # found beside these tests, imported by path

from drawloom.catalog.catalog import Catalog  # noqa: E402
from drawloom.dsl.tracing import Trace, trace  # noqa: E402
from drawloom.errors import DefinitionError, RunFailed  # noqa: E402
from drawloom.ir.check import check_pipeline  # noqa: E402
from drawloom.ir.envelope import class_ref  # noqa: E402
from drawloom.ir.interpret import interpret  # noqa: E402
from drawloom.runtimes.local import run_local  # noqa: E402

TIMES = int(os.environ.get("TEST_EXAMPLES", "1"))
pytestmark = pytest.mark.timeout(300 * TIMES)
Ended = tuple[Any, tuple[str, str] | None, list[str]]  # the result, the exception's class and text, the calls made


@contextlib.contextmanager
def imported(source: Source) -> Iterator[tuple[ModuleType, Path]]:
    """The module of a text in a file of its own, and the folder that is in."""
    folder = Path(tempfile.mkdtemp(prefix="drawloom-sources-"))
    name = f"generated_{folder.name.rpartition('-')[2]}"
    path = folder / f"{name}.py"
    path.write_text(source.text, "utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        yield module, folder
    finally:
        del sys.modules[name]
        shutil.rmtree(folder, ignore_errors=True)


def as_python(module: ModuleType) -> Ended:
    """What the plain function does."""
    module.LOG.clear()
    result, failure = None, None
    try:
        result = module.main.function(**PARAMS)
    except Exception as error:  # whatever the program raises is what is compared
        failure = _named(error)
    return result, failure, list(module.LOG)


def as_interpreted(module: ModuleType, traced: Trace) -> tuple[Ended, bool]:
    """What the reference interpreter makes of the trace, and whether anything failed on the way, handled or not."""
    module.LOG.clear()
    outcome = interpret(traced.program.pipeline, traced.functions, PARAMS)
    failure = None if outcome.failure is None else _named(outcome.failure)
    return (outcome.result, failure, list(module.LOG)), "failed" in outcome.instances.values()


def as_run(module: ModuleType, traced: Trace, folder: Path) -> Ended:
    """What a local run makes of it."""
    module.LOG.clear()
    catalog = Catalog.open(str(folder / "store"))
    params = {name: catalog.values.encode(value) for name, value in PARAMS.items()}
    run = run_local(traced.program, traced.functions, params, catalog, executor="inline", cache=False, fail_fast=False)
    result, failure = None, None
    try:
        result = run.result
    except RunFailed as error:
        failure = _named(error.__cause__ or error)
    return result, failure, list(module.LOG)


def _named(error: BaseException) -> tuple[str, str]:
    return class_ref(type(error)), str(error)


def effects(calls: list[str]) -> list[str]:
    return [call for call in calls if call.startswith("note ")]


def assert_same(found: Ended, expected: Ended, *, failed: bool, in_order: bool) -> None:
    assert found[1] == expected[1]
    assert found[0] == expected[0]
    assert type(found[0]) is type(expected[0])
    missing = Counter(expected[2]) - Counter(found[2])
    assert not missing, f"calls that were not made: {missing}"
    if not failed:
        assert Counter(found[2]) == Counter(expected[2])
        if in_order:
            assert effects(found[2]) == effects(expected[2])


@settings(
    max_examples=200 * TIMES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
@given(sources())
def test_a_generated_pipeline_does_what_its_plain_function_does(source: Source) -> None:
    with imported(source) as (module, folder):
        expected = as_python(module)
        try:
            traced = trace(module.main)
        except (ArithmeticError, LookupError, DefinitionError) as error:
            # an expression over known values alone, which fails while it is traced
            if isinstance(error, DefinitionError) and error.diagnostics[0].code != "D147":
                raise
            reject()
        assert [str(d) for d in check_pipeline(traced.program)] == []
        interpreted, failed = as_interpreted(module, traced)
        assert_same(interpreted, expected, failed=failed, in_order=source.in_order)
        assert_same(as_run(module, traced, folder), expected, failed=failed, in_order=source.in_order)
