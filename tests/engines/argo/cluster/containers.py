"""The node: containerd and a kubelet, with folders, sockets and a cgroup of their own.

All that they mount lies under the state folder, and all processes of pods are in one cgroup, so
that the end of the cluster needs no help of servers that may be broken by then.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

from cluster import processes
from cluster.commands import find, output
from cluster.gobuild import KUBERNETES, built
from cluster.network import NETWORK, NODE_ADDRESS, ports
from cluster.places import Unavailable, cache, state
from cluster.stock import PAUSE_IMAGE, archive
from cluster.system import CNI_FOLDER

NODE_NAME = "drawloom"

_SHARED_KUBELET = Path("/var/lib/kubelet")
_SHARED = (  # folders that the servers can't be told other places for, the inner ones first
    "/run/containerd/s",
    "/run/containerd",
    "/var/lib/cni/results",
    "/var/lib/cni/cache",
    "/var/lib/cni",
    "/var/lib/kubelet/device-plugins",
    "/var/lib/kubelet",
    "/var/log/containers",
)

_CONTAINERD = """\
version = 2
root = "{store}"
state = "{state}/containerd/state"
[grpc]
  address = "{socket}"
[ttrpc]
  address = "{socket}.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "{state}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # a container's oom_score_adj can't be lowered without CAP_SYS_RESOURCE, which root may lack in a sandbox
  restrict_oom_score_adj = true
  # else the namespaces of pods would stay mounted in a folder that all programs of the machine share
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "{state}/runc"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{state}/cni/conf"
"""


def start_containerd() -> None:
    """Start containerd and see that it has the images.

    Unpacking them takes a while, so its store of images lies in the cache. Only a store that was left without
    containers is used again: `down` notes that in a file beside it, which is taken away while containerd runs.
    """
    images = archive()
    imported = state() / "containerd" / "imported"
    if processes.running("containerd") is None:
        reusable = _reusable().exists() and _reusable().read_text() == images.name
        _reusable().unlink(missing_ok=True)
        imported.parent.mkdir(exist_ok=True)
        if reusable:
            imported.write_text(images.name)
        else:
            shutil.rmtree(_store(), ignore_errors=True)
        _run_containerd()
    if not imported.exists() or imported.read_text() != images.name:
        ctr("images", "import", str(images))
        imported.write_text(images.name)


def _run_containerd() -> None:
    config = state() / "containerd" / "config.toml"
    places = {"state": state(), "store": _store(), "socket": _socket(), "pause": PAUSE_IMAGE, "cni": CNI_FOLDER}
    config.write_text(_CONTAINERD.format(**places))
    _socket().unlink(missing_ok=True)
    processes.ensure_started("containerd", [find("containerd") or "containerd", "--config", config])
    processes.wait_until("containerd listens", _socket().exists, server="containerd")


def ctr(*arguments: str) -> str:
    """What containerd's own client says, in the namespace of Kubernetes."""
    return output([find("ctr") or "ctr", "--address", _socket(), "--namespace", "k8s.io", *arguments])


def start_kubelet(kubeconfig: Path) -> None:
    """Start the kubelet; the node is there when it has registered itself."""
    _make_cgroups()
    folder = state() / "kubelet"
    folder.mkdir(exist_ok=True)
    config = folder / "config.json"
    config.write_text(json.dumps(_kubelet_config(), indent=1))
    if not _SHARED_KUBELET.exists():
        (folder / "shared").touch()
    (folder / "resolv.conf").write_text(f"nameserver {NODE_ADDRESS}\n")
    arguments = [f"--config={config}", f"--kubeconfig={kubeconfig}", f"--hostname-override={NODE_NAME}"]
    arguments += [f"--node-ip={NODE_ADDRESS}", f"--root-dir={folder}", f"--cert-dir={folder}/certificates"]
    kubelet = next(binary for binary in KUBERNETES if binary.name == "kubelet")
    processes.ensure_started("kubelet", [built(kubelet), *arguments])


def end_pods() -> None:
    """Kill what runs in pods, and the shims that watch over it; to be called when the kubelet has ended."""
    sockets = [Path(file.read_text()) for file in (state() / "containerd" / "state").glob("*.task/*/*/address")]
    end = time.monotonic() + 20
    while (pids := [*_pod_pids(), *_shim_pids()]) and time.monotonic() < end:
        processes.kill_pids(pids)
        time.sleep(0.1)
    for socket in sockets:  # they lie in a folder of containerd's that can't be told another place
        Path(str(socket).removeprefix("unix:")).unlink(missing_ok=True)


