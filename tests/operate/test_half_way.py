"""A deployment that fails half-way: what was made is taken back, and what is left is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import drawloom
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.deployments import read_deployments, write_deployment
from drawloom.catalog.records import Deployment
from drawloom.compilers.emit.yaml import yaml_text
from drawloom.deploying import Deployed
from drawloom.errors import EngineError, RunRefused
from drawloom.ir.protocol import asked_text
from drawloom.runtimes.api_problems import ApiProblem
from drawloom.runtimes.argo import ArgoClient
from drawloom.runtimes.engines import EngineRun


class Cluster:
    """Objects by kind and name, as Kubernetes keeps them; refuses what it is told to, as Kubernetes does.

    It stands for the other side of the connection only; what Argo does with objects is seen on a real one.
    """

    place, namespace = "https://cluster", "flows"

    def __init__(self, refused: str = "", status: int = 422, *, lost: bool = False) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.refused, self.status, self.lost = refused, status, lost
        self.version = 0

    def look(self, namespace: str) -> None:
        pass

    def create(self, kind: str, namespace: str, body: Any) -> dict[str, Any]:
        if kind == self.refused and not self.lost:
            raise ApiProblem(self.status, "it says {{no}}")
        made = self._keep(kind, body)
        if kind == self.refused:
            raise ApiProblem(self.status, "the answer was lost")
        return made

    def read(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        return self.objects.get((kind, name))

    def replace(self, kind: str, namespace: str, body: Any) -> dict[str, Any]:
        assert (
            body["metadata"]["resourceVersion"]
            == self.objects[kind, body["metadata"]["name"]]["metadata"]["resourceVersion"]
        )
        return self._keep(kind, body)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        del self.objects[kind, name]

    def order(self, namespace: str, name: str, verb: str) -> None:
        raise AssertionError("nothing here is running")

    def _keep(self, kind: str, body: Any) -> dict[str, Any]:
        self.version += 1
        made: dict[str, Any] = json.loads(json.dumps(body))
        made["metadata"] |= {"uid": f"u{self.version}", "resourceVersion": str(self.version)}
        self.objects[kind, made["metadata"]["name"]] = made
        return made


ASKED = {"engine": "argo", "ids": [], "params": {"n": {"tree": 3}}, "deployed_to": "prod"}
RUN = {"name": "run", "value": asked_text({"engine": "argo", "ids": [], "params": {}, "kept": "{{x}}"})}


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build folder with a template, a schedule and a Workflow."""
    spec: dict[str, Any] = {"arguments": {"parameters": [RUN]}, "templates": []}
    objects = {
        "workflow.yaml": {"kind": "Workflow", "metadata": {"generateName": "p-"}, "spec": spec},
        "workflowtemplate.yaml": {"kind": "WorkflowTemplate", "metadata": {"name": "p"}, "spec": spec},
        "cronworkflow.yaml": {"kind": "CronWorkflow", "metadata": {"name": "p"}, "spec": {"schedules": ["* * * * *"], "workflowSpec": spec}},
    }  # fmt: skip
    for name, tree in objects.items():
        (tmp_path / name).write_text(yaml_text({"apiVersion": "argoproj.io/v1alpha1", **tree}))
    engine = {"format": 0, "engine": "argo", "pipeline": "p", "program": "d" * 64, "objects": list(objects)}
    (tmp_path / "engine.json").write_text(json.dumps(engine))
    return tmp_path


def _asked_of(tree: Any) -> Any:
    from base64 import b64decode

    spec = tree["spec"].get("workflowSpec", tree["spec"])
    return json.loads(b64decode(spec["arguments"]["parameters"][0]["value"]))


