"""Names that can't be read: bound on one side of a branch only, or to things that no run can choose between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from drawloom.dsl.place import refusal, span_at
from drawloom.dsl.sites import Site
from drawloom.errors import DefinitionError

if TYPE_CHECKING:
    from drawloom.dsl.tracer import Tracer

__all__ = [
    "UNBOUND",
    "Unreadable",
    "is_readable",
    "maybe_assigned",
    "maybe_unbound",
    "not_handed_on",
    "read",
    "unjoinable",
]


class _Unbound:
    """Stands for a name that isn't bound."""

    def __repr__(self) -> str:
        return "<unbound>"


UNBOUND: Final = _Unbound()


class Unreadable:
    """Stands under a name until it is bound again; reading it is refused.

    Attributes:
        why: what it may be and why: "may be unbound here: ..."; `{line}` in it is the line of `site`.
        fix: what to do about it.
        error: what to say in its place, None for that.
        site: the statement that is to blame; its line is looked up only if somebody is told.
    """

    __slots__ = ("error", "fix", "site", "why")

    def __init__(self, why: str, fix: str, error: DefinitionError | None = None, site: Site | None = None) -> None:
        self.why = why
        self.fix = fix
        self.error = error
        self.site = site

    def __repr__(self) -> str:
        return "<maybe unbound>"

    def again(self) -> Unreadable:
        """Another one of the same kind."""
        return Unreadable(self.why, self.fix, self.error, self.site)


def maybe_unbound(tracer: Tracer, node: str) -> Unreadable:
    """A name that only some ways through the control node `node` bind."""
    return Unreadable(
        "may be unbound here: only some ways through the statement on line {line} assign it",
        "give it a value before that, or on every way through it",
        site=tracer.sites[node],
    )


def maybe_assigned() -> Unreadable:
    """A name that a `try` may or may not have bound when it failed."""
    return Unreadable(
        "may be either of two things here: it is assigned in the `try`, which may have failed before or after that",
        "give it a value in every `except`, or bind another name in the `try`",
    )


def not_handed_on() -> Unreadable:
    """A name that a `finally` binds to what a run gives."""
    return Unreadable(
        "is bound in the `finally` to the result of a task, which isn't handed on from there",
        "call the task behind the `try`",
    )


def unjoinable(error: DefinitionError) -> Unreadable:
    """A name that is bound to different things, of which one can't be a run-time value."""
    return Unreadable("", "", error)


def is_readable(value: Any) -> bool:  # Any: whatever a name is bound to
    """Whether what is kept of a name is a value of it."""
    return value is not UNBOUND and not isinstance(value, Unreadable)


def read(value: Any, name: str) -> Any:  # Any: the user's value, or a handle over it
    """The value of a name, if it has one.

    Raises:
        DefinitionError: it may be unbound here (D138), or is a thing that only one side of a test has (D146).
    """
    if type(value) is not Unreadable:
        return value
    if value.error is not None:
        shown = f"`{name}`" if name.isidentifier() else name
        raise refusal(
            "D146",
            f"only a run would know which of several things {shown} is, but {value.error.diagnostics[0].what}",
            "use each where it is made: call it in both branches",
        )
    why = value.why if value.site is None else value.why.format(line=span_at(*value.site).line)
    raise refusal("D138", f"`{name}` {why}", value.fix)
