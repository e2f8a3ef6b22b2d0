"""What a compiler is: a declaration of what its engine can do, and a function from a program to files.

A new engine is one module here with a `COMPILER`, and one line in `_BUILTIN` or an entry point in the group
`drawloom.engines`. Compilers are imported when they are asked for.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from drawloom.compilers.features import FEATURES, Use, features_used
from drawloom.errors import CompileError, Diagnostic, did_you_mean
from drawloom.ir.nodes import EngineNode
from drawloom.ir.program import Program
from drawloom.ir.text import excerpt
from drawloom.ir.walk import walk

__all__ = [
    "Bundle",
    "Compiler",
    "Lowered",
    "Native",
    "Refused",
    "Support",
    "compiler_of",
    "engine_names",
    "refuse_unsupported",
]


@dataclass(frozen=True, slots=True)
class Native:
    """The engine has the feature itself."""


@dataclass(frozen=True, slots=True)
class Lowered:
    """The feature is expressed by others that the engine has; `how` says by which, for people."""

    how: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The engine can't express the feature; `reason` completes "because"."""

    reason: str


Support = Native | Lowered | Refused


class Bundle(Mapping[str, str | bytes]):
    """A compiled program: relative path -> text or bytes, in sorted order."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = dict(sorted(files.items()))

    def __getitem__(self, path: str) -> str | bytes:
        return self._files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        return f"Bundle({', '.join(self._files)})"

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Writes every file below `folder`, which is made if it isn't there; what lies there under other names stays.

        Raises:
            CompileError: E705, a file can't be written.
        """
        for path, content in self._files.items():
            target = os.path.join(folder, *path.split("/"))
            try:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(f"{target}.part", "wb") as file:
                    file.write(content.encode("utf-8") if isinstance(content, str) else content)
                os.replace(f"{target}.part", target)
            except OSError as error:
                raise CompileError(
                    Diagnostic(
                        "E705",
                        f"the compiled file {target} can't be written: {error.strerror}",
                        None,
                        "choose another folder, or make room and give yourself the right to write there",
                    )
                ) from error


@dataclass(frozen=True, slots=True)
class Compiler:
    """An engine's compiler.

    Args:
        engine: the engine's name.
        support: feature -> how the engine has it; every key of `features.FEATURES` must be here.
        compile: gives the files of a program; its keyword arguments are the engine's options.
    """

    engine: str
    support: Mapping[str, Support]
    compile: Callable[..., Bundle]

    def __post_init__(self) -> None:
        missing = sorted(FEATURES.keys() - self.support.keys())
        if missing:
            raise TypeError(f"the compiler for {self.engine} doesn't say how it supports {', '.join(missing)}")


_BUILTIN: Final[dict[str, str]] = {"reference": "drawloom.compilers.reference"}
_GROUP: Final = "drawloom.engines"


def engine_names() -> list[str]:
    """The names of all engines there is a compiler for, sorted."""
    return sorted({*_BUILTIN, *_installed()})


def compiler_of(engine: str) -> Compiler:
    """The compiler for an engine.

    Raises:
        CompileError: E702, there is none of that name.
    """
    if engine in _BUILTIN:
        found: Any = importlib.import_module(_BUILTIN[engine]).COMPILER
    elif engine in _installed():
        found = _installed()[engine].load()
    else:
        names = engine_names()
        raise CompileError(
            Diagnostic(
                "E702",
                f"there is no engine {engine!r}{did_you_mean(engine, names)}",
                None,
                f"name one of: {', '.join(names)}",
            )
        )
    assert isinstance(found, Compiler), f"{engine} names a Compiler"
    return found


def _installed() -> dict[str, Any]:
    from importlib.metadata import (
        entry_points,
    )  # it reads every installed distribution: only when an engine is asked for

    return {point.name: point for point in entry_points(group=_GROUP)}


def refuse_unsupported(program: Program, compiler: Compiler) -> None:
    """Refuses a program that the compiler's engine can't express.

    Raises:
        CompileError: E701, one diagnostic for each use of a feature the engine doesn't have.
    """
    found = [
        _refusal(program, compiler.engine, use, support.reason)
        for use in features_used(program.pipeline)
        if isinstance(support := _support(program, compiler, use), Refused)
    ]
    if found:
        raise CompileError(found)


def _support(program: Program, compiler: Compiler, use: Use) -> Support:
    """Another engine's own node is refused by every engine, whatever it says of its own."""
    if use.feature == "engine-node":
        node = next(node for node in walk(program.pipeline.body) if node.id == use.node)
        if isinstance(node, EngineNode) and node.engine != compiler.engine:
            return Refused(f"the node is {node.engine}'s own")
    return compiler.support[use.feature]


def _refusal(program: Program, engine: str, use: Use, reason: str) -> Diagnostic:
    others = [name for name in engine_names() if name != engine and _can(program, name, use)]
    subject = f"node `{use.node}`" if use.node else f"pipeline `{program.pipeline.name}`"
    return Diagnostic(
        code="E701",
        what=f"{subject} uses {FEATURES[use.feature]}, which {engine} can't express: {reason}",
        where=program.spans.get(use.node),
        fix=_fix(use, others),
        excerpt=excerpt(program.pipeline, use.node) if use.node else "",
    )


def _can(program: Program, engine: str, use: Use) -> bool:
    return not isinstance(_support(program, compiler_of(engine), use), Refused)


def _fix(use: Use, others: Iterable[str]) -> str:
    can = ", ".join(others)
    without = "put a @task in its place" if use.node else "leave it out"
    return f"compile for an engine that can ({can}), or {without}" if can else f"{without}; no installed engine can"
