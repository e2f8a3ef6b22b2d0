"""Two workflows that use what the cluster must have: scripts, fan-out, conditions, retries, S3, packages.

They are plain Argo objects, made by hand: whether the cluster works must not depend on drawloom.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any  # Argo objects

from cluster.kube import Api
from cluster.places import say

_COLLECTION = "/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows"

_LIST = "import json; print(json.dumps([1, 2, 3]))"
_SQUARE = "import os; open('/tmp/square', 'w').write(str(int(os.environ['N']) ** 2))"
_SUM = "import json, os; print(sum(int(n) for n in json.loads(os.environ['SQUARES'])))"
_FLAKY = "import os, sys; sys.exit(os.environ['ATTEMPT'] == '0')"  # fails once, then succeeds
_S3 = """\
import os, urllib.request
url = os.environ["ENDPOINT"] + "/" + os.environ["BUCKET"] + "/smoke.txt"
headers = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=smoke/20260101/us-east-1/s3/aws4_request",
    "Content-Type": "text/plain",  # else urllib says that it is a form, and moto reads it as one
}
urllib.request.urlopen(urllib.request.Request(url, data=b"written in a pod", method="PUT", headers=headers))
assert urllib.request.urlopen(urllib.request.Request(url, headers=headers)).read() == b"written in a pod"
"""
_PACKAGES = """\
import os, pandas, pydantic, s3fs, sklearn
store = s3fs.S3FileSystem(endpoint_url=os.environ["ENDPOINT"], key="smoke", secret="smoke")
pandas.DataFrame({"n": [1, 2]}).to_parquet("/tmp/table.parquet")
store.put("/tmp/table.parquet", os.environ["BUCKET"] + "/table.parquet")
assert pandas.read_parquet(store.open(os.environ["BUCKET"] + "/table.parquet"))["n"].sum() == 3
"""


def run(facts: dict[str, Any]) -> None:
    """Submit the workflows and wait until they have succeeded.

    Raises:
        RuntimeError: One of them ends otherwise, or gives other results; the message says what its nodes say.
    """
    api = Api(facts["api"]["server"], Path(facts["api"]["ca_file"]), facts["api"]["token"])
    start = time.monotonic()
    graph = _finished(api, facts, graph_workflow(facts))
    results = _results(graph)
    _expect(results.get("total") == "14", f"the sum of squares is 14, not {results}")
    _expect("skipped" not in results, "a step whose condition is false doesn't run")
    say(f"graph: Succeeded in {time.monotonic() - start:.0f} s")
    start = time.monotonic()
    _finished(api, facts, storage_workflow(facts))
    say(f"storage: Succeeded in {time.monotonic() - start:.0f} s")


def graph_workflow(facts: dict[str, Any]) -> dict[str, Any]:
    """A list, a step for each of its items, their sum; a step that is skipped, and one that fails at first."""
    image = facts["images"]["python"]
    squares = "{{tasks.square.outputs.parameters.square}}"
    tasks = [
        {"name": "list", "template": "list"},
        {
            "name": "square",
            "template": "square",
            "depends": "list",
            "withParam": "{{tasks.list.outputs.result}}",
            "arguments": {"parameters": [{"name": "n", "value": "{{item}}"}]},
        },
        {
            "name": "total",
            "template": "total",
            "depends": "square",
            "arguments": {"parameters": [{"name": "squares", "value": squares}]},
        },
        {"name": "skipped", "template": "list", "depends": "total", "when": "{{tasks.total.outputs.result}} == 13"},
        {"name": "flaky", "template": "flaky", "depends": "total", "when": "{{tasks.total.outputs.result}} == 14"},
    ]
    outputs = {"outputs": {"parameters": [{"name": "square", "valueFrom": {"path": "/tmp/square"}}]}}
    retries = {"retryStrategy": {"limit": "2", "retryPolicy": "Always"}}
    templates = [
        {"name": "main", "dag": {"tasks": tasks}},
        _script("list", image, _LIST, {}),
        _script("square", image, _SQUARE, {"N": "{{inputs.parameters.n}}"}, "n") | outputs,
        _script("total", image, _SUM, {"SQUARES": "{{inputs.parameters.squares}}"}, "squares"),
        _script("flaky", image, _FLAKY, {"ATTEMPT": "{{retries}}"}) | retries,
    ]
    return _workflow("graph-", templates)


def storage_workflow(facts: dict[str, Any]) -> dict[str, Any]:
    """S3 from the standard library alone; S3 and a table by packages; a file as Argo's own artifact."""
    variables = {"ENDPOINT": facts["s3"]["endpoint"], "BUCKET": facts["s3"]["bucket"]}
    images = facts["images"]
    made = {"outputs": {"artifacts": [{"name": "file", "path": "/tmp/file"}]}}
    taken = {"inputs": {"artifacts": [{"name": "file", "path": "/tmp/file"}]}}
    handed = {"artifacts": [{"name": "file", "from": "{{tasks.make.outputs.artifacts.file}}"}]}
    tasks = [
        {"name": "plain", "template": "plain"},
        {"name": "packages", "template": "packages"},
        {"name": "make", "template": "make"},
        {"name": "take", "template": "take", "depends": "make", "arguments": handed},
    ]
    templates = [
        {"name": "main", "dag": {"tasks": tasks}},
        _script("plain", images["python"], _S3, variables),
        _script("packages", images["packages"], _PACKAGES, variables),
        _script("make", images["python"], "open('/tmp/file', 'w').write('x' * 1000)", {}) | made,
        _script("take", images["python"], "assert len(open('/tmp/file').read()) == 1000", {}) | taken,
    ]
    return _workflow("storage-", templates)


