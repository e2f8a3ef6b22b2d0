"""What a task prints in a pod of Argo's, without what Argo's own process around it prints into the same stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["without_argo"]

# `time=2026-... level=INFO msg="sub-process exited" error=<nil> argo=true`, or the same as JSON
_ARGOS: Final = re.compile(rb'time=\S+ level=\w+ .*\bargo=true\b|\{"time":"[^"]+","level":"\w+",.*"argo":true\b')
_BEGINS: Final = (b"time=", b'{"time":"')


def without_argo(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The output of a pod's main container, as soon as it is there, without Argo's own lines.

    Args:
        pieces: what the container printed, in pieces of any size.
    """
    rest = b""  # the beginning of a line that may be Argo's
    inside = False  # whether the beginning of this line has been given away
    for piece in pieces:
        *lines, last = (rest + piece).split(b"\n")
        kept = []
        for line in lines:
            if inside or not _ARGOS.match(line):
                kept.append(line + b"\n")
            inside = False
        rest = last if not inside and _may_be_argos(last) else b""
        if last and not rest:
            kept.append(last)
            inside = True
        if kept:
            yield b"".join(kept)
    if rest and not _ARGOS.match(rest):
        yield rest


def _may_be_argos(begin: bytes) -> bool:
    return any(begin.startswith(word) or word.startswith(begin) for word in _BEGINS)
