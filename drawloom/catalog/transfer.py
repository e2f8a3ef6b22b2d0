"""Carrying runs from one catalog into another: `export_runs` makes an archive, `import_archive` brings it in.

A run is carried with everything its records lead to: programs, functions, environments, code bundles and objects. Tags,
deployments and cache entries stay behind: they are what a catalog's own people decided, and a foreign result shouldn't
answer a node.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from drawloom.catalog import keys
from drawloom.catalog.archive import ARCHIVE_FORMAT, LIMIT_BYTES, MANIFEST, ArchiveReader, corrupt, hostile
from drawloom.catalog.outcomes import decode_record
from drawloom.catalog.queries import artifact_names
from drawloom.catalog.reach import Reach
from drawloom.catalog.records import Record, RunStarted
from drawloom.catalog.runlog import is_alive
from drawloom.catalog.segments import decode_segment
from drawloom.errors import Diagnostic, Span, StoreError
from drawloom.storage.base import KeyMissing, Storage

if TYPE_CHECKING:
    from drawloom.catalog.catalog import Catalog

__all__ = ["Transferred", "export_runs", "import_archive", "runs_of"]

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_FINAL: Final = frozenset({"succeeded", "failed", "cancelled"})
# what is found only by a record comes before the record: an import that is cut off leaves nothing half there
_ORDER: Final = ("objects/", "functions/", "environments/", "bundles/", "programs/", "runs/")


@dataclass(frozen=True, slots=True)
class Transferred:
    """What was carried.

    Args:
        path: the archive.
        runs: the ids of the runs in it, sorted.
        files: how many files of a store it holds.
        size_bytes: what they have together.
        new_files: how many of them the catalog didn't have; all of them in an export.
    """

    path: str
    runs: tuple[str, ...]
    files: int
    size_bytes: int
    new_files: int


def runs_of(catalog: Catalog, name: str) -> list[str]:
    """The ids of the runs a name stands for.

    Args:
        catalog: where they are.
        name: a run's id or the beginning of it; `last`; or an artifact, `name` or `name@version`, for the run that made
            this version (the latest one) first.

    Raises:
        StoreError: S451 or S458, there is no such run or version.
    """
    known = catalog.index.ask(artifact_names)
    artifact, _, version = (name, "", "") if name in known else name.rpartition("@")
    if artifact in known:
        return [catalog.version(artifact, version or None).made.run]
    newest = catalog.runs(limit=1) if name == "last" else []
    return [newest[0].id] if newest else [catalog.run(name).id]


def export_runs(catalog: Catalog, runs: Iterable[str], path: str) -> Transferred:
    """Writes an archive of runs; the file appears whole or not at all.

    Args:
        catalog: where the runs are.
        runs: their ids.
        path: the file; one that is there is replaced.

    Raises:
        StoreError: S451, there is no such run; S487, a run goes on; S488, something it needs is missing or corrupt;
            S489, the file can't be written.
    """
    wanted = sorted({catalog.run(run).id for run in runs})
    for run in wanted:
        if catalog.run(run).state not in _FINAL and is_alive(catalog.storage, run) is not False:
            raise StoreError(_goes_on(run))
    found = sorted(_keys_of(catalog.storage, wanted))
    part = f"{path}.{os.getpid():x}-{os.urandom(4).hex()}.part"
    files: dict[str, list[Any]] = {}
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for key in found:
                files[key] = _pack(archive, catalog.storage, key)
            manifest = {
                "format": ARCHIVE_FORMAT,
                "runs": wanted,
                "project": catalog.project,
                "exported_at": time.time(),
            }
            archive.writestr(MANIFEST, json.dumps({**manifest, "files": files}, indent=1))
        os.replace(part, path)
    except OSError as error:
        raise StoreError(_unwritable(path, error)) from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)
    return Transferred(path, tuple(wanted), len(files), sum(size for _, size in files.values()), len(files))


def _keys_of(storage: Storage, runs: list[str]) -> Iterator[str]:
    """Every key of the runs, and of what their records lead to."""
    reach = Reach(storage)
    for run in runs:
        reach.add_run(run)
        yield from storage.keys(keys.run_prefix(run))
    for program in [digest for digest in reach if storage.exists(keys.pipeline_key(digest))]:
        reach.add_documents((f"programs/{program}/",))
        yield from storage.keys(f"programs/{program}/")
    for digest in list(reach):
        for key in (keys.object_key(digest), keys.function_key(digest), keys.environment_key(digest)):
            if storage.exists(key):
                yield key
        if storage.exists(keys.bundle_key(digest)):
            yield keys.bundle_key(digest)
    for sha in reach.required:
        if not storage.exists(keys.object_key(sha)):
            raise StoreError(_missing(sha, storage.url))


def _pack(archive: zipfile.ZipFile, storage: Storage, key: str) -> list[Any]:
    """Puts one file in; returns its SHA-256 and size."""
    with tempfile.TemporaryDirectory(prefix="drawloom-") as folder:
        copy = os.path.join(folder, "content")
        try:
            storage.read_to_file(key, copy)
        except KeyMissing:
            raise StoreError(_missing(key, storage.url)) from None
        with open(copy, "rb") as file:
            sha = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            if key.startswith("objects/") and keys.object_key(sha) != key:
                raise StoreError(_missing(key, storage.url, "is corrupt"))
            file.seek(0)
            entry = zipfile.ZipInfo(key, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=size >= 1 << 31) as target:
                while chunk := file.read(1 << 20):
                    target.write(chunk)
    return [sha, size]


def import_archive(
    catalog: Catalog, path: str, *, limit_bytes: int = LIMIT_BYTES, trust_pickles: bool = False
) -> Transferred:
    """Brings the runs of an archive into a catalog; what is there already stays as it is.

    Everything is verified before anything is written. What is imported is decoded by this project's rules.

    Args:
        catalog: where to.
        path: the archive.
        limit_bytes: how much it may unpack to.
        trust_pickles: whether pickles may come in although this project decodes pickles.

    Raises:
        StoreError: S489 to S493, the archive can't be read, is damaged, made to do harm, or holds a run that the
            catalog has in another form; or the store can't be written.
    """
    with ArchiveReader(path, limit_bytes) as archive:
        new = _verify(archive, catalog, trust_pickles)
        for key in sorted(new, key=_place):
            _unpack(archive, catalog.storage, key)
        catalog.storage.sync()
        return Transferred(path, tuple(archive.runs), len(archive.files), archive.size_bytes, len(new))


def _place(key: str) -> tuple[int, bool, str]:
    """Where a key comes in the order of writing: what makes the rest of a program or a run findable comes last."""
    room = next(i for i, prefix in enumerate(_ORDER) if key.startswith(prefix))
    return room, key.endswith(("/pipeline.json", "/run.json")), key


def _verify(archive: ArchiveReader, catalog: Catalog, trust_pickles: bool) -> list[str]:
    """The keys that aren't in the catalog yet, once everything in the archive is found to be right."""
    storage = catalog.storage
    for key in archive.keys(""):
        with archive.open(key) as chunks:
            for _ in chunks:
                pass
    reach = Reach(archive)
    for run in archive.folders("runs/"):
        _check_run(archive, run)
        reach.add_run(run)
    for sha in sorted(reach.required):
        if keys.object_key(sha) not in archive.files and not storage.exists(keys.object_key(sha)):
            raise StoreError(corrupt(archive.path, f"it lacks the object {sha[:12]}, which a run in it needs"))
    if reach.has_pickles and catalog.allow_pickle and not trust_pickles:
        raise StoreError(_pickles(archive.path))
    new = []
    for key in archive.keys(""):
        if not storage.exists(key):
            new.append(key)
        elif key.startswith("runs/") and storage.read(key) != archive.read(key):
            raise StoreError(_conflict(archive.path, key.split("/")[1]))
    for run in archive.runs:
        _check_known_run(archive, storage, run)
    return new


