"""A task's exception again, from what its failure record kept.

The class is looked up by name and called with the arguments it was raised with; no pickle is involved. One that wants
other arguments gets its text alone. Where the class can't be had, a `NodeFailed` tells the same.
"""

from __future__ import annotations

from collections.abc import Callable

from drawloom.catalog.records import FailureInfo
from drawloom.errors import Diagnostic, NodeFailed, Span
from drawloom.ir.canonical import Json
from drawloom.ir.envelope import class_by_ref
from drawloom.ir.exceptions import exception_again

__all__ = ["rebuild_exception"]


def rebuild_exception(
    failure: FailureInfo, decode: Callable[[Json], object], *, node: str = "", where: Span | None = None
) -> BaseException:
    """The exception a failure record tells of.

    Args:
        failure: the record.
        decode: makes a value of an envelope (`values.store.Values.decode`).
        node: the node it happened in, for the message where the class can't be had.
        where: the node's place in the user's source.

    Returns:
        An exception of the original class with its arguments, or with its text, else a `NodeFailed` (S473); the
        task's traceback is a note.
    """
    made = _original(failure, decode)
    if made is None:
        made = NodeFailed(
            Diagnostic(
                code="S473",
                what=f"node `{node}` failed: {describe(failure)}",
                where=where,
                fix=_fix(failure),
            )
        )
    if failure.traceback:
        made.add_note("The task's own traceback:\n" + failure.traceback.rstrip())
    return made


def describe(failure: FailureInfo | None) -> str:
    """A failure in one line: class and message.

    >>> describe(FailureInfo(type="builtins:ValueError", message="no rows"))
    'ValueError: no rows'
    """
    if failure is None:
        return "nobody lived to tell why"
    name = failure.type.partition(":")[2] or failure.type
    return f"{name}: {failure.message}" if failure.message else name


def _fix(failure: FailureInfo) -> str:
    if ":" not in failure.type:
        return "give the task more time or memory, or let it be tried again: `retry=Retry(max_attempts=3)`"
    return f"make `{failure.type.partition(':')[0]}` importable here to get the task's own exception class"


def _original(failure: FailureInfo, decode: Callable[[Json], object]) -> BaseException | None:
    if ":" not in failure.type:
        return None
    try:
        found = class_by_ref(failure.type)
        if not (isinstance(found, type) and issubclass(found, BaseException)):
            return None
        return _made(found, failure, decode) or exception_again(found, failure.message)
    except Exception:  # noqa: BLE001  # any class of the user's may refuse in any way; the record tells all there is
        return None


def _made(found: type[BaseException], failure: FailureInfo, decode: Callable[[Json], object]) -> BaseException | None:
    """The exception made of the arguments it was raised with, if that says the same."""
    try:
        arguments = decode(failure.arguments)
        if not isinstance(arguments, (tuple, list)):
            return None
        made = found(*arguments)
        # a class whose arguments aren't those of its __init__ may take them all the same, and then say something else
        return made if type(made) is found and str(made) == failure.message else None
    except Exception:  # noqa: BLE001  # see above
        return None
