"""Environment variables for the time of a call: what `Policies.env` means. Standard library alone, as a step is."""

from __future__ import annotations

import os
from types import TracebackType

__all__ = ["Variables"]


class Variables:
    """A `with` in which variables of this process have other values; they belong to all its threads.

    Args:
        pairs: (name, text).
    """

    __slots__ = ("_before", "_pairs")

    def __init__(self, pairs: tuple[tuple[str, str], ...]) -> None:
        self._pairs = pairs
        self._before: list[tuple[str, str | None]] = []

    def __enter__(self) -> None:
        if self._pairs:
            self._before = [(name, os.environ.get(name)) for name, _ in self._pairs]
            os.environ.update(self._pairs)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for name, text in self._before:
            if text is not None:
                os.environ[name] = text
            else:
                os.environ.pop(name, None)
