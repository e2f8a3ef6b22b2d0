"""examples/hotel_rates: real models on real data; a second run is cached; compiled, it gives the same values."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drawloom import File, api
from drawloom.catalog.catalog import Catalog

# libraries silence warnings of their own by `catch_warnings`, which threads undo for each other before Python 3.14
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning")

FOLDER = Path(__file__).parents[2] / "examples" / "hotel_rates"
PARAMS = {"bookings": File(FOLDER / "hotel_rates.csv"), "trees": 20, "rounds": 30}


@pytest.fixture(scope="module")
def example() -> Iterator[Any]:
    """The example's module, imported under the name a worker or a step imports it by."""
    spec = importlib.util.spec_from_file_location("pipeline", FOLDER / "pipeline.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pipeline"] = module
    sys.path.insert(0, str(FOLDER))
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(FOLDER))
    del sys.modules["pipeline"]


def _digests(catalog: Catalog) -> dict[str, str]:
    return {artifact.name: artifact.latest.digest for artifact in catalog.artifacts()}


def test_a_second_run_executes_only_what_is_not_cached_by_design(example: Any, tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path / "store")
    first = api.run(example.hotel_rates, PARAMS, catalog=catalog)
    assert first.counts == {"succeeded": 13}, first.details.failure
    best = first.result
    assert best.model in ("forest", "boosting")
    assert best.error_euros < 20  # always guessing the mean is off by 54
    assert first.logs("announce").startswith(f"best model: {best.model}, off by ")
    assert catalog.load("hotel_rates/report")._repr_png_().startswith(b"\x89PNG")

    second = api.run(example.hotel_rates, PARAMS, catalog=catalog)
    assert [node.id for node in second.nodes(state="succeeded")] == ["announce"]
    assert (second.result, second.counts) == (best, {"succeeded": 1, "cached": 12})
    assert catalog.verify() == []


@pytest.mark.timeout(900)  # each step imports what it needs anew, and a machine may be busy
def test_step_by_step_in_bare_processes_it_gives_the_same_values(example: Any, tmp_path: Path) -> None:
    here, there = Catalog.open(tmp_path / "here"), Catalog.open(tmp_path / "there")
    local = api.run(example.hotel_rates, PARAMS, catalog=here)
    compiled = api.run_compiled(example.hotel_rates, PARAMS, catalog=there)
    assert (compiled.state, compiled.counts) == ("succeeded", local.counts)
    assert compiled.result == local.result
    assert _digests(there) == _digests(here)
