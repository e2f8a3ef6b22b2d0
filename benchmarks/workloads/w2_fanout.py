"""W2: a source, n mapped trivial tasks, their sum; W3 is the same again in a new process."""

from __future__ import annotations

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from benchmarks.workloads.measure import arguments, emit, run_once
from benchmarks.workloads.trivial_tasks import fan_out

given = arguments()
workload = "w3_cached" if given.phase else "w2_fanout"
run, seconds, cpu = run_once(fan_out, {"n": given.n}, given)
right = run.result == given.n * (given.n + 1) // 2
emit(workload, given, given.n + 2, seconds, cpu, right, phase=given.phase, counts=run.counts)
