"""Answering a call from an earlier commit: whether it may be, the key, the look-up.

A cache entry is a commit record under its key. It is a hint, never the truth: a hit counts only while every object it
refers to is in the store. Standard library alone: a step loads this module.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from drawloom.catalog.keys import cache_record_key
from drawloom.catalog.records import Commit, MustUnderstand, ValueRef, record_from_json, record_to_json
from drawloom.ir.canonical import Json, canonical_json, digest_json
from drawloom.ir.operands import Apply, Const, Operand
from drawloom.ir.policies import Policies
from drawloom.ir.tasks import TaskSpec
from drawloom.ir.types import Type
from drawloom.runtimes.environment import environment_digest
from drawloom.storage.base import KeyMissing, Storage

__all__ = ["cache_key", "is_cacheable", "is_whole", "lookup", "remember", "tree_objects"]


class _Objects(Protocol):
    def has(self, sha: str) -> bool: ...


def is_cacheable(inputs: tuple[tuple[str, Operand], ...], spec: TaskSpec, policies: Policies) -> bool:
    """Whether a call of the task `spec` with these (parameter, operand) pairs may be answered from the cache.

    Where the user said nothing: not if the task is run for its effect, nor if it is a source (none of its inputs refers
    to anything). Never if the version of its code isn't known.
    """
    if not spec.function.digest:
        return False
    if policies.cache.enabled is not None:
        return policies.cache.enabled
    return not spec.effect and any(_refers(operand) for _, operand in inputs)


def _refers(operand: Operand) -> bool:
    if isinstance(operand, Apply):
        return any(_refers(a) for a in operand.args)
    return not isinstance(operand, Const)


def cache_key(spec: TaskSpec, policies: Policies, inputs: Mapping[str, str]) -> str:
    """The key of a call: equal keys mean that the same code meets equal inputs in an equal environment.

    Args:
        spec: the task.
        policies: those of the call: declared packages, and the user's own cache version.
        inputs: parameter name -> value digest.

    Returns:
        64 hex characters.
    """
    return digest_json(
        {
            "environment": environment_digest(policies.packages),
            "function": spec.function.digest,
            "inputs": sorted([name, digest] for name, digest in inputs.items()),
            "result": _type_tree(spec.result),
            "version": policies.cache.version,
        }
    )


def _type_tree(kind: Type) -> Json:
    fields = [[name, _type_tree(t)] for name, t in kind.fields]
    return [kind.name, kind.ref, kind.codec, list(kind.values), [_type_tree(a) for a in kind.args], fields]


def lookup(storage: Storage, objects: _Objects, values: Any, key: str) -> Commit | None:
    """The commit a call with this key can be answered from, None if there is none that is whole.

    Args:
        storage: the project's storage.
        objects: the project's objects; each one the commit refers to must be there.
        values: reads trees that are objects themselves.
        key: of `cache_key`.

    Raises:
        StoreError: the store can't be read, or an envelope in it is corrupt.
    """
    try:
        commit = record_from_json(json.loads(storage.read(cache_record_key(key))))
    except (KeyMissing, MustUnderstand, ValueError, TypeError):
        return None  # not there, or written by another drawloom: the call runs and writes it anew
    if not isinstance(commit, Commit) or commit.cache_key != key:
        return None
    return commit if is_whole(commit, objects, values) else None


def is_whole(commit: Commit, objects: _Objects, values: Any) -> bool:
    """Whether every object that the outputs of a commit refer to is there."""
    return all(_is_whole(ref, objects, values) for _, ref in commit.outputs)


def _is_whole(ref: ValueRef, objects: _Objects, values: Any) -> bool:
    if ref.object and not objects.has(ref.object):
        return False
    return all(objects.has(sha) for sha in tree_objects(values.tree(ref)))


def tree_objects(tree: Json) -> Iterator[str]:
    """The SHA-256 of each object the leaves of an envelope refer to."""
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            if isinstance(part.get("object"), str):
                yield part["object"]
            waiting += [item for item in part.values() if isinstance(item, (list, dict))]


def remember(storage: Storage, commit: Commit) -> None:
    """Keeps `commit` under its `cache_key`, in place of an earlier one (which may have lost its objects)."""
    storage.write(cache_record_key(commit.cache_key), canonical_json(record_to_json(commit)).encode("ascii"))
