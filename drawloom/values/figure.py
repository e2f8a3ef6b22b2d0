"""`Picture`: a picture as bytes. A matplotlib figure arrives as one: it can be shown and saved, not redrawn.

Standard library alone.
"""

from __future__ import annotations

import os
import struct
import zlib
from hashlib import sha256
from typing import Final

from drawloom.values.problems import refused

__all__ = ["Picture", "picture_digest"]

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
# what decides how a PNG looks; texts, times and the writer's name don't
_VISIBLE: Final = frozenset((b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"pHYs"))


class Picture:
    """A PNG picture; notebooks show it.

    Args:
        png: the bytes of a PNG file.

    Raises:
        ValueRefused: V312, these are not the bytes of a PNG file.
    """

    __slots__ = ("png",)

    def __init__(self, png: bytes) -> None:
        self.png = bytes(png)
        picture_digest(self.png)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = struct.unpack(">II", self.png[16:24])
        return width, height

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the PNG file `path`."""
        with open(path, "wb") as file:
            file.write(self.png)

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        width, height = self.size
        return f"Picture({width} x {height})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Picture) and picture_digest(self.png) == picture_digest(other.png)

    def __hash__(self) -> int:
        return hash(picture_digest(self.png))


def picture_digest(png: bytes) -> str:
    """The digest of what a PNG file shows: pixels, palette, colours and resolution, not how well it is compressed.

    Raises:
        ValueRefused: V312, these are not the bytes of a PNG file.
    """
    digest = sha256()
    pixels = zlib.decompressobj()
    at, ended = len(_SIGNATURE), False
    try:
        if not png.startswith(_SIGNATURE) or png[12:16] != b"IHDR":
            raise ValueError("it doesn't begin as one")
        while not ended:
            length, kind = struct.unpack(">I4s", png[at : at + 8])
            body = png[at + 8 : at + 8 + length]
            if struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] != zlib.crc32(kind + body):
                raise ValueError("a part of it is damaged")
            if kind in _VISIBLE:
                digest.update(kind + struct.pack(">I", length) + body)
            elif kind == b"IDAT":
                digest.update(pixels.decompress(body))
            ended = kind == b"IEND"
            at += 12 + length
    except (struct.error, zlib.error, ValueError) as error:
        raise refused(
            "V312",
            f"these {len(png)} bytes are not a PNG file: {error}",
            "pass the bytes of a PNG file; `File` takes pictures of other formats",
        ) from error
    return digest.hexdigest()
