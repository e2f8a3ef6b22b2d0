"""Write `drawloom/compilers/argo/fields.json`: the fields of Argo's objects and their types, out of its published schema.

    python tests/argo/make_fields.py .../argo-workflows@vX.Y.Z/api/jsonschema/schema.json > drawloom/compilers/argo/fields.json

A type is `string`, `integer`, `number`, `boolean`, `any`, `integer|string`, the name of another one, `[T]` for a list
or `{T}` for a mapping of texts to it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

ROOTS: Final = ("Workflow", "WorkflowTemplate", "CronWorkflow")
_PREFIX: Final = "io.argoproj.workflow.v1alpha1."


def fields(schema: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Type -> field -> type, of all that a Workflow, a WorkflowTemplate or a CronWorkflow can hold."""
    definitions = schema["definitions"]
    found: dict[str, dict[str, str]] = {}
    waiting = [f"{_PREFIX}{root}" for root in ROOTS]

    def form(tree: dict[str, Any]) -> str:
        reference = tree.get("$ref", "").rpartition("/")[2]
        if reference:
            target = definitions[reference]
            if reference.endswith(("IntOrString", ".Quantity")):
                return "integer|string"
            if "properties" in target:
                waiting.append(reference)
                return _short(reference)
            return form(target)
        match tree.get("type"):
            case "array":
                return f"[{form(tree['items'])}]" if "items" in tree else "[any]"
            case "object":
                inner = tree.get("additionalProperties")
                return f"{{{form(inner)}}}" if isinstance(inner, dict) else "{any}"
            case "string" | "integer" | "number" | "boolean" as name:
                return str(name)
        return "any"

    while waiting:
        name = waiting.pop()
        if _short(name) not in found:
            found[_short(name)] = {}
            properties = definitions[name]["properties"]
            written = sorted(properties.keys() - {"status", "managedFields"})  # the others are the cluster's to write
            found[_short(name)] = {field: form(properties[field]) for field in written}
    return dict(sorted(found.items()))


def _short(name: str) -> str:
    """A name without what all of its kind share; `ObjectReference` of Kubernetes and of Argo stay apart."""
    return name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else name.removeprefix("io.k8s.")


if __name__ == "__main__":
    table = fields(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    lines = [f"{json.dumps(name)}: {json.dumps(inner)}" for name, inner in table.items()]
    print("{\n" + ",\n".join(lines) + "\n}")
