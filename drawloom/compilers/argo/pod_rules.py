"""Rules of Kubernetes for what a template says of its pods; Argo finds them out when it makes the first pod.

Source: pkg/apis/core/validation of Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from drawloom.ir.kubernetes import is_label_value, is_number, is_object_name, is_qualified, is_variable, quantity_bytes

__all__ = ["pod_rules"]

# Any: Argo's objects as JSON trees

_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def pod_rules(holder: Mapping[str, Any], spec: Mapping[str, Any]) -> Iterator[str]:
    """What Kubernetes would refuse of the pods of a template, or of all pods.

    Args:
        holder: a template, or the spec itself.
        spec: the Workflow's spec, whose volumes all templates may mount.
    """
    metadata = holder.get("metadata", {}) if holder is not spec else spec.get("podMetadata", {})
    yield from _labels("label", metadata.get("labels", {}))
    yield from _labels("node selector", holder.get("nodeSelector", {}))
    yield from (
        f"{key!r} can't be an annotation's key" for key in metadata.get("annotations", {}) if not is_qualified(key)
    )
    for one in holder.get("tolerations", ()):
        if ("value" in one) != (one["operator"] == "Equal") or ("key" not in one and "value" in one):
            yield f"the toleration {one} has a value without Equal, or Equal without one"
        if one.get("effect", _EFFECTS[0]) not in _EFFECTS:
            yield f"the toleration {one} has an unknown effect"
    volumes = [volume["name"] for volume in holder.get("volumes", ())]
    yield from (f"two volumes are named `{name}`" for name in sorted(set(volumes)) if volumes.count(name) > 1)
    yield from (f"`{name}` can't be a volume's name" for name in volumes if not is_object_name(name) or len(name) > 63)
    known = {*volumes, *(volume["name"] for volume in spec.get("volumes", ()))}
    yield from _container(holder.get("container", {}), known)


def _labels(what: str, pairs: Mapping[str, str]) -> Iterator[str]:
    for key, value in pairs.items():
        if not is_qualified(key) or not is_label_value(value):
            yield f"{key!r}: {value!r} can't be a {what}"


def _container(container: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    paths = [mount["mountPath"] for mount in container.get("volumeMounts", ())]
    yield from (f"two volumes are mounted at `{path}`" for path in sorted(set(paths)) if paths.count(path) > 1)
    for mount in container.get("volumeMounts", ()):
        if mount["name"] not in known:
            yield f"`{mount['name']}` is mounted at `{mount['mountPath']}`, and is no volume"
    names = [one["name"] for one in container.get("env", ())]
    yield from (f"the variable `{name}` is there twice" for name in sorted(set(names)) if names.count(name) > 1)
    yield from (f"{name!r} can't be a variable's name" for name in names if not is_variable(name))
    for kind, quantities in container.get("resources", {}).items():
        for name, text in quantities.items():
            written = str(text)  # a patch may give a number
            if quantity_bytes(written) is None and not is_number(written.removesuffix("m")):
                yield f"{kind} of {name} are {text!r}, which is no quantity"
