"""Documents as YAML that every reader understands alike: YAML 1.1, YAML 1.2, and the stricter ones of Go.

Every string is quoted, as JSON quotes it: `y`, `1e3` and `0o7` stay texts everywhere. PyYAML writes some of these bare.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Final

from drawloom.ir.canonical import Json

__all__ = ["yaml_text"]

_PLAIN_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*\Z")
_READ_AS_OTHERS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
# what YAML doesn't call printable, and line ends of YAML 1.1; JSON leaves them as they are
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def yaml_text(tree: Json) -> str:
    """The text of a document in block style.

    Args:
        tree: dicts with text keys, lists, texts, numbers, booleans and None.
    """
    lines: list[str] = []
    if _is_block(tree):
        _write(tree, "", "", lines)
    else:
        lines.append(_scalar(tree))
    return "\n".join([*lines, ""])


def _is_block(tree: Json) -> bool:
    return isinstance(tree, (dict, list, tuple)) and bool(tree)  # a check against `Mapping` takes ten times as long


def _write(tree: Json, first: str, rest: str, lines: list[str]) -> None:
    """Write a dict or a list with something in it: its first line begins with `first`, the others with `rest`."""
    inner = f"{rest}  "
    if isinstance(tree, dict):
        for key, value in tree.items():
            if isinstance(value, str):
                lines.append(f"{first}{_key(key)}: {_quoted(value)}")
            elif _is_block(value):
                lines.append(f"{first}{_key(key)}:")
                _write(value, inner, inner, lines)
            else:
                lines.append(f"{first}{_key(key)}: {_scalar(value)}")
            first = rest
        return
    for item in tree:
        if _is_block(item):
            _write(item, f"{first}- ", inner, lines)
        else:
            lines.append(f"{first}- {_scalar(item)}")
        first = rest


@lru_cache(maxsize=1024)
def _key(key: str) -> str:
    return key if _PLAIN_KEY.match(key) and key.lower() not in _READ_AS_OTHERS else _quoted(key)


def _scalar(value: Json) -> str:
    if isinstance(value, str):
        return _quoted(value)
    return json.dumps(value)  # `{}`, `[]`, `true`, `null`, numbers


def _quoted(text: str) -> str:
    quoted = encode_basestring(text)
    if quoted.isascii() and "\x7f" not in quoted:
        return quoted
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