def _check_run(archive: ArchiveReader, run: str) -> None:
    """Each record can be read, and belongs to the run it lies under."""
    start = keys.run_key(run)
    if start not in archive.files:
        raise StoreError(corrupt(archive.path, f"the run {run} has no beginning"))
    for key in archive.keys(keys.run_prefix(run)):
        place = f"{archive.path}:{key}"
        data = archive.read(key)
        try:
            if key.endswith(".seg"):
                decode_segment(data, run, place)
                continue
            if keys.is_mark(key):
                continue
            record = decode_record(data, place)
        except RecursionError:
            raise StoreError(hostile(archive.path, f"{key} is nested too deep")) from None
        if getattr(record, "run", run) != run or not _has_its_place(record, key):
            raise StoreError(hostile(archive.path, f"{key} belongs to another run, or stands in for its beginning"))
        if isinstance(record, RunStarted) and keys.pipeline_key(record.program) not in archive.files:
            raise StoreError(corrupt(archive.path, f"the run {run} names a program that isn't in it"))


def _has_its_place(record: Record, key: str) -> bool:
    """Whether a record that begins a run, or a generation of one, lies where that one begins, and no other does."""
    if isinstance(record, RunStarted):
        return key == keys.started_key(record.run, record.generation)
    return not key.endswith("/run.json")


def _check_known_run(archive: ArchiveReader, storage: Storage, run: str) -> None:
    """A run the catalog has already must not grow by what somebody put into an archive, nor have grown meanwhile."""
    if not storage.exists(keys.run_key(run)):
        return
    if set(storage.keys(keys.run_prefix(run))) != set(archive.keys(keys.run_prefix(run))):
        raise StoreError(_conflict(archive.path, run))


def _unpack(archive: ArchiveReader, storage: Storage, key: str) -> None:
    with tempfile.TemporaryDirectory(prefix="drawloom-") as folder:
        copy = os.path.join(folder, "content")
        with open(copy, "wb") as file, archive.open(key) as chunks:
            file.writelines(chunks)
        storage.create_from_file(key, copy)


def _goes_on(run: str) -> Diagnostic:
    fix = "wait until it has ended; `drawloom show` tells"
    return Diagnostic("S487", f"the run {run} goes on, so it can't be exported whole", None, fix)


def _missing(what: str, url: str, how: str = "is missing") -> Diagnostic:
    return Diagnostic(
        code="S488",
        what=f"the run can't be exported whole: {what} {how}",
        where=Span(url, 0),
        fix="see `drawloom catalog verify`; restore it from a copy of the store, or run the pipeline again",
    )


def _unwritable(path: str, error: OSError) -> Diagnostic:
    what = f"the archive can't be written: {error.strerror or error}"
    return Diagnostic("S489", what, Span(path, 0), "choose another place for it, or make room")


def _pickles(path: str) -> Diagnostic:
    return Diagnostic(
        code="S491",
        what="the archive holds pickles, and this project decodes pickles: loading one runs whatever its writer wanted",
        where=Span(path, 0),
        fix="if you trust whoever made it, import it with `--trust-pickles`; else set allow_pickle = false",
    )


def _conflict(path: str, run: str) -> Diagnostic:
    return Diagnostic(
        code="S493",
        what=f"the catalog has the run {run} already, with other records; nothing was imported",
        where=Span(path, 0),
        fix="import it into another project: `drawloom catalog import FILE --project NAME`",
    )
