"""The parameters of a run as the `conf` of a DAG run: in plain JSON, as Airflow's form gives them, where that can be.

The others stand as envelopes below `drawloom`, in one text, and go before what the form says; a form that asks for one
of them gets an empty value of its type. Others are also what Airflow's database changes: PostgreSQL's `jsonb` takes no
NUL in a text, has no negative zero, writes large floats as whole numbers, and puts keys into an order of its own.
Source: PostgreSQL's docs "JSON Types".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import copysign
from typing import Any, Final

from drawloom.ir.canonical import Json
from drawloom.ir.plain import plain_tree

__all__ = ["conf_of"]

_TOLD = ("target", "static", "deployed_to", "resumed", "logical_time", "interval")
_WHOLE: Final = 1e15  # from here on a float may be written without a point
_EMPTY: dict[str, Json] = {"integer": 0, "number": 0.0, "boolean": False, "string": "", "object": {}, "array": []}


def conf_of(asked: Mapping[str, Any], forms: Mapping[str, Mapping[str, Any]]) -> dict[str, Json]:
    """The `conf` that the begin step of a DAG makes `asked` of.

    Args:
        asked: what the begin step is to be given (`runtimes.publish.begin_asked`).
        forms: the JSON schema of each parameter that the DAG's form asks for.
    """
    conf: dict[str, Json] = {}
    kept: dict[str, Json] = {}
    for name, given in asked.get("params", {}).items():
        plain = plain_tree(given["tree"]) if name in forms and "tree" in given else None
        if plain is not None and _is_kept(plain[0]):
            conf[name] = plain[0]
            continue
        kept[name] = given
        if name in forms:
            conf[name] = _empty(forms[name])
    told = {key: asked[key] for key in _TOLD if asked.get(key)}
    if kept:
        told["params"] = kept
    return conf | ({"drawloom": json.dumps(told)} if told else {})


def _is_kept(tree: Json) -> bool:
    """Whether a database gives JSON back as it was."""
    if isinstance(tree, str):
        return "\0" not in tree
    if isinstance(tree, float):
        return abs(tree) < _WHOLE and (tree != 0 or copysign(1, tree) > 0)
    if isinstance(tree, list):
        return all(map(_is_kept, tree))
    if isinstance(tree, dict):
        ordered = sorted(tree, key=lambda key: (len(key.encode("utf-8", "surrogatepass")), key))
        return list(tree) == ordered and all(map(_is_kept, [*tree, *tree.values()]))
    return True


def _empty(schema: Mapping[str, Any]) -> Json:
    """The emptiest value of a schema of ours (`compilers.airflow.params`)."""
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _empty(schema["anyOf"][0])
    kind = schema.get("type")
    first = kind[0] if isinstance(kind, list) else kind
    if first == "array" and schema.get("minItems"):
        return [None] * int(schema["minItems"])
    return _EMPTY.get(str(first))
