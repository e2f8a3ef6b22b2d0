"""Programs of the Linux distribution that the cluster needs, and a virtual environment for those of PyPI."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

from cluster.commands import find, output
from cluster.places import REPOSITORY, Unavailable, cache, locked, say

CNI_FOLDER = Path("/usr/lib/cni")
"""Where Debian's containernetworking-plugins puts its programs."""

_PACKAGES = {  # program or file -> package of Debian
    "containerd": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "debootstrap": "debootstrap",
    "openssl": "openssl",
    str(CNI_FOLDER / "bridge"): "containernetworking-plugins",
}
_MOTO = ("moto[s3]", "flask", "flask-cors")  # of moto's extra "server", what its S3 needs


def check_root() -> None:
    """Refuse early what needs root: namespaces, mounts, cgroups, iptables."""
    if sys.platform != "linux":
        raise Unavailable(f"containers need Linux, this is {sys.platform}")
    if os.geteuid() != 0:
        raise Unavailable("only root can run containerd and a kubelet")


def ensure_programs() -> None:
    """Install the packages of the programs that are missing.

    Raises:
        Unavailable: This isn't Debian or a relative of it, or a package can't be installed.
    """
    missing = sorted({package for program, package in _PACKAGES.items() if not _there(program)})
    if not missing:
        return
    if find("apt-get") is None:
        raise Unavailable(f"apt-get is not there to install {', '.join(missing)}")
    say(f"installing {' '.join(missing)}")
    install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        output(install, environment=quiet)
    except Unavailable:  # the list of packages may be missing or old
        output(["apt-get", "update"])
        output(install, environment=quiet)


def tools_python() -> Path:
    """The interpreter of a virtual environment, in the cache, that holds moto and pip."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    constraints = REPOSITORY / "constraints.txt"
    key = hashlib.sha256(f"{_MOTO} {version} {constraints.read_text()}".encode()).hexdigest()[:10]
    folder = cache() / f"tools-{key}"
    python = folder / "bin" / "python"
    with locked(cache() / "locks" / "tools"):
        if not (folder / "whole").exists():
            say("installing moto")
            start = time.monotonic()
            output([sys.executable, "-m", "venv", "--clear", folder])
            install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            output([*install, f"--constraint={constraints}", *_MOTO])
            (folder / "whole").touch()
            say(f"installed moto in {time.monotonic() - start:.0f} s")
    return python


def _there(program: str) -> bool:
    return Path(program).exists() if program.startswith("/") else find(program) is not None
