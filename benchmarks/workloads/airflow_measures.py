"""Measured in Airflow's own environment: reading DAG files, and their tasks by `dag.test()`, ours and twins in turn.

airflow_measures.py {"parse": [file, ...], "run": [file, ...]}    prints as many medians, in milliseconds
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import statistics
import sys
import time
from pathlib import Path

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever else prints
logging.disable(logging.CRITICAL)

from airflow.dag_processing.dagbag import DagBag  # noqa: E402
from airflow.serialization.serialized_objects import DagSerialization  # noqa: E402

REPEATS = 5
ENDS = ("begin", "end")  # ours alone has them
DAGS = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
_sleep = time.sleep
time.sleep = lambda seconds: _sleep(min(seconds, 0.02))  # `dag.test()` naps for a second whenever nothing is ready


def the_dag(path):
    bag = DagBag(path)
    assert not bag.import_errors, bag.import_errors
    (made,) = bag.dags.values()
    return made


def parse(path):
    begin = time.perf_counter()
    DagSerialization.to_dict(the_dag(path))
    return time.perf_counter() - begin


def run(path):
    """What a task takes by Airflow's own times, the median of a run."""
    for other in DAGS.glob("*.py"):
        other.unlink()
    made = DAGS / f"{Path(path).parent.name}_{Path(path).name}"
    shutil.copy(path, made)
    done = the_dag(str(made)).test()
    assert str(done.state).endswith("success"), done.state
    tasks = [ti for ti in done.get_task_instances() if ti.task_id not in ENDS]
    return statistics.median((ti.end_date - ti.start_date).total_seconds() for ti in tasks)


def in_turn(work, paths):
    rounds = [[1000 * work(path) for path in paths] for _ in range(REPEATS + 1)]
    return [statistics.median(times) for times in zip(*rounds[1:], strict=True)]  # one round isn't counted


asked = json.loads(sys.argv[1])
print(json.dumps([in_turn(parse, asked["parse"]), in_turn(run, asked["run"])]), file=answers)
