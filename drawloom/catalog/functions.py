"""Versions of functions: what the digest of a task's function is made of, and what differs between two of them.

`dsl.manifest` makes these documents; they lie in the store under the function's digest, written once.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping

from drawloom.catalog.keys import function_key
from drawloom.frozen import dataclass
from drawloom.ir.canonical import Json, canonical_json
from drawloom.storage.base import KeyMissing, Storage

__all__ = [
    "FunctionPart",
    "FunctionSource",
    "PartChange",
    "compare",
    "function_source",
    "load_function_source",
    "save_function_sources",
]


@dataclass(frozen=True, slots=True)
class FunctionPart:
    """A function, class, constant, module or file that a function's digest is made of.

    Args:
        name: `module:qualname`; of a module its name, of a file its path.
        digest: of what it means by itself: comments, docstrings and formatting don't count, nor do other parts.
        text: its source, "" where it isn't kept.
        kind: `function`, `class`, `constant`, `module` or `file`.
    """

    name: str
    digest: str
    text: str = ""
    kind: str = "function"


@dataclass(frozen=True, slots=True)
class FunctionSource:
    """What the digest of a function is made of.

    Args:
        name: `module:qualname` of the function.
        scope: how far the digest reaches: `function`, `module` or `bundle`.
        parts: the function itself first.
    """

    name: str
    scope: str
    parts: tuple[FunctionPart, ...]


@dataclass(frozen=True, slots=True)
class PartChange:
    """A part that differs between two versions of a function.

    Args:
        change: `changed`, `added`, `removed`; `reworded` where only comments, docstrings or formatting differ, which
            is no change of the function.
        before, after: the part in each version, None where it isn't in it.
    """

    change: str
    before: FunctionPart | None
    after: FunctionPart | None

    @property
    def part(self) -> FunctionPart:
        """The part as it is now, or as it was."""
        found = self.after or self.before
        assert found is not None, "a change is of something"
        return found

    @property
    def name(self) -> str:
        """The part's name."""
        return self.part.name

    @property
    def kind(self) -> str:
        """`function`, `class`, `constant`, `module` or `file`."""
        return self.part.kind

    def diff(self) -> str:
        """A unified diff of the texts; a line that says why, where there is none to show."""
        before = self.before.text if self.before is not None else ""
        after = self.after.text if self.after is not None else ""
        if before == after:
            return f"{self._without_text(after)}\n"
        lines = list(_unified(before, after, self.name))
        if self.change == "reworded":
            lines.insert(0, "(only comments, docstrings or formatting differ: no change of the code)\n")
        return "".join(lines)

    def _without_text(self, text: str) -> str:
        if text:
            return f"(the text of {self.name} is the same; what a name in it stands for has changed)"
        digests = [part.digest[:12] if part is not None else "nothing" for part in (self.before, self.after)]
        return f"(the text of {self.name} isn't kept; its digest went from {digests[0]} to {digests[1]})"


def _unified(before: str, after: str, name: str) -> Iterator[str]:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"before/{name}", f"after/{name}"
    )
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n"


def function_source(tree: Json) -> FunctionSource:
    """The source of a function from its document.

    Raises:
        ValueError: it isn't one.
    """
    try:
        parts = tuple(FunctionPart(*(str(field) for field in part[:4])) for part in tree["parts"])
        return FunctionSource(str(tree["name"]), str(tree["scope"]), parts)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"no source of a function: {error}") from error


def load_function_source(storage: Storage, digest: str) -> FunctionSource | None:
    """The source of the version `digest` of a function.

    Returns:
        The source; None where the store hasn't it (an older drawloom saved the program) or it can't be read: it only
        helps people.
    """
    if not digest:
        return None
    try:
        return function_source(json.loads(storage.read(function_key(digest))))
    except (KeyMissing, ValueError):
        return None


def save_function_sources(storage: Storage, sources: Mapping[str, Json]) -> None:
    """Writes the documents that aren't there yet; looks once for each, and makes no more of them than it writes.

    Args:
        storage: the project's storage.
        sources: function digest -> its document (`ir.program.Program.sources`).

    Raises:
        StoreError: the storage can't be written.
    """
    for digest in sources:
        key = function_key(digest)
        if not storage.exists(key):
            storage.create(key, canonical_json(sources[digest]).encode("ascii"))


def compare(before: FunctionSource, after: FunctionSource) -> tuple[PartChange, ...]:
    """What differs between two versions of a function.

    Parts belong together by kind and name, and one that only moved to another module doesn't differ.

    Returns:
        The changes, the function itself first; those that are `reworded` last. Without any `changed`, `added` or
        `removed`, two versions with different digests differ in how their parts refer to each other.
    """
    old = {(part.kind, part.name): part for part in before.parts}
    new = {(part.kind, part.name): part for part in after.parts}
    both = [(old[key], new[key]) for key in new if key in old]
    gone = [old[key] for key in old if key not in new]
    come = [new[key] for key in new if key not in old]
    for part in list(gone):
        moved = next((p for p in come if (p.kind, p.digest) == (part.kind, part.digest)), None)
        if moved is not None:
            gone.remove(part)
            come.remove(moved)
            both.append((part, moved))
    changes = [PartChange("changed", one, other) for one, other in both if one.digest != other.digest]
    changes += [PartChange("added", None, part) for part in come]
    changes += [PartChange("removed", part, None) for part in gone]
    order = {key: number for number, key in enumerate(dict.fromkeys((*new, *old)))}
    changes.sort(key=lambda change: order[change.kind, change.name])
    reworded = [(one, other) for one, other in both if one.digest == other.digest and one.text != other.text]
    return (*changes, *(PartChange("reworded", one, other) for one, other in reworded))
