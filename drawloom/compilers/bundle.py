"""The code bundle: the user's project and drawloom's own Python in one zip, the same bytes for the same files.

A step gets it by its digest, so it holds no more than what the code needs: nothing git ignores, no environment, no
cache, no store, and nothing that looks like a key or a password.
"""

from __future__ import annotations

import fnmatch
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from typing import Final

from drawloom.errors import CompileError, Diagnostic, Span
from drawloom.storage.open import STORE_KEY

__all__ = ["LIMIT_BYTES", "code_bundle", "project_files", "project_root"]

LIMIT_BYTES: Final = 100 * 1024 * 1024  # every step of a fresh machine fetches it
_FOLDERS: Final = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "env", "node_modules", "__pycache__", ".drawloom", ".tox", ".nox", ".idea"}
    | {".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints", ".vscode", "build", "dist"}
    | {".ssh", ".aws", ".gnupg", ".kube", ".docker", "site-packages"}
)
_SECRETS: Final = (
    *(".env", ".env.*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.ppk"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".netrc", ".pgpass", ".pypirc", ".npmrc", "credentials*"),
    *("*.kdbx", "secrets.*", ".htpasswd", "service-account*.json"),
)
_LITTER: Final = ("*.pyc", "*.pyo", ".DS_Store", "*.swp", "*~", "*.part")
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can say


def project_root(modules: Iterable[str]) -> str:
    """The folder that must be on `sys.path` for all of these loaded modules to be imported: the user's project.

    Raises:
        CompileError: E703, a module has no file, or they have no such folder in common.
    """
    roots: dict[str, str] = {}
    for name in modules:
        path = getattr(sys.modules.get(name), "__file__", None)
        if path is None or name == "__main__":
            raise _no_root(f"the module `{name}` isn't a file that can be imported by its name")
        depth = name.count(".") + (1 if os.path.basename(path) == "__init__.py" else 0)
        root = os.path.abspath(path)
        for _ in range(depth + 1):
            root = os.path.dirname(root)
        if not _is_library(root):
            roots[root] = name
    if not roots:
        raise _no_root("none of its tasks is in the user's own code")
    if len(roots) > 1:
        (one, first), (two, second), *_ = sorted(roots.items())
        raise _no_root(f"`{first}` is imported from {one} and `{second}` from {two}")
    return next(iter(roots))


def _is_library(folder: str) -> bool:
    return "site-packages" in folder.split(os.sep) or folder == os.path.dirname(os.__file__)


def _no_root(problem: str) -> CompileError:
    fix = "keep the project's modules below one folder and import them from there, or name it: compile(..., root=...)"
    return CompileError(Diagnostic("E703", f"the project's folder can't be told: {problem}", None, fix))


def project_files(root: str) -> dict[str, str]:
    """What of a project goes into its bundle: `/`-separated path below `root` -> the file's path, sorted.

    In a git repository, what git knows or would add; elsewhere everything. In both, neither keys and environments, nor
    caches and stores, nor links that lead out of the project.
    """
    found = _known_to_git(root)
    names = found if found is not None else _walk(root)
    real = os.path.realpath(root)
    stores: dict[str, bool] = {}
    files = {}
    for name in sorted(names):
        path = os.path.join(root, *name.split("/"))
        inside = os.path.realpath(path).startswith(real + os.sep)
        if inside and os.path.isfile(path) and _is_wanted(name) and not _in_store(root, name, stores):
            files[name] = path
    return files


def _in_store(root: str, name: str, stores: dict[str, bool]) -> bool:
    """Whether a file lies in a store below `root`, whatever that is called; `stores` says what is known of folders.

    It grows with every run: code that goes by its digest would be another one each time.
    """
    folders = name.split("/")[:-1]
    for depth in range(1, len(folders) + 1):
        folder = "/".join(folders[:depth])
        if folder not in stores:
            stores[folder] = _is_store(os.path.join(root, *folders[:depth]))
        if stores[folder]:
            return True
    return False


def _is_store(folder: str) -> bool:
    try:
        with open(os.path.join(folder, STORE_KEY), "rb") as file:
            tree = json.loads(file.read(1000))
    except (OSError, ValueError):
        return False
    return isinstance(tree, dict) and list(tree) == ["format"]


def _is_wanted(name: str) -> bool:
    *folders, base = name.split("/")
    if any(folder in _FOLDERS or folder.endswith(".egg-info") for folder in folders):
        return False
    return not any(fnmatch.fnmatchcase(base.lower(), pattern) for pattern in (*_SECRETS, *_LITTER))


def _known_to_git(root: str) -> list[str] | None:
    """The names git knows or would add below `root`; None where git has no say."""
    command = ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return None
    if done.returncode or not done.stdout:  # no repository, or one that ignores all of this folder
        return None
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


def _walk(root: str) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _FOLDERS and not _is_store(os.path.join(folder, name))]
        below = os.path.relpath(folder, root).replace(os.sep, "/")
        for name in files:
            yield name if below == "." else f"{below}/{name}"


def code_bundle(root: str | None, modules: Iterable[str] = ()) -> bytes:
    """The bundle of a project.

    Args:
        root: the project's folder; None for drawloom's own Python alone.
        modules: the modules its tasks are in, each of which must be in the bundle if it lies below `root`.

    Returns:
        A zip file.

    Raises:
        CompileError: E704, a file can't be read, the bundle is too large, or a task's module was left out.
    """
    files = project_files(root) if root is not None else {}
    if root is not None:
        _check_modules(root, modules, files)
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for name in sorted(_walk(package)):
        if name.endswith((".py", "py.typed")):
            files[f"drawloom/{name}"] = os.path.join(package, *name.split("/"))
    _check_size(files)
    return _zip(files)


def _check_modules(root: str, modules: Iterable[str], files: dict[str, str]) -> None:
    kept = {os.path.realpath(path) for path in files.values()}
    for name in modules:
        path = getattr(sys.modules.get(name), "__file__", None)
        if (
            path
            and os.path.realpath(path).startswith(os.path.realpath(root) + os.sep)
            and os.path.realpath(path) not in kept
        ):
            raise CompileError(
                Diagnostic(
                    "E704",
                    f"the module `{name}` of a task isn't in the bundle: git ignores it, or it looks like a secret",
                    Span(path, 0),
                    "give the file another name, or take it out of .gitignore",
                )
            )


def _check_size(files: dict[str, str]) -> None:
    try:
        sizes = {name: os.path.getsize(path) for name, path in files.items()}
    except OSError as error:
        raise _unreadable(str(error.filename), error) from error
    total = sum(sizes.values())
    if total > LIMIT_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise CompileError(
            Diagnostic(
                "E704",
                f"the project's files have {total / 2**20:.0f} MiB together; "
                f"a bundle may have {LIMIT_BYTES / 2**20:.0f} MiB",
                None,
                f"keep data out of the project's folder or in .gitignore; the largest file is {largest} "
                f"({sizes[largest] / 2**20:.0f} MiB)",
            )
        )


def _unreadable(path: str, error: OSError) -> CompileError:
    fix = "make the file readable, remove it, or take it out of the project with .gitignore"
    what = f"a file of the project can't be read for the bundle: {error.strerror}"
    return CompileError(Diagnostic("E704", what, Span(path, 0), fix))


def _zip(files: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it was made
            try:
                with open(files[name], "rb") as file:
                    data = file.read()
                executable = os.access(files[name], os.X_OK)
            except OSError as error:
                raise _unreadable(files[name], error) from error
            entry.external_attr = (0o755 if executable else 0o644) << 16
            archive.writestr(entry, data)
    return made.getvalue()
