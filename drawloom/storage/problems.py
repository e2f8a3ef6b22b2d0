"""What can go wrong with a store, as diagnostics (codes S4xx), each text in one place.

Also the rule for keys, because a refused key is one of them. Standard library alone: a step loads this module.
"""

from __future__ import annotations

import errno
import os

from drawloom.errors import CorruptObject, Diagnostic, Span, StoreError

__all__ = [
    "KEY_LIMIT",
    "check_key",
    "check_prefix",
    "corrupt_object",
    "file_changed",
    "from_os_error",
    "is_key",
    "missing_object",
    "no_conditional_write",
    "store_error",
    "url_refused",
]

KEY_LIMIT = 512  # characters; far below S3's 1,024 bytes and PATH_MAX, so that a prefix always fits before it
_PART_LIMIT = 128
_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_./")

_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def store_error(code: str, what: str, where: str, fix: str) -> StoreError:
    """A `StoreError` of one diagnostic; `where` is a path or a URL, "" for none."""
    return StoreError(Diagnostic(code, what, Span(where, 0) if where else None, fix))


def is_key(key: str) -> bool:
    """Whether `key` is one that every storage can hold."""
    if len(key) > KEY_LIMIT or not _CHARACTERS.issuperset(key):
        return False
    # A part never begins with a dot: neither `.` nor `..` is a key, and dotted names are a storage's own files.
    return all(part and part[0] != "." and len(part) <= _PART_LIMIT for part in key.split("/"))


def check_key(key: str, url: str) -> None:
    """Refuses what is not a key of any storage: an absolute path, `..`, upper case, a colon, an overlong one.

    Raises:
        StoreError: S406.
    """
    if not is_key(key):
        raise store_error(
            "S406",
            f"{_shown(key)} is not a key: expected lower-case letters, digits, `-`, `_` and `.` in parts "
            f"separated by `/`, no part beginning with `.` or over 128 characters, {KEY_LIMIT} in all",
            url,
            "use a name made of those characters; a digest of the name always is one",
        )


def check_prefix(prefix: str, url: str) -> None:
    """Refuses a prefix that is neither empty nor a key with a `/` behind it (S406)."""
    if prefix.endswith("/"):
        check_key(prefix[:-1], url)
    elif prefix:
        raise store_error("S406", f"{_shown(prefix)} is not a prefix: it must end with `/`", url, "put a `/` behind it")


def _shown(key: str) -> str:
    return repr(key if len(key) <= 80 else key[:77] + "...")


def from_os_error(error: OSError, url: str, verb: str, where: str) -> StoreError:
    """The store error of an operating-system error.

    Args:
        error: what the system said.
        url: the store.
        verb: what was tried: `write` or `read`.
        where: the path it was tried on.
    """
    said = os.strerror(error.errno) if error.errno else str(error)
    if verb == "write" and error.errno in _READ_ONLY:
        return store_error(
            "S402",
            f"the store {url} is read-only here: {said}",
            where,
            "give this user the right to write there, or use another store; nothing half-written was left",
        )
    if verb == "write" and error.errno in _FULL:
        return store_error(
            "S403",
            f"the store {url} is full: {said}",
            where,
            "free space or raise the quota, then run again: what is committed is kept and answered from the cache",
        )
    return store_error(
        "S404",
        f"can't {verb} in the store {url}: {said}",
        where,
        "check that the store exists, that this user may use it, and that its disk or network works; then try again",
    )


def corrupt_object(sha: str, found: str, url: str, key: str) -> CorruptObject:
    """The error of an object whose bytes don't have its digest; `found` is the digest they have."""
    return CorruptObject(
        Diagnostic(
            "S401",
            f"object {sha[:12]} is corrupt: its bytes have the digest {found[:12]}",
            Span(f"{url}/{key}", 0),
            "run `drawloom catalog verify` to set it aside, then run again: the node that made it makes it anew",
        )
    )


def missing_object(sha: str, url: str, key: str) -> StoreError:
    """The error of an object that isn't there."""
    return store_error(
        "S407",
        f"object {sha[:12]} is not in the store {url}",
        f"{url}/{key}",
        "restore it from a copy of the store, or run the pipeline again: the node that made it makes it anew",
    )


def file_changed(path: str) -> StoreError:
    """The error of a file that was written to while it was being stored."""
    return store_error(
        "S408",
        "the file changed while it was being stored, so its bytes have no one digest",
        path,
        "let the task that writes the file close it before it returns it, or store a copy",
    )


def no_conditional_write(url: str) -> StoreError:
    """The error of an object store where a create-only write isn't one."""
    return store_error(
        "S410",
        f"the store {url} can't create an object only if it is absent, so two attempts could both commit",
        url,
        "use a folder, or an object store with conditional writes (If-None-Match): AWS S3, MinIO, Ceph, R2 have them",
    )


def url_refused(url: str, why: str) -> StoreError:
    """The error of a URL that can't name a store."""
    return store_error(
        "S412",
        f"{url} can't hold a store: {why}",
        "",
        "use a folder's path, or s3://bucket/prefix (`pip install drawloom[s3]`)",
    )
