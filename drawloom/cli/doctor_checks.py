"""The checks of `drawloom doctor`; each looks at one thing and never raises."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Final

from drawloom.cli.output import format_bytes
from drawloom.errors import DrawloomError, StoreError
from drawloom.project import Overrides, Settings, load_settings

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from drawloom.catalog.catalog import Catalog

__all__ = ["Check", "guarded", "run_checks", "writable"]

_OLDEST: Final = (3, 11)
_SKEW_SECONDS: Final = 60.0
_ROOM_BYTES: Final = 1 << 30
_NO_ROOM_BYTES: Final = 100 << 20
_FILES: Final = 10_000
_OPEN_FILES: Final = 256
_DOT_SECONDS: Final = 10.0
_MASK_OF_OWNER: Final = 0o700


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Args:
        name: what was looked at.
        state: `ok`; `note`, for what isn't there and needn't be; `problem`.
        what: what was found.
        fix: what to do about it, "" where nothing has to be done.
    """

    name: str
    state: str
    what: str
    fix: str = ""


def run_checks(overrides: Overrides) -> list[Check]:
    """All checks, in the order they should be read.

    Args:
        overrides: what the command line says of profile, catalog and project.
    """
    found = [*guarded("python", _python), *guarded("packages", _packages)]
    try:
        settings = load_settings(overrides)
    except DrawloomError as error:
        found += [_from_error("project file", error)]
        settings = None
    if settings is not None:
        known = settings
        found += guarded("project file", lambda: _project(known))
        found += guarded("catalog", lambda: _catalog(known))
        found += guarded("disk space", lambda: _disk(known))
        found += guarded("permissions", lambda: _permissions(known))
    found += [*guarded("scratch", _scratch), *guarded("limits", _limits), *guarded("graphviz", _graphviz)]
    return [*found, *guarded("engines", _engines)]


def guarded(name: str, look: Callable[[], Iterator[Check]]) -> list[Check]:
    """The findings of one check; one that fails itself is a finding, too."""
    try:
        return list(look())
    except DrawloomError as error:
        return [_from_error(name, error)]
    except Exception as error:  # noqa: BLE001  # the doctor must not fall ill
        return [Check(name, "problem", f"the check failed: {type(error).__name__}: {error}", _REPORT)]


_REPORT: Final = "report it: this is a fault of drawloom"


def _from_error(name: str, error: DrawloomError) -> Check:
    first = error.diagnostics[0]
    where = f" ({first.where})" if first.where is not None else ""
    return Check(name, "problem", f"[{first.code}] {first.what}{where}", first.fix)


def _python() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    told = f"{sys.implementation.name} {version}, {sys.executable}"
    if sys.version_info[:2] < _OLDEST:
        yield Check("python", "problem", told, "use Python 3.11 or later")
    else:
        yield Check("python", "ok", told)


def _packages() -> Iterator[Check]:
    """What drawloom needs, then each extra with what of it is installed."""
    from packaging.requirements import Requirement

    try:
        distribution = metadata.distribution("drawloom")
    except metadata.PackageNotFoundError:
        yield Check("drawloom", "note", "runs from a folder: nothing tells which packages it needs")
        return
    yield Check("drawloom", "ok", distribution.version)
    needs = [Requirement(text) for text in distribution.requires or ()]
    for extra in ("", *sorted(distribution.metadata.get_all("Provides-Extra") or ())):
        if extra in ("all", "dev"):
            continue
        wanted = [need for need in needs if _belongs(need, extra)]
        yield from _extra(extra, [(need.name, _version(need.name), need) for need in wanted])


def _belongs(need: Requirement, extra: str) -> bool:
    without = need.marker is None or need.marker.evaluate({"extra": ""})
    if not extra:
        return without
    return not without and need.marker is not None and need.marker.evaluate({"extra": extra})


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _extra(extra: str, found: list[tuple[str, str | None, Requirement]]) -> Iterator[Check]:
    name = f"extra {extra}" if extra else "packages"
    told = ", ".join(f"{package} {version or 'missing'}" for package, version, _ in found)
    install = f"pip install 'drawloom[{extra}]'" if extra else "pip install --upgrade drawloom"
    missing = [package for package, version, _ in found if version is None]
    wrong = [
        f"{package} {version} (needs {need.specifier})"
        for package, version, need in found
        if version is not None and not need.specifier.contains(version, prereleases=True)
    ]
    if wrong:
        yield Check(name, "problem", f"of another version: {', '.join(wrong)}", install)
    elif missing and not extra:
        yield Check(name, "problem", told, install)
    elif missing:
        yield Check(name, "note", f"not installed: {', '.join(missing)}")
    else:
        yield Check(name, "ok", told)


