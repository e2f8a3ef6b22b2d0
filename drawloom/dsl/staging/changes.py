"""Changes of known objects: where a run may not come, or come many times, only of what was made there."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import BuiltinMethodType
from typing import Any, Final

from drawloom.dsl.place import refusal
from drawloom.dsl.splice import Splice
from drawloom.dsl.staging.lists import changing, has_splice
from drawloom.dsl.staging.once import taken
from drawloom.dsl.staging.scopes import Stage, current_stage
from drawloom.dsl.staging.values import computed, open_ended, run_time

__all__ = [
    "built_in_method",
    "changes_an_argument",
    "changing_call",
    "check_change",
    "is_changeable",
    "outside",
    "refuse_outside",
    "takes_run_time",
]

# Any: objects of any class

_GROWS: Final = ("append", "extend")
_UNCHANGING: Final = (str, bytes, int, float, complex, bool, tuple, frozenset, range, type(None), type)
_READS: Final = frozenset(
    {"get", "keys", "values", "items", "index", "count", "copy", "union", "intersection", "difference", "issubset"}
    | {"issuperset", "isdisjoint", "symmetric_difference", "most_common", "elements", "tolist"}
)
_CHANGERS: Final = ("heapq", "_heapq", "bisect", "_bisect")  # modules whose functions change a list they are given
_UNBOUND: Final = type(list.append)


def is_changeable(value: object) -> bool:
    """Whether a value is of a kind that calls may change: a container, an iterator."""
    return isinstance(value, (list, dict, set, bytearray, Iterator)) and not hasattr(value, "_dl_block")


def check_change(stage: Stage, changed: Any, how: str) -> None:
    """Refuse a change that would be made whether or not a run comes here.

    Raises:
        DefinitionError: a region is being recorded, and `changed` is older than it (D144).
    """
    blocks = stage.tracer.open_blocks
    if not blocks or id(changed) in blocks[-1].born:
        return
    raise refusal(
        "D144",
        f"`{how}` stands under a run-time test or loop, but would change the {type(changed).__name__} in any case",
        "assign a local name, or return the changed value from a @task",
    )


def built_in_method(stage: Stage, callee: BuiltinMethodType) -> Callable[..., Any]:
    """A method of an object that isn't of the user's: what may change the object is looked at.

    Raises:
        DefinitionError: as `check_change`; or the list has a run-time part, which the method takes for one item (D142).
    """
    owner, name = callee.__self__, callee.__name__
    if type(owner) is list and name in _GROWS:
        return _Grower(stage, owner, name)
    if has_splice(owner) and name not in ("clear", "copy"):
        raise refusal(
            "D142",
            f"`.{name}()` looks into a list that holds as many items as a run will have put there",
            "loop over it, or pass it to a @task",
        )
    if not isinstance(owner, _UNCHANGING) and name not in _READS:
        check_change(stage, owner, f".{name}()")
    return callee


class _Grower:
    """`append` and `extend`, which may be given run-time values."""

    def __init__(self, stage: Stage, grown: list[Any], name: str) -> None:
        self.stage, self.grown, self.name = stage, grown, name

    def __call__(self, value: Any) -> None:
        changing(self.stage.tracer, self.grown)
        if self.name == "append":
            self.grown.append(value)
            return
        value = taken(run_time(self.stage, value))
        if open_ended(value):
            listed = value if value._dl_type.name == "list" else computed(self.stage, "as_list", value)
            self.grown.append(Splice(listed))
        else:
            self.grown.extend(value)


def takes_run_time(callee: object) -> bool:
    """Whether a function may be given run-time values though it isn't converted."""
    return type(callee) is _Grower


def changes_an_argument(callee: Any) -> bool:
    """Whether a function changes an object that it is given: `setattr`, `list.append`, `heapq.heappush`, `next`."""
    if callee in (setattr, delattr):
        return True
    owner = getattr(callee, "__objclass__", None)
    if type(callee) is _UNBOUND and owner in (list, dict, set, bytearray):
        return callee.__name__ not in _READS
    return getattr(callee, "__module__", "") in _CHANGERS and not isinstance(callee, type)


def changing_call(stage: Stage, callee: Callable[..., Any]) -> Callable[..., Any]:
    """Such a function, looked at when it is called."""

    @functools.wraps(callee)
    def call(first: Any, *args: Any, **more: Any) -> Any:
        check_change(stage, first, f"{callee.__name__}()")
        if has_splice(first):
            raise refusal(
                "D142",
                f"`{callee.__name__}()` looks into a list that holds as many items as a run will have put there",
                "loop over it, or pass it to a @task",
            )
        return callee(first, *args, **more)

    return call


def refuse_outside(stage: Stage, name: str) -> None:
    """Refuse to bind a name of a function or module around where a run may not come, or come many times.

    Raises:
        DefinitionError: a region is being recorded (D144).
    """
    if stage.in_region:
        raise refusal(
            "D144",
            f"`{name}` is bound under a run-time test or loop, but a `nonlocal` or `global` name would be in any case",
            "assign a local name and return it",
        )


def outside(name: str) -> None:
    """A name of a function or module around is bound.

    Raises:
        DefinitionError: as `refuse_outside`.
    """
    stage = current_stage()
    if stage is not None:
        refuse_outside(stage, name)
