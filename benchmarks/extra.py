"""Prints what a runner of the same workloads for other libraries needs to take drawloom into its run, as JSON.

python -m benchmarks.extra > drawloom.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    modes = [("inline", 1000), ("threads", 1000)]
    cases = {"w1_chain": modes, "w2_fanout": modes, "w3_cached": [("threads", 1000)], "w4_frames": [("threads", 7)]}
    cases["w5_compile"] = [("argo", 100), ("argo", 1000), ("argo", 10000)]
    folder = str(Path(__file__).parent / "workloads")
    commands = ("from drawloom import task, pipeline", "drawloom --help")
    print(json.dumps({"drawloom": {"dir": folder, "python": sys.executable, "cases": cases, "w6": commands}}, indent=1))
