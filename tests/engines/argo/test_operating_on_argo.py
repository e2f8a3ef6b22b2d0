"""Deploying to a real Argo and operating what runs there, by the command line as a user does, in a project of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.deployments import read_deployments
from drawloom.catalog.outcomes import read_run

FLOW = """
import os
import time
from drawloom import File, Retry, Schedule, pipeline, task

@task
def rows(csv: File) -> list[int]:
    return [int(line) for line in csv.read_text().split()]

@task
def train(number: int, depth: int) -> int:
    print("training with", number, "at", depth, "{{workflow.name}}")
    return number * depth

@task
def best(scores: list[int]) -> int:
    return max(scores)

@task
def publish(score: int) -> None:
    print("published", score)

@pipeline
def churn(csv: File, depth: int = 2, minimum: int = 3) -> int | None:
    winner = best([train(number, depth) for number in rows(csv)])
    if winner > minimum:
        publish(winner)
        return winner
    return None

@pipeline(schedule=Schedule("* * * * *", zone="UTC", overlap="allow"))
def every_minute(csv: File) -> list[int]:
    return rows(csv)

@task
def slow(seconds: float) -> float:
    for k in range(int(seconds * 10)):
        print("tick", k, flush=True)
        time.sleep(0.1)
    return seconds

@task
def after(seconds: float) -> float:
    print("after", seconds, "s")
    return seconds

@pipeline
def waiting(seconds: float = 120.0) -> float:
    return after(slow(seconds))

@task
def note(marks: str) -> None:
    import urllib.request
    with open("/dev/stdout", "w") as out:
        out.write("noted once\\n")

@task
def flaky(marks: str, broken: bool) -> str:
    from drawloom.storage.open import open_storage
    store = open_storage(marks, step=True)
    if not store.exists("fixed"):
        raise ValueError("not yet")
    return "mended"

@pipeline
def mended(marks: str) -> str:
    note(marks)
    return flaky(marks, True)

@task
def hungry(gigabytes: int) -> int:
    os.kill(os.getpid(), 9)
    return gigabytes

@pipeline
def killed(gigabytes: int = 1) -> int:
    return after_all(hungry(gigabytes))

@task
def after_all(n: int) -> int:
    return n
