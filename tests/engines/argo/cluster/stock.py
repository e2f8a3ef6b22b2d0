"""The images that the cluster runs: what is in each, and the archive of all of them in the cache."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

from cluster.commands import find, output
from cluster.gobuild import EXECUTOR, PAUSE, built, module_version
from cluster.images import Image, write_archive, write_layer
from cluster.places import REPOSITORY, cache, locked, say
from cluster.system import tools_python

PAUSE_IMAGE = "docker.io/local/pause:1"
PYTHON_IMAGE = "docker.io/local/python:3.11-1"
PACKAGES_IMAGE = "docker.io/local/python-packages:3.11-1"
"""The Python image with what drawloom and the extras of a step depend on; drawloom itself isn't in it."""

EXECUTOR_IMAGE = f"docker.io/local/argoexec:{module_version(EXECUTOR)}"

_SUITE = "bookworm"  # its Python is 3.11, the oldest that drawloom supports
_INCLUDED = ("ca-certificates", "python3", "python3-minimal", "tzdata")
_SITE = Path("usr/local/lib/python3.11/dist-packages")
_EXTRAS = ("models", "s3", "tables")  # those that the steps of a program use
_OF_EXAMPLES = ("matplotlib",)
_GLIBCS = (17, 24, 26, 27, 28, 31, 34)  # minor versions that wheels name; the suite's is 36
_UNUSED = ("dev/*", "proc/*", "sys/*", "var/cache/apt/*", "var/lib/apt/lists/*", "usr/share/doc/*", "usr/share/man/*")
_ENVIRONMENT = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]


def archive() -> Path:
    """The archive of all images, made now if the cache doesn't hold it."""
    with locked(cache() / "locks" / "images"):
        base = python_layer()
        packages = _packages_layer()
        images = (
            Image(PAUSE_IMAGE, (_program_layer(PAUSE.name, built(PAUSE)),), {"Entrypoint": ["/bin/pause"]}),
            Image(
                EXECUTOR_IMAGE,
                (_program_layer(EXECUTOR.name, built(EXECUTOR)),),
                {"Entrypoint": ["argoexec"], "Env": ["PATH=/bin"]},
            ),
            Image(PYTHON_IMAGE, (base,), {"Cmd": ["python3"], "Env": _ENVIRONMENT}),
            Image(PACKAGES_IMAGE, (base, packages), {"Cmd": ["python3"], "Env": _ENVIRONMENT}),
        )
        described = [[image.name, [layer.name for layer in image.layers], image.settings] for image in images]
        path = cache() / "images" / f"all-{_digest(described)}.tar"
        if not path.exists():
            _timed("packing the images", lambda: write_archive(path, images))
    return path


def requirements() -> list[str]:
    """What the packages image holds: pyproject.toml's dependencies, those of the extras of a step, and of examples."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = [line for name in _EXTRAS for line in project["optional-dependencies"][name]]
    return sorted({*project["dependencies"], *extras, *_OF_EXAMPLES})


def python_layer() -> Path:
    """A small Debian with Python, as a tar file."""
    path = cache() / "layers" / f"python-{_digest([_SUITE, _INCLUDED, _UNUSED])}.tar"
    if not path.exists():
        _timed("bootstrapping Debian with Python", lambda: _bootstrap(path))
    return path


def _bootstrap(layer: Path) -> None:
    """Unpack a small Debian into the cache and pack it; the folder stays, to install packages beside it."""
    root = _root()
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    include = f"--include={','.join(_INCLUDED)}"
    output([find("debootstrap") or "debootstrap", "--variant=minbase", include, _SUITE, root])
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    _pack(layer, root, Path("."))


def _packages_layer() -> Path:
    """The layer of Python packages; they are compiled by the image's own Python, so that steps start fast."""
    constraints = REPOSITORY / "constraints.txt"
    path = cache() / "layers" / f"packages-{_digest([requirements(), constraints.read_text(), _GLIBCS, _SUITE])}.tar"
    if not path.exists():
        _timed("installing Python packages for the image", lambda: _install_packages(path, constraints))
    return path


def _install_packages(layer: Path, constraints: Path) -> None:
    site = _root() / _SITE
    shutil.rmtree(site, ignore_errors=True)
    machine = platform.machine()
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in _GLIBCS] + [f"manylinux2014_{machine}"]
    pip = [tools_python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    wanted = ["--only-binary=:all:", "--implementation=cp", "--python-version=3.11", f"--constraint={constraints}"]
    wanted += [f"--platform={name}" for name in platforms]
    output([*pip, *wanted, f"--target={site}", *requirements()])
    for unused in [site / "bin", *site.rglob("tests"), *site.glob("*/include")]:
        shutil.rmtree(unused, ignore_errors=True)
    output(["chroot", _root(), "/usr/bin/python3", "-m", "compileall", "-q", "-j", "0", f"/{_SITE}"])
    _pack(layer, _root(), _SITE)
    shutil.rmtree(site)


def _program_layer(name: str, binary: Path) -> Path:
    """A layer of one static program, with the few files that a program may look for."""
    path = cache() / "layers" / f"{binary.parent.name}.tar"
    if not path.exists():
        users = b"root:x:0:0:root:/:/bin/false\nargoexec:x:8737:8737:argoexec:/:/bin/false\n"
        files = {f"bin/{name}": (binary.read_bytes(), 0o755), "etc/passwd": (users, 0o644)}
        write_layer(path, files, {"bin": 0o755, "etc": 0o755, "tmp": 0o1777})
    return path


def _pack(layer: Path, root: Path, folder: Path) -> None:
    """Tar a folder of a root file system, in order, without what no step reads."""
    layer.parent.mkdir(parents=True, exist_ok=True)
    part = layer.with_suffix(".part")
    excluded = [f"--exclude=./{pattern}" for pattern in _UNUSED] if folder == Path(".") else []
    output(["tar", "--sort=name", "--numeric-owner", *excluded, "-C", root, "-cf", part, folder])
    part.replace(layer)


def _root() -> Path:
    return cache() / "roots" / f"{_SUITE}-{_digest([_SUITE, _INCLUDED])}"


def _digest(described: object) -> str:
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:10]


def _timed(what: str, action: Callable[[], None]) -> None:
    say(what)
    start = time.monotonic()
    action()
    say(f"{what}: {time.monotonic() - start:.0f} s")