def _project(settings: Settings) -> Iterator[Check]:
    if settings.file is None:
        yield Check("project file", "note", f"none in {settings.root} or above: everything has its default")
    else:
        profile = f", profile {settings.profile}" if settings.profile else ""
        yield Check("project file", "ok", f"{settings.file.path}{profile}")
    if settings.allow_pickle:
        what = "allow_pickle is on: loading a value may run whatever its writer wanted"
        yield Check("pickle", "note", what)


def _catalog(settings: Settings) -> Iterator[Check]:
    """Whether it can be reached, read and written, and whether its clock and its index are right."""
    from drawloom.catalog.catalog import Catalog

    try:
        catalog = Catalog.open(settings.catalog, settings.project, create=False, allow_pickle=settings.allow_pickle)
    except StoreError as error:
        if error.diagnostics[0].code != "S411":
            raise
        yield Check("catalog", "note", f"none at {settings.catalog} yet: the first `drawloom run` makes it")
        yield from _place_for_store(settings.catalog)
        return
    yield from writable(catalog)
    yield from _index(catalog)


def _place_for_store(url: str) -> Iterator[Check]:
    if "://" in url:
        return
    folder = os.path.abspath(url)
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Check("catalog", "problem", f"{folder} may not be written to", _MAY_WRITE)


_MAY_WRITE: Final = "let this user write there, or name another place with --catalog"


def writable(catalog: Catalog) -> Iterator[Check]:
    """Whether a store keeps what is written first, and what its clock says."""
    storage = catalog.storage
    key = f"doctor/probe-{os.urandom(8).hex()}"
    before = time.time()
    if not storage.create(key, b"probe") or storage.create(key, b"other") or storage.read(key) != b"probe":
        storage.delete(key)
        fix = "keep the catalog on a local disk, on NFS, or in an object store with conditional writes"
        yield Check("catalog", "problem", f"{catalog.url} doesn't keep what was written first", fix)
        return
    after, told = time.time(), storage.modified_at(key)
    storage.delete(key)
    yield Check("catalog", "ok", f"{catalog.url} can be read and written")
    skew = max(before - told, told - after, 0.0)
    if skew > _SKEW_SECONDS:
        what = f"this machine's clock and the store's are {skew:.0f} s apart"
        yield Check("clock", "problem", what, "set the clock, best by NTP: runs and versions are ordered by time")
    else:
        yield Check("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S %Z"))


def _index(catalog: Catalog) -> Iterator[Check]:
    from drawloom.catalog.index import index_path
    from drawloom.catalog.queries import all_runs

    path = index_path(catalog.storage.url)
    rows = catalog.index.ask(all_runs)
    broken = [row for row in rows if row.problem]
    if broken:
        what = f"the records of {len(broken)} of {len(rows)} runs can't be read, of {broken[0].id} for one"
        yield Check("runs", "problem", what, "see `drawloom catalog verify`")
    if path is None or not os.path.exists(path):
        what = "it is kept in memory and made anew by each command: no file for it can be made"
        yield Check("index", "problem", f"{what} ({path})", "name a folder that may be written to in DRAWLOOM_CACHE")
        return
    with sqlite3.connect(path) as db:
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    db.close()
    runs = "1 run" if len(rows) == 1 else f"{len(rows)} runs"
    told = f"{runs}, {format_bytes(os.path.getsize(path))}, SQLite {sqlite3.sqlite_version}, {path}"
    if found != "ok":
        yield Check("index", "problem", f"{told}: {found}", "`drawloom catalog rebuild` makes it anew")
    else:
        yield Check("index", "ok", told)