"""
LONGEST_SECONDS = 600
pytestmark = pytest.mark.timeout(LONGEST_SECONDS + 60)


class Place:
    """A project with targets on the cluster."""

    def __init__(self, folder: Path, facts: dict[str, Any], lake: dict[str, str]) -> None:
        self.folder, self.facts = folder, facts
        self.store = f"s3://{facts['s3']['bucket']}/{uuid4().hex[:12]}"
        (folder / "flow_on_argo.py").write_text(FLOW)
        (folder / "numbers.csv").write_text("1\n5\n3\n")
        self.env = {**os.environ, **lake, "KUBECONFIG": facts["kubeconfig"], "NO_COLOR": "1"}
        self.env.pop("TEST_ARGO", None)
        self._started: list[subprocess.Popen[str]] = []
        self.targets(prod="")

    def targets(self, **more: str) -> None:
        """Writes the project file: each target with what is the same for all, then what is its own."""
        variables = ", ".join(f'{name} = "{text}"' for name, text in self.env.items() if name.startswith("AWS_"))
        parts = []
        for name, own in more.items():
            known = {
                "store": f'"{self.store}"',
                "namespace": f'"{self.facts["namespace"]}"',
                "image": f'"{self.facts["images"]["packages"]}"',
                "service_account": f'"{self.facts["service_account"]}"',
                "env": f"{{{variables}}}",
            }
            given = dict(line.split(" = ", 1) for line in own.splitlines() if line)
            lines = [f"{key} = {text}" for key, text in {**known, **given}.items()]
            parts.append("\n".join([f"[targets.{name}]", 'engine = "argo"', *lines]))
        (self.folder / "drawloom.toml").write_text("\n\n".join(parts))

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Starts a command."""
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so has it who is started in the background
            signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(
            [sys.executable, "-m", "drawloom", *command],
            cwd=self.folder,
            env=self.env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """Ends what a test that failed has left running, and closes the pipes."""
        for process in self._started:
            process.kill()
            with process:  # waits, and closes
                pass

    def run(self, *command: str, code: int = 0) -> tuple[str, str]:
        """Runs a command that ends with this code; what it prints on standard output and error."""
        process = self.start(*command)
        out, told = process.communicate(timeout=LONGEST_SECONDS)
        assert process.returncode == code, f"{command} ended with {process.returncode}:\n{out}\n{told}"
        return out, told

    @property
    def catalog(self) -> Catalog:
        return Catalog.open(self.store)

    def deployed(self, *more: str) -> str:
        """Deploys and doesn't wait; the run's id."""
        out, _ = self.run("deploy", *more, "--target", "prod", "--no-wait", "--json")
        return str(json.loads(out)["run"])

    def until(self, true: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 400  # a schedule's run begins after a minute, and has a busy cluster before it
        while not true():
            assert time.monotonic() < deadline, f"{what} takes too long"
            time.sleep(0.5)

    def begun(self, run: str, node: str = "") -> None:
        """Waits until the run has begun, or one of its nodes is running."""
        self.until(lambda: read_run(self.catalog.storage, run) is not None, "the run's begin")
        if node:
            states = ("running", "succeeded")
            self.until(lambda: self.catalog.run(run).details.nodes[node].state in states, f"the begin of {node}")


@pytest.fixture
def place(tmp_path: Path, facts: dict[str, Any], lake: dict[str, str]) -> Iterator[Place]:
    made = Place(tmp_path, facts, lake)
    try:
        yield made
    finally:
        made.close()


def test_a_pipeline_is_deployed_watched_and_looked_at(place: Place) -> None:
    given = ["flow_on_argo.py:churn", "--target", "prod", "--csv", "numbers.csv", "--depth", "3"]
    out, told = place.run("deploy", *given)
    assert re.search(r"^churn succeeded in ", out, re.MULTILINE)
    assert re.search(r"^result\s+15$", out, re.MULTILINE)
    assert "rows: succeeded in" in told
    assert "for_each/train: succeeded in" in told
    assert "created   Workflow argo/churn-" in told
    (run,) = place.catalog.runs()
    assert (run.record.deployed_to, run.record.target) == ("prod", "flow_on_argo.py:churn")
    assert run.params["depth"] == 3
    (record,) = read_deployments(place.catalog.storage)
    assert (record.target, record.run, record.pipeline) == ("prod", run.id, "churn")
    shown, _ = place.run("show", "last", "--target", "prod")
    assert "deployed  prod, workflow churn-" in shown
    assert (
        "training with 5 at 3 {{workflow.name}}" in place.run("logs", "last", "for_each/train", "--target", "prod")[0]
    )
    assert run.id in place.run("runs", "--target", "prod")[0]
    again, _ = place.run("watch", "last", "--target", "prod")
    assert "churn succeeded in" in again

    out, _ = place.run("deploy", *given, "--json", "-q")
    document = json.loads(out)
    assert document["counts"]["cached"] >= 3
    assert document["deployment"]["target"] == "prod"
    assert document["run"] != run.id


def test_a_schedules_runs_have_the_file_that_was_deployed(place: Place) -> None:
    place.run("deploy", "flow_on_argo.py:every_minute", "--target", "prod", "--csv", "numbers.csv")
    facts, ended = place.facts, ("succeeded", "failed", "cancelled")
    kubectl = [facts["kubectl"], "--kubeconfig", facts["kubeconfig"], "-n", facts["namespace"]]
    try:
        place.until(lambda: [run for run in place.catalog.runs() if run.state in ended], "a run of the schedule")
    finally:
        subprocess.run([*kubectl, "delete", "cronworkflow", "every-minute"], check=True, capture_output=True)
    ended_runs = [run for run in place.catalog.runs() if run.state in ended]
    assert [run.result for run in ended_runs] == [[1, 5, 3]] * len(ended_runs)


def test_output_is_followed_and_watching_ended_without_the_run(place: Place) -> None:
    run = place.deployed("flow_on_argo.py:waiting", "--seconds", "45")
    following = place.start("logs", run, "slow", "--follow", "--target", "prod")
    waiting = place.start("logs", run, "after", "--follow", "--target", "prod")
    watching = place.start("watch", run, "--target", "prod")
    place.begun(run, "slow")
    assert following.stdout is not None
    line = following.stdout.readline()
    assert line == "tick 0\n"
    watching.send_signal(signal.SIGINT)
    _, told = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert f"`drawloom watch {run} --target prod` watches it again" in told
    assert place.catalog.run(run).state == "running"
    out = following.stdout.read()
    assert following.wait(60) == 0
    assert out == "".join(f"tick {k}\n" for k in range(1, 450))
    assert waiting.communicate(timeout=LONGEST_SECONDS) == (
        "after 45.0 s\n",
        "`after` hasn't begun: it is waited for\n",
    )
    out, _ = place.run("watch", run, "--target", "prod")
    assert "waiting succeeded in" in out


def test_e759_a_template_of_another_store_is_left_alone(place: Place) -> None:
    facts, given = place.facts, ("deploy", "flow_on_argo.py:waiting", "--no-run", "--target")
    place.targets(prod='kind = "template"', other=f'kind = "template"\nstore = "{place.store}-other"')
    kubectl = [facts["kubectl"], "--kubeconfig", facts["kubeconfig"], "-n", facts["namespace"]]
    try:
        assert "created   WorkflowTemplate argo/waiting" in place.run(*given, "prod")[0]
        assert "unchanged WorkflowTemplate argo/waiting" in place.run(*given, "prod")[0]
        assert "error[E759]" in place.run(*given, "other", code=3)[1]
        read = [*kubectl, "get", "workflowtemplate", "waiting", "-o", "jsonpath={.metadata.annotations}"]
        assert json.loads(subprocess.run(read, check=True, capture_output=True).stdout)["drawloom/store"] == place.store
    finally:
        subprocess.run([*kubectl, "delete", "workflowtemplate", "waiting"], check=False, capture_output=True)


@pytest.mark.parametrize("how", [[], ["--now"]])
def test_a_run_is_cancelled(place: Place, how: list[str]) -> None:
    run = place.deployed("flow_on_argo.py:waiting")
    place.begun(run, "slow")
    out, _ = place.run("cancel", run, "--target", "prod", *how)
    assert f"run {run} is cancelled" in out
    states = {name: node.state for name, node in place.catalog.run(run).details.nodes.items()}
    assert states == {"slow": "cancelled", "after": "cancelled"}
    assert "E748" in place.run("cancel", run, "--target", "prod", code=3)[1]


def test_a_run_is_retried_and_effects_are_not_done_again(place: Place) -> None:
    marks = f"{place.store}-marks"
    out, _ = place.run("deploy", "flow_on_argo.py:mended", "--target", "prod", "--marks", marks, code=1)
    assert "ValueError: not yet" in out
    (first,) = place.catalog.runs()
    from drawloom.storage.open import open_storage

    open_storage(marks).create("fixed", b"yes")
    _refuse_argos_own_retry(place, first.id)
    out, told = place.run("retry", first.id, "--target", "prod")
    assert f"goes on with {first.id}" in told
    assert re.search(r"^result\s+'mended'$", out, re.MULTILINE)
    second = place.catalog.runs()[0]
    assert second.record.resumed == first.id
    assert {name: node.state for name, node in second.details.nodes.items()} == {"note": "cached", "flaky": "succeeded"}
    assert "E748" in place.run("retry", second.id, "--target", "prod", code=3)[1]


def _refuse_argos_own_retry(place: Place, run: str) -> None:
    """What `argo retry` does to the object: failed nodes are taken out of the status, and the labels of the end."""
    from kubernetes import client, config

    config.load_kube_config(config_file=place.facts["kubeconfig"])
    api = client.CustomObjectsApi()
    name = dict(place.catalog.run(run).record.engine_ids)["workflow"]
    where = {"group": "argoproj.io", "version": "v1alpha1", "plural": "workflows", "name": name}
    namespace = place.facts["namespace"]
    found: Any = api.get_namespaced_custom_object(namespace=namespace, **where)
    pods = client.CoreV1Api()
    nodes = found["status"]["nodes"]
    ended = ("Failed", "Error", "Omitted")
    bad = [i for i, node in nodes.items() if node["phase"] in ended and node["type"] in ("Pod", "Retry", "Skipped")]
    for id_ in bad:
        del nodes[id_]
    for node in nodes.values():
        node["children"] = [child for child in node.get("children", ()) if child not in bad]
        if node["type"] in ("DAG", "TaskGroup") and node["phase"] != "Succeeded":
            node["phase"] = "Running"
    found["status"] |= {"phase": "Running", "message": "", "finishedAt": None}
    found["status"].pop("conditions", None)
    for label in ("workflows.argoproj.io/completed", "workflows.argoproj.io/phase"):
        found["metadata"]["labels"].pop(label, None)
    for pod in pods.list_namespaced_pod(namespace, label_selector=f"workflows.argoproj.io/workflow={name}").items:
        pods.delete_namespaced_pod(pod.metadata.name, namespace)
    api.replace_namespaced_custom_object(namespace=namespace, body=found, **where)
    place.until(lambda: place.catalog.run(run).facts.observations, "Argo's own retry")
    assert {one.event for one in place.catalog.run(run).facts.observations} == {"refused"}
    assert place.catalog.run(run).state == "failed"


def test_a_suspended_run_starts_nothing_more_until_it_goes_on(place: Place) -> None:
    run = place.deployed("flow_on_argo.py:waiting", "--seconds", "45")
    place.begun(run, "slow")
    place.run("suspend", run, "--target", "prod")
    assert place.catalog.run(run).details.nodes["slow"].state == "running", "it was suspended too late"
    place.until(lambda: place.catalog.run(run).details.nodes["slow"].state == "succeeded", "the slow call")
    time.sleep(8)
    assert place.catalog.run(run).details.nodes["after"].state == "pending"
    place.run("unsuspend", run, "--target", "prod")
    assert "waiting succeeded" in place.run("watch", run, "--target", "prod")[0]


def test_a_container_that_is_killed_is_an_observation(place: Place) -> None:
    out, _ = place.run("deploy", "flow_on_argo.py:killed", "--target", "prod", code=1)
    assert "hungry" in out
    (run,) = place.catalog.runs()
    assert {(one.node, one.event) for one in run.facts.observations} >= {("hungry", "lost")}
    assert {name: node.state for name, node in run.details.nodes.items()} == {
        "hungry": "failed",
        "after_all": "skipped",
    }


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ('namespace = "gone"', "gone"),
        ('service_account = "nobody"', "nobody"),
        ('env_from_secrets = ["no-keys"]', "no-keys"),
    ],
)
def test_what_is_not_there_is_found_by_the_doctor(place: Place, own: str, told: str) -> None:
    place.targets(prod=own)
    out, _ = place.run("doctor", "--target", "prod", "--json", code=1)
    problems = [check for check in json.loads(out)["checks"] if check["state"] == "problem"]
    assert len(problems) == 1
    assert told in problems[0]["what"]
    assert problems[0]["fix"]


