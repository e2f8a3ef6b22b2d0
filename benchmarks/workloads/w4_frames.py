"""W4: an 80 MB frame, five readers of one column each, their sum."""

from __future__ import annotations

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from benchmarks.workloads.measure import arguments, emit, run_once
from benchmarks.workloads.table_tasks import frames

given = arguments(7)
run, seconds, cpu = run_once(frames, {"rows": 1_000_000}, given)
emit("w4_frames", given, 7, seconds, cpu, abs(run.result - 2.5e6) < 1e4)
