"""Answering a call from an earlier commit: whether it may be, the key, and a step's look-up.

A cache entry is a commit record under its key. It is a hint, never the truth: a hit counts only while every object it
refers to is in the store with its bytes, and its value has its digest. (A local run asks `catalog.answers`, which needs
no object for each key.) Standard library alone: a step loads this module.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from time import time
from typing import Any, Protocol

from drawloom.catalog.keys import cache_record_key
from drawloom.catalog.records import Commit, MustUnderstand, ValueRef, record_from_json, record_to_json
from drawloom.catalog.trees import is_as_seen, tree_objects
from drawloom.errors import StoreError
from drawloom.ir.canonical import Json, canonical_json
from drawloom.ir.envelope import value_digest
from drawloom.ir.operands import Apply, Const, Operand
from drawloom.ir.policies import Policies
from drawloom.ir.tasks import TaskSpec
from drawloom.ir.types import Type
from drawloom.runtimes.environment import environment_digest
from drawloom.storage.base import KeyMissing, Storage

__all__ = ["CacheKeys", "cache_key", "is_cacheable", "is_whole", "lookup", "remember"]


class _Objects(Protocol):
    def is_whole(self, sha: str) -> bool: ...


def is_cacheable(inputs: tuple[tuple[str, Operand], ...], spec: TaskSpec, policies: Policies) -> bool:
    """Whether a call of the task `spec` with these (parameter, operand) pairs may be answered from the cache.

    Where the user said nothing: not if the task is run for its effect, nor if it is a source (none of its inputs refers
    to anything), nor if its container has an image without a digest: what a tag names may change. Never if the version
    of its code isn't known, or an engine has it of its own: nobody knows what that is.
    """
    if not spec.function.digest or spec.engine is not None:
        return False
    if policies.cache.enabled is not None:
        return policies.cache.enabled
    if spec.container is not None and "@sha256:" not in spec.container.image:
        return False
    return not spec.effect and any(_refers(operand) for _, operand in inputs)


def _refers(operand: Operand) -> bool:
    if isinstance(operand, Apply):
        return any(_refers(a) for a in operand.args)
    return not isinstance(operand, Const)


def cache_key(spec: TaskSpec, policies: Policies, inputs: Mapping[str, str]) -> str:
    """The key of a call: equal keys mean that the same code meets equal inputs in an equal environment.

    Args:
        spec: the task.
        policies: those of the call: declared packages, image and variables, and the user's own cache version.
        inputs: parameter name -> value digest.

    Returns:
        64 hex characters.
    """
    return CacheKeys(spec, policies).key(tuple((name, ValueRef(digest)) for name, digest in inputs.items()))


class CacheKeys:
    """The cache keys of one call: what is the same for all its instances is hashed once.

    Args:
        spec: the task.
        policies: those of the call.

    Attributes:
        environment: the digest of the environment, which is part of each key.
        static: the digest of all that is the same for all instances.
    """

    __slots__ = ("_base", "environment", "static")

    def __init__(self, spec: TaskSpec, policies: Policies) -> None:
        # a container has its image for an environment, and that is part of its function
        self.environment = environment_digest(policies) if spec.container is None else ""
        base = {
            "environment": self.environment,
            "function": spec.function.digest,
            "result": _type_tree(spec.result),
            "version": policies.cache.version,
        }
        self._base = sha256(canonical_json(base).encode("ascii"))
        self.static = self._base.hexdigest()

    def key(self, inputs: tuple[tuple[str, ValueRef], ...]) -> str:
        """The key of the instance that is given these values, in whatever order."""
        made = self._base.copy()
        # names hold no line feed, and digests are of one length: no two lists of pairs read the same
        parts = [f"\n{name}\n{ref.digest}" for name, ref in inputs]
        if len(parts) > 1:
            parts.sort()
        made.update("".join(parts).encode("utf-8"))
        return made.hexdigest()


def _type_tree(kind: Type) -> Json:
    fields = [[name, _type_tree(t)] for name, t in kind.fields]
    return [kind.name, kind.ref, kind.codec, list(kind.values), [_type_tree(a) for a in kind.args], fields]


def lookup(
    storage: Storage, objects: _Objects, values: Any, key: str, ttl_seconds: float | None = None
) -> Commit | None:
    """The commit a call with this key can be answered from, None if there is none that is whole.

    Args:
        storage: the project's storage.
        objects: the project's objects; each one the commit refers to must be there with its bytes.
        values: reads trees that are objects themselves.
        key: of `cache_key`.
        ttl_seconds: how old the commit may be; None for any age.

    Raises:
        StoreError: the store can't be read, or an envelope in it is corrupt.
    """
    try:
        commit = record_from_json(json.loads(storage.read(cache_record_key(key))))
    except (KeyMissing, MustUnderstand, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None  # not there, broken, or written by another drawloom: the call runs and writes it anew
    if not isinstance(commit, Commit) or commit.cache_key != key:
        return None
    if ttl_seconds is not None and commit.at + ttl_seconds < time():
        return None
    if not is_whole(commit, objects, values):
        return None
    return commit if all(is_as_seen(values.tree(ref)) for _, ref in commit.outputs) else None


def is_whole(commit: Commit, objects: _Objects, values: Any) -> bool:
    """Whether all that a commit refers to is there, with its bytes."""
    if commit.series and not objects.is_whole(commit.series):
        return False
    return all(_is_whole(ref, objects, values) for _, ref in (*commit.outputs, *commit.logged))


def _is_whole(ref: ValueRef, objects: _Objects, values: Any) -> bool:
    if ref.object and not objects.is_whole(ref.object):
        return False
    tree = values.tree(ref)
    try:
        return value_digest(tree) == ref.digest and all(objects.is_whole(sha) for sha in tree_objects(tree))
    except (ValueError, TypeError, LookupError, StoreError):  # the entry is broken: no value, or no digest
        return False


def remember(storage: Storage, commit: Commit) -> None:
    """Keeps `commit` under its `cache_key`, in place of an earlier one (which may have lost its objects)."""
    storage.write(cache_record_key(commit.cache_key), canonical_json(record_to_json(commit)).encode("ascii"))
