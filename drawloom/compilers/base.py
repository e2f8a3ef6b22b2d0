"""What a compiler is: a declaration of what its engine can do, and a function from a program to files.

A new engine is one module here with a `COMPILER`, and one line in `_BUILTIN` or an entry point in the group
`drawloom.engines`. Compilers are imported when they are asked for.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from drawloom.compilers.features import ENGINE_NODE, FEATURES, Use, features_used
from drawloom.errors import CompileError, Diagnostic, did_you_mean
from drawloom.ir.canonical import Json
from drawloom.ir.nodes import Call, Node
from drawloom.ir.program import Program
from drawloom.ir.text import Printer, excerpt, excerpt_of, numbered

__all__ = [
    "Bundle",
    "Compiler",
    "EncodedValue",
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


@dataclass(frozen=True, slots=True)
class EncodedValue:
    """A value among an engine's options as its envelope; what that refers to is put into the store by who compiles."""

    tree: Json


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
        stand_ins: options a place of this engine's must say, as one would: what a program is checked with where no
            place is named.
        of_pipelines: options that speak of one pipeline and its nodes: a place can't be looked at with them.
        has_runs_beside_schedule: whether what has a schedule can be run besides, with parameters of the run's own.
    """

    engine: str
    support: Mapping[str, Support]
    compile: Callable[..., Bundle]
    stand_ins: Mapping[str, Any] = field(default_factory=dict)
    of_pipelines: frozenset[str] = frozenset()
    has_runs_beside_schedule: bool = False

    def __post_init__(self) -> None:
        missing = sorted(FEATURES.keys() - self.support.keys())
        if missing:
            raise TypeError(f"the compiler for {self.engine} doesn't say how it supports {', '.join(missing)}")


_BUILTIN: Final[dict[str, str]] = {
    "airflow": "drawloom.compilers.airflow.compile",
    "argo": "drawloom.compilers.argo.compile",
    "reference": "drawloom.compilers.reference",
}
_GROUP: Final = "drawloom.engines"
# family of features -> what to do without them
_WITHOUT: Final[dict[str, str]] = {
    "node": "put a @task in its place",
    "control": "do it within a @task",
    "order": "pass a value along instead",
    "policy": "leave it out",
    "value": "pass a parameter of another kind",
}


def engine_names() -> list[str]:
    """The names of all engines there is a compiler for, sorted."""
    return sorted({*_BUILTIN, *_installed()})


def compiler_of(engine: str) -> Compiler:
    """The compiler for an engine.

    Raises:
        CompileError: E702, there is none of that name, or the package that brings it can't be imported.
    """
    if engine in _BUILTIN:
        found: Any = importlib.import_module(_BUILTIN[engine]).COMPILER
    elif engine in _installed():
        found = _loaded(engine)
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


def _importable() -> list[Compiler]:
    """The compilers there are, without those of broken packages: `drawloom doctor` tells of these."""
    found = []
    for name in engine_names():
        with suppress(CompileError):
            found.append(compiler_of(name))
    return found


def _loaded(engine: str) -> Any:
    point = _installed()[engine]
    try:
        return point.load()
    except Exception as error:
        what = f"the engine {engine!r} can't be loaded: `{point.value}` raises {type(error).__name__}: {error}"
        fix = f"mend or uninstall the package that brings it{f', {point.dist.name}' if point.dist is not None else ''}"
        raise CompileError(Diagnostic("E702", what, None, fix)) from error


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
    found = list(_Refusals(program, compiler).found())
    if found:
        raise CompileError(found)


class _Refusals:
    """What an engine refuses of one program, and who accepts it."""

    def __init__(self, program: Program, compiler: Compiler) -> None:
        self._program = program
        self._compiler = compiler
        self._nodes: dict[str, tuple[int, Node]] = {}  # of use once something is refused
        self._others: list[Compiler] = []

    def found(self) -> Iterator[Diagnostic]:
        """A diagnostic for each use that is refused, in the order of `features_used`."""
        for use in features_used(self._program.pipeline):
            declared = self._compiler.support[use.feature]
            if isinstance(declared, Refused) or use.feature == ENGINE_NODE:
                self._look_around()
                support = self._support(self._compiler, use)
                if isinstance(support, Refused):
                    yield self._refusal(use, support.reason)

    def _look_around(self) -> None:
        if not self._nodes:
            self._nodes = numbered(self._program.pipeline)
            self._others = [c for c in _importable() if c.engine != self._compiler.engine]

    def _support(self, compiler: Compiler, use: Use) -> Support:
        """Another engine's own node is refused by every engine, whatever it says of its own."""
        if use.feature == ENGINE_NODE:
            engine = self._engine_of(use.node)
            if engine != compiler.engine:
                return Refused(f"the node is {engine}'s own")
        return compiler.support[use.feature]

    def _engine_of(self, node: str) -> str:
        _, found = self._nodes[node]
        assert isinstance(found, Call), "it is tasks that an engine has of its own"
        engine = next(task.engine for task in self._program.pipeline.tasks if task.name == found.task)
        assert engine is not None, "the feature is used where one is"
        return engine.engine

    def _refusal(self, use: Use, reason: str) -> Diagnostic:
        engine, pipeline = self._compiler.engine, self._program.pipeline
        accept = tuple(c.engine for c in self._others if not isinstance(self._support(c, use), Refused))
        subject = f"node `{use.node}`" if use.node else f"pipeline `{pipeline.name}`"
        return Diagnostic(
            code="E701",
            what=f"{subject} uses {FEATURES[use.feature]} ({use.feature}), which {engine} can't express: {reason}",
            where=self._program.spans.get(use.node),
            fix=_fix(use, accept),
            excerpt=self._excerpt(use.node),
            feature=use.feature,
            engines=accept,
        )

    def _excerpt(self, node: str) -> str:
        pipeline = self._program.pipeline
        if not node:
            return excerpt(pipeline)
        return excerpt_of(Printer(pipeline, short=True), self._nodes[node][1], self._nodes)


def _fix(use: Use, accept: Sequence[str]) -> str:
    without = _WITHOUT[use.feature.partition(".")[0]]
    if not accept:
        return f"{without}; no installed engine accepts it"
    return f"compile for an engine that accepts it ({', '.join(accept)}), or {without}"
