"""What type checkers find nothing wrong with can be traced, and its graph is sound."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from drawloom.dsl.tracing import trace
from drawloom.ir.check import check_pipeline

_FILE = Path(__file__).parent / "right_plain_pipelines.py"
NAMES = ["churn", "branches", "loops", "bounded_loops", "attempts", "helpers"]


@pytest.fixture(scope="module")
def right() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location(_FILE.stem, _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_FILE.stem] = module
    spec.loader.exec_module(module)
    module.assert_type = lambda value, _: value  # type: ignore[attr-defined]  # typing's own is a library's function
    yield module
    del sys.modules[_FILE.stem]


def test_all_pipelines_of_the_file_are_named_here(right: ModuleType) -> None:
    assert [name for name, value in vars(right).items() if type(value).__name__ == "Pipeline"] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_pipeline_that_type_checkers_accept_is_staged(right: ModuleType, name: str) -> None:
    assert check_pipeline(trace(getattr(right, name)).program) == []
