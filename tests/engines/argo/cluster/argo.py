"""Argo Workflows on the cluster: its resource definitions, its settings, and its controller.

The controller is a process on this machine, as the control plane is, so that a test can end it and
start it again, and read its log.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any  # Kubernetes objects

from cluster import processes
from cluster.control_plane import client, kubeconfig
from cluster.gobuild import CONTROLLER, SERVER, built, module_folder, module_version
from cluster.kube import Api
from cluster.places import cache
from cluster.stock import EXECUTOR_IMAGE
from cluster.storage import ACCESS_KEY, BUCKET, SECRET_KEY, endpoint

NAME = "workflow-controller"
NAMESPACE = "argo"
SERVICE_ACCOUNT = "workflow"
SECRET = "s3-credentials"
STOP_PATIENCE_SECONDS = 2.0
"""The controller doesn't end when it is asked to, so it isn't waited for long."""

_READY = b"Sync manager initialized successfully"
"""What the controller logs when it has read the workflows there are; its health check says yes before."""

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def ensure_built() -> None:
    """Build what isn't in the cache."""
    built(CONTROLLER)
    built(SERVER)  # not by the test that needs it: building takes minutes
    _definitions()


def install(api: Api) -> None:
    """Give the API server Argo's resources, the namespace, its service account and settings."""

    def define(file: Path) -> None:
        plural = file.stem.removeprefix("argoproj.io_")
        api.ensure(_DEFINITIONS, f"{plural}.argoproj.io", file.read_bytes())

    with ThreadPoolExecutor() as threads:  # the server is busy for seconds with each
        list(threads.map(define, sorted(_definitions().glob("argoproj.io_*.yaml"))))
    for path, document in _objects():
        api.apply(path, document)
    processes.wait_until("Argo's resources are served", lambda: _served(api), server="kube-apiserver")


def start_controller() -> processes.Record:
    """Start the controller, if it doesn't run; returns when it has begun to work."""
    flags = ["--kubeconfig", str(kubeconfig()), "--namespace", NAMESPACE, "--namespaced"]
    flags += ["--executor-image", EXECUTOR_IMAGE, "--executor-image-pull-policy", "IfNotPresent"]
    flags += ["--qps", "200", "--burst", "400"]  # far above the default: tests wait for every request
    environment = {"LEADER_ELECTION_DISABLE": "true", "DEFAULT_REQUEUE_TIME": "1s"}
    if (known := processes.running(NAME)) is not None:
        return known
    log = processes.log_path(NAME)
    before = log.stat().st_size if log.exists() else 0
    started = processes.ensure_started(NAME, [built(CONTROLLER), *flags], environment)

    def works() -> bool:
        with log.open("rb") as file:
            file.seek(before)
            return _READY in file.read()

    processes.wait_until("the controller works", works, server=NAME)
    return started


def restart_controller(*, kill: bool) -> processes.Record:
    """End the controller, by SIGKILL if `kill`, and start it anew; a running cluster is needed."""
    if not client().ready():
        raise RuntimeError("the cluster isn't up: the API server doesn't answer")
    processes.stop(NAME, patience_seconds=STOP_PATIENCE_SECONDS, kill=kill)
    return start_controller()


def _definitions() -> Path:
    """The folder of Argo's full resource definitions, in the cache, from its module but without descriptions.

    Those are most of their eleven megabytes, and the API server is busy for half a minute with the whole.
    """
    folder = cache() / "definitions" / f"{module_version(CONTROLLER)}-plain"
    if not folder.exists():
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for file in (module_folder(CONTROLLER) / "manifests" / "base" / "crds" / "full").glob("argoproj.io_*.yaml"):
            (part / file.name).write_text(_without_descriptions(file.read_text()))
        part.rename(folder)
    return folder


def _without_descriptions(text: str) -> str:
    r"""Leave out of the YAML of a schema the descriptions, but not the fields that have this name.

    >>> _without_descriptions("a:\n  description: |-\n    long\n\n    text\n  type: object\n")
    'a:\n  type: object\n'
    """
    kept = []
    inside: int | None = None  # the indent of the description that is being left out
    for line in text.splitlines(keepends=True):
        indent = len(line) - len(line.lstrip(" "))
        if inside is not None and (not line.strip() or indent > inside):
            continue
        inside = indent if line.lstrip().startswith("description: ") else None
        if inside is None:
            kept.append(line)
    return "".join(kept)


def _served(api: Api) -> bool:
    """Whether the API server answers for all of Argo's resources, which it does seconds after it took a definition.

    Each is asked for: the list of the group's resources names one before it can be used.
    """
    plurals = [file.stem.removeprefix("argoproj.io_") for file in _definitions().glob("argoproj.io_*.yaml")]
    return all(api.get(f"/apis/argoproj.io/v1alpha1/{plural}?limit=1") is not None for plural in plurals)


def _objects() -> list[tuple[str, dict[str, Any]]]:
    """Path and content of all objects but the definitions, in the order they need."""
    core = f"/api/v1/namespaces/{NAMESPACE}"
    access = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}"
    # what a step's pod needs, by Argo's manual: to tell its results
    rules = [{"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": SERVICE_ACCOUNT}
    subjects = [{"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": NAMESPACE}]
    secret = {"stringData": {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}}
    return [
        (core, _object("v1", "Namespace", NAMESPACE)),
        (
            f"{core}/serviceaccounts/{SERVICE_ACCOUNT}",
            _object("v1", "ServiceAccount", SERVICE_ACCOUNT),
        ),
        (f"{core}/secrets/{SECRET}", _object("v1", "Secret", SECRET) | secret),
        (
            f"{access}/roles/{SERVICE_ACCOUNT}",
            _object("rbac.authorization.k8s.io/v1", "Role", SERVICE_ACCOUNT) | {"rules": rules},
        ),
        (
            f"{access}/rolebindings/{SERVICE_ACCOUNT}",
            _object("rbac.authorization.k8s.io/v1", "RoleBinding", SERVICE_ACCOUNT)
            | {"roleRef": role, "subjects": subjects},
        ),
        (
            f"{core}/configmaps/{NAME}-configmap",
            _object("v1", "ConfigMap", f"{NAME}-configmap") | {"data": {"config": _settings()}},
        ),
    ]


def _object(version: str, kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


def _settings() -> str:
    """The controller's settings; the cluster has no name service, so pods take the machine's."""
    return f"""\
artifactRepository:
  archiveLogs: false
  s3:
    endpoint: "{endpoint()}"
    insecure: true
    bucket: "{BUCKET}"
    accessKeySecret: {{name: "{SECRET}", key: "access_key"}}
    secretKeySecret: {{name: "{SECRET}", key: "secret_key"}}
metricsConfig:
  enabled: false
workflowDefaults:
  spec:
    serviceAccountName: "{SERVICE_ACCOUNT}"
    dnsPolicy: Default
"""
