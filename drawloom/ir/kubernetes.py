"""What Kubernetes takes as names, labels and quantities.

No regular expressions: `ir.pods` is loaded in steps, which may not have `re`. Standard library alone.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = [
    "LABEL_CHARACTERS",
    "is_label_value",
    "is_number",
    "is_object_name",
    "is_qualified",
    "is_variable",
    "quantity_bytes",
]

_DIGITS: Final = frozenset("0123456789")
_ALNUM: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") | _DIGITS
LABEL_CHARACTERS: Final = _ALNUM | frozenset("-_.")  # also those of a Secret's keys
_UNITS: Final = {"": 1} | {
    f"{letter}{'i' * binary}": (1024 if binary else 1000) ** (power + 1)
    for power, letter in enumerate("KMGTPE")
    for binary in (0, 1)
}
_UNITS["k"] = _UNITS.pop("K")  # of the decimal ones, this alone is a small letter
_LONGEST_NAME: Final = 253  # of an object
_LONGEST_PART: Final = 63  # of a label's name and value
_MOST_DIGITS: Final = 24


def is_variable(text: str) -> bool:
    """Whether a text can be the name of an environment variable."""
    return bool(text) and text[0] not in _DIGITS and set(text) <= _ALNUM | {"_"}


def is_object_name(text: str) -> bool:
    """Whether a text can be the name of an object: a DNS subdomain (RFC 1123)."""
    parts = text.split(".")
    return len(text) <= _LONGEST_NAME and all(_is_dns_label(part) for part in parts)


def _is_dns_label(text: str) -> bool:
    return bool(text) and text[0] != "-" != text[-1] and set(text) <= _ALNUM | {"-"} and text == text.lower()


def is_label_value(text: str) -> bool:
    """Whether a text can be the value of a label."""
    if len(text) > _LONGEST_PART or not set(text) <= LABEL_CHARACTERS:
        return False
    return not text or (text[0] in _ALNUM and text[-1] in _ALNUM)


def is_qualified(text: Any) -> bool:
    """Whether something is the key of a label, an annotation or a resource: `name` or `example.com/name`."""
    if type(text) is not str:
        return False
    prefix, slash, name = text.rpartition("/")
    return bool(name) and is_label_value(name) and (is_object_name(prefix) if slash else not prefix)


def quantity_bytes(value: Any) -> float | None:
    """The bytes of a quantity (`4Gi`, `1.5G`), None if it is none."""
    if type(value) is not str:
        return None
    number = value.rstrip("kKMGTPEi")
    unit = value[len(number) :]
    return float(number) * _UNITS[unit] if unit in _UNITS and is_number(number) else None


def is_number(text: str) -> bool:
    """Whether a text is a decimal number, as a quantity begins with."""
    whole, point, rest = text.partition(".")
    return bool(whole) and set(whole + rest) <= _DIGITS and (bool(rest) or not point) and len(text) <= _MOST_DIGITS
