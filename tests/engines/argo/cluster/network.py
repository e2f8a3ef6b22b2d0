"""The cluster's network on this machine: addresses of its own, so that it needs nothing of the machine's.

    10.213.0.0/17      pods, on a bridge; .0.1, the bridge's own address, is the node's too: API server,
                       kubelet and S3 listen there
    10.213.192.0/24    services; .1 is the API server's, led to the node's address by two rules of iptables

Pods reach the node and each other, nothing outside: no test may depend on what isn't here.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
from pathlib import Path

from cluster.commands import find, output
from cluster.places import Unavailable, state

POD_RANGE = "10.213.0.0/17"
NODE_ADDRESS = "10.213.0.1"
SERVICE_RANGE = "10.213.192.0/24"
SERVICE_ADDRESS = "10.213.192.1"
BRIDGE = "drawloom-pods"
NETWORK = "drawloom"

_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_PORT_NAMES = ("api", "etcd", "etcd_peer", "kubelet", "kubelet_health", "s3")


def ports() -> dict[str, int]:
    """The ports of the servers, chosen among the free ones at the first call and then kept in the state."""
    path = state() / "ports.json"
    with contextlib.suppress(FileNotFoundError):
        known: dict[str, int] = json.loads(path.read_text())
        return known
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in _PORT_NAMES]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        chosen = {name: free.getsockname()[1] for name, free in zip(_PORT_NAMES, sockets, strict=True)}
    path.write_text(json.dumps(chosen))
    return chosen


def refuse_second_cluster() -> None:
    """The addresses are fixed, so there is one cluster on a machine.

    Raises:
        Unavailable: Another is up.
    """
    other = owner()
    if other is not None and other != state():
        raise Unavailable(f"another cluster is up, with its state in {other} (end it with `down`)")


def raise_up() -> None:
    """Make the bridge, the way to the API server's service, and the CNI configuration."""
    if owner() is None:
        _remember_forwarding()
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("link", "set", BRIDGE, "alias", str(state()))
        _ip("addr", "add", f"{NODE_ADDRESS}/{ipaddress.ip_network(POD_RANGE).prefixlen}", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
    for chain in ("PREROUTING", "OUTPUT"):
        _remove_rules(chain)
        _iptables("-A", chain, *_rule())
    _write_cni()


def tear_down() -> None:
    """Undo `raise_up`; nothing happens where nothing is."""
    if find("iptables") and find("ip"):
        for chain in ("PREROUTING", "OUTPUT"):
            _remove_rules(chain)
        if owner() is not None:
            _ip("link", "delete", BRIDGE)
    remembered = state() / "ip_forward"
    if remembered.exists():
        _FORWARDING.write_text(remembered.read_text())


def owner() -> Path | None:
    """The state folder of the cluster whose bridge is on this machine; None if there is no bridge."""
    with contextlib.suppress(FileNotFoundError):
        return Path(Path(f"/sys/class/net/{BRIDGE}/ifalias").read_text().strip())
    return None


def _remember_forwarding() -> None:
    """The CNI plugin turns forwarding on for the whole machine; `down` sets it back to what it was."""
    (state() / "ip_forward").write_text(_FORWARDING.read_text())


def _write_cni() -> None:
    """Pods hang on a bridge; without masquerading, so the plugin leaves no rules behind when pods are killed."""
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": POD_RANGE, "gateway": NODE_ADDRESS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": str(state() / "cni" / "addresses"),
        },
    }
    folder = state() / "cni" / "conf"
    folder.mkdir(parents=True, exist_ok=True)
    document = {"cniVersion": "0.4.0", "name": NETWORK, "plugins": [bridge]}
    (folder / "10-drawloom.conflist").write_text(json.dumps(document))


def _rule() -> list[str]:
    """What a kube-proxy would do for the one service there is."""
    matched = ["-d", f"{SERVICE_ADDRESS}/32", "-p", "tcp", "--dport", "443"]
    return [*matched, "-j", "DNAT", "--to-destination", f"{NODE_ADDRESS}:{ports()['api']}"]


def _remove_rules(chain: str) -> None:
    """Remove all rules for the service's address, with whichever port an earlier run gave them."""
    for line in _iptables("-S", chain).splitlines():
        words = line.split()
        if words[:2] == ["-A", chain] and f"{SERVICE_ADDRESS}/32" in words:
            _iptables("-D", chain, *words[2:])


def _iptables(*arguments: str) -> str:
    return output([find("iptables") or "iptables", "-w", "10", "-t", "nat", *arguments])


def _ip(*arguments: str) -> str:
    return output([find("ip") or "ip", *arguments])
