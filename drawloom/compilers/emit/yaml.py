"""Documents as YAML that every reader understands alike: YAML 1.1, YAML 1.2, and the stricter ones of Go.

Every string is quoted, as JSON quotes it: `y`, `1e3` and `0o7` stay texts everywhere. PyYAML writes some of these bare.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
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
    return isinstance(tree, (Mapping, list, tuple)) and bool(tree)


def _write(tree: Json, first: str, rest: str, lines: list[str]) -> None:
    """Write a dict or a list with something in it: its first line begins with `first`, the others with `rest`."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if _is_block(value):
                lines.append(f"{first}{_key(key)}:")
                _write(value, f"{rest}  ", f"{rest}  ", lines)
            else:
                lines.append(f"{first}{_key(key)}: {_scalar(value)}")
            first = rest
        return
    assert isinstance(tree, Sequence), "a dict or a list"
    for item in tree:
        if _is_block(item):
            _write(item, f"{first}- ", f"{rest}  ", lines)
        else:
            lines.append(f"{first}- {_scalar(item)}")
        first = rest


def _key(key: str) -> str:
    return key if _PLAIN_KEY.match(key) and key.lower() not in _READ_AS_OTHERS else _quoted(key)


def _scalar(value: Json) -> str:
    if isinstance(value, str):
        return _quoted(value)
    return json.dumps(value)  # `{}`, `[]`, `true`, `null`, numbers


def _quoted(text: str) -> str:
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
