"""Deployments: which program was given to which target, kept as records in the store; nothing of it is ever changed."""

from __future__ import annotations

import os
from collections.abc import Iterator

from drawloom.catalog.keys import deployment_key, name_digest
from drawloom.catalog.outcomes import decode_record
from drawloom.catalog.records import Deployment, record_to_json
from drawloom.ir.canonical import canonical_json
from drawloom.storage.base import KeyMissing, Storage

__all__ = ["read_deployments", "write_deployment"]


def write_deployment(storage: Storage, record: Deployment) -> None:
    """Writes that a program was deployed.

    Raises:
        StoreError: the store can't be written.
    """
    text = canonical_json(record_to_json(record)).encode("ascii")
    storage.create(deployment_key(record.target, record.at, os.urandom(6).hex()), text)


def read_deployments(storage: Storage, target: str | None = None) -> Iterator[Deployment]:
    """The deployments to a target, or to all, the latest of each target first.

    Args:
        storage: the project's storage.
        target: the target's name; None for all.

    Raises:
        StoreError: a record is corrupt (S416), or a newer drawloom wrote it (S415).
    """
    prefix = "deployments/" if target is None else f"deployments/{name_digest(target)}/"
    for key in sorted(storage.keys(prefix), reverse=True):
        try:
            record = decode_record(storage.read(key), f"{storage.url}/{key}")
        except KeyMissing:
            continue
        if isinstance(record, Deployment):
            yield record
