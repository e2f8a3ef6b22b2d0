"""The workloads offered to a runner of other libraries' are there and give the right results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def _printed(*words: str) -> Any:
    return json.loads(subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("mode", ["inline", "threads", "argo"])
def test_each_workload_that_is_offered_runs_and_is_right(mode: str, tmp_path: Path) -> None:
    offered = _printed(sys.executable, "-m", "benchmarks.extra")["drawloom"]
    assert set(offered["cases"]) == {"w1_chain", "w2_fanout", "w3_cached", "w4_frames", "w5_compile"}
    for workload, cases in offered["cases"].items():
        if workload == "w4_frames" or mode not in dict(cases):
            continue  # 80 MB: `make bench` runs it
        for phase in ("cold", "warm") if workload == "w3_cached" else ("",):
            words = ["--n", "20", "--mode", mode, "--work", str(tmp_path / workload), "--phase", phase]
            (tmp_path / workload).mkdir(exist_ok=True)
            told = _printed(
                offered["python"], str(Path(offered["dir"]) / f"{workload}.py"), *(words if phase else words[:-2])
            )
            assert told["ok"], told
