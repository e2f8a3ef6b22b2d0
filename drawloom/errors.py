"""Diagnostics and the exception tree of drawloom.

    DrawloomError                 the one root
    ├── DefinitionError           a task or pipeline is declared or traced wrongly (D...)
    ├── CheckFailed               a pipeline's graph is wrong (G...)
    ├── ValueRefused              a value can't be encoded, decoded or compared (V...)
    ├── StoreError                a store can't be read or written (S...)
    │   └── CorruptObject         bytes in the store don't match their digest (S401)
    ├── RunRefused                a run can't start: parameters, executor, resources (R...)
    ├── RunFailed                 a run ended with a failure; raised by `Run.result` from the task's own exception
    ├── RunCancelled              a run was cancelled; raised by `Run.result`
    ├── NodeFailed                a task failed where its exception class can't be rebuilt here
    ├── ProjectError              drawloom.toml, a profile or the command line is wrong (P...)
    └── CompileError              an engine can't express a pipeline, or a bundle can't be built (E...)

    TaskFailed                    a task failed by no exception of its own: its process was lost, or it took too long;
                                  `except TaskFailed` in a pipeline handles that
    BoundReached                  a loop's test was still true after `max_iterations`; a failure of the user's program,
                                  like an exception of a task, so neither a DrawloomError nor with a Diagnostic

Every error that drawloom raises carries at least one `Diagnostic`: what is wrong, where (the user's
file and line), and how to fix it. This module imports the standard library alone, because a step loads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drawloom.frozen import dataclass

__all__ = [
    "BoundReached",
    "CheckFailed",
    "CompileError",
    "CorruptObject",
    "DefinitionError",
    "Diagnostic",
    "DrawloomError",
    "NodeFailed",
    "ProjectError",
    "RunCancelled",
    "RunFailed",
    "RunRefused",
    "Span",
    "StoreError",
    "TaskFailed",
    "ValueRefused",
    "did_you_mean",
]


@dataclass(frozen=True, slots=True)
class Span:
    """A place in the user's source: file, 1-based line, and the function or key it lies in ("" if none)."""

    file: str
    line: int
    symbol: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}, {self.symbol}" if self.symbol else place


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem, told so that it can be mended: code, what, where, fix, and an excerpt of the graph or source.

    Args:
        code: the stable code, a key of `docs/errors.md` (`G203`).
        what: what is wrong: expected and got, in one sentence.
        where: the user's file and line, or None where no source is concerned.
        fix: what to do about it, in one sentence.
        excerpt: lines of the graph or of the source that show the place, "" if there is nothing to show.
        feature: the id of the feature an engine doesn't have (E701), "" for other problems.
        engines: the engines that have it.
    """

    code: str
    what: str
    where: Span | None
    fix: str
    excerpt: str = ""
    feature: str = ""
    engines: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"error[{self.code}] {self.what}"]
        if self.where is not None:
            lines.append(f"  where  {self.where}")
        if self.excerpt:
            label = "  graph  "
            for line in self.excerpt.splitlines():
                lines.append(f"{label}{line}")
                label = "         "
        lines.append(f"  fix    {self.fix}")
        return "\n".join(lines)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint for a name that isn't known: `, did you mean `depth`?`, or "" where no known name is near.

    >>> did_you_mean("dept", ["width", "depth"])
    ', did you mean `depth`?'
    >>> did_you_mean("fit", ["prepare", "each/fit"])
    ', did you mean `each/fit`?'
    """
    from difflib import get_close_matches  # only an error needs it, and a step must start fast

    names = list(known)
    near = [one for one in names if one.endswith(f"/{name}")] or get_close_matches(name, names, n=1)
    return f", did you mean `{near[0]}`?" if near else ""


class DrawloomError(Exception):
    """The root of every exception drawloom raises.

    Args:
        diagnostics: one diagnostic, or several in the order they should be read.
    """

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        found = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        self.diagnostics: Sequence[Diagnostic] = found
        super().__init__("\n".join(str(d) for d in found))

    def __reduce__(self) -> tuple[type[DrawloomError], tuple[object, ...]]:
        return (type(self), (self.diagnostics,))


class DefinitionError(DrawloomError):
    """A task or a pipeline is declared or traced wrongly."""


class CheckFailed(DrawloomError):
    """A pipeline's graph has one or more problems; `diagnostics` lists all of them."""


class ValueRefused(DrawloomError):
    """A value can't be encoded, decoded or versioned."""


class StoreError(DrawloomError):
    """A store can't be read or written."""


class CorruptObject(StoreError):
    """Bytes read from a store don't have the digest they are kept under."""


class RunRefused(DrawloomError):
    """A run can't start as asked."""


class RunFailed(DrawloomError):
    """A run ended with a failed node; `__cause__` is the task's own exception where it could be kept."""


class RunCancelled(DrawloomError):
    """A run was cancelled before it had a result."""


class NodeFailed(DrawloomError):
    """A task failed in another process and its exception class can't be rebuilt here; the message tells both."""


class ProjectError(DrawloomError):
    """The project file, a profile, an environment override or a command-line value is wrong."""


class CompileError(DrawloomError):
    """An engine can't express a pipeline, or its bundle can't be built."""


class EngineError(DrawloomError):
    """A live engine can't be reached, or refuses what it was asked for."""


class ConnectionLost(EngineError):
    """A live engine can't be reached just now; asking again may help."""


class TaskFailed(Exception):
    """A task failed by no exception of its own: its process was lost, or an attempt took too long.

    `except TaskFailed` in a pipeline handles such failures, and no exception that a task raises.
    """


class BoundReached(Exception):
    """A loop's test was still true after `max_iterations` iterations, and `on_limit` is `fail`.

    The same exception with the same text everywhere: in plain Python, in the reference interpreter, on every engine.

    Args:
        max_iterations: the bound that was reached; or the text of such an exception, which is raised again.
    """

    def __init__(self, max_iterations: int | str) -> None:
        super().__init__(max_iterations)

    def __str__(self) -> str:
        if isinstance(self.args[0], str):
            return self.args[0]
        return f"the loop's test is still true after max_iterations={self.args[0]} iterations"
