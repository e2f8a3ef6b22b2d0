"""A run-time part of a list that is known otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from drawloom.dsl.place import refusal

if TYPE_CHECKING:
    from drawloom.dsl.handles import Handle

__all__ = ["Splice", "Unsure"]

# Any: whatever a list is compared with or asked for


class Splice:
    """So many items of a list as a run-time list has."""

    __slots__ = ("handle",)

    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    def __repr__(self) -> str:
        from drawloom.dsl.handles import LEAK_MARK  # lazy: it imports this module's users

        return f"{LEAK_MARK} items of a list\u27e9"

    def _refuse(self, *_: object) -> Any:
        raise refusal(
            "D142",
            "a list is looked into that holds as many items as a run will have put there",
            "loop over it, pass it to a @task, or take `len()` of it",
        )

    __eq__ = __ne__ = __bool__ = __call__ = __iter__ = __len__ = __str__ = _refuse
    __add__ = __radd__ = __lt__ = __gt__ = __le__ = __ge__ = __format__ = __getitem__ = _refuse
    __hash__ = None  # type: ignore[assignment]


class Unsure(Splice):
    """Stands in a list that a `try` may or may not have made grow when it failed; the list can't be read then."""

    __slots__ = ()

    def __init__(self) -> None: ...

    def refuse(self) -> NoReturn:
        """Say that the list can't be read.

        Raises:
            DefinitionError: always (D138).
        """
        raise refusal(
            "D138",
            "a list may be either of two things here: it grows in the `try`, which may have failed before or after",
            "let it grow behind the `try`, or make another list in the `try`",
        )

    def __repr__(self) -> str:
        return "<unsure>"
