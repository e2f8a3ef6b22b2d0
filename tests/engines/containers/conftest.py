"""The docker that `with-docker` has started; without one these tests aren't run.

`TEST_CONTAINERS` is the image it has, for the programs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

CONFORMANCE = Path(__file__).parents[2] / "conformance"
PROGRAMS = Path(__file__).parent / "programs"
sys.path[:0] = [path for path in (str(CONFORMANCE), str(PROGRAMS)) if path not in sys.path]
IMAGE = os.environ.get("TEST_CONTAINERS", "")
collect_ignore_glob = [] if IMAGE else ["test_*.py"]  # `make test-containers` starts one
os.environ.setdefault("TEST_IMAGE", IMAGE or "drawloom-test/busybox:1")
