"""Runs DAG files by `dag.test()`, in Airflow's own environment: a line of JSON on stdin for each, one on stdout.

    {"file": "dag.py", "dag_id": "churn", "conf": {}, "logical_date": null}  ->  {"state": "success", "tasks": [...]}

Whoever starts it has set AIRFLOW_HOME, migrated the database there, and named a folder for DAGs.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import time
import traceback
from datetime import datetime
from pathlib import Path

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever else prints

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag

logging.disable(int(os.environ.get("TEST_AIRFLOW_LOG", logging.WARNING)))
DAGS = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
_sleep = time.sleep
time.sleep = lambda seconds: _sleep(min(seconds, 0.02))  # `dag.test()` naps for a second whenever nothing is ready


def run(asked):
    for other in DAGS.iterdir():  # `dag.test()` parses all that lies there
        if other.suffix == ".py":
            other.unlink()
    shutil.copy(asked["file"], DAGS / f"{asked['dag_id']}.py")
    bag = DagBag(str(DAGS / f"{asked['dag_id']}.py"))
    if bag.import_errors:
        return {"import_errors": list(bag.import_errors.values())}
    dag = bag.dags[asked["dag_id"]]
    date = datetime.fromisoformat(asked["logical_date"]) if asked.get("logical_date") else None
    made = dag.test(run_conf=asked.get("conf") or {}, **({"logical_date": date} if date else {}))
    tasks = [[ti.task_id, ti.map_index, str(ti.state or ""), ti.try_number] for ti in made.get_task_instances()]
    rules = sorted({str(getattr(task.trigger_rule, "value", task.trigger_rule)) for task in dag.tasks})
    return {"state": str(made.state), "run_id": made.run_id, "tasks": sorted(tasks), "rules": rules}


print(json.dumps({"ready": True}), file=answers, flush=True)
for line in sys.stdin:
    try:
        told = run(json.loads(line))
    except BaseException:
        told = {"error": traceback.format_exc()}
    print(json.dumps(told), file=answers, flush=True)
