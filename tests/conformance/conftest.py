"""The programs, importable by name, as worker processes and bundles need them."""

import sys
from pathlib import Path

PROGRAMS = str(Path(__file__).parent / "programs")
if PROGRAMS not in sys.path:
    sys.path.insert(0, PROGRAMS)
