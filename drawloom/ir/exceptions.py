"""An exception again, of which the class and the text are known. Standard library alone: a step loads this module."""

from __future__ import annotations

__all__ = ["exception_again"]


def exception_again(cls: type[BaseException], message: str) -> BaseException:
    """An exception of a class with a text, made without its `__init__`, which may want anything.

    Args:
        cls: the class.
        message: what `str` of it gives.

    Returns:
        An exception of `cls`; of a subclass with the same name where the class makes its text of other arguments.
    """
    made = _made(cls, message)
    if _text(made) != message:  # `KeyError` shows the repr of its argument
        made = _made(cls, _Shown(message))
    if _text(made) != message:
        told = {"__str__": lambda _: message, "__module__": cls.__module__, "__qualname__": cls.__qualname__}
        made = _made(type(cls.__name__, (cls,), told), message)
    return made


def _made(cls: type[BaseException], argument: str) -> BaseException:
    made = cls.__new__(cls, argument)
    made.args = (argument,)
    return made


def _text(made: BaseException) -> str | None:
    try:
        return str(made)
    except Exception:  # noqa: BLE001  # what it would show was never set
        return None


class _Shown(str):
    """A text whose repr is itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
