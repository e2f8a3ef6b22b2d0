"""Files that say how a cluster is reached."""

from __future__ import annotations

import json
from pathlib import Path


def kubeconfig(path: Path, server: str, ca_file: str, token: str = "tok") -> str:
    """A kubeconfig for a server."""
    cluster = {"name": "c", "cluster": {"server": server, "certificate-authority": ca_file}}
    user = {"name": "u", "user": {"token": token}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "flows"}}
    tree = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "users": [user], "contexts": [context]}
    path.write_text(json.dumps({**tree, "current-context": "x"}))
    return str(path)