def test_every_object_is_made_and_a_second_time_only_the_run(build: Path) -> None:
    cluster = Cluster()
    client = ArgoClient(cluster, "prod")
    made = client.submit(build, ASKED, run=True)
    assert [(one.kind, one.done) for one in made.objects] == [
        ("WorkflowTemplate", "created"),
        ("CronWorkflow", "created"),
        ("Workflow", "created"),
    ]
    assert made.run is not None
    assert made.run.id("uid") == "u3"
    for tree in cluster.objects.values():
        assert _asked_of(tree) == {**ASKED, "kept": "{{x}}"}
        assert tree["metadata"]["annotations"]["drawloom/target"] == "prod"
    cluster.objects["CronWorkflow", "p"]["status"] = {"lastScheduledTime": "now"}
    again = client.submit(build, ASKED, run=True)
    assert [one.done for one in again.objects] == ["unchanged", "unchanged", "created"]
    other = client.submit(build, {**ASKED, "params": {}}, run=False)
    assert [(one.kind, one.done) for one in other.objects] == [
        ("WorkflowTemplate", "replaced"),
        ("CronWorkflow", "replaced"),
    ]
    assert cluster.objects["CronWorkflow", "p"]["status"] == {"lastScheduledTime": "now"}
    assert other.run is None


def test_e746_what_was_made_before_is_taken_back(build: Path) -> None:
    cluster = Cluster(refused="Workflow")
    with pytest.raises(EngineError) as caught:
        ArgoClient(cluster, "prod").submit(build, ASKED, run=True)
    first, second = caught.value.diagnostics
    assert (first.code, "it says {{no}}" in first.what) == ("E723", True)
    assert (second.code, second.what) == (
        "E746",
        "the deployment failed half-way; it was taken back: WorkflowTemplate p, CronWorkflow p",
    )
    assert cluster.objects == {}


@pytest.mark.parametrize(
    ("told", "whose"),
    [
        ({}, "not drawloom's"),
        ({"drawloom/pipeline": "q", "drawloom/store": "s", "drawloom/project": "x"}, "another pipeline of drawloom's"),
        ({"drawloom/pipeline": "p", "drawloom/store": "other", "drawloom/project": "x"}, "another pipeline of drawloom's"),
    ],
)  # fmt: skip
def test_e759_an_object_of_somebody_else_is_left_alone(build: Path, told: dict[str, str], whose: str) -> None:
    cluster = Cluster()
    metadata = {"name": "p", "namespace": "flows", "annotations": told}
    cluster.create("CronWorkflow", "flows", {"kind": "CronWorkflow", "metadata": metadata, "spec": {"schedules": []}})
    before = json.dumps(cluster.objects["CronWorkflow", "p"])
    for file in build.glob("*.yaml"):
        mine = "annotations: {drawloom/pipeline: p, drawloom/store: s, drawloom/project: x}"
        file.write_text(file.read_text().replace("metadata:\n", f"metadata:\n  {mine}\n", 1))
    with pytest.raises(EngineError) as caught:
        ArgoClient(cluster, "prod").submit(build, ASKED, run=True)
    first, second = caught.value.diagnostics
    assert (first.code, second.code) == ("E759", "E746")
    assert first.what == f"the namespace flows has a CronWorkflow p already, and it is {whose}"
    assert first.fix is not None
    assert "kubectl -n flows delete cronworkflow p" in first.fix
    assert list(cluster.objects) == [("CronWorkflow", "p")]
    assert json.dumps(cluster.objects["CronWorkflow", "p"]) == before


def test_what_was_replaced_is_put_back(build: Path) -> None:
    cluster = Cluster()
    client = ArgoClient(cluster, "prod")
    client.submit(build, ASKED, run=False)
    before = {key: tree["spec"] for key, tree in cluster.objects.items()}
    cluster.refused = "Workflow"
    with pytest.raises(EngineError, match="E746"):
        client.submit(build, {**ASKED, "params": {"n": {"tree": 4}}}, run=True)
    assert {key: tree["spec"] for key, tree in cluster.objects.items()} == before


def test_a_workflow_whose_answer_was_lost_is_found_again(build: Path) -> None:
    cluster = Cluster(refused="Workflow", status=0, lost=True)
    made = ArgoClient(cluster, "prod").submit(build, ASKED, run=True)
    assert made.run is not None
    assert ("Workflow", made.run.id("workflow")) in cluster.objects


