"""Why a node instance runs, or is answered from the cache: as data, in the words that `plan` and `why` share.

A call is compared with the latest earlier commit of the same node of the same pipeline: its code, each input, its
environment, the user's cache version. What decides is the cache key; the comparison says which of its parts moved.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from drawloom.catalog.functions import FunctionSource, PartChange, compare
from drawloom.catalog.history import EarlierRun, History
from drawloom.catalog.records import Commit, Index, ValueRef
from drawloom.catalog.value_changes import value_change
from drawloom.ir.canonical import Json
from drawloom.ir.operands import Apply, Const, Operand
from drawloom.ir.policies import Policies
from drawloom.ir.tasks import TaskSpec

__all__ = [
    "KINDS",
    "CallFacts",
    "Difference",
    "Reason",
    "age_text",
    "differences",
    "entry_reason",
    "instance_text",
    "not_cacheable",
    "reasons_of",
]

# kind -> what it means; these words stay, for `--json`
KINDS: Final[dict[str, str]] = {
    "answered": "an earlier call of the same code with equal inputs answers it",
    "never-ran": "no earlier run of this pipeline has it",
    "code-changed": "its function, or something of the user's that the function reaches, is another one",
    "input-changed": "an input has another value",
    "environment-changed": "another Python, other packages, another image or other variables",
    "cache-version-changed": "`Cache(version=...)` is another one",
    "expired": "the earlier result is older than `Cache(ttl_seconds=...)`",
    "not-cacheable": "it is never answered: a source, an effect, switched off for it, or code without a version",
    "incomplete": "the earlier result isn't whole in the store any more",
    "failed-before": "it failed when it last ran, and failures aren't kept as answers",
    "no-entry": "nothing it is compared by has changed, but no earlier result is kept under its key",
    "cache-off": "the cache is switched off for this run",
    "upstream-runs": "an input isn't known before another node has run",
    "undecided": "whether, or how often, it is reached isn't known before another node has run",
    "equal-call": "an equal call of the same run may answer it",
    "input-fails": "an expression among its inputs raises",
    "behind-failure": "something it needs has failed",
    "not-taken": "it lies in an arm that isn't taken",
    "failed": "it raised, or was lost",
    "cancelled": "the run ended before it could run, or be done",
    "in-it": "what a control node is follows from what lies in it",
}
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason.

    Args:
        kind: a key of `KINDS`.
        text: the reason in one line.
        port: the input it is about, "" for others.
        before, after: what was and what is, as short texts; "" where there is nothing to say.
        lines: more about it, a line each.
        parts: the parts of a function that changed.
        nodes: the nodes it goes back to.
        run: the earlier run it is about, "" for none.
    """

    kind: str
    text: str
    port: str = ""
    before: str = ""
    after: str = ""
    lines: tuple[str, ...] = ()
    parts: tuple[PartChange, ...] = ()
    nodes: tuple[str, ...] = ()
    run: str = ""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a call instance is compared by.

    Args:
        function: the digest of the task's function.
        inputs: parameter name -> value.
        environment: the digest of the environment, "" where nobody looked.
        version: the user's cache version.
        key: the cache key, "" if it isn't cacheable.
        source: gives what the function's digest is made of, None where it isn't known.
        environment_tree: gives what is known of the environment, None where nothing is.
        tree: gives, for a parameter's name, whether its envelope can be had, and the envelope.
    """

    function: str
    inputs: tuple[tuple[str, ValueRef], ...]
    environment: str
    version: str
    key: str
    source: Callable[[], FunctionSource | None]
    environment_tree: Callable[[], Json]
    tree: Callable[[str], tuple[bool, Json]]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something in which two calls of a node differ: a kind of `KINDS`, and the port of an input."""

    kind: str
    port: str = ""


