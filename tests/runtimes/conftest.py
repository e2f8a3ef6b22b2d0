"""A catalog in a temporary folder, and sample tasks importable by name, as worker processes need them."""

import sys
from pathlib import Path

import pytest

from drawloom.catalog.catalog import Catalog

SAMPLES = str(Path(__file__).parent / "samples")
if SAMPLES not in sys.path:
    sys.path.insert(0, SAMPLES)


@pytest.fixture
def catalog(tmp_path):
    return Catalog.open(str(tmp_path / "store"))
