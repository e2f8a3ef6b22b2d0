"""A run-time part of a list that is known otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.dsl.place import refusal

if TYPE_CHECKING:
    from drawloom.dsl.handles import Handle

__all__ = ["Splice"]

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
