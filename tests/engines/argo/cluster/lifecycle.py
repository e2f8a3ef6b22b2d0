"""The whole cluster: up, down, and the facts about it that tests need."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any  # the facts are a JSON document

from cluster import argo, containers, control_plane, network, processes, stock, storage, system
from cluster.gobuild import CONTROLLER, ETCD, KUBERNETES, built, module_version
from cluster.places import locked, say, state

_STOPPED_LAST = ("containerd", *control_plane.NAMES, storage.NAME)
_SERVERS = (argo.NAME, "kubelet", *_STOPPED_LAST)


def facts_path() -> Path:
    """The file of the facts about the running cluster."""
    return state() / "cluster.json"


def up() -> dict[str, Any]:
    """Bring up what doesn't run yet, and give the facts."""
    system.check_root()
    system.ensure_programs()
    control_plane.ensure_built()
    argo.ensure_built()
    stock.archive()
    system.tools_python()
    start = time.monotonic()
    with locked(_lock_path()):
        network.refuse_second_cluster()
        state().mkdir(parents=True, exist_ok=True)
        if not any(processes.running(name) for name in _SERVERS):
            _clean()  # what a run left that ended without `down`
        _start_servers()
        facts = _facts()
        facts_path().write_text(json.dumps(facts, indent=1))
    say(f"the cluster is up after {time.monotonic() - start:.0f} s")
    return facts


def down() -> None:
    """End all that `up` started, and undo what it did to the machine; the logs stay in the state folder."""
    system.check_root()
    with locked(_lock_path()):
        _clean()


def refresh_controller() -> None:
    """Write the controller's new process id into the facts."""
    facts = json.loads(facts_path().read_text())
    facts["controller_pid"] = _controller_pid()
    facts_path().write_text(json.dumps(facts, indent=1))


def _clean() -> None:
    """End and undo everything of this state folder; where another cluster is up, its network stays."""
    facts_path().unlink(missing_ok=True)
    processes.stop(argo.NAME, patience_seconds=argo.STOP_PATIENCE_SECONDS)
    processes.stop("kubelet")
    containers.end_pods()
    containers.forget_pods()
    for name in _STOPPED_LAST:
        processes.stop(name)
    containers.end_pods()  # those that containerd was just starting
    containers.clear_node()
    if network.owner() in (None, state()):
        network.tear_down()
    containers.remove_data()


def _start_servers() -> None:
    """Start the servers, side by side where one needn't wait for the other."""
    network.raise_up()
    with ThreadPoolExecutor() as threads:
        node = threads.submit(containers.start_containerd)
        s3 = threads.submit(storage.start)
        api = control_plane.start()
        definitions = threads.submit(argo.install, api)
        node.result()
        containers.start_kubelet(control_plane.kubeconfig())
        s3.result()
        definitions.result()
    argo.start_controller()
    processes.wait_until("the node is ready", _node_ready, server="kubelet")


def _node_ready() -> bool:
    if processes.running("kubelet") is None and "server is not initialized yet" in processes.log_tail("kubelet", 1):
        containers.start_kubelet(control_plane.kubeconfig())  # containerd listens a moment before its CRI answers
    node = control_plane.client().get(f"/api/v1/nodes/{containers.NODE_NAME}")
    conditions = node["status"].get("conditions", []) if node is not None else []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _facts() -> dict[str, Any]:
    api = control_plane.client()
    paths = {binary.name: str(built(binary)) for binary in KUBERNETES}
    return {
        "kubeconfig": str(control_plane.kubeconfig()),
        "api": {"server": api.server, "ca_file": str(api.authority), "token": api.token},
        "namespace": argo.NAMESPACE,
        "service_account": argo.SERVICE_ACCOUNT,
        "images": {"python": stock.PYTHON_IMAGE, "packages": stock.PACKAGES_IMAGE},
        "s3": {
            "endpoint": f"http://{storage.endpoint()}",
            "bucket": storage.BUCKET,
            "region": storage.REGION,
            "access_key": storage.ACCESS_KEY,
            "secret_key": storage.SECRET_KEY,
            "secret": {"name": argo.SECRET, "access_key": "access_key", "secret_key": "secret_key"},
        },
        "controller_pid": _controller_pid(),
        "kubectl": paths["kubectl"],
        "logs": str(processes.log_path(argo.NAME).parent),
        "versions": {
            "argo": module_version(CONTROLLER),
            "kubernetes": module_version(KUBERNETES[0]),
            "etcd": module_version(ETCD),
        },
    }


def _controller_pid() -> int | None:
    controller = processes.running(argo.NAME)
    return controller.pid if controller else None


def _lock_path() -> Path:
    """Beside the state folder, which `down` empties."""
    return state().with_name(f"{state().name}.lock")
