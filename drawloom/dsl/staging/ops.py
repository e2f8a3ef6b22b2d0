"""What rewritten functions call: the one name that is put into them. `staging.rewrite` says what becomes of what."""

from __future__ import annotations

import operator
from typing import Any

from drawloom.dsl.handles import Handle, shown
from drawloom.dsl.place import refusal
from drawloom.dsl.splice import Splice
from drawloom.dsl.staging.branches import If
from drawloom.dsl.staging.calls import fn
from drawloom.dsl.staging.changes import check_change, outside
from drawloom.dsl.staging.choices import both, choice, chosen, enter, first, go_on, keep, kept, left, named, other
from drawloom.dsl.staging.classes import refuse_hidden
from drawloom.dsl.staging.comprehensions import comp, done, each, elem, known_items, where
from drawloom.dsl.staging.displays import listed, new, table
from drawloom.dsl.staging.for_loops import For
from drawloom.dsl.staging.functions import Function
from drawloom.dsl.staging.lists import changing
from drawloom.dsl.staging.loops import While
from drawloom.dsl.staging.managers import manager
from drawloom.dsl.staging.once import taken
from drawloom.dsl.staging.parts import attribute, dict_method, item
from drawloom.dsl.staging.raising import raised, reraised
from drawloom.dsl.staging.scopes import UNBOUND, current_stage
from drawloom.dsl.staging.texts import fstr
from drawloom.dsl.staging.tries import Passing, Try
from drawloom.dsl.staging.unbound import read
from drawloom.dsl.staging.unpacking import keys, star, unpack
from drawloom.dsl.staging.values import computed, open_ended, run_time

__all__ = [
    "UNBOUND",
    "For",
    "Function",
    "If",
    "Passing",
    "Try",
    "While",
    "attribute",
    "both",
    "choice",
    "chosen",
    "comp",
    "compared",
    "dict_method",
    "done",
    "each",
    "elem",
    "enter",
    "first",
    "fn",
    "fstr",
    "go_on",
    "in_",
    "inplace",
    "item",
    "keep",
    "kept",
    "keys",
    "known_items",
    "known_subject",
    "known_test",
    "left",
    "listed",
    "manager",
    "named",
    "new",
    "not_",
    "not_in",
    "not_same",
    "other",
    "outside",
    "raised",
    "read",
    "reraised",
    "same",
    "slice",
    "star",
    "storable",
    "stored",
    "table",
    "unpack",
    "where",
]

# Any: operands are the user's values, or handles over them

slice = slice  # noqa: A001  # a user's function may have a `slice` of its own


def not_(value: Any) -> Any:
    """`not value`."""
    stage = current_stage()
    found = value if stage is None else run_time(stage, value)
    return computed(stage, "not", found) if stage is not None and isinstance(found, Handle) else not value


def same(one: Any, two: Any) -> Any:
    """`one is two`; of run-time values with None, True and False alone.

    Raises:
        DefinitionError: it asks whether a run-time value is another object (D142).
    """
    stage = current_stage()
    if stage is None or not (isinstance(one, Handle) or isinstance(two, Handle)):
        return one is two
    value, constant = (one, two) if isinstance(one, Handle) else (two, one)
    if constant is None:
        return computed(stage, "is_none", value)
    if constant is True or constant is False:
        kinds = (
            {member.name for member in value._dl_type.args} if value._dl_type.name == "union" else {value._dl_type.name}
        )
        if kinds == {"bool"}:
            return value if constant else computed(stage, "not", value)
        if kinds == {"bool", "none"}:
            return computed(stage, "eq", value, constant)
    raise refusal(
        "D142",
        f"`is` asks whether {shown(value)} is a certain object, known only at run time",
        "use `==`, or test it in a @task",
    )


def not_same(one: Any, two: Any) -> Any:
    """`one is not two`."""
    return not_(same(one, two))


def compared(op: str, one: Any, two: Any) -> Any:
    """`one == two`, and so on; a list with a run-time part is compared in a run."""
    stage = current_stage()
    if stage is not None and (type(one) in (list, tuple) or type(two) in (list, tuple)):
        one, two = run_time(stage, one), run_time(stage, two)
    return getattr(operator, op)(one, two)


def in_(item: Any, container: Any) -> Any:
    """`item in container`."""
    stage = current_stage()
    if stage is None:
        return item in container
    found = taken(run_time(stage, container))
    if isinstance(found, Handle) or _holds_run_time(item) or _holds_run_time(found):
        return computed(stage, "contains", found, item)
    return item in found


def not_in(item: Any, container: Any) -> Any:
    """`item not in container`."""
    return not_(in_(item, container))


def _holds_run_time(value: Any) -> bool:
    from drawloom.dsl.constants import holds_handle

    return isinstance(value, Handle) or holds_handle(value)


def inplace(op: str, old: Any, value: Any) -> Any:
    """`old += value`, and so on: what the name is bound to then."""
    stage = current_stage()
    if stage is not None and type(old) is list:
        changing(stage.tracer, old)
        value = taken(run_time(stage, value))
        if op == "add" and open_ended(value):
            old.append(Splice(value if value._dl_type.name == "list" else computed(stage, "as_list", value)))
            return old
    elif stage is not None and type(old) in (dict, set):
        check_change(stage, old, f"{_CHANGES.get(op, op)}=")
    return getattr(operator, _IN_PLACE.get(op, f"i{op}"))(old, value)


_IN_PLACE = {"and_": "iand", "or_": "ior"}
_CHANGES = {"and_": "&", "or_": "|", "sub": "-", "xor": "^"}  # of dicts and sets


def stored(value: Any) -> Any:
    """A value that is put into an object."""
    stage = current_stage()
    if stage is not None:
        stage.stored = (value,)
    return value


def storable(owner: Any, what: str) -> Any:
    """The object whose attribute or item is assigned or deleted.

    Raises:
        DefinitionError: that would be done whether or not a run comes here (D144).
    """
    stage = current_stage()
    if stage is not None and not isinstance(owner, Handle):
        if what.startswith("."):
            refuse_hidden(type(owner), *stage.stored)
        if type(owner) is list:
            _check_list(owner)
        check_change(stage, owner, what)
    return owner


def _check_list(owner: list[Any]) -> None:
    for one in owner:
        if type(one) is Splice:
            bool(one)  # which refuses


def known_subject(value: Any) -> Any:
    """What a `match` on shapes is made on.

    Raises:
        DefinitionError: it is known only at run time (D151).
    """
    return _known_in_match(
        value, "a `match` looks into the shape of a run-time value", "match literals, or take it apart in a @task"
    )


def known_test(value: Any) -> Any:
    """The guard of a case of a `match` on shapes.

    Raises:
        DefinitionError: it is known only at run time (D151).
    """
    return _known_in_match(
        value, "the guard of a `match` on shapes is known only at run time", "write an `if` in the case"
    )


def _known_in_match(value: Any, what: str, fix: str) -> Any:
    stage = current_stage()
    if stage is not None and isinstance(run_time(stage, value), Handle):
        raise refusal("D151", what, fix)
    return value
