"""What several tests ask of a Workflow: Argo's published schema, and the reviewed texts."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = Path(__file__).parents[3] / "shared" / "data" / "argo-workflows-4.1.2-schema.json"
GOLDEN = Path(__file__).parent / "golden"


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


def assert_golden(name: str, text: str) -> None:
    """Compares a text with the reviewed one, digests left out; `UPDATE_GOLDEN=1` writes it anew, to be read."""
    text = re.sub(r'"[0-9a-f]{64}"', '"DIGEST"', text)
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text
