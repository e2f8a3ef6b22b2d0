"""Names of objects of Kubernetes, made of any text (RFC 1123, of at most 63 characters)."""

from __future__ import annotations

import re
from typing import Final

from drawloom.ir.canonical import digest_bytes

__all__ = ["object_name", "plain_text", "shortened"]

_OTHER: Final = re.compile(r"[^a-zA-Z0-9]+")
_LONGEST_OBJECT: Final = 50  # a pod's name is made of the workflow's, and Kubernetes cuts what is longer than 63


def object_name(text: str) -> str:
    """A name for an object of Kubernetes."""
    return shortened(plain_text(text).lower() or "pipeline", _LONGEST_OBJECT)


def plain_text(text: str) -> str:
    """A text of letters and digits of ASCII alone, `-` for all else, which it doesn't begin or end with."""
    return _OTHER.sub("-", text).strip("-")


def shortened(text: str, longest: int) -> str:
    """A text of at most so many characters: where it has more, its end is that of its digest."""
    if len(text) <= longest:
        return text
    return f"{text[: longest - 9].rstrip('-')}-{digest_bytes(text.encode('utf-8'))[:8]}"
