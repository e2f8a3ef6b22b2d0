"""`External` and `Secret`: what is handed over by reference, so that a tree is all there is."""

from __future__ import annotations

from typing import Any

from drawloom.ir.canonical import Json
from drawloom.ir.envelope import NotEncodable
from drawloom.values.external import External, observe
from drawloom.values.leaves import Leaves
from drawloom.values.secret import Secret

__all__ = ["decode", "encode"]


def encode(value: External | Secret, _leaves: Leaves) -> Json:
    """The tree of a reference; an external is looked at, and its version noted on `value` too."""
    if type(value) is Secret:
        return {"$": "secret", "name": value.name}
    if type(value) is External:
        value.version = observe(value.uri)
        return {"$": "external", "uri": value.uri, "version": value.version}
    raise NotEncodable(value, "", "a subclass would come back as its base", fix="keep it inside a class of its own")


def decode(tree: Json, _leaves: Leaves) -> Any:
    """The reference of a tree."""
    return Secret(tree["name"]) if tree["$"] == "secret" else External(tree["uri"], tree["version"])
