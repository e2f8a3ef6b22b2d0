"""The programs, importable by name, as worker processes and bundles need them."""

import os
import sys
from pathlib import Path

PROGRAMS = str(Path(__file__).parent / "programs")
if PROGRAMS not in sys.path:
    sys.path.insert(0, PROGRAMS)

os.environ["DRAWLOOM_SECRET_CONFORMANCE"] = "open-sesame"  # of the program `secret_values`
