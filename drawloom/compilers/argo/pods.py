"""How pods are made: what the target says of all, what a task says of its own, what the target says of that task.

Each of them refines the one before: texts replace, mappings and lists add (a volume at the same path replaces). What
holds for all pods is printed once, in the Workflow's spec; a template says what differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from drawloom.compilers.argo.names import object_name
from drawloom.ir.canonical import Json, canonical_json, digest_bytes
from drawloom.ir.policies import GPU_TYPE, PodPolicy, ResourcesPolicy, TolerationPolicy, VolumePolicy

__all__ = [
    "PodSettings",
    "StepPod",
    "container_part",
    "on_spot",
    "pod_problems",
    "refined",
    "spec_part",
    "template_part",
]

# Any: Argo's objects as JSON trees

Pairs = tuple[tuple[str, str], ...]
# what Argo's own containers and a step's answers use
_TAKEN_PATHS: Final = ("/tmp/", "/var/run/argo/")  # noqa: S108  # the pod's own
_NO_RESOURCES: Final = ResourcesPolicy()
_NO_POD: Final = PodPolicy()
_ARGO: Final = "workflows.argoproj.io/"


@dataclass(frozen=True, slots=True)
class PodSettings:
    """How a pod is made.

    Args:
        image, pull_policy: of its container.
        resources, pod: as in `Policies`.
        env: (name, text) of its container.
    """

    image: str
    pull_policy: str
    resources: ResourcesPolicy = _NO_RESOURCES
    pod: PodPolicy = _NO_POD
    env: Pairs = ()


@dataclass(frozen=True, slots=True)
class StepPod:
    """What is printed of a step's pod.

    Args:
        label: a part of the name of its template.
        container: keys of the container.
        template: keys of the template.
    """

    label: str
    container: Mapping[str, Any]
    template: Mapping[str, Any]


def refined(
    base: PodSettings,
    *,
    image: str = "",
    pull_policy: str = "",
    resources: ResourcesPolicy = _NO_RESOURCES,
    pod: PodPolicy = _NO_POD,
    env: Pairs = (),
) -> PodSettings:
    """`base` with what is given here."""
    known = base.pod
    return PodSettings(
        image=image or base.image,
        pull_policy=pull_policy or base.pull_policy,
        resources=_resources(base.resources, resources),
        pod=PodPolicy(
            node_selector=_added(known.node_selector, pod.node_selector),
            tolerations=_joined(known.tolerations, pod.tolerations),
            priority_class=pod.priority_class or known.priority_class,
            spot=pod.spot or known.spot,
            labels=_added(known.labels, pod.labels),
            annotations=_added(known.annotations, pod.annotations),
            service_account=pod.service_account or known.service_account,
            volumes=_mounted(known.volumes, pod.volumes),
            env_from_secrets=_joined(known.env_from_secrets, pod.env_from_secrets),
            secret_env=tuple(sorted({one[0]: one for one in (*known.secret_env, *pod.secret_env)}.values())),
            image_pull_secrets=_joined(known.image_pull_secrets, pod.image_pull_secrets),
        ),
        env=_added(base.env, env),
    )


def _resources(base: ResourcesPolicy, own: ResourcesPolicy) -> ResourcesPolicy:
    device = own if own.gpu or own.gpu_type != GPU_TYPE else base
    return ResourcesPolicy(
        own.cpu or base.cpu,
        own.memory or base.memory,
        own.disk or base.disk,
        own.gpu or base.gpu,
        device.gpu_type,
    )


def _added(base: Pairs, own: Pairs) -> Pairs:
    return tuple(sorted((dict(base) | dict(own)).items()))


def _joined(base: tuple[Any, ...], own: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys((*base, *own)))


def _mounted(base: tuple[VolumePolicy, ...], own: tuple[VolumePolicy, ...]) -> tuple[VolumePolicy, ...]:
    return tuple({volume.mount_path: volume for volume in (*base, *own)}.values())


def on_spot(settings: PodSettings, selector: Pairs, tolerations: tuple[TolerationPolicy, ...]) -> PodSettings:
    """`settings`, on the machines that a target calls spot, if they are to be."""
    if not settings.pod.spot:
        return settings
    spot = PodPolicy(node_selector=selector, tolerations=tolerations)
    return refined(settings, pod=spot)


def pod_problems(settings: PodSettings) -> list[tuple[str, str]]:
    """(what, fix) of all that Argo can't do with such a pod."""
    pod = settings.pod
    taken = [path for path in (v.mount_path for v in pod.volumes) if f"{path}/".startswith(_TAKEN_PATHS)]
    found = [(f"a volume is mounted at {path}, which Argo and the step use", "mount it elsewhere") for path in taken]
    for name, pairs in (("label", pod.labels), ("annotation", pod.annotations)):
        own = [key for key, _ in pairs if key.startswith(_ARGO)]
        found += [(f"the {name} {key!r} is one of Argo's own", "choose another key") for key in own]
    return found


