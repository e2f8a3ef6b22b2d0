"""Values over a store in a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from drawloom.storage.objects import Objects
from drawloom.storage.open import open_storage
from drawloom.values.store import Values


@pytest.fixture
def values(tmp_path: Path) -> Values:
    return Values(Objects(open_storage(str(tmp_path / "store"))), scratch=str(tmp_path / "scratch"))


@pytest.fixture
def pickling(tmp_path: Path) -> Values:
    return Values(Objects(open_storage(str(tmp_path / "store"))), allow_pickle=True)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Values:
    """One store for all examples of a property."""
    folder = tmp_path_factory.mktemp("shared")
    return Values(Objects(open_storage(str(folder / "store"))), scratch=str(folder / "scratch"))