def test_a_namespace_that_is_not_there_gets_nothing(place: Place) -> None:
    place.targets(prod='namespace = "gone"')
    _, told = place.run("deploy", "flow_on_argo.py:waiting", "--target", "prod", code=3)
    assert "error[E742]" in told
    assert "gone" in told


def test_a_service_account_that_is_not_there_ends_the_deployment(place: Place) -> None:
    place.targets(prod='service_account = "nobody"')
    _, told = place.run("deploy", "flow_on_argo.py:waiting", "--target", "prod", code=2)
    assert "error[E717]" in told
    assert "nobody" in told


def test_a_missing_image_is_told_while_it_is_watched(place: Place) -> None:
    place.targets(prod='image = "docker.io/local/gone:1"\nimage_pull_policy = "Never"')
    watching = place.start("deploy", "flow_on_argo.py:waiting", "--target", "prod")
    assert watching.stderr is not None
    said = ""
    for line in watching.stderr:
        said = line
        if "a pod can't start: " in line:
            break
    assert "ErrImageNeverPull" in said
    watching.send_signal(signal.SIGINT)
    _, told = watching.communicate(timeout=60)
    (run,) = re.findall(r"drawloom cancel (\S+) --target prod", told)
    assert f"run {run} is never begun" in place.run("cancel", run, "--target", "prod")[0]


