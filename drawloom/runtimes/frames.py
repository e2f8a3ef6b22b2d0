"""Length-prefixed messages over a pipe, as parent and worker process exchange them."""

from __future__ import annotations

import os
import struct
from typing import Final

__all__ = ["HEADER_BYTES", "frame_length", "read_frame", "write_frame"]

_HEADER: Final = struct.Struct(">Q")
HEADER_BYTES: Final = _HEADER.size


def frame_length(header: bytes) -> int:
    """The number of bytes that follow a header."""
    return int(_HEADER.unpack(header)[0])


def write_frame(descriptor: int, message: bytes) -> None:
    """Writes one message whole.

    Raises:
        OSError: the other end is closed.
    """
    view = memoryview(_HEADER.pack(len(message)) + message)
    while view:
        view = view[os.write(descriptor, view) :]  # a pipe takes what fits


def read_frame(descriptor: int) -> bytes | None:
    """The next message, None where the other end was closed."""
    header = _read(descriptor, HEADER_BYTES)
    return None if header is None else _read(descriptor, frame_length(header))


def _read(descriptor: int, count: int) -> bytes | None:
    parts = []
    while count:
        part = os.read(descriptor, min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
