"""The JSON schema of the IR (draft 2020-12), made from the dataclasses: `python -m drawloom.ir.schema`.

For editors and for readers in other languages; drawloom itself reads with `ir.serialize`, which says the same. A short
generator of our own, because the classes don't have the `kind` that tells them apart in JSON (pydantic would need a
second model for each of them). Every object is closed: a field that isn't listed is refused.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from typing import Any, Final

from drawloom.ir.canonical import Json
from drawloom.ir.nodes import IR_VERSION, Pipeline
from drawloom.ir.operands import OPS, Apply
from drawloom.ir.serialize import kind_of
from drawloom.ir.types import TYPE_NAMES, Type

__all__ = ["schema"]

_SCALARS: Final = {str: "string", int: "integer", float: "number", bool: "boolean", types.NoneType: "null"}
# fields whose values are from a list that the annotation doesn't have; `kind` and `ir_version` are always written
_VALUES: Final[dict[tuple[type, str], Json]] = {
    (Pipeline, "kind"): {"enum": ["batch", "serve", "stream"]},
    (Pipeline, "ir_version"): {"const": IR_VERSION},
    (Apply, "op"): {"enum": sorted(OPS)},
    (Type, "name"): {"enum": sorted(TYPE_NAMES)},
}


def schema() -> dict[str, Json]:
    """The schema of a pipeline's JSON (`ir.program.pipeline_json`)."""
    definitions: dict[str, Json] = {}
    _define(Pipeline, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://github.com/drawloom/drawloom/blob/main/docs/ir.schema.json",
        "title": "drawloom pipeline",
        "$ref": "#/$defs/pipeline",
        "$defs": dict(sorted(definitions.items())),
    }


def _define(cls: Any, definitions: dict[str, Json]) -> Json:
    """The reference to the definition of a dataclass, which is added if it isn't there."""
    kind = kind_of(cls)
    reference = {"$ref": f"#/$defs/{kind}"}
    if kind in definitions:
        return reference
    definitions[kind] = {}  # its fields may refer to it
    hints = typing.get_type_hints(cls)
    properties: dict[str, Json] = {"kind": {"const": kind}}
    required = ["kind"]
    for field in dataclasses.fields(cls):
        values = _VALUES.get((cls, field.name))
        properties[field.name] = values if values is not None else _form(hints[field.name], definitions)
        if field.name == "ir_version" or field.default is dataclasses.MISSING:
            required.append(field.name)
    definitions[kind] = {
        "description": (cls.__doc__ or "").partition("\n")[0],
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return reference


def _form(hint: Any, definitions: dict[str, Json]) -> Json:
    """The schema of an annotation."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_form(arg, definitions) for arg in args]}
    if origin is tuple and args[1:] == (...,):
        return {"type": "array", "items": _form(args[0], definitions)}
    if origin is tuple:
        parts = [_form(arg, definitions) for arg in args]
        return {"type": "array", "prefixItems": parts, "items": False, "minItems": len(parts), "maxItems": len(parts)}
    if dataclasses.is_dataclass(hint):
        return _define(hint, definitions)
    return {"type": _SCALARS[hint]}


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
