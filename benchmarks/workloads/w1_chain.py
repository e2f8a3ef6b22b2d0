"""W1: a chain of n trivial tasks, each a node of its own."""

from __future__ import annotations

import os
import sys

sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from benchmarks.workloads.measure import arguments, emit, run_once
from benchmarks.workloads.trivial_tasks import chain

given = arguments()
run, seconds, cpu = run_once(chain, {"n": given.n}, given)
emit("w1_chain", given, given.n, seconds, cpu, run.result == given.n)