def forget_pods() -> None:
    """Remove what containerd knows of the pods that were ended, so that its store can be used again."""
    imported = state() / "containerd" / "imported"
    if processes.running("containerd") is None or not imported.exists():
        return
    with contextlib.suppress(Unavailable):  # then the store is made anew next time
        for container in ctr("containers", "ls", "-q").split():
            ctr("containers", "rm", container)
        _reusable().write_text(imported.read_text())


def clear_node() -> None:
    """Unmount all that is mounted under the state folder and remove cgroups, links of logs, and empty folders."""
    for mounted in sorted(_mounts(), key=len, reverse=True):
        output([find("umount") or "umount", "--lazy", mounted])
    for root in _cgroup_roots():
        for folder, _, _ in os.walk(root, topdown=False):
            _remove_cgroup(Path(folder))
    for link in Path("/var/log/containers").glob("*.log"):  # the kubelet's, which can't be told another place
        if str(state()) in os.readlink(link):
            link.unlink()
    for result in Path("/var/lib/cni/results").glob(f"{NETWORK}-*-eth0"):  # named after the network and the pod
        pod = result.name.split("-")[1]
        result.with_name(f"cni-loopback-{pod}-lo").unlink(missing_ok=True)
        result.unlink()
    if (state() / "kubelet" / "shared").exists():
        (_SHARED_KUBELET / "device-plugins" / "kubelet.sock").unlink(missing_ok=True)
    for name in _SHARED:
        with contextlib.suppress(OSError):  # not there, or in use by others
            Path(name).rmdir()


def remove_data() -> None:
    """Remove the state of the cluster except its logs; refused while something is still mounted there."""
    if left := _mounts():
        raise RuntimeError(f"still mounted, so nothing is removed: {', '.join(left)}")
    for entry in state().iterdir() if state().exists() else ():
        if entry.is_dir() and not entry.is_symlink():
            if entry.name != "logs":
                shutil.rmtree(entry)
        else:
            entry.unlink()


def _kubelet_config() -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "port": ports()["kubelet"],
        "healthzPort": ports()["kubelet_health"],
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{_socket()}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{_cgroup_name()}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,  # for a kube-proxy, which there isn't
        "oomScoreAdj": 0,
        # a full disk or memory of a shared machine is no reason to end pods or remove images
        "evictionHard": {"memory.available": "1%", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "maxPods": 250,
        "serializeImagePulls": False,
        # no server answers there, and the node says so at once; a server out of reach would cost seconds for each name
        "resolvConf": str(state() / "kubelet" / "resolv.conf"),
        "volumePluginDir": str(state() / "kubelet" / "plugins-exec"),
        "podLogsDir": str(state() / "pod-logs"),
    }


def _store() -> Path:
    return cache() / "containerd"


def _reusable() -> Path:
    return cache() / "containerd.reusable"


def _socket() -> Path:
    return state() / "containerd.sock"


def _cgroup_roots() -> list[Path]:
    """The cluster's cgroup in each hierarchy: one for version 2, one for each controller for version 1."""
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    mounted = [Path(words[4]) for words in lines if words[words.index("-") + 1] in ("cgroup", "cgroup2")]
    return [path / _cgroup_name() for path in mounted]


def _cgroup_name() -> str:
    """Another for each state folder, since all processes in it are killed at the end."""
    return f"drawloom-argo-{hashlib.sha256(str(state()).encode()).hexdigest()[:8]}"


def _make_cgroups() -> None:
    for root in _cgroup_roots():
        root.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # empty in a new cgroup of version 1, which then takes no process
            own, parent = root / name, root.parent / name
            if own.exists() and parent.exists() and not own.read_text().strip():
                own.write_text(parent.read_text())


def _remove_cgroup(folder: Path) -> None:
    """Remove a cgroup; the kernel may hold it for a moment after its last process ended."""
    for _ in range(50):
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the cgroup {folder} can't be removed: processes {(folder / 'cgroup.procs').read_text()!r}")


def _pod_pids() -> list[int]:
    pids: set[int] = set()
    for root in _cgroup_roots():
        for folder, _, _ in os.walk(root):  # passes over cgroups that end meanwhile
            with contextlib.suppress(OSError):
                pids.update(int(line) for line in (Path(folder) / "cgroup.procs").read_text().split())
    return sorted(pids)


def _shim_pids() -> list[int]:
    """containerd's shims outlive it on purpose; ours name our socket on their command line."""
    wanted = str(_socket()).encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"containerd-shim" in words[0] and wanted in words:
                found.append(int(path.parent.name))
    return found


def _mounts() -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return [point for point in points if Path(point).is_relative_to(state())]
