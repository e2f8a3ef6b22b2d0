"""What fields Argo's objects have, and of which types: the check of an object that somebody has changed.

The table is made out of the schema that Argo publishes (`tests/argo/make_fields.py`), without its texts; it is closed,
as the reader of Kubernetes is: what isn't in it is refused. Loaded where there is something to check, and not before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

from drawloom.errors import did_you_mean

__all__ = ["field_problems"]

# Any: Argo's objects as JSON trees

_SCALARS: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "integer|string": (int, str),
}


def field_problems(tree: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with an object: unknown fields and values of other types, each with its path.

    Args:
        tree: the object; its `kind` says what it is.
    """
    yield from _problems(tree, str(tree["kind"]), "")


@cache
def _table() -> dict[str, dict[str, str]]:
    from importlib.resources import files

    text = files("drawloom.compilers.argo").joinpath("fields.json").read_text("utf-8")
    made: dict[str, dict[str, str]] = json.loads(text)
    return made


def _problems(tree: Any, form: str, path: str) -> Iterator[str]:
    if form == "any":
        return
    if form[0] == "[":
        if not isinstance(tree, list):
            yield f"`{path}` must be a list, got {_shown(tree)}"
            return
        for number, item in enumerate(tree):
            yield from _problems(item, form[1:-1], f"{path}[{number}]")
    elif form[0] == "{":
        if not isinstance(tree, Mapping):
            yield f"`{path}` must be a mapping, got {_shown(tree)}"
            return
        for name, item in tree.items():
            yield from _problems(item, form[1:-1], f"{path}[{json.dumps(name)}]")
    elif form in _SCALARS:
        if not isinstance(tree, _SCALARS[form]) or (isinstance(tree, bool) and form != "boolean"):
            yield f"`{path}` must be {form.replace('|', ' or ')}, got {_shown(tree)}"
    elif not isinstance(tree, Mapping):
        yield f"`{path}` must be a mapping, got {_shown(tree)}"
    else:
        known = _table()[form]
        for name, item in tree.items():
            here = f"{path}.{name}" if path else name
            if name in known:
                yield from _problems(item, known[name], here)
            else:
                yield f"`{here}` is no field of Argo's{did_you_mean(name, known)}"


def _shown(tree: Any) -> str:
    text = json.dumps(tree, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
