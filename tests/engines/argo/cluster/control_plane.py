"""etcd, the API server, the controller manager and the scheduler, as processes on this machine."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from cluster import processes
from cluster.commands import find, output
from cluster.gobuild import ETCD, KUBERNETES, built
from cluster.kube import Api
from cluster.network import NODE_ADDRESS, SERVICE_ADDRESS, SERVICE_RANGE, ports
from cluster.places import state

NAMES = ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")
"""The servers, in the order in which they are stopped."""

_SUBJECTS = f"IP:{NODE_ADDRESS},IP:{SERVICE_ADDRESS},IP:127.0.0.1,DNS:kubernetes.default.svc,DNS:localhost"


def start() -> Api:
    """Start the control plane; returns when it serves."""
    _write_secrets()
    start_etcd()
    api = client()
    processes.ensure_started("kube-apiserver", [_path("kube-apiserver"), *_api_server_flags()])
    processes.wait_until("the API server is ready", api.ready, server="kube-apiserver")
    keys = _folder()
    manager = [
        f"--kubeconfig={kubeconfig()}",
        "--leader-elect=false",
        "--secure-port=0",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={keys / 'accounts.key'}",
        f"--root-ca-file={keys / 'authority.crt'}",
        # a busy machine may keep a kubelet from reporting in time; its pods must not be evicted for that
        "--node-monitor-grace-period=10m",
    ]
    processes.ensure_started("kube-controller-manager", [_path("kube-controller-manager"), *manager])
    scheduler = [f"--kubeconfig={kubeconfig()}", "--leader-elect=false", "--secure-port=0"]
    processes.ensure_started("kube-scheduler", [_path("kube-scheduler"), *scheduler])
    return api


def start_etcd() -> None:
    """Start etcd; it doesn't wait for the disk, since nothing here must outlive the machine."""
    clients = f"http://127.0.0.1:{ports()['etcd']}"
    peers = f"http://127.0.0.1:{ports()['etcd_peer']}"
    flags = [f"--data-dir={state() / 'etcd'}", "--unsafe-no-fsync", f"--listen-client-urls={clients}"]
    flags += [f"--advertise-client-urls={clients}", f"--listen-peer-urls={peers}"]
    flags += [f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=default={peers}"]
    processes.ensure_started("etcd", [built(ETCD), *flags])


def client() -> Api:
    """A client of the API server that may do everything."""
    return Api(f"https://{NODE_ADDRESS}:{ports()['api']}", _folder() / "authority.crt", _token())


def kubeconfig() -> Path:
    """The file that tells kubectl and the servers where the API server is and who they are."""
    return _folder() / "kubeconfig"


def ensure_built() -> None:
    """Build what isn't in the cache."""
    for binary in (*KUBERNETES, ETCD):
        built(binary)


def _path(name: str) -> Path:
    return built(next(binary for binary in KUBERNETES if binary.name == name))


def _api_server_flags() -> list[str]:
    keys = _folder()
    return [
        f"--etcd-servers=http://127.0.0.1:{ports()['etcd']}",
        f"--bind-address={NODE_ADDRESS}",
        f"--advertise-address={NODE_ADDRESS}",
        f"--secure-port={ports()['api']}",
        f"--tls-cert-file={keys / 'server.crt'}",
        f"--tls-private-key-file={keys / 'server.key'}",
        f"--service-account-key-file={keys / 'accounts.key'}",
        f"--service-account-signing-key-file={keys / 'accounts.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--token-auth-file={keys / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        "--kubelet-preferred-address-types=InternalIP",  # logs are fetched from there; the node's name is in no DNS
        "--endpoint-reconciler-type=none",  # the service's address is led here by iptables, see network
    ]


def _folder() -> Path:
    return state() / "secrets"


def _token() -> str:
    return (_folder() / "tokens.csv").read_text().split(",")[0]


def _write_secrets() -> None:
    """Make keys, certificates, the administrator's token and the kubeconfig, once for a cluster."""
    folder = _folder()
    if kubeconfig().exists():
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "tokens.csv").write_text(f'{secrets.token_hex(16)},admin,admin,"system:masters"\n')
    _write_certificates(folder)
    api = client()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "drawloom",
        "contexts": [{"name": "drawloom", "context": {"cluster": "drawloom", "user": "admin"}}],
        "clusters": [
            {"name": "drawloom", "cluster": {"server": api.server, "certificate-authority": str(api.authority)}}
        ],
        "users": [{"name": "admin", "user": {"token": api.token}}],
    }
    kubeconfig().write_text(json.dumps(document, indent=1))  # JSON is YAML


def _write_certificates(folder: Path) -> None:
    """An authority, the API server's certificate signed by it, and the key that signs service accounts' tokens."""
    openssl = find("openssl") or "openssl"
    new_key = ["-newkey", "rsa:2048", "-nodes", "-days", "3650"]
    authority = ["-subj", "/CN=drawloom-authority", "-out", "authority.crt", "-keyout", "authority.key"]
    output([openssl, "req", "-x509", *new_key, *authority], folder=folder)
    request = ["-subj", "/CN=drawloom-api", "-out", "server.csr", "-keyout", "server.key"]
    output([openssl, "req", *new_key, *request], folder=folder)
    (folder / "server.ext").write_text(f"subjectAltName={_SUBJECTS}\n")
    signed = ["-CA", "authority.crt", "-CAkey", "authority.key", "-CAcreateserial", "-days", "3650"]
    output(
        [openssl, "x509", "-req", "-in", "server.csr", *signed, "-extfile", "server.ext", "-out", "server.crt"],
        folder=folder,
    )
    output([openssl, "genrsa", "-out", "accounts.key", "2048"], folder=folder)
