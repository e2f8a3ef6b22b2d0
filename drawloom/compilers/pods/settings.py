"""How pods are made: what the target says of all, what a task says of its own, what the target says of that task.

Each of them refines the one before: texts replace, mappings and lists add (a volume at the same path replaces).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from drawloom.ir.policies import GPU_TYPE, PodPolicy, ResourcesPolicy, TolerationPolicy, VolumePolicy

__all__ = ["Pairs", "PodSettings", "on_spot", "refined"]

# Any: the items of a tuple of any kind

Pairs = tuple[tuple[str, str], ...]
_NO_RESOURCES: Final = ResourcesPolicy()
_NO_POD: Final = PodPolicy()


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