def _workflow(prefix: str, templates: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": prefix},
        "spec": {"entrypoint": "main", "activeDeadlineSeconds": 300, "templates": templates},
    }


def _script(name: str, image: str, source: str, variables: dict[str, str], *parameters: str) -> dict[str, Any]:
    """A template that runs Python source; values come by environment, since Argo pastes them as raw text."""
    script = {
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3"],
        "source": source,
        "env": [{"name": key, "value": value} for key, value in variables.items()],
    }
    inputs = {"inputs": {"parameters": [{"name": parameter} for parameter in parameters]}} if parameters else {}
    return {"name": name, "script": script, **inputs}


def _finished(api: Api, facts: dict[str, Any], workflow: dict[str, Any]) -> dict[str, Any]:
    """Submit a workflow and wait for its end; its status."""
    collection = _COLLECTION.format(namespace=facts["namespace"])
    name = api.create(collection, workflow)["metadata"]["name"]
    end = time.monotonic() + 330
    while True:
        status: dict[str, Any] = api.get(f"{collection}/{name}").get("status", {})
        if status.get("finishedAt"):
            break
        _expect(time.monotonic() < end, f"{name} doesn't end:\n{_told(status)}")
        time.sleep(0.3)
    _expect(status["phase"] == "Succeeded", f"{name} ends {status['phase']}:\n{_told(status)}")
    return status


def _results(status: dict[str, Any]) -> dict[str, str]:
    """Task -> what it printed, of those that ran; empty where no other task asks for it."""
    nodes = [node for node in status["nodes"].values() if node["type"] in ("Pod", "Retry")]
    return {node["displayName"]: node.get("outputs", {}).get("result", "") for node in nodes}


def _told(status: dict[str, Any]) -> str:
    nodes = status.get("nodes", {}).values()
    lines = [f"  {node['displayName']}: {node.get('phase')} {node.get('message', '')}" for node in nodes]
    return "\n".join([status.get("message", ""), *lines])


def _expect(held: bool, message: str) -> None:
    if not held:
        raise RuntimeError(message)
