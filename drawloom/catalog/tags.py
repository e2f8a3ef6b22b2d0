"""Tags: names people give to versions of artifacts, kept as records in the store; the newest of a name counts.

A tag is taken away by a record without a digest: nothing in a store is ever changed, so two that tag at once leave two
records, and every reader takes the same one.
"""

from __future__ import annotations

import os
import time

from drawloom.catalog.keys import name_digest, tag_key
from drawloom.catalog.outcomes import decode_record
from drawloom.catalog.records import Tag, record_to_json
from drawloom.errors import Diagnostic, StoreError
from drawloom.ir.canonical import canonical_json
from drawloom.storage.base import KeyMissing, Storage

__all__ = ["check_tag", "read_tags", "write_tag"]

_LONGEST = 128


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
    return {tag: newest[tag].digest for tag in sorted(newest) if newest[tag].digest}


def write_tag(storage: Storage, artifact: str, tag: str, digest: str) -> Tag:
    """Gives a version of an artifact a name, or takes the name away from whichever has it.

    Args:
        storage: the project's storage.
        artifact: the artifact's name.
        tag: the name.
        digest: the version's value digest; "" takes the name away.

    Returns:
        The record, which counts from now on.

    Raises:
        StoreError: the store can't be written, or S474: no version can have this name.
    """
    if digest:
        check_tag(tag)
    record = Tag(artifact, tag, digest, at=_after(storage, artifact, tag))
    text = canonical_json(record_to_json(record)).encode("ascii")
    storage.create(tag_key(artifact, tag, record.at, os.urandom(6).hex()), text)
    return record


def _after(storage: Storage, artifact: str, tag: str) -> float:
    """Now, or just after the newest record of the tag: another machine's clock may be ahead of this one's."""
    now = time.time()
    for key in storage.keys(f"tags/{name_digest(artifact)}/{name_digest(tag)}/"):
        try:
            record = decode_record(storage.read(key), f"{storage.url}/{key}")
        except KeyMissing:
            continue
        if isinstance(record, Tag) and record.at >= now:
            now = record.at + 0.001
    return now


def check_tag(tag: str) -> None:
    """Refuses what can't be told from a number, a digest's start in full, or `latest`.

    Raises:
        StoreError: S474, it is empty, too long, a number, `latest`, or holds what can't be typed.
    """
    if not tag.strip():
        reason = "it is empty"
    elif len(tag) > _LONGEST:
        reason = f"it has {len(tag)} characters, and {_LONGEST} is the most"
    elif tag == "latest":
        reason = "`latest` is always the version that was committed last"
    elif tag.isdecimal():
        reason = "a number means the version of that number"
    elif not tag.isprintable() or tag != tag.strip():
        reason = "it begins or ends with a space, or holds characters that can't be shown"
    else:
        return
    raise StoreError(
        Diagnostic("S474", f"{tag[:80]!r} can't be a tag: {reason}", None, "choose a word, such as `prod` or `2024-q1`")
    )