def test_the_doctor_finds_nothing_wrong_also_from_a_pod(place: Place) -> None:
    out, _ = place.run("doctor", "--target", "prod", "--from-pod", "--json")
    found = {check["check"]: check for check in json.loads(out)["checks"]}
    for name in ("kubernetes", "argo", "namespace", "rights", "service account", "target catalog", "from a pod"):
        assert found[name]["state"] == "ok", found[name]
    assert "by Python 3.11" in found["from a pod"]["what"]


def test_a_store_that_pods_do_not_reach_is_found_from_a_pod(place: Place) -> None:
    place.targets(prod='env = {AWS_ENDPOINT_URL = "http://127.0.0.1:9", AWS_REGION = "us-east-1"}')
    out, _ = place.run("doctor", "--target", "prod", "--from-pod", "--json", code=1)
    (problem,) = [check for check in json.loads(out)["checks"] if check["state"] == "problem"]
    assert problem["check"] == "from a pod"
    assert "a pod can't use the store" in problem["what"]


def test_a_wrong_token_is_told(place: Place, tmp_path: Path) -> None:
    config = Path(place.facts["kubeconfig"]).read_text()
    wrong = tmp_path / "config"
    wrong.write_text(config.replace(place.facts["api"]["token"], "wrong-token"))
    assert "wrong-token" in wrong.read_text()
    place.targets(prod=f'kubeconfig = "{wrong}"')
    _, told = place.run("deploy", "flow_on_argo.py:waiting", "--target", "prod", code=3)
    assert "error[E741]" in told
    assert "wrong-token" not in told


