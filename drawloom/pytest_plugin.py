"""Fixtures for users' tests, found by pytest through an entry point; it defines fixtures and does nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from drawloom.catalog.catalog import Catalog
    from drawloom.testing import Recorded, TestedRun

__all__ = ["drawloom_catalog", "drawloom_recorder", "drawloom_run"]


@pytest.fixture
def drawloom_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """An empty catalog in the test's temporary folder."""
    from drawloom.testing import temporary_catalog  # lazy: most sessions ask for no fixture of these

    monkeypatch.setenv("DRAWLOOM_CACHE", str(tmp_path / "drawloom-cache"))
    return temporary_catalog(tmp_path / "drawloom-catalog")


@pytest.fixture
def drawloom_run(drawloom_catalog: Catalog) -> Callable[..., TestedRun]:
    """`drawloom.testing.run` in `drawloom_catalog`: what one call has made, the next one finds in the cache."""
    from functools import partial

    from drawloom.testing import run

    return partial(run, catalog=drawloom_catalog)


@pytest.fixture
def drawloom_recorder() -> Iterator[Recorded]:
    """Hears what tasks log that the test calls as plain functions."""
    from drawloom.testing import recording

    with recording() as recorded:
        yield recorded