def test_e747_a_workflow_that_is_gone_or_another_one(build: Path) -> None:
    cluster = Cluster()
    client = ArgoClient(cluster, "prod")
    made = client.submit(build, ASKED, run=True)
    assert made.run is not None
    name = made.run.id("workflow")
    cluster.objects["Workflow", name]["metadata"]["uid"] = "other"
    with pytest.raises(EngineError, match=r"E747.*one of another `uid` has its name"):
        client.status(made.run)
    client.remove(made)
    with pytest.raises(EngineError, match=r"E747.*it was deleted, or lies elsewhere"):
        client.cancel(made.run, now=True)


def test_e748_a_workflow_that_has_ended_can_not_be_stopped(build: Path) -> None:
    cluster = Cluster()
    client = ArgoClient(cluster)
    made = client.submit(build, ASKED, run=True)
    assert made.run is not None
    cluster.objects["Workflow", made.run.id("workflow")]["status"] = {"phase": "Succeeded"}
    with pytest.raises(EngineError, match=r"E748.*has ended: there is nothing to stop"):
        client.cancel(made.run, now=False)


def test_e749_a_node_without_a_pod_has_no_output(build: Path) -> None:
    client = ArgoClient(Cluster(), "prod")
    made = client.submit(build, ASKED, run=True)
    assert made.run is not None
    with pytest.raises(EngineError) as caught:
        list(client.logs(made.run, "load", None, follow=False, settled=lambda: True))
    (found,) = caught.value.diagnostics
    logs, watch = f"drawloom logs {made.run.run} load --target prod", f"drawloom watch {made.run.run} --target prod"
    assert (found.code, found.fix) == ("E749", f"`{logs}` prints what the catalog has; `{watch}` tells more")


