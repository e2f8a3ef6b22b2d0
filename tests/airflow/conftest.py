"""Pipelines that are compiled for Airflow, and the places of the conformance programs."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
CONFORMANCE = HERE.parent / "conformance"
for folder in (HERE / "samples", CONFORMANCE, CONFORMANCE / "programs"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
os.environ.setdefault("DRAWLOOM_SECRET_CONFORMANCE", "open-sesame")  # of the program `secret_values`
