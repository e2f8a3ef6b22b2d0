"""Values that are known while a pipeline is traced, as constants of the IR, and their types."""

from __future__ import annotations

from typing import Any

from drawloom.dsl.annotations import Names, UnknownName, UnsupportedType, read_annotation
from drawloom.dsl.handles import LEAK_MARK, Effect, Handle
from drawloom.dsl.place import refusal
from drawloom.dsl.splice import Splice, Unsure
from drawloom.ir.assign import union_of
from drawloom.ir.canonical import canonical_json
from drawloom.ir.envelope import NotEncodable, class_ref, encode
from drawloom.ir.iterated import iterated_type
from drawloom.ir.operands import Const
from drawloom.ir.types import ANY, BOOL, FLOAT, INT, NONE, STR, Type

__all__ = ["constant", "holds_handle", "reference_leaf", "value_type"]

# Any: a constant may be anything, until it is looked at

_WORDS = {None: "null", True: "true", False: "false"}
_SCALARS: dict[type, Type] = {type(None): NONE, bool: BOOL, int: INT, float: FLOAT, str: STR, bytes: Type("bytes")}
_LOOKED_AT = ("drawloom.values.files.", "drawloom.values.external.")
_LEAKED = canonical_json(LEAK_MARK)[1:-1]


class _HandleInside(Exception):  # on its way to a Diagnostic
    """A record that is being encoded holds a handle."""

    def __init__(self, handle: Handle) -> None:
        super().__init__(handle)
        self.handle = handle


def constant(value: Any, what: str) -> Const:
    """A known value as a constant.

    Args:
        value: any value without a handle in its lists, tuples and dicts.
        what: what it is given to, for the message: "input `n` of `train`".

    Raises:
        DefinitionError: it can't be kept (D113), a record or set in it hides a run-time value (D114), it is a text made
            of one (D127), or a file or an external (D128).
    """
    if value is None or value is True or value is False:
        return Const(_WORDS[value])
    if type(value) is int and -(2**53) < value < 2**53:
        return Const(str(value))
    try:
        text = canonical_json(encode(value, _leaf))
    except _HandleInside as found:
        raise _hidden(value, found.handle, what) from None
    except NotEncodable as error:
        raise _not_kept(error, what) from None
    if _LEAKED in text:
        raise refusal(
            "D127",
            f"{what} is a text that was made of a run-time value: {value!r}",
            "make the text in a @task",
        )
    return Const(text)


def _leaf(value: Any) -> Any:
    if isinstance(value, Handle):
        raise _HandleInside(value)
    return reference_leaf(value)


def reference_leaf(value: Any) -> Any:
    """The tree of a `Secret`, which is a name and nothing else; any other leaf needs a store.

    An `External` isn't one: its version is looked up when it is handed over, and a constant never is.

    Raises:
        NotEncodable: it is anything else.
    """
    if class_ref(type(value)) == "drawloom.values.secret:Secret":
        return {"$": "secret", "name": value.name}
    raise NotEncodable(value, "")


def _hidden(value: Any, handle: Handle, what: str) -> Exception:
    kind = type(value).__qualname__
    return refusal(
        "D114",
        f"{what} is a `{kind}` that hides {handle!r}",
        f"pass the parts to a @task and make the `{kind}` in it",
    )


_OWN = {
    "drawloom.dsl.task.Task": "task",
    "drawloom.dsl.pipeline.Pipeline": "pipeline",
    "drawloom.dsl.bounded.Bounded": "`bounded(...)`",
    "drawloom.dsl.staging.once.Once": "iterator, as `zip(...)` gives it",
}


def _not_kept(error: NotEncodable, what: str) -> Exception:
    if error.type_name.startswith(_LOOKED_AT):
        return refusal(
            "D128",
            f"{what} is a `{error.type_name.rpartition('.')[2]}`, whose version is known only when a run begins",
            "make it a parameter of the pipeline",
        )
    error.type_name = _OWN.get(error.type_name, error.type_name)
    return refusal(
        "D113",
        f"{what} can't be kept as a constant: {error}",
        "make it a parameter of the pipeline, or load it in a @task",
    )


def holds_handle(value: Any) -> bool:
    """Whether a handle lies in `value` or in the lists, tuples and dicts in it."""
    kind = type(value)
    if kind is list or kind is tuple:
        return any(isinstance(v, _RUN_TIME) or holds_handle(v) for v in value)
    if kind is dict:
        return any(isinstance(v, _RUN_TIME) or holds_handle(v) for v in value.values())
    return False


_RUN_TIME = (Handle, Splice)


def _item_type(value: Any) -> Type:
    """The type of an item of a list; of those that a run-time part stands for."""
    if isinstance(value, Unsure):
        return ANY
    return (iterated_type(value.handle._dl_type) or ANY) if isinstance(value, Splice) else value_type(value)


def value_type(value: Any) -> Type:
    """The type of a known value, or of lists, tuples and dicts of handles; `any` where nothing is known."""
    if isinstance(value, Handle):
        if isinstance(value, Effect):
            return NONE
        type_ = value._dl_type
        return type_ if type_.name != "union" else value._dl_block.known_type(value._dl_operand, type_)
    kind = type(value)
    known = _SCALARS.get(kind)
    if known is not None:
        return known
    if kind is tuple:
        return Type("tuple", tuple(value_type(v) for v in value))
    if kind in (list, set, frozenset):
        return Type(kind.__name__, (union_of([_item_type(v) for v in value]) if value else ANY,))
    if kind is dict:
        keys, items = [value_type(k) for k in value], [value_type(v) for v in value.values()]
        return Type("dict", (union_of(keys), union_of(items)) if value else (ANY, ANY))
    try:
        return read_annotation(kind, Names({}, {}))
    except (UnknownName, UnsupportedType):
        return ANY
