"""The parameters of a run as the `conf` of a DAG run: in plain JSON, as Airflow's form gives them, where that can be.

The others stand as envelopes below `drawloom`, and go before what the form says; a form that asks for one of them gets
an empty value of its type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drawloom.ir.canonical import Json
from drawloom.ir.plain import has_plain_form, plain_tree
from drawloom.ir.types import Type

__all__ = ["conf_of"]

_TOLD = ("target", "static", "deployed_to", "resumed", "logical_time", "interval")
_EMPTY: dict[str, Json] = {"int": 0, "float": 0.0, "bool": False, "str": "", "dict": {}}


def conf_of(asked: Mapping[str, Any], types: Mapping[str, Type]) -> dict[str, Json]:
    """The `conf` that the begin step of a DAG makes `asked` of.

    Args:
        asked: what the begin step is to be given (`runtimes.publish.begin_asked`).
        types: parameter name -> type, of all the pipeline's.
    """
    conf: dict[str, Json] = {}
    kept: dict[str, Json] = {}
    for name, given in asked.get("params", {}).items():
        type_ = types.get(name)
        has_form = type_ is not None and has_plain_form(type_)
        plain = plain_tree(given["tree"]) if has_form and "tree" in given else None
        if plain is not None:
            conf[name] = plain[0]
            continue
        kept[name] = given
        if type_ is not None and has_form:
            conf[name] = _empty(type_)
    told = {key: asked[key] for key in _TOLD if asked.get(key)}
    if kept:
        told["params"] = kept
    return conf | ({"drawloom": told} if told else {})


def _empty(type_: Type) -> Json:
    if type_.name == "union":
        return _empty(type_.args[0])
    if type_.name == "tuple":
        return [_empty(one) for one in type_.args]
    return _EMPTY.get(type_.name, [])
