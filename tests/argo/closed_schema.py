"""Argo's published schema, where it lies beside the project."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = Path(__file__).parents[3] / "shared" / "data" / "argo-workflows-4.1.2-schema.json"


@cache
def validator_of(kind: str) -> Any:
    """Argo's published schema, closed: unknown keys are refused, as the controller's strict reader does."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    for name, definition in schema["definitions"].items():
        if name.endswith("IntOrString"):
            schema["definitions"][name] = {"type": ["string", "integer"]}
        elif "properties" in definition:
            definition.setdefault("additionalProperties", False)
    root = f"#/definitions/io.argoproj.workflow.v1alpha1.{kind}"
    return jsonschema.Draft202012Validator({"$ref": root, "definitions": schema["definitions"]})
