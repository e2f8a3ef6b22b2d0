"""Pods as Kubernetes has them, of their settings. Source: Kubernetes' API reference, core/v1, Pod and Container."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drawloom.compilers.pods.names import object_name
from drawloom.compilers.pods.settings import PodSettings
from drawloom.ir.canonical import Json, digest_bytes
from drawloom.ir.policies import ResourcesPolicy, TolerationPolicy, VolumePolicy

__all__ = ["container_part", "pod_parts", "toleration_tree", "volume_trees"]

# Any: Kubernetes' objects as JSON trees


def container_part(settings: PodSettings) -> dict[str, Any]:
    """The keys of a container, but what it runs."""
    made: dict[str, Any] = {"image": settings.image}
    if settings.pull_policy:
        made["imagePullPolicy"] = settings.pull_policy
    secret = {name for name, _, _ in settings.pod.secret_env}
    # `$` is doubled: Kubernetes puts other variables in the place of `$(NAME)`
    given = [(name, text.replace("$", "$$")) for name, text in settings.env if name not in secret]
    env: list[Json] = [{"name": name, "value": text} for name, text in given]
    env += [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": source, "key": key}}}
        for name, source, key in settings.pod.secret_env
    ]
    if env:
        made["env"] = env
    if settings.pod.env_from_secrets:
        made["envFrom"] = [{"secretRef": {"name": name}} for name in settings.pod.env_from_secrets]
    resources = _printed_resources(settings.resources)
    if resources:
        made["resources"] = resources
    if settings.pod.volumes:
        made["volumeMounts"] = [_mount(volume) for volume in settings.pod.volumes]
    return made


def pod_parts(settings: PodSettings) -> tuple[dict[str, Any], dict[str, Any]]:
    """The keys of a pod's metadata, and of its spec but for its containers."""
    pod = settings.pod
    metadata = {key: dict(pairs) for key, pairs in (("labels", pod.labels), ("annotations", pod.annotations)) if pairs}
    given = {
        "serviceAccountName": pod.service_account,
        "imagePullSecrets": [{"name": name} for name in pod.image_pull_secrets],
        "nodeSelector": dict(pod.node_selector),
        "tolerations": [toleration_tree(one) for one in pod.tolerations],
        "priorityClassName": pod.priority_class,
        "volumes": volume_trees(pod.volumes),
    }
    return metadata, {key: value for key, value in given.items() if value}


def _printed_resources(resources: ResourcesPolicy) -> dict[str, Any]:
    requests = {"cpu": resources.cpu, "memory": resources.memory, "ephemeral-storage": resources.disk}
    requests = {name: text for name, text in requests.items() if text}
    # no limit of processors: it would slow a step down on an idle machine. A step that takes more memory than it asked
    # for would else be ended at random, with others on its machine
    limits = {name: text for name, text in requests.items() if name != "cpu"}
    if resources.gpu:
        limits[resources.gpu_type] = str(resources.gpu)  # Kubernetes takes the limit of a device for the request too
    return {name: texts for name, texts in (("requests", requests), ("limits", limits)) if texts}


def _mount(volume: VolumePolicy) -> dict[str, Any]:
    made: dict[str, Any] = {"name": _volume_name(volume), "mountPath": volume.mount_path}
    if volume.read_only:
        made["readOnly"] = True
    if volume.sub_path:
        made["subPath"] = volume.sub_path
    return made


def _volume_name(volume: VolumePolicy) -> str:
    """The name of a volume in its pod: that of its source, which may be mounted at several paths."""
    kind = volume.source.replace("_", "-")
    if volume.source == "empty_dir":
        return object_name(f"{kind}-{digest_bytes(volume.mount_path.encode('utf-8'))[:8]}")
    plain = f"{kind}-{volume.name}"
    made = object_name(plain)
    return made if made == plain else f"{made[:40]}-{digest_bytes(plain.encode('utf-8'))[:8]}"


def volume_trees(volumes: Iterable[VolumePolicy]) -> list[Json]:
    made = {_volume_name(volume): {"name": _volume_name(volume), **_source(volume)} for volume in volumes}
    return list(made.values())


def _source(volume: VolumePolicy) -> dict[str, Json]:
    match volume.source:
        case "claim":
            return {"persistentVolumeClaim": {"claimName": volume.name}}
        case "secret":
            return {"secret": {"secretName": volume.name}}
        case "config_map":
            return {"configMap": {"name": volume.name}}
    empty: dict[str, Json] = {"medium": "Memory"} if volume.in_memory else {}
    return {"emptyDir": empty | ({"sizeLimit": volume.size} if volume.size else {})}


def toleration_tree(one: TolerationPolicy) -> dict[str, Any]:
    made: dict[str, Any] = {"key": one.key} if one.key else {}
    made["operator"] = "Exists" if one.value is None else "Equal"
    if one.value is not None:
        made["value"] = one.value
    if one.effect:
        made["effect"] = one.effect
    if one.seconds is not None:
        made["tolerationSeconds"] = one.seconds
    return made
