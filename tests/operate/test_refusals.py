"""What Kubernetes and Argo's server refuse, over TLS: told with a fix, and nothing is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from operate_places import kubeconfig

import drawloom
from drawloom.errors import ConnectionLost, EngineError
from drawloom.runtimes.api_problems import ApiProblem
from drawloom.runtimes.argo import ArgoClient
from drawloom.runtimes.argo_access import KubernetesAccess, access_to
from drawloom.runtimes.engines import Connection, EngineRun

RUN = EngineRun("argo-1", (("workflow", "w"), ("uid", "u"), ("namespace", "flows")), "p", "prod")


def _deploy() -> str:
    import flow_to_deploy

    with pytest.raises(EngineError) as caught:
        drawloom.deploy(flow_to_deploy.doubled, "prod")
    return str(caught.value)


def _server_target(server: Any, more: str = "") -> str:
    return (
        f'[targets.prod]\nengine = "argo"\nstore = "s"\nserver = "{server.url}"\nca_file = "{server.ca_file}"\n{more}'
    )


def _cluster_target(server: Any, folder: Path) -> str:
    config = kubeconfig(folder / "config", server.url, server.ca_file)
    return f'[targets.prod]\nengine = "argo"\nstore = "s"\nkubeconfig = "{config}"\n'


@pytest.mark.parametrize("way", ["server", "cluster"])
@pytest.mark.parametrize(
    ("status", "message", "told"),
    [
        (401, "token has expired", "[E741] {url} (target `prod`) doesn't take your token, to list Workflows in"),
        (403, 'User "eve" can\'t', "[E742] {url} (target `prod`) says that you may not list Workflows in"),
        (404, 'namespaces "x" not found', "[E742] {url} (target `prod`) says that there is nothing to list"),
        (503, "etcd {{is}} away 🎉", "[E740] {url} (target `prod`) can't be reached to list Workflows in"),
    ],
)
def test_a_refusal_is_told_and_nothing_is_stored(
    project: Any, refusing: Any, tmp_path: Path, way: str, status: int, message: str, told: str
) -> None:
    server = refusing(status, message)
    folder = project(_server_target(server) if way == "server" else _cluster_target(server, tmp_path))
    said = _deploy()
    assert told.format(url=server.url) in said
    assert message in said
    assert not (folder / "s").exists()


def test_e741_the_token_of_a_variable_goes_to_the_server_and_into_no_message(
    project: Any, refusing: Any, monkeypatch: Any
) -> None:
    server = refusing(401, "token not valid")
    project(_server_target(server, 'token_env = "ARGO_TOKEN"'))
    monkeypatch.setenv("ARGO_TOKEN", "hush-hush")
    said = _deploy()
    assert "E741" in said
    assert "hush" not in said
    assert server.seen == [
        ("GET", "/api/v1/workflows/default?listOptions.limit=1&fields=items.metadata.name", "Bearer hush-hush")
    ]


def test_e740_a_certificate_that_nobody_vouches_for(project: Any, refusing: Any) -> None:
    server = refusing(200, "")
    project(f'[targets.prod]\nengine = "argo"\nstore = "s"\nserver = "{server.url}"')
    said = _deploy()
    assert f"error[E740] {server.url} can't be trusted" in said.replace(" (target `prod`)", "")
    assert "`ca_file`" in said
    assert server.seen == []


def test_a_certificate_that_need_not_be_vouched_for(project: Any, refusing: Any) -> None:
    server = refusing(401, "no")
    project(f'[targets.prod]\nengine = "argo"\nstore = "s"\nserver = "{server.url}"\ninsecure_skip_verify = true')
    assert "E741" in _deploy()


def test_e745_a_ca_file_that_is_not_there(project: Any) -> None:
    project('[targets.prod]\nengine = "argo"\nstore = "s"\nserver = "https://127.0.0.1:1"\nca_file = "gone.crt"')
    assert "error[E745] target `prod` has the ca_file" in _deploy()


def test_e740_nobody_is_there(project: Any) -> None:
    folder = project('[targets.prod]\nengine = "argo"\nstore = "s"\nserver = "https://127.0.0.1:1"')
    said = _deploy()
    assert "error[E740] https://127.0.0.1:1 (target `prod`) can't be reached to list Workflows" in said
    assert "Connection refused" in said
    assert not (folder / "s").exists()


def test_the_exit_code_is_that_of_what_can_not_be_reached(project: Any, drawloom_command: Any) -> None:
    project('[targets.prod]\nengine = "argo"\nstore = "s"\nserver = "https://127.0.0.1:1"')
    code, out, told = drawloom_command("deploy", "flow_to_deploy.py:doubled", "--target", "prod")
    assert (code, out) == (3, "")
    assert "error[E740]" in told


def test_doctor_tells_what_is_wrong_with_a_target(project: Any, refusing: Any, drawloom_command: Any) -> None:
    server = refusing(401, "token has expired")
    project(_server_target(server))
    code, out, _ = drawloom_command("doctor", "--target", "prod")
    assert code == 1
    assert "[E741]" in out
    assert "get a new token" in out
    assert drawloom_command("doctor", "--from-pod")[0] == 2


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ('kind = "cron"', "kind"),
        ('tasks = {train = {memory = "1Gi"}}', "tasks"),
        ("params = {depth = 3}", "params"),
        ('patches = [{on = "template", name = "step-train*", merge = {daemon = true}}]', "patches"),
    ],
)
def test_doctor_does_not_hold_what_is_said_of_a_pipeline_against_a_target(
    project: Any, refusing: Any, drawloom_command: Any, option: str, name: str
) -> None:
    project(f"{_server_target(refusing(401, 'token has expired'))}\n{option}")
    _, out, _ = drawloom_command("doctor", "--target", "prod")
    assert f"takes them; `{name}` can be looked at only with a pipeline" in " ".join(out.split())


def test_doctor_still_tells_of_options_of_another_type(project: Any, refusing: Any, drawloom_command: Any) -> None:
    project(f"{_server_target(refusing(401, 'token has expired'))}\nkind = 3")
    code, out, _ = drawloom_command("doctor", "--target", "prod")
    assert code == 1
    assert "[E720]" in out


def test_e742_a_run_of_a_server_that_refuses_everything_else(refusing: Any, tmp_path: Path) -> None:
    from kubernetes.client import ApiClient, Configuration

    server = refusing(422, "spec.entrypoint is wrong: {{x}}")
    configuration = Configuration(host=server.url)
    configuration.ssl_ca_cert = server.ca_file
    configuration.retries = False
    client = ArgoClient(KubernetesAccess(ApiClient(configuration), "flows"))
    with pytest.raises(EngineError, match=r"E742.*spec\.entrypoint is wrong: \{\{x\}\}"):
        client.status(RUN)


def test_output_is_asked_for_of_kubernetes_by_its_client(refusing: Any, tmp_path: Path) -> None:
    server = refusing(404, "no such pod")
    path = kubeconfig(tmp_path / "config", server.url, server.ca_file)
    access = access_to(Connection("prod", kubeconfig=path))
    for follow in (False, True):
        with pytest.raises(ApiProblem) as caught:
            list(access.log("flows", "w", "pod-1", follow=follow))
        assert (caught.value.status, caught.value.message) == (404, "no such pod")
    assert "follow=true" in server.seen[-1][1]


@pytest.mark.parametrize("kind", ["workflow", "template"])
def test_the_pod_of_the_doctor_keeps_argos_rules(tmp_path: Path, kind: str) -> None:
    from drawloom.api import compile_program
    from drawloom.cli.doctor_target import _empty_program
    from drawloom.compilers.argo.rules import problems_of
    from drawloom.runtimes.argo_findings import _probe_workflow
    from drawloom.runtimes.publish import read_engine

    options = {"store": "s3://lake", "service_account": "steps", "kind": kind}
    compile_program(_empty_program(), "argo", options).write(tmp_path)
    made = _probe_workflow(tmp_path, "doctor/1", read_engine(tmp_path))
    assert problems_of(made) == []
    assert (made["kind"], made["spec"]["serviceAccountName"]) == ("Workflow", "steps")


def test_what_argos_server_streams_is_put_together() -> None:
    from drawloom.runtimes.argo_access import _log_lines

    pieces = [
        b'{"result":{"content":"one {{x}}"}}\n{"res',
        'ult":{"content":"zwei 🎉"}}\n\n'.encode(),
        b'data: {"result":{}}\n',
    ]
    assert b"".join(_log_lines(iter(pieces))) == "one {{x}}\nzwei 🎉\n\n".encode()
    with pytest.raises(ApiProblem, match="gone"):
        list(_log_lines(iter([b'{"error":{"message":"gone","http_code":404}}\n'])))


def test_a_run_whose_workflow_can_not_be_reached_may_be_asked_for_again(tmp_path: Path) -> None:
    from kubernetes.client import ApiClient, Configuration

    configuration = Configuration(host="http://127.0.0.1:1")
    configuration.retries = False
    client = ArgoClient(KubernetesAccess(ApiClient(configuration)))
    for call in (client.status, client.suspend, client.unsuspend):
        with pytest.raises(ConnectionLost, match="E740"):
            call(RUN)


def test_what_argos_server_answers_says_again_what_it_is(refusing: Any) -> None:
    server = refusing(200, "a Workflow without kind and apiVersion")
    del server.body["kind"], server.body["apiVersion"]
    access = access_to(Connection("prod", server=server.url, ca_file=server.ca_file))
    found = access.read("Workflow", "flows", "w")
    assert found is not None
    assert (found["apiVersion"], found["kind"]) == ("argoproj.io/v1alpha1", "Workflow")