def not_cacheable(inputs: tuple[tuple[str, Operand], ...], spec: TaskSpec, policies: Policies) -> Reason | None:
    """Why a call is never answered from an earlier one; None if it may be (the rule of `runtimes.cache`)."""
    what = ""
    if not spec.function.digest:
        what = "the version of its code isn't known"
    elif spec.engine is not None:
        what = f"it is {spec.engine.engine}'s own, and nobody knows whether that would give the same"
    elif policies.cache.enabled is False:
        what = "the cache is switched off for it (cache=False)"
    elif policies.cache.enabled is None and spec.container is not None and "@sha256:" not in spec.container.image:
        what = "its image is named without a digest, and may be another one (cache=True would keep its result)"
    elif policies.cache.enabled is None and spec.effect:
        what = "an effect is run for what it does (cache=True would keep it)"
    elif policies.cache.enabled is None and not any(_refers(operand) for _, operand in inputs):
        what = "a source, which nothing in the run feeds (cache=True would keep its result)"
    return Reason("not-cacheable", f"not cacheable: {what}") if what else None


def _refers(operand: Operand) -> bool:
    if isinstance(operand, Apply):
        return any(_refers(a) for a in operand.args)
    return not isinstance(operand, Const)


def differences(now: CallFacts, run: EarlierRun, commit: Commit, original: Commit) -> tuple[Difference, ...]:
    """In what a call differs from an earlier one of the same node; cheap: digests are compared, nothing is read.

    Args:
        now: the call.
        run, commit: the earlier one.
        original: the commit it was answered from, if it was; its environment counts where its own isn't known.
    """
    found = []
    if now.function != commit.function:
        found.append(Difference("code-changed"))
    earlier = {name: ref.digest for name, ref in commit.inputs}
    found += [Difference("input-changed", name) for name, ref in now.inputs if earlier.get(name) != ref.digest]
    found += [Difference("input-changed", name) for name in earlier if name not in dict(now.inputs)]
    environment = commit.environment or original.environment
    if environment and now.environment and environment != now.environment:
        found.append(Difference("environment-changed"))
    policies = run.policies(commit.node)
    if policies is not None and policies.cache.version != now.version:
        found.append(Difference("cache-version-changed"))
    return tuple(found)


def reasons_of(
    found: tuple[Difference, ...],
    now: CallFacts,
    history: History,
    earlier: tuple[EarlierRun, Commit],
    *,
    deep: Callable[[Json, Json], tuple[str, ...]] | None = None,
) -> tuple[Reason, ...]:
    """Differences in words.

    Args:
        found: what `differences` gave.
        now: the call.
        history: the earlier runs.
        earlier: the run and commit it was compared with.
        deep: says in lines how two envelopes differ, beyond what they show by themselves; None to leave that out.
    """
    run, commit = earlier
    made = []
    for difference in found:
        if difference.kind == "code-changed":
            made.append(_code(now, run, commit))
        elif difference.kind == "input-changed":
            made.append(_input(difference.port, now, run, commit, deep))
        elif difference.kind == "environment-changed":
            environment = commit.environment or history.original(commit).environment
            made.append(_environment(history.environment(environment), now.environment_tree(), run))
        else:
            policies = run.policies(commit.node)
            before = policies.cache.version if policies is not None else ""
            text = f"cache version changed: {before!r} -> {now.version!r}"
            made.append(Reason(difference.kind, text, before=before, after=now.version, run=run.id))
    if commit.outcome == "failed":
        made.append(Reason("failed-before", f"it failed in {run.id}", run=run.id))
    return tuple(made)


def _code(now: CallFacts, run: EarlierRun, commit: Commit) -> Reason:
    after, before = now.source(), run.source(commit.function)
    short = f"{commit.function[:12]} -> {now.function[:12]}"
    if after is None or before is None:
        text = f"code changed ({short}; the source of one of them isn't in the store)"
        return Reason("code-changed", text, before=commit.function, after=now.function, run=run.id)
    parts = compare(before, after)
    changed = [part for part in parts if part.change != "reworded"]
    if not changed:
        text = "code changed: what its parts refer to is put together otherwise"
        return Reason("code-changed", text, before=commit.function, after=now.function, run=run.id)
    names = [_part_text(part) for part in changed[:_SHOWN]]
    if len(changed) > _SHOWN:
        names.append(f"{len(changed) - _SHOWN} more")
    text = f"code changed: {', '.join(names)}"
    lines = tuple(_part_text(part) for part in changed[_SHOWN:])
    return Reason(
        "code-changed", text, before=commit.function, after=now.function, lines=lines, parts=parts, run=run.id
    )


