"""What the records of a store lead to: the digests of objects, programs, functions, environments and bundles."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final, Protocol

from drawloom.catalog import keys
from drawloom.catalog.outcomes import decode_record
from drawloom.catalog.records import Deployment
from drawloom.catalog.segments import decode_segment
from drawloom.catalog.trees import tree_objects
from drawloom.ir.canonical import Json
from drawloom.storage.base import KeyMissing

__all__ = ["Reach", "digest_of_key", "trees_of"]

_DIGEST: Final = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_OBJECT_FIELDS: Final = ("object", "log", "series")
_HEX: Final = frozenset("0123456789abcdef")


def digest_of_key(key: str) -> str:
    """The digest in a key, whether in one part or two (`objects/ab/cd...`); "" if there is none.

    >>> digest_of_key("objects/ab/" + "c" * 62) == "ab" + "c" * 62
    True
    """
    parts = key.split(".")[0].split("/")
    for text in (parts[-1], "".join(parts[-2:])):
        if len(text) == 64 and set(text) <= _HEX:
            return text
    return ""


class Readable(Protocol):
    """What of a storage is needed here."""

    def read(self, key: str) -> bytes:
        """As `Storage.read`."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """As `Storage.keys`."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """As `Storage.folders`."""
        ...


class Reach:
    """The digests that were reached, by documents added one after the other.

    Args:
        storage: the project's storage, or an archive of one.

    Attributes:
        required: the objects that envelopes and records refer to as such: a store without one of them isn't whole.
        sources: the runs that answered nodes of the runs that were added.
        has_pickles: whether a value of the codec `pickle` is among what was reached.
    """

    def __init__(self, storage: Readable) -> None:
        self._storage = storage
        self.required: set[str] = set()
        self.sources: set[str] = set()
        self.has_pickles = False
        self._found: set[bytes] = set()
        self._read: set[str] = set()

    def __contains__(self, digest: str) -> bool:
        return bytes.fromhex(digest) in self._found if len(digest) == 64 and set(digest) <= _HEX else False

    def __iter__(self) -> Iterator[str]:
        return (digest.hex() for digest in self._found)

    def add_run(self, run: str) -> None:
        """Everything a run's records name, and what the envelopes name that are objects."""
        for key in self._storage.keys(keys.run_prefix(run)):
            data = self._try_read(key)
            self.add_text(data)
            for tree in trees_of(data, run, key):
                self._note(tree)
                self._follow(tree)
                source = tree.get("source") if isinstance(tree, dict) else None
                if isinstance(source, list) and source and isinstance(source[0], str):
                    self.sources.add(source[0])

    def add_documents(self, prefixes: Iterable[str]) -> None:
        """Everything named in the documents below these prefixes."""
        for prefix in prefixes:
            for key in self._storage.keys(prefix):
                if digest := digest_of_key(key):
                    self._found.add(bytes.fromhex(digest))
                self.add_text(self._try_read(key))

    def add_text(self, data: bytes) -> None:
        """Everything in these bytes that looks like a digest."""
        self._found.update(bytes.fromhex(found.decode("ascii")) for found in _DIGEST.findall(data))

    def answers(self, data: bytes) -> bool:
        """Whether all objects a cache entry needs are reached."""
        try:
            commit = json.loads(data)
            outputs = [ref for _, ref in commit["outputs"]]
        except (ValueError, KeyError, TypeError):
            return False
        return all(sha in self for ref in outputs for sha in self._objects_of(ref))

    def deployed_programs(self) -> set[str]:
        """The programs that targets have now: of each target the one deployed last."""
        found = set()
        for target in self._storage.folders("deployments/"):
            newest: Deployment | None = None
            for key in self._storage.keys(f"deployments/{target}/"):
                data = self._try_read(key)
                record = decode_record(data, key) if data else None
                if isinstance(record, Deployment) and (newest is None or newest.at <= record.at):
                    newest = record
            if newest is not None:
                found.add(newest.program)
        return found

    def _objects_of(self, ref: Json) -> Iterator[str]:
        tree = ref.get("tree")
        if ref.get("object"):
            yield ref["object"]
            data = self._try_read(keys.object_key(ref["object"]))
            try:
                tree = json.loads(data)
            except ValueError:
                return
        yield from tree_objects(tree)

    def _follow(self, tree: Json) -> None:
        """Reads the objects that are envelopes: those a record refers to, not those an envelope's leaf does."""
        waiting = [tree]
        while waiting:
            part = waiting.pop()
            if isinstance(part, list):
                waiting += [item for item in part if isinstance(item, (list, dict))]
            elif isinstance(part, dict):
                sha = part.get("object")
                if isinstance(sha, str) and "$" not in part and sha not in self._read and digest_of_key(sha):
                    self._read.add(sha)
                    data = self._try_read(keys.object_key(sha))
                    self.add_text(data)
                    with suppress(ValueError):  # a log or a series is no envelope, and neither is a corrupt one
                        self._note(json.loads(data))
                if "$" not in part:
                    waiting += [item for item in part.values() if isinstance(item, (list, dict))]

    def _note(self, tree: Json) -> None:
        waiting = [tree]
        while waiting:
            part = waiting.pop()
            if isinstance(part, dict):
                self.required.update(v for k, v in part.items() if k in _OBJECT_FIELDS and digest_of_key(str(v)))
                self.has_pickles = self.has_pickles or part.get("$") == "pickle"
                waiting += [item for item in part.values() if isinstance(item, (list, dict))]
            elif isinstance(part, list):
                waiting += [item for item in part if isinstance(item, (list, dict))]

    def _try_read(self, key: str) -> bytes:
        try:
            return self._storage.read(key)
        except KeyMissing:
            return b""  # removed since the listing, or never there: `verify` tells of it


def trees_of(data: bytes, run: str, key: str) -> list[Json]:
    """The JSON of the records in one file of a run, with the fields this drawloom doesn't know.

    Raises:
        StoreError: S414 or S415, a segment is corrupt or of a newer drawloom.
    """
    if key.endswith(".seg"):
        return list(decode_segment(data, run, key))
    try:
        return [json.loads(data)]
    except ValueError:
        return []
