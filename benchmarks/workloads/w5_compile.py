"""W5: n tasks in blocks, each 10 wide and joined by one: from the pipeline's function to the text of a Workflow."""

from __future__ import annotations

import os
import sys
import time

sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from benchmarks.workloads.compiling import workflow_text
from benchmarks.workloads.measure import arguments, emit, peak_mb
from benchmarks.workloads.trivial_tasks import blocks
from drawloom.dsl.tracing import trace
from drawloom.ir.check import check_pipeline

given = arguments()
given.before_mb = peak_mb()
processor, began = time.process_time(), time.perf_counter()
program = trace(blocks, {"n": given.n}).program
problems = check_pipeline(program)
built = time.perf_counter() - began
text = workflow_text(program)
seconds, cpu = time.perf_counter() - began, time.process_time() - processor
given.run_mb = peak_mb()
right = not problems and text.count('template: "step"') == given.n
emit("w5_compile", given, given.n, seconds, cpu, right, build_s=round(built, 3), out_kb=len(text) // 1024)
