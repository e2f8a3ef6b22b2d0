"""What befalls pods and the controller while a Workflow runs: the result is right, or the run says what was lost."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import faulty
import pytest

from drawloom import Pipeline, Run, api
from drawloom.catalog.catalog import Catalog
from drawloom.runtimes.argo import Submitted, submit, wait

HERE = Path(__file__).parent
LONGEST_SECONDS = 900.0
OBJECT_LIMIT_BYTES = 1 << 20
pytestmark = [pytest.mark.timeout(LONGEST_SECONDS + 60), pytest.mark.xdist_group("faults")]


class Started(NamedTuple):
    """A Workflow under way, and where its values are."""

    submitted: Submitted
    catalog: Catalog


class Faults:
    """Starts pipelines on the cluster and does things to them."""

    def __init__(self, facts: dict[str, Any], lake: dict[str, str], api: Any, folder: Path) -> None:
        self.facts, self.lake, self.api, self.folder = facts, lake, api, folder

    def start(self, flow: Pipeline[..., Any], change: Callable[[dict[str, Any]], object] | None = None) -> Started:
        """Gives a pipeline to Argo."""
        store = f"s3://{self.facts['s3']['bucket']}/{uuid4().hex[:12]}"
        options = {"image": self.facts["images"]["packages"], "service_account": self.facts["service_account"]}
        files = api.compile(flow, "argo", store=store, env=self.lake, root=str(HERE / "flows"), **options)
        files.write(self.folder / "build")
        catalog = Catalog.open(store)
        namespace = self.facts["namespace"]
        made = submit(self.folder / "build", {}, catalog, api=self.api, namespace=namespace, change=change)
        return Started(made, catalog)

    def end(self, started: Started) -> Run:
        """The run, once it has ended."""
        return wait(started.submitted, started.catalog, api=self.api, timeout_seconds=LONGEST_SECONDS)

    def pod_of(self, started: Started, step: str) -> str:
        """The pod that runs a step, once it does."""
        label = f"workflows.argoproj.io/workflow={started.submitted.name}"
        deadline = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < deadline:
            for pod in json.loads(self.kubectl("get", "pods", "-l", label, "-o", "json"))["items"]:
                args = [arg for container in pod["spec"]["containers"] for arg in container.get("args", ())]
                if step in args and pod["status"].get("phase") == "Running":
                    return str(pod["metadata"]["name"])
            time.sleep(0.5)
        raise AssertionError(f"no pod runs {step}")

    def kubectl(self, *command: str) -> str:
        """What kubectl says."""
        where = ["--kubeconfig", self.facts["kubeconfig"], "-n", self.facts["namespace"]]
        done = subprocess.run([self.facts["kubectl"], *where, *command], capture_output=True, text=True, check=True)
        return done.stdout


@pytest.fixture
def faults(facts: dict[str, Any], lake: dict[str, str], api: Any, tmp_path: Path) -> Faults:
    return Faults(facts, lake, api, tmp_path)


def test_a_pod_that_was_deleted_is_made_again_if_the_task_says_so(faults: Faults) -> None:
    started = faults.start(faulty.lost)
    pod = faults.pod_of(started, "slow")
    deadline = time.monotonic() + LONGEST_SECONDS
    while not any(key.endswith("manifest.json") for key in started.catalog.storage.keys("checkpoints/")):
        assert time.monotonic() < deadline, "the first attempt has left its checkpoint, which the second one finds"
        time.sleep(0.2)
    faults.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
    run = faults.end(started)
    assert run.result == 4
    assert sorted(run.facts.attempts["slow", ()]) == [1, 2]


def test_a_task_that_was_out_of_memory_failed_and_says_so(faults: Faults) -> None:
    def limit(workflow: dict[str, Any]) -> None:
        for template in workflow["spec"]["templates"]:
            if "container" in template:
                template["container"]["resources"] = {"limits": {"memory": "200Mi"}}

    run = faults.end(faults.start(faulty.outgrown, limit))
    assert run.state == "failed"
    assert run.details.nodes["hungry"].state == "failed"


def test_a_controller_that_was_killed_goes_on_where_it_was(faults: Faults) -> None:
    started = faults.start(faulty.restarted)
    faults.pod_of(started, "for_each/steady")
    subprocess.run([HERE / "restart-controller", "--kill"], check=True, capture_output=True)
    assert faults.end(started).result == sum(2 * n for n in range(4))


def test_a_wide_map_in_batches_leaves_room_in_its_object(faults: Faults) -> None:
    started = faults.start(faulty.wide)
    assert faults.end(started).result == sum(range(1, 1_001))
    name = started.submitted.name
    document = json.loads(faults.kubectl("get", "workflow", name, "-o", "json"))
    size = len(json.dumps(document, separators=(",", ":")))
    spec = len(json.dumps({**document, "status": {}}, separators=(",", ":")))
    at_ten_thousand = spec + 10 * (size - spec)
    print(f"\nthe object of 1,000 items in batches of 100: {size:,} bytes, of 10,000 about {at_ten_thousand:,}")
    assert at_ten_thousand < OBJECT_LIMIT_BYTES
