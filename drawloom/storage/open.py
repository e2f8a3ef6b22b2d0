"""Opens the storage a URL or a path names, and sees to it that it is a store this drawloom can read.

A storage's root holds `store.json`, written when the store is first used: the number of the layout's format. The
schemes' modules are imported when a URL asks for them: a step on a local folder loads neither S3 nor fsspec.
"""

from __future__ import annotations

import json
import os
from typing import Final

from drawloom.errors import StoreError
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.problems import no_conditional_write, store_error

__all__ = ["STORE_FORMAT", "STORE_KEY", "check_format", "open_storage"]

STORE_FORMAT: Final = 0
STORE_KEY: Final = "store.json"


def open_storage(url_or_path: str, *, create: bool = True, step: bool = False) -> Storage:
    """The storage at a folder's path or a URL (`file://`, `s3://bucket/prefix`, `memory://`).

    Args:
        url_or_path: where it is.
        create: whether an empty place becomes a store now; without it a missing store is refused.
        step: whether a step asks: S3 is then read and written with the standard library alone, and the format is not
            looked at there (the `begin` step did so, and a round trip is the dearest thing a step has).

    Raises:
        StoreError: S405, a newer drawloom wrote the store; S410, it can't create atomically; S411, there is no such
            store; S412, the URL can't hold one; S413, `store.json` can't be read; S420, s3fs is missing.
    """
    scheme, separator, rest = url_or_path.partition("://")
    if not separator or scheme == "file":
        from drawloom.storage.local import LocalStorage

        folder = os.path.expanduser(rest if separator else url_or_path)
        check_format(LocalStorage(folder, durable=True), create=create)  # nothing could be read without it
        # An engine that was told "done" keeps that through a loss of power, so a step's commit must survive it too.
        local = LocalStorage(folder, durable=step)
        if not step:
            local.clean()
        return local
    storage: Storage
    if scheme == "s3" and step:
        from drawloom.storage.s3 import S3Storage

        return S3Storage(url_or_path)
    from drawloom.storage.remote import open_remote

    storage = open_remote(url_or_path)
    check_format(storage, create=create)
    if create:
        _prove_create(storage)
    return storage


def check_format(storage: Storage, *, create: bool = False) -> None:
    """Refuses a store this drawloom can't read.

    Args:
        storage: the store's root.
        create: whether an empty place becomes a store; otherwise it is refused.

    Raises:
        StoreError: S405, S411 or S413.
    """
    try:
        text = storage.read(STORE_KEY)
    except KeyMissing:
        if not create:
            raise store_error(
                "S411",
                f"there is no drawloom store at {storage.url}",
                storage.url,
                "check the path or URL; a first `drawloom run` makes a store",
            ) from None
        if storage.create(STORE_KEY, json.dumps({"format": STORE_FORMAT}).encode() + b"\n"):
            return
        text = storage.read(STORE_KEY)
    found = _format(text, storage)
    if found > STORE_FORMAT:
        raise store_error(
            "S405",
            f"the store {storage.url} has format {found}; this drawloom reads up to format {STORE_FORMAT}",
            f"{storage.url}/{STORE_KEY}",
            "upgrade drawloom (`pip install --upgrade drawloom`), or use another store; nothing was changed",
        )


def _prove_create(storage: Storage) -> None:
    """Sees to it that the store refuses to create what is there: some S3 look-alikes ignore the condition.

    Raises:
        StoreError: S410.
    """
    text = storage.read(STORE_KEY)
    try:
        made = storage.create(STORE_KEY, text)  # the same bytes: where the condition is ignored, nothing changes
    except StoreError as error:
        if any(diagnostic.code == "S410" for diagnostic in error.diagnostics):
            raise
        return  # who may not write can't commit twice either
    if made:
        raise no_conditional_write(storage.url)


def _format(text: bytes, storage: Storage) -> int:
    try:
        tree = json.loads(text)
    except ValueError:
        tree = None
    found = tree.get("format") if isinstance(tree, dict) else None
    if type(found) is not int:
        raise store_error(
            "S413",
            f"{STORE_KEY} of {storage.url} doesn't say which format the store has",
            f"{storage.url}/{STORE_KEY}",
            f'if this is a drawloom store, put {{"format": {STORE_FORMAT}}} into that file; else choose another place',
        )
    return found
