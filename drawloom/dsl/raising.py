"""The tasks behind `raise` in a pipeline: a run makes the exception and raises it.

Standard library alone: a step loads this module.
"""

from __future__ import annotations

import importlib
from typing import Any

from drawloom.ir.exceptions import exception_again

__all__ = ["raise_again", "raise_error"]

# Any: an exception takes whatever its class takes


def raise_error(cls: str, args: list[Any]) -> None:
    """Raise an exception.

    Args:
        cls: its class, `module:qualname`.
        args: what it is made of.
    """
    raise _class(cls)(*args)


def raise_again(failure: Any) -> None:
    """Raise an exception that was caught, of the same class and with the same text.

    Args:
        failure: what is known of it, a `drawloom.Failure`.
    """
    raise _again(failure.type, failure.message)


def _class(name: str) -> Any:
    module, _, qualname = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in qualname.split("."):
        found = getattr(found, part)
    return found


def _again(name: str, message: str) -> BaseException:
    if ":" not in name:
        from drawloom.errors import TaskFailed  # lazy: few failures aren't an exception of a task

        return TaskFailed(f"{name}: {message}")
    return exception_again(_class(name), message)
