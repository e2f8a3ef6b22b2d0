"""Documents as YAML that every reader understands alike: YAML 1.1, YAML 1.2, and the stricter ones of Go.

Every string is quoted, as JSON quotes it: `y`, `1e3` and `0o7` stay texts everywhere. PyYAML writes some of these bare,
and takes twenty times as long.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
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
    return "".join(f"{line}\n" for line in _lines(tree))


def _lines(tree: Json) -> Iterator[str]:
    if isinstance(tree, Mapping) and tree:
        for key, value in tree.items():
            yield from _entry(f"{_key(key)}:", value)
    elif isinstance(tree, Sequence) and not isinstance(tree, str) and tree:
        for item in tree:
            yield from _item(item)
    else:
        yield _scalar(tree)


def _entry(start: str, value: Json) -> Iterator[str]:
    if isinstance(value, (Mapping, list, tuple)) and value:
        yield start
        yield from (f"  {line}" for line in _lines(value))
    else:
        yield f"{start} {_scalar(value)}"


def _item(item: Json) -> Iterator[str]:
    lines = _lines(item)
    yield f"- {next(lines)}"
    yield from (f"  {line}" for line in lines)


def _key(key: str) -> str:
    return key if _PLAIN_KEY.match(key) and key.lower() not in _READ_AS_OTHERS else _quoted(key)


def _scalar(value: Json) -> str:
    if isinstance(value, str):
        return _quoted(value)
    return json.dumps(value)  # `{}`, `[]`, `true`, `null`, numbers


def _quoted(text: str) -> str:
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
