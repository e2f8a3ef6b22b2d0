"""Makes the strategies, and what stands beside these tests, importable."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent
FOLDERS = (HERE, TESTS / "strategies", TESTS / "conformance" / "generated")
sys.path[:0] = [str(folder) for folder in FOLDERS if str(folder) not in sys.path]