def test_a_node_that_has_not_begun_is_waited_for_and_that_is_told_once(tmp_path: Path, build: Path) -> None:
    class Beginning(Cluster):
        """A Workflow whose pod begins when it has been asked for five times, two of them for what else there is."""

        asked = 0

        def read(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
            found = super().read(kind, namespace, name)
            self.asked += 1
            if found is not None and self.asked >= 5:
                step = {"parameters": [{"name": "step", "value": "load"}, {"name": "index", "value": "-"}]}
                pod = {"id": "1", "name": "load", "type": "Pod", "phase": "Running", "inputs": step}
                found["status"] = {"phase": "Succeeded", "nodes": {"1": pod}}
            return found

        def log(self, namespace: str, workflow: str, pod: str, *, follow: bool) -> Iterator[bytes]:
            yield b"loading\n"

    client = ArgoClient(Beginning())
    made = client.submit(build, ASKED, run=True)
    assert made.run is not None
    told: list[str] = []
    found = Deployed(made.run, client, Catalog.open(tmp_path / "lake"))
    assert list(found.logs("load", follow=True, note=told.append)) == ["loading\n"]
    assert told == ["`load` hasn't begun: it is waited for"]


def test_what_a_pod_prints_after_its_nodes_outcome_is_followed_to_its_end(build: Path) -> None:
    class Ending(Cluster):
        """A Workflow whose pod ends a moment after it was looked at."""

        printed = [b"first\n"]

        def read(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
            found = super().read(kind, namespace, name)
            if found is not None:
                step = {"parameters": [{"name": "step", "value": "load"}, {"name": "index", "value": "-"}]}
                phase = "Running" if len(self.printed) == 1 else "Succeeded"
                pod = {"id": "1", "name": "load", "type": "Pod", "phase": phase, "inputs": step}
                found["status"] = {"phase": "Running", "nodes": {"1": pod}}
            return found

        def log(self, namespace: str, workflow: str, pod: str, *, follow: bool) -> Iterator[bytes]:
            assert not follow
            yield from self.printed
            self.printed = [b"first\n", b"last\n"]

    client = ArgoClient(Ending())
    run = client.submit(build, ASKED, run=True).run
    assert run is not None
    assert list(client.logs(run, "load", None, follow=True, settled=lambda: True)) == ["first\n", "last\n"]


@pytest.mark.parametrize("reads", [0, 3])
def test_e717_output_of_a_run_that_ended_before_it_began_is_not_waited_for(
    tmp_path: Path, build: Path, reads: int
) -> None:
    class Ending(Cluster):
        """A Workflow that fails when it has been looked at so often."""

        asked = 0

        def read(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
            found = super().read(kind, namespace, name)
            self.asked += 1
            if found is not None and self.asked > reads:
                found["status"] = {"phase": "Failed", "message": "begin: no such interpreter"}
            return found

    client = ArgoClient(Ending())
    made = client.submit(build, ASKED, run=True)
    assert made.run is not None
    told: list[str] = []
    found = Deployed(made.run, client, Catalog.open(tmp_path / "lake"))
    with pytest.raises(EngineError, match=r"E717.* ended as Failed before the run began: begin: no such interpreter"):
        list(found.logs("load", follow=True, note=told.append))
    assert told == (["`load` hasn't begun: it is waited for"] if reads else [])


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("working\nerror[E712] it has no outcome\n  fix    wait\n", ": error[E712] it has no outcome"),
        (
            "Traceback (most recent call last):\nzipfile.BadZipFile: no zip {{=1}}\n",
            ": zipfile.BadZipFile: no zip {{=1}}",
        ),
        (None, ""),  # the pod is gone
    ],
)
def test_of_a_step_that_could_not_do_its_work_is_told_what_it_printed(
    build: Path, printed: str | None, said: str
) -> None:
    class Lost(Cluster):
        def read(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
            found = super().read(kind, namespace, name)
            if found is not None:
                step = {"parameters": [{"name": "step", "value": "load"}, {"name": "index", "value": "-"}]}
                pod = {
                    "id": "1",
                    "name": "load",
                    "type": "Pod",
                    "phase": "Failed",
                    "templateName": "step",
                    "inputs": step,
                }
                pod |= {"displayName": "load(0)", "message": "main: Error (exit code 1)", "outputs": {"exitCode": "1"}}
                found["status"] = {"phase": "Running", "nodes": {"1": pod}}
            return found

        def log(self, namespace: str, workflow: str, pod: str, *, follow: bool) -> Iterator[bytes]:
            if printed is None:
                raise ApiProblem(404, "pods not found")
            yield printed.encode()

    client = ArgoClient(Lost())
    run = client.submit(build, ASKED, run=True).run
    assert run is not None
    (found,) = client.status(run).observed
    assert (found.event, found.detail) == ("lost", f"main: Error (exit code 1){said}")


def test_a_run_that_is_started_again_has_its_templates_and_none_of_its_state(build: Path) -> None:
    cluster = Cluster()
    client = ArgoClient(cluster, "prod")
    first = client.submit(build, ASKED, run=True).run
    assert first is not None
    tree = cluster.objects["Workflow", first.id("workflow")]
    tree["spec"]["shutdown"] = "Stop"
    tree["status"] = {"phase": "Failed"}
    tree["metadata"]["labels"] = {"workflows.argoproj.io/completed": "true", "team": "churn"}
    second = client.again(first, {**ASKED, "resumed": first.run}).run
    assert second is not None
    assert second.run != first.run
    made = cluster.objects["Workflow", second.id("workflow")]
    assert "shutdown" not in made["spec"]
    assert "status" not in made
    assert made["metadata"]["labels"] == {"team": "churn"}
    assert _asked_of(made)["resumed"] == first.run


def test_a_run_of_a_template_is_started_again_with_the_template_as_it_was(build: Path) -> None:
    cluster = Cluster()
    client = ArgoClient(cluster, "prod")
    first = client.submit(build, ASKED, run=True).run
    assert first is not None
    tree = cluster.objects["Workflow", first.id("workflow")]
    stored = {**tree["spec"], "templates": [{"name": "then"}], "workflowTemplateRef": {"name": "p"}, "shutdown": "Stop"}
    tree["spec"] = {"arguments": tree["spec"]["arguments"], "workflowTemplateRef": {"name": "p"}}
    tree["status"] = {"storedWorkflowTemplateSpec": stored}
    second = client.again(first, ASKED).run
    assert second is not None
    spec = cluster.objects["Workflow", second.id("workflow")]["spec"]
    assert spec["templates"] == [{"name": "then"}]
    assert not {"workflowTemplateRef", "shutdown"} & spec.keys()
    assert _asked_of({"spec": spec})["deployed_to"] == "prod"


def test_a_store_that_fails_after_the_run_began_leaves_nothing_running(project: Any, monkeypatch: Any) -> None:
    from drawloom import deploying
    from drawloom.errors import Diagnostic, StoreError

    folder = project('[targets.prod]\nengine = "argo"\nstore = "s"\ncatalog = "s"')
    cluster = Cluster()
    monkeypatch.setattr(deploying, "connect_target", lambda target, *_: ArgoClient(cluster, target.name))

    def full(*_: object) -> None:
        raise StoreError(Diagnostic("S408", "the disk is full", None, "make room"))

    monkeypatch.setattr(deploying, "write_deployment", full)
    import flow_to_deploy

    with pytest.raises(StoreError) as caught:
        drawloom.deploy(flow_to_deploy.doubled, "prod")
    assert [d.code for d in caught.value.diagnostics] == ["S408", "E746"]
    assert "nothing of it runs; its program " in caught.value.diagnostics[1].what
    assert cluster.objects == {}
    assert (folder / "s").exists()


def test_a_deployment_is_a_record_by_which_its_run_is_found(project: Any, monkeypatch: Any) -> None:
    from drawloom import deploying
    from drawloom.project import load_settings

    project('[targets.prod]\nengine = "argo"\nstore = "s"\ncatalog = "s"')
    monkeypatch.setattr(deploying, "connect_target", lambda target, *_: ArgoClient(Cluster(), target.name))
    import flow_to_deploy

    made = drawloom.deploy(flow_to_deploy.doubled, "prod", {"n": 4})
    assert made.deployed is not None
    (record,) = read_deployments(made.deployed.catalog.storage)
    assert (record.target, record.run, record.program) == ("prod", made.run, made.program)
    assert record.objects == (f"Workflow/flows/{made.deployed.run.id('workflow')}",)
    for name in ("last", made.run, made.run[:12]):  # it hasn't begun: only the deployment knows it
        for target in ("prod", None):  # there is only one
            found = deploying.deployed_run(name, load_settings(), target=target)
            assert found.run == made.deployed.run
    quiet = drawloom.deploy(flow_to_deploy.doubled, "prod", run=False)
    assert (quiet.run, quiet.objects) == ("", ())
    with pytest.raises(RunRefused, match="E748"):
        quiet.wait()


def test_deployments_of_several_targets_are_kept_apart(tmp_path: Path) -> None:
    from drawloom.catalog.catalog import Catalog

    storage = Catalog.open(str(tmp_path)).storage
    ids = (("workflow", "w {{x}}"), ("uid", "🎉"))
    first = Deployment("prod", "p", "d" * 64, 5.0, "argo", "argo-1", ids, ("Workflow/flows/w",))
    second = Deployment("te'st\n", "p", "d" * 64, 6.0)
    third = Deployment("prod", "p", "d" * 64, 7.0, "argo", "argo-2")
    for record in (first, second, third):
        write_deployment(storage, record)
    assert list(read_deployments(storage, "prod")) == [third, first]
    assert list(read_deployments(storage, "te'st\n")) == [second]
    assert set(read_deployments(storage)) == {first, second, third}
    assert isinstance(EngineRun("r", ids).id("gone"), str)