def _by_server(place: Place, url: str, more: str = "") -> None:
    place.targets(prod=f'server = "{url}"\ntoken_env = "ARGO_TOKEN"\ninsecure_skip_verify = true\n{more}')
    place.env["ARGO_TOKEN"] = f"Bearer {place.facts['api']['token']}"
    place.env.pop("KUBECONFIG")


def test_all_of_it_by_argos_own_server(place: Place, argo_server: str) -> None:
    _by_server(place, argo_server)
    out, _ = place.run("doctor", "--target", "prod", "--json")
    assert {c["check"]: c["state"] for c in json.loads(out)["checks"]}["argo server"] == "ok"
    run = place.deployed("flow_on_argo.py:waiting", "--seconds", "45")
    following = place.start("logs", run, "slow", "--follow", "--target", "prod")
    place.begun(run, "slow")
    place.run("suspend", run, "--target", "prod")
    out, told = following.communicate(timeout=LONGEST_SECONDS)
    assert "tick 449\n" in out, told
    place.run("unsuspend", run, "--target", "prod")
    assert "waiting succeeded" in place.run("watch", run, "--target", "prod")[0]
    run = place.deployed("flow_on_argo.py:waiting")
    place.begun(run, "slow")
    assert f"run {run} is cancelled" in place.run("cancel", run, "--target", "prod")[0]
    out, _ = place.run("retry", run, "--target", "prod", "--no-wait", "--json")
    document = json.loads(out)
    assert document["resumes"] == run
    place.begun(document["run"])
    place.run("cancel", document["run"], "--target", "prod", "--now")


def test_argos_server_takes_no_wrong_token_and_no_unknown_certificate(place: Place, argo_server: str) -> None:
    _by_server(place, argo_server)
    place.env["ARGO_TOKEN"] = "wrong-token"
    _, told = place.run("deploy", "flow_on_argo.py:waiting", "--target", "prod", code=3)
    assert "error[E741]" in told
    assert "wrong-token" not in told
    place.targets(prod=f'server = "{argo_server}"\ntoken_env = "ARGO_TOKEN"')
    _, told = place.run("deploy", "flow_on_argo.py:waiting", "--target", "prod", code=3)
    assert "can't be trusted" in told
