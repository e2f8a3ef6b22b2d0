"""The load's tasks, importable by name; an index that no other test shares; what every catalog must stand up to."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent / "samples"
for folder in (SAMPLES, Path(__file__).parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index and scratch folders of this test's own; child processes find the samples."""
    for name in [name for name in os.environ if name.startswith("DRAWLOOM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DRAWLOOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(SAMPLES), str(Path(__file__).parents[2])]))
