"""Objects of Argo as a deployment gives them: read from a build, told their parameters, compared, made anew."""

from __future__ import annotations

import json
import os
from base64 import b64decode
from collections.abc import Mapping
from typing import Any, Final

from drawloom.ir.protocol import asked_text

__all__ = ["anew", "give_asked", "in_place_of", "is_same", "read_objects"]

# Any: objects of Kubernetes as JSON trees

_OBJECTS: Final = ("workflow.yaml",)
_ARGOS: Final = "workflows.argoproj.io/"  # labels and annotations that Argo itself gives


def read_objects(folder: str | os.PathLike[str], engine: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The objects of a compiled program.

    Args:
        folder: where a compiler has written it.
        engine: what its `engine.json` tells.
    """
    return [_read_object(folder, name) for name in engine.get("objects", _OBJECTS)]


def _read_object(folder: str | os.PathLike[str], name: str) -> dict[str, Any]:
    import yaml

    with open(os.path.join(folder, *name.split("/")), encoding="utf-8") as file:
        made: dict[str, Any] = yaml.safe_load(file)
    return made


def give_asked(body: dict[str, Any], asked: Mapping[str, Any]) -> None:
    """Puts what the begin step is given into an object, over what the compiler has put there."""
    spec = body["spec"].get("workflowSpec", body["spec"])
    for parameter in (spec.get("arguments") or {}).get("parameters") or ():
        if parameter["name"] == "run":
            before = json.loads(b64decode(parameter["value"])) if parameter.get("value") else {}
            given = {name: value for name, value in asked.items() if value not in ("", [], {})}
            parameter["value"] = asked_text({"params": {}, "ids": [], **before, **given})


def anew(old: Mapping[str, Any]) -> dict[str, Any]:
    """A Workflow like one that was run."""
    before = old["metadata"]
    metadata: dict[str, Any] = {
        "namespace": before["namespace"],
        "generateName": before.get("generateName") or f"{before['name'].rpartition('-')[0] or before['name']}-",
    }
    for part in ("labels", "annotations"):
        kept = {name: text for name, text in (before.get(part) or {}).items() if not name.startswith(_ARGOS)}
        if kept:
            metadata[part] = kept
    # of a Workflow that refers to a template: the template as it was then, which isn't the one that is there now
    told = (old.get("status") or {}).get("storedWorkflowTemplateSpec") or old["spec"]
    left_out = ("shutdown", "suspend", *(("workflowTemplateRef",) if told.get("templates") else ()))
    spec = {name: value for name, value in told.items() if name not in left_out}
    made = {"apiVersion": old["apiVersion"], "kind": old["kind"], "metadata": metadata, "spec": spec}
    copied: dict[str, Any] = json.loads(json.dumps(made))
    return copied


def is_same(there: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Whether an object says already what it is to say; what others have added to its metadata doesn't count."""
    wanted, found = body["metadata"], there["metadata"]
    parts = ("labels", "annotations")
    return bool(there["spec"] == body["spec"]) and all(
        (found.get(part) or {}).get(name) == text for part in parts for name, text in (wanted.get(part) or {}).items()
    )


def in_place_of(there: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """An object that may replace one that is there; what Argo wrote into it (when it last ran) stays."""
    metadata = {**body["metadata"], "resourceVersion": there["metadata"]["resourceVersion"]}
    kept = {"status": there["status"]} if "status" in there else {}
    return {**body, "metadata": metadata, **kept}
