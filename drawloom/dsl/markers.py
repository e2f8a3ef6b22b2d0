"""What stands in annotations: `Static[T]` and `Codec("name")`.

Imports nothing but `typing`: a user's module names them where a step loads it.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

__all__ = ["STATIC", "Codec", "Static"]

T = TypeVar("T")


class _StaticMark:
    """The metadata that tells a compile-time parameter from a run-time one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "STATIC"


STATIC: Final = _StaticMark()

Static = Annotated[T, STATIC]
"""`Static[int]`: a pipeline parameter that is known while the pipeline is traced, a plain value inside it."""


class Codec:
    """Names the codec for a type that drawloom doesn't know: `Annotated[Mesh, Codec("mesh")]`.

    Args:
        name: `pickle`, or `module:qualname` of a subclass of `ValueCodec`.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Codec({self.name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Codec) and self.name == other.name

    def __hash__(self) -> int:
        return hash(("Codec", self.name))
