"""Measured in Airflow's own environment: reading DAG files, and running them by `dag.test()`, ours and twins."""

from __future__ import annotations

import json
import logging
import shutil
import statistics
import sys
import time
from pathlib import Path

logging.disable(logging.CRITICAL)

from airflow.dag_processing.dagbag import DagBag  # noqa: E402
from airflow.serialization.serialized_objects import DagSerialization  # noqa: E402

REPEATS = 5
ASKED, DAGS = json.loads(sys.argv[1]), Path(sys.argv[2])


def the_dag(path):
    (made,) = DagBag(path).dags.values()
    return made


def parse(path):
    DagSerialization.to_dict(the_dag(path))


def run(path):
    for other in DAGS.glob("*.py"):
        other.unlink()
    made = DAGS / f"run_{time.time_ns()}.py"
    shutil.copy(path, made)
    dag = the_dag(str(made))
    begin = time.perf_counter()
    done = dag.test()
    assert str(done.state).endswith("success"), done.state
    return time.perf_counter() - begin


def in_turn(work, paths):
    times = [[], []]
    for number in range(REPEATS + 1):
        for place, path in enumerate(paths):
            begin = time.perf_counter()
            took = work(path) or time.perf_counter() - begin
            if number:  # one round isn't counted
                times[place].append(1000 * took)
    return [statistics.median(one) for one in times]


answer = {
    "parse_ms": in_turn(parse, ASKED["blocks"]),
    "chain_ms": in_turn(run, ASKED["chain"]),
    "mixture_ms": in_turn(run, ASKED["mixture"]),
}
print(json.dumps(answer))