def container_part(settings: PodSettings) -> dict[str, Any]:
    """The keys of a container, but what it runs."""
    made: dict[str, Any] = {"image": settings.image, "imagePullPolicy": settings.pull_policy}
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


def _volumes(volumes: Iterable[VolumePolicy]) -> list[Json]:
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


def template_part(settings: PodSettings, base: PodSettings) -> dict[str, Any]:
    """The keys of a template whose pods are made otherwise than the spec says."""
    pod, known = settings.pod, base.pod
    made: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for key, own, there in (("labels", pod.labels, known.labels), ("annotations", pod.annotations, known.annotations)):
        added = dict(pair for pair in own if pair not in there)
        if added:
            metadata[key] = added
    if metadata:
        made["metadata"] = metadata
    if pod.service_account != known.service_account:
        made["serviceAccountName"] = pod.service_account
    if pod.node_selector != known.node_selector:
        made["nodeSelector"] = dict(pod.node_selector)
    if pod.tolerations != known.tolerations:
        made["tolerations"] = [_toleration(one) for one in pod.tolerations]
    if pod.priority_class != known.priority_class:
        made["priorityClassName"] = pod.priority_class
    common = {canonical_json(volume) for volume in _volumes(known.volumes)}
    volumes = [volume for volume in _volumes(pod.volumes) if canonical_json(volume) not in common]
    if volumes:
        made["volumes"] = volumes
    return made


def spec_part(base: PodSettings, pull_secrets: Iterable[str]) -> dict[str, Any]:
    """The keys of a Workflow's spec that hold for all its pods.

    Args:
        base: how pods are made where nothing else is said.
        pull_secrets: what the images of all pods are fetched with; Argo has them for a Workflow alone.
    """
    pod = base.pod
    made: dict[str, Any] = {}
    if pod.service_account:
        made["serviceAccountName"] = pod.service_account
    secrets = sorted({*pod.image_pull_secrets, *pull_secrets})
    if secrets:
        made["imagePullSecrets"] = [{"name": name} for name in secrets]
    if pod.node_selector:
        made["nodeSelector"] = dict(pod.node_selector)
    if pod.tolerations:
        made["tolerations"] = [_toleration(one) for one in pod.tolerations]
    if pod.priority_class:
        made["podPriorityClassName"] = pod.priority_class
    metadata = {key: dict(pairs) for key, pairs in (("labels", pod.labels), ("annotations", pod.annotations)) if pairs}
    if metadata:
        made["podMetadata"] = metadata
    if pod.volumes:
        made["volumes"] = _volumes(pod.volumes)
    return made


def _toleration(one: TolerationPolicy) -> dict[str, Any]:
    made: dict[str, Any] = {"key": one.key} if one.key else {}
    made["operator"] = "Exists" if one.value is None else "Equal"
    if one.value is not None:
        made["value"] = one.value
    if one.effect:
        made["effect"] = one.effect
    if one.seconds is not None:
        made["tolerationSeconds"] = one.seconds
    return made