def _disk(settings: Settings) -> Iterator[Check]:
    places = {"temporary files": os.environ.get("DRAWLOOM_SCRATCH") or tempfile.gettempdir()}
    if "://" not in settings.catalog:
        places["catalog"] = settings.catalog
    for name, path in places.items():
        folder = os.path.abspath(path)
        while not os.path.exists(folder):
            folder = os.path.dirname(folder)
        free = shutil.disk_usage(folder).free
        files = os.statvfs(folder)
        told = f"{free / 1e9:.1f} GB free for {name} ({folder})"
        if files.f_files and files.f_favail < _FILES:
            yield Check("disk space", "problem", f"{told}, but only {files.f_favail} more files", _MAKE_ROOM)
        elif free < _NO_ROOM_BYTES:
            yield Check("disk space", "problem", told, _MAKE_ROOM)
        else:
            yield Check("disk space", "note" if free < _ROOM_BYTES else "ok", told)


_MAKE_ROOM: Final = "make room: `drawloom catalog gc --older-than 30d --dry-run` tells what old runs take"


def _permissions(settings: Settings) -> Iterator[Check]:
    mask = os.umask(0)
    os.umask(mask)
    if mask & _MASK_OF_OWNER:
        fix = "set `umask 022`, or 077 to keep others out"
        yield Check("permissions", "problem", f"umask {mask:03o} takes rights from the owner of new files", fix)
        return
    if not mask & 0o002:
        fix = "set `umask 022`, or 077 to keep others out"
        yield Check("permissions", "problem", f"umask {mask:03o} lets anybody change new files", fix)
    else:
        yield Check("permissions", "ok", f"umask {mask:03o}")
    if "://" in settings.catalog or not os.path.isdir(settings.catalog):
        return
    found = os.stat(settings.catalog)
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        what = f"anybody on this machine may change the catalog {settings.catalog}"
        yield Check("permissions", "problem", what, f"chmod o-w {settings.catalog!r}")
    if found.st_uid not in (os.getuid(), 0):
        what = (
            f"the catalog {settings.catalog} belongs to user {found.st_uid}; files there must be writable to you, too"
        )
        yield Check("permissions", "note", what)


def _scratch() -> Iterator[Check]:
    folder = os.environ.get("DRAWLOOM_SCRATCH") or tempfile.gettempdir()
    try:
        with tempfile.TemporaryDirectory(prefix="drawloom-", dir=folder):
            yield Check("temporary files", "ok", folder)
    except OSError as error:
        fix = "set DRAWLOOM_SCRATCH, or TMPDIR, to a folder that may be written to"
        yield Check("temporary files", "problem", f"{folder} can't be used: {error.strerror}", fix)


def _limits() -> Iterator[Check]:
    import resource  # POSIX only, as everything here

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _OPEN_FILES:
        yield Check("limits", "problem", f"a process may have {soft} open files", "set `ulimit -n 1024` or more")
    else:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        files = "any number of" if soft == resource.RLIM_INFINITY else soft
        yield Check("limits", "ok", f"{cores} processors, {files} open files")


def _graphviz() -> Iterator[Check]:
    from drawloom.display.dot import renderer  # what `drawloom graph` draws with

    path = renderer()
    if not path:
        what = "`dot` isn't there: `drawloom graph` can write Mermaid, but no SVG or PNG"
        fix = "install Graphviz (`apt install graphviz`, `brew install graphviz`), or `pip install 'drawloom[graph]'`"
        yield Check("graphviz", "note", what, fix)
        return
    try:
        done = subprocess.run(
            [path, "-V"], capture_output=True, text=True, check=True, timeout=_DOT_SECONDS, errors="replace"
        )
    except (OSError, subprocess.SubprocessError) as error:
        yield Check("graphviz", "problem", f"{path} doesn't run: {error}", "install Graphviz anew")
        return
    yield Check("graphviz", "ok", f"{(done.stderr or done.stdout).strip()}, {path}")


def _engines() -> Iterator[Check]:
    from drawloom.compilers.base import Refused, compiler_of, engine_names
    from drawloom.errors import CompileError

    for name in engine_names():
        try:
            compiler = compiler_of(name)
        except CompileError as error:
            (found,) = error.diagnostics
            yield Check(f"engine {name}", "problem", found.what, found.fix)
            continue
        refused = [feature for feature, support in compiler.support.items() if isinstance(support, Refused)]
        told = f"{len(compiler.support) - len(refused)} of {len(compiler.support)} features"
        yield Check(f"engine {name}", "ok", told)
