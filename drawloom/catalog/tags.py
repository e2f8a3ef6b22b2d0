"""Tags: names people give to versions of artifacts, kept as records in the store; the newest of a name counts."""

from __future__ import annotations

from drawloom.catalog.keys import name_digest
from drawloom.catalog.outcomes import decode_record
from drawloom.catalog.records import Tag
from drawloom.storage.base import KeyMissing, Storage

__all__ = ["read_tags"]


def read_tags(storage: Storage, artifact: str) -> dict[str, str]:
    """The tags of an artifact: tag -> value digest.

    Raises:
        StoreError: a record is corrupt (S416), or a newer drawloom wrote it (S415).
    """
    newest: dict[str, Tag] = {}
    for key in storage.keys(f"tags/{name_digest(artifact)}/"):
        try:
            record = decode_record(storage.read(key), f"{storage.url}/{key}")
        except KeyMissing:
            continue  # taken away between listing and reading
        if isinstance(record, Tag) and (record.tag not in newest or newest[record.tag].at <= record.at):
            newest[record.tag] = record
    return {tag: newest[tag].digest for tag in sorted(newest)}
