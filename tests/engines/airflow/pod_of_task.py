"""Prints the pods that Airflow would start for tasks of a DAG file, as JSON; run in Airflow's own environment.

FILE TASK...  ->  {"train": {"apiVersion": "v1", ...}}
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys

from kubernetes.client import ApiClient


def pod_of(task):
    """The pod as it is sent to Kubernetes."""
    task.pod_template_dict = task.pod_of("0" * 64, ["--run", "a-run.0", "--step", task.step, "--index", "0"])
    return ApiClient().sanitize_for_serialization(task.build_pod_request_obj(dry_run=True))


answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever else prints
spec = importlib.util.spec_from_file_location("pods", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
made = {}
for name in sys.argv[2:]:
    task = module.dag.get_task(name)
    made[name] = pod_of(task.unmap({"index": "0"}) if task.is_mapped else task)
json.dump(made, answers)
answers.flush()
