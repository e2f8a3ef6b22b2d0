"""The docstrings of a program's functions, laid out when somebody reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["Docs"]


class Docs(Mapping[str, str]):
    """Name -> docstring, of the functions that have one.

    Args:
        functions: name -> function.
    """

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._texts = {name: one.__doc__ for name, one in functions.items() if one.__doc__}

    def __getitem__(self, name: str) -> str:
        from inspect import cleandoc  # costs more than a trace does, and few ask

        return cleandoc(self._texts[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)
