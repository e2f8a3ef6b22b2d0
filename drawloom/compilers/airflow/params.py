"""The parameters of a pipeline as Airflow's `Param`s: a default, and a JSON schema, of which Airflow makes a form.

What JSON can't hold (tables, files, records) isn't in the form: such a parameter has its default, or is given by
`drawloom deploy`, which stores it first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from drawloom.compilers.emit.python import Source, call
from drawloom.ir.canonical import Json
from drawloom.ir.plain import has_plain_form, plain_tree
from drawloom.ir.tasks import Port
from drawloom.ir.types import Type

__all__ = ["param_schema", "param_sources"]

_SCALARS: Final[Mapping[str, Mapping[str, Any]]] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "none": {"type": "null"},
    "datetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time"},
}


def param_sources(ports: tuple[Port, ...], given: Mapping[str, Json]) -> dict[str, Source]:
    """Parameter name -> the source of its `Param`, for those that have a form.

    Args:
        ports: the pipeline's parameters.
        given: name -> envelope tree, in place of the default.
    """
    made = {}
    for port in ports:
        if not has_plain_form(port.type):
            continue
        arguments: dict[str, Any] = {}
        tree = given.get(port.name, json.loads(port.default) if port.default is not None else _NOTHING)
        if tree is not _NOTHING:
            found = plain_tree(tree)
            if found is None:  # NaN, say: it stays what it is, if nobody gives another
                continue
            arguments["*"] = found[0]
        made[port.name] = Source(call("Param", arguments | param_schema(port.type), 8, 8 + len(port.name) + 4))
    return made


_NOTHING: Final = object()


def param_schema(type_: Type) -> dict[str, Any]:
    """The JSON schema of a type that has a plain form."""
    if type_.name in _SCALARS:
        return dict(_SCALARS[type_.name])
    if type_.name == "literal":
        return {"enum": [json.loads(value) for value in type_.values]}
    if type_.name in ("list", "tuple_of", "set", "frozenset"):
        return {"type": "array", "items": param_schema(type_.args[0])}
    if type_.name == "tuple":
        return {"type": "array", "minItems": len(type_.args), "maxItems": len(type_.args)}
    if type_.name == "dict":
        return {"type": "object", "additionalProperties": param_schema(type_.args[1])}
    options = [param_schema(one) for one in type_.args]
    if all(list(one) == ["type"] for one in options):
        return {"type": [one["type"] for one in options]}
    return {"anyOf": options}
