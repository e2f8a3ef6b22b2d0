"""`ValueCodec`: how a project teaches drawloom a type of its own. Standard library alone: a step loads this module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from hashlib import sha256
from typing import Generic, TypeVar

__all__ = ["ValueCodec"]

T = TypeVar("T")


class ValueCodec(ABC, Generic[T]):
    """A codec for one type; its subclass is named where the type is used: `Annotated[Mesh, Codec("shapes:MeshCodec")]`.

    It is made without arguments, wherever a value is written or read, and must not keep state.
    """

    @abstractmethod
    def encode(self, value: T) -> bytes:
        """The bytes of `value`."""

    @abstractmethod
    def decode(self, data: bytes) -> T:
        """The value of `data`: equal to the one encoded, and a new object at each call."""

    def digest(self, value: T) -> str:
        """What equal values have in common: 64 hex characters. Override it where `encode` isn't deterministic."""
        return sha256(self.encode(value)).hexdigest()