def _part_text(change: PartChange) -> str:
    text = f"{change.kind} {change.name}"
    if change.change != "changed":
        return f"{text} {change.change}"
    if change.kind == "constant" and change.before is not None and change.after is not None:
        values = [part.text.partition(" = ")[2] for part in (change.before, change.after)]
        return f"{text} ({values[0]} -> {values[1]})" if all(values) else text
    return text


def _input(
    port: str,
    now: CallFacts,
    run: EarlierRun,
    commit: Commit,
    deep: Callable[[Json, Json], tuple[str, ...]] | None,
) -> Reason:
    before, after = dict(commit.inputs).get(port), dict(now.inputs).get(port)
    if before is None or after is None:
        what = "is new" if before is None else "is gone"
        return Reason("input-changed", f"input `{port}` {what}", port=port, run=run.id)
    had, old = run.tree(commit.node, commit.index, port, before)
    has, new = now.tree(port)
    short, lines = value_change(before, after, (had, old), (has, new))
    if deep is not None and had and has:
        lines = (*lines, *deep(old, new))
    text = f"input `{port}` changed{f': {short}' if short else ''}"
    return Reason("input-changed", text, port, before.digest, after.digest, lines, run=run.id)


def _environment(before: Json, after: Json, run: EarlierRun) -> Reason:
    changes = _environment_changes(before, after)
    if not changes:
        return Reason("environment-changed", "environment changed (how, isn't recorded)", run=run.id)
    more = f", {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
    text = f"environment changed: {', '.join(changes[:_SHOWN])}{more}"
    return Reason("environment-changed", text, lines=tuple(changes[_SHOWN:]), run=run.id)


def _environment_changes(before: Json, after: Json) -> list[str]:
    """`Python 3.11 -> 3.12`, `pandas 2.1 -> 2.2`, `image x:1 -> x:2`, `variable MODE changed`."""
    try:
        old, new = dict(before["packages"]), dict(after["packages"])
        changes = [f"Python {before['python']} -> {after['python']}"] if before["python"] != after["python"] else []
    except (KeyError, TypeError, ValueError):
        return []
    for name in sorted({*old, *new}):
        one, other = old.get(name), new.get(name)
        if one == other:
            continue
        if one and other:
            changes.append(f"{name} {one} -> {other}")
        elif other:
            changes.append(f"{name} {other} added")
        else:
            changes.append(f"{name} {one} removed")
    return changes + _declared_changes(before, after)


def _declared_changes(before: Json, after: Json) -> list[str]:
    """What a task asks for otherwise; of variables the names alone, their values are the program's to show."""
    changes = []
    one, other = before.get("image", ""), after.get("image", "")
    if one != other:
        changes.append(f"image {one or 'none'} -> {other or 'none'}")
    old, new = dict(before.get("env", ())), dict(after.get("env", ()))
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            how = "added" if name not in old else "removed" if name not in new else "changed"
            changes.append(f"variable {name} {how}")
    return changes


def entry_reason(entry: Commit | None, policies: Policies, now: float | None = None) -> Reason | None:
    """Why what is kept under a call's key doesn't answer it; None if nothing is kept."""
    if entry is None:
        return None
    ttl = policies.cache.ttl_seconds
    age = (time.time() if now is None else now) - entry.at
    if ttl is not None and age > ttl:
        text = f"expired: its result is {age_text(age)} old, ttl_seconds={ttl:g}"
        return Reason("expired", text, run=entry.run)
    text = f"the result of {entry.run} isn't whole any more: a part is missing, corrupt, or no longer as it was"
    return Reason("incomplete", text, run=entry.run)


def age_text(seconds: float) -> str:
    """`40 s`, `12 min`, `5 h`, `3 days`.

    >>> age_text(7300)
    '2 h'
    """
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size or (unit != "days" and seconds >= size):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{max(seconds, 0):.1f} s"


def instance_text(node: str, index: Index) -> str:
    """`train`, `models/train[3]`."""
    return f"{node}[{', '.join(map(str, index))}]" if index else node
