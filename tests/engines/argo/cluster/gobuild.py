"""Binaries built from Go modules, once per version.

A folder with go.mod and go.sum pins every source by hash; a binary is kept in the cache under its
version and a digest of all that it depends on, so a changed pin builds a new one beside the old.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.commands import find, output
from cluster.places import HERE, Unavailable, cache, locked, say

ARGO_MODULE = "github.com/argoproj/argo-workflows/v4"
ETCD_MODULE = "go.etcd.io/etcd/server/v3"
KUBERNETES_MODULE = "k8s.io/kubernetes"
_VERSION_PACKAGE = "k8s.io/component-base/version"


@dataclass(frozen=True, slots=True)
class Binary:
    """A program to build.

    Args:
        name: Its file name.
        folder: The folder, beside the scripts, of the Go module that pins it.
        package: The Go package that is its main program.
        module: The module whose version names it; empty for a program of this repository.
        links: Symbolic links of the module's repository, (link, target); the zip of a Go module leaves links out.
        files: Files that the repository makes elsewhere, (path, text), and the zip has not.
    """

    name: str
    folder: str
    package: str
    module: str = ""
    links: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()


ARGOLINT = Binary("argolint", "argolint", ".", ARGO_MODULE)
ARGOLINT_37 = Binary("argolint37", "argolint37", ".", "github.com/argoproj/argo-workflows/v3")
PAUSE = Binary("pause", "pause", ".")
CONTROLLER = Binary("workflow-controller", "argolint", f"{ARGO_MODULE}/cmd/workflow-controller", ARGO_MODULE)
EXECUTOR = Binary(
    "argoexec",
    "argolint",
    f"{ARGO_MODULE}/cmd/argoexec",
    ARGO_MODULE,
    (("workflow/executor/osspecific/signal_linux.go", "workflow/executor/osspecific/signal_darwin.go"),),
)
# the pages that a browser would be shown are built by Node, and nobody looks at them here
SERVER = Binary(
    "argo",
    "server",
    f"{ARGO_MODULE}/cmd/argo",
    ARGO_MODULE,
    EXECUTOR.links,
    (("ui/dist/app/index.html", "<html></html>\n"),),
)
ETCD = Binary("etcd", "kubernetes", ETCD_MODULE, ETCD_MODULE)
KUBERNETES = tuple(
    Binary(name, "kubernetes", f"{KUBERNETES_MODULE}/cmd/{name}", KUBERNETES_MODULE)
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl")
)


def built(binary: Binary) -> Path:
    """The path of a binary, built now if the cache doesn't hold it.

    Raises:
        Unavailable: There is no Go, or it can't download or compile.
    """
    version = module_version(binary)
    target = cache() / "bin" / f"{binary.name}-{version}-{_digest(binary)}" / binary.name
    if target.exists():
        return target
    with locked(cache() / "locks" / f"go-{binary.name}"):
        if not target.exists():
            _build(binary, version, target)
    return target


def module_version(binary: Binary) -> str:
    """The version that go.mod pins for the binary's module, such as `v1.34.4`; `local` for a program of ours."""
    if not binary.module:
        return "local"
    for line in (HERE / binary.folder / "go.mod").read_text().splitlines():
        words = line.removeprefix("require").split()
        if words[:1] == [binary.module] and len(words) > 1:
            return words[1]
    raise Unavailable(f"{binary.folder}/go.mod names no version of {binary.module}")


def module_folder(binary: Binary) -> Path:
    """Where the sources of the binary's module lie, downloaded if need be."""
    return Path(_go(["list", "-m", "-f", "{{.Dir}}", binary.module], HERE / binary.folder).strip())


def _build(binary: Binary, version: str, target: Path) -> None:
    """Compile into a file beside the target, then move it there: a target that exists is whole."""
    say(f"building {binary.name} {version}")
    start = time.monotonic()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    flags = [
        "-trimpath",
        "-ldflags",
        _link_flags(binary),
        "-o",
        str(part),
        *_with_links(binary, version, target.parent),
    ]
    _go(["build", *flags, binary.package], HERE / binary.folder)
    part.replace(target)
    say(f"built {binary.name} in {time.monotonic() - start:.0f} s")


def _link_flags(binary: Binary) -> str:
    """Without symbols; Kubernetes learns its own version here, else it says v0.0.0 and refuses some features."""
    flags = ["-s", "-w"]
    if binary.module == KUBERNETES_MODULE:
        version = module_version(binary)
        major, minor, _ = version.removeprefix("v").split(".")
        for name, value in (("gitVersion", version), ("gitMajor", major), ("gitMinor", minor)):
            flags += ["-X", f"{_VERSION_PACKAGE}.{name}={value}"]
    return " ".join(flags)


def _with_links(binary: Binary, version: str, folder: Path) -> list[str]:
    """Copy the module and add its links; the flag that makes the compiler take the copy.

    Go refuses to replace single files of its module cache (`-overlay`), so the whole module is replaced.
    """
    if not binary.links and not binary.files:
        return []
    sources = cache() / "sources" / f"{binary.name}-{version}"
    shutil.rmtree(sources, ignore_errors=True)
    left_out = ("docs", "examples", "src" if binary.files else "ui")
    shutil.copytree(module_folder(binary), sources, ignore=shutil.ignore_patterns(*left_out))
    for link, target in binary.links:
        (sources / link).parent.chmod(0o755)  # the module cache is read-only, and so is its copy
        shutil.copyfile(sources / target, sources / link)
    for path, text in binary.files:
        for folder_above in reversed((sources / path).relative_to(sources).parents):
            (sources / folder_above).mkdir(exist_ok=True)
            (sources / folder_above).chmod(0o755)
        (sources / path).write_text(text)
    pins = HERE / binary.folder
    shutil.copyfile(pins / "go.sum", folder / "go.sum")
    (folder / "go.mod").write_text(f"{(pins / 'go.mod').read_text()}\nreplace {binary.module} => {sources}\n")
    return [f"-modfile={folder / 'go.mod'}"]


def _digest(binary: Binary) -> str:
    """A digest of the pins, of the sources in the folder if the program is one of them, and of how it is built."""
    folder = HERE / binary.folder
    sources = sorted(folder.glob("*.go")) if binary.package == "." else []
    pins = [path for path in (folder / "go.mod", folder / "go.sum") if path.exists()]
    content = [(path.name, path.read_text()) for path in (*pins, *sources)]
    described = json.dumps([content, _link_flags(binary), binary.package, *binary.links, *binary.files])
    return hashlib.sha256(described.encode()).hexdigest()[:10]


def _go(arguments: Sequence[str], folder: Path) -> str:
    """What `go` prints; gently, since compiling takes all cores for minutes."""
    go = find("go")
    if go is None:
        raise Unavailable("Go is not installed (needed to build Kubernetes and Argo Workflows)")
    gently = ["nice", "-n", "5"] if shutil.which("nice") else []
    environment = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": os.environ.get("GOFLAGS", "") + " -mod=readonly"}
    return output([*gently, go, *arguments], folder=folder, environment=environment)
