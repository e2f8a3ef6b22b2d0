"""Whether a project's part of a store is whole: every object, every record, every reference between them.

Nothing is repaired here. A corrupt object can be set aside, because then the run that needs it makes it anew, whereas a
corrupt one in place is an error in every run.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from drawloom.catalog import keys
from drawloom.catalog.facts import Facts
from drawloom.catalog.outcomes import decode_record
from drawloom.catalog.programs import load_program
from drawloom.catalog.records import AttemptFinished, Commit, Record, RunStarted, ValueRef
from drawloom.catalog.runlog import read_records
from drawloom.catalog.trees import tree_objects
from drawloom.errors import Diagnostic, Span, StoreError
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.local import LocalStorage
from drawloom.storage.objects import Objects

__all__ = ["verify"]

_LEFTOVER_SECONDS: Final = 60.0  # a living writer touches its file with every chunk


def verify(
    storage: Storage, objects: Objects, *, quarantine: bool = True, temporary: str | None = None
) -> list[Diagnostic]:
    """Everything that is wrong with a project's part of a store.

    Args:
        storage: the project's storage.
        objects: the project's objects.
        quarantine: whether corrupt objects are set aside.
        temporary: the folder in which the store's writers keep unfinished files, None if they keep none.

    Returns:
        One diagnostic for each problem, objects first, then runs, programs, cache, tags, leftovers.
    """
    check = _Check(storage, objects)
    return [
        *check.objects(quarantine),
        *(problem for run in storage.folders("runs/") for problem in check.run(run)),
        *check.programs(),
        *check.loose_records("cache/"),
        *check.loose_records("tags/"),
        *check.loose_records("deployments/"),
        *(check.leftovers(temporary) if temporary is not None else ()),
    ]


class _Check:
    def __init__(self, storage: Storage, objects: Objects) -> None:
        self._storage = storage
        self._objects = objects
        self._whole: set[str] = set()  # objects that are there and have their digest
        self._corrupt: set[str] = set()

    def objects(self, quarantine: bool) -> Iterator[Diagnostic]:
        for key in self._storage.keys("objects/"):
            sha = key.removeprefix("objects/").replace("/", "", 1)
            if len(sha) != 64 or not set(sha) <= set("0123456789abcdef") or keys.object_key(sha) != key:
                yield self._problem("S462", f"{key} is no object of drawloom's", key, _FOREIGN)
                continue
            try:
                whole = self._objects.verify(sha)
            except StoreError as problem:
                yield from problem.diagnostics
                continue
            if whole:
                self._whole.add(sha)
            else:
                self._corrupt.add(sha)
                yield self._corrupt_object(sha, quarantine)

    def _corrupt_object(self, sha: str, quarantine: bool) -> Diagnostic:
        aside = False
        if quarantine:
            with suppress(StoreError):  # a read-only store: the problem is told all the same
                aside = not self._objects.verify(sha, quarantine=True)
        what = f"object {sha[:12]} is corrupt: its bytes don't have this digest"
        if aside:
            return self._problem("S401", f"{what}; it was set aside", keys.quarantine_key(sha), _MAKE_ANEW)
        return self._problem("S401", what, keys.object_key(sha), f"move it away; then {_MAKE_ANEW}")

    def run(self, run: str) -> Iterator[Diagnostic]:
        try:
            records = read_records(self._storage, run)
        except StoreError as problem:
            yield from problem.diagnostics
            return
        facts = Facts(records)
        if records and facts.started is None:  # without any, its writer was killed before it began the run
            yield self._problem("S457", f"run {run} has no record of its start", keys.run_key(run), _NO_START)
        for record in records:
            yield from self._record(run, record)

    def _record(self, run: str, record: Record) -> Iterator[Diagnostic]:
        if isinstance(record, RunStarted):
            if not self._storage.exists(keys.pipeline_key(record.program)):
                what = f"run {run} names the program {record.program[:12]}, which isn't in the store"
                yield self._problem("S461", what, keys.run_key(run), _DANGLING)
            for name, ref in record.params:
                yield from self._refers(f"parameter `{name}` of run {run}", ref)
        elif isinstance(record, AttemptFinished):
            yield from self._told(run, record)
        elif isinstance(record, Commit):
            yield from self._told(run, record)
            for port, ref in record.outputs:
                yield from self._refers(f"`{port}` of {_place(record)} of run {run}", ref)

    def _told(self, run: str, record: Commit | AttemptFinished) -> Iterator[Diagnostic]:
        """What an attempt printed and logged."""
        yield from self._is_there(f"the log of {_place(record)} of run {run}", record.log)
        yield from self._is_there(f"the metrics of {_place(record)} of run {run}", record.series)
        for name, ref in record.logged:
            yield from self._refers(f"`{name}`, logged by {_place(record)} of run {run}", ref)

    def _refers(self, what: str, ref: ValueRef) -> Iterator[Diagnostic]:
        tree = ref.tree
        if ref.object:
            yield from self._is_there(what, ref.object)
            if ref.object not in self._whole:
                return
            tree = json.loads(self._objects.get(ref.object))
        for sha in tree_objects(tree):
            yield from self._is_there(what, sha)

    def _is_there(self, what: str, sha: str) -> Iterator[Diagnostic]:
        if sha and sha not in self._whole and sha not in self._corrupt:  # a corrupt one is told of already
            yield self._problem("S461", f"{what} refers to the object {sha[:12]}, which isn't there", "", _DANGLING)

    def programs(self) -> Iterator[Diagnostic]:
        for program in self._storage.folders("programs/"):
            try:
                load_program(self._storage, program)
            except StoreError as problem:
                yield from problem.diagnostics

    def loose_records(self, prefix: str) -> Iterator[Diagnostic]:
        for key in self._storage.keys(prefix):
            try:
                data = self._storage.read(key)
                if data or prefix != "cache/":  # an empty hint answers nothing: a loss of power leaves such
                    decode_record(data, f"{self._storage.url}/{key}")
            except KeyMissing:
                continue  # taken away meanwhile
            except StoreError as problem:
                yield from problem.diagnostics

    def leftovers(self, folder: str) -> Iterator[Diagnostic]:
        """Files that killed writers left; no reader sees them, they only take up room."""
        LocalStorage(os.path.dirname(folder)).clean()  # what only needs time isn't told; reading all took some
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        limit = time.time() - _LEFTOVER_SECONDS
        for entry in entries:
            found = entry.stat(follow_symlinks=False)
            if found.st_mtime < limit and not entry.name.endswith(".lock"):
                what = f"a killed writer left {found.st_size} bytes behind"
                yield Diagnostic("S464", what, Span(entry.path, 0), _LEFTOVER)

    def _problem(self, code: str, what: str, key: str, fix: str) -> Diagnostic:
        return Diagnostic(code, what, Span(f"{self._storage.url}/{key}" if key else self._storage.url, 0), fix)


_FOREIGN: Final = "move it out of the store: no object has such a name"
_MAKE_ANEW: Final = "run the pipeline that made it again: it makes it anew"
_LEFTOVER: Final = "nothing refers to them: delete the file, or leave it: the store removes it in time"
_NO_START: Final = "its writer was killed as it began, or the file was removed: run the pipeline again"
_DANGLING: Final = "restore it from a copy of the store, or run the pipeline again: it makes it anew"


def _place(record: Commit | AttemptFinished) -> str:
    at = f" at {list(record.index)}" if record.index else ""
    return f"node `{record.node}`{at}" if record.node else "the pipeline"
