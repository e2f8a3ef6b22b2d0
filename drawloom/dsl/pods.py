"""What a step needs and how its pod is made, as a user writes it: `Resources`, `Pod`, `Volume`, `Toleration`.

`ir.pods` looks at the values where they are made, so that a wrong one is refused with the line that has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from drawloom.dsl.place import refusal
from drawloom.ir.pods import Misfit, pod_policy, resources_policy, toleration_policy, volume_policy
from drawloom.ir.policies import GPU_TYPE

if TYPE_CHECKING:
    from drawloom.ir.policies import PodPolicy, ResourcesPolicy, TolerationPolicy, VolumePolicy

__all__ = ["Pod", "Resources", "Toleration", "Volume"]


class Resources:
    """What a step of a task needs of a machine, in the quantities of Kubernetes.

    Args:
        cpu: processors that are kept for it (`2`, `0.5`, `"500m"`); it may use more where they are idle.
        memory: bytes that are kept for it (`"4Gi"`); a step that takes more is ended, and may be retried (`"infra"`).
        gpu: how many devices of `gpu_type`.
        gpu_type: the name under which the cluster has them.
        disk: bytes of the machine's own disk (`"10Gi"`), kept and limited as memory is.

    Raises:
        DefinitionError: a quantity isn't one (D160).
    """

    __slots__ = ("policy",)

    def __init__(
        self,
        cpu: float | str | None = None,
        memory: str = "",
        gpu: int = 0,
        gpu_type: str = GPU_TYPE,
        disk: str = "",
    ) -> None:
        try:
            self.policy: ResourcesPolicy = resources_policy(cpu, memory, disk, gpu, gpu_type)
        except Misfit as misfit:
            raise _refused("D160", "Resources", misfit) from None

    def __repr__(self) -> str:
        return _shown(self)


class Toleration:
    """A taint that doesn't keep a step away from a machine.

    Args:
        key: the taint's key; "" for every taint.
        value: the taint's value; None for any.
        effect: `NoSchedule`, `PreferNoSchedule` or `NoExecute`; "" for all of them.
        seconds: how long a step may stay after a `NoExecute`; None for ever.

    Raises:
        DefinitionError: Kubernetes would refuse it (D162).
    """

    __slots__ = ("policy",)

    def __init__(self, key: str = "", value: str | None = None, effect: str = "", seconds: int | None = None) -> None:
        fields = {"key": key, "value": value, "effect": effect, "seconds": seconds}
        try:
            self.policy: TolerationPolicy = toleration_policy(fields)
        except Misfit as misfit:
            raise _refused("D162", "Toleration", misfit) from None

    def __repr__(self) -> str:
        return _shown(self)


class Volume:
    """A folder that is mounted in the pods of a task; it has one source.

    Args:
        mount_path: where it is in the pod.
        claim: the name of a PersistentVolumeClaim.
        secret: the name of a Secret, whose keys are files then.
        config_map: the name of a ConfigMap, likewise.
        empty_dir: True for a folder that is empty at first and goes with the pod.
        read_only: whether the task can't write there.
        sub_path: the part of the volume that is mounted.
        size: the most that an empty folder may hold (`"10Gi"`).
        in_memory: whether an empty folder lies in memory (`/dev/shm`).

    Raises:
        DefinitionError: it has no source or several, or something Kubernetes would refuse (D163).
    """

    __slots__ = ("policy",)

    def __init__(
        self,
        mount_path: str,
        *,
        claim: str = "",
        secret: str = "",
        config_map: str = "",
        empty_dir: bool = False,
        read_only: bool = False,
        sub_path: str = "",
        size: str = "",
        in_memory: bool = False,
    ) -> None:
        fields: dict[str, Any] = {"mount_path": mount_path, "claim": claim, "secret": secret, "config_map": config_map}
        fields |= {"empty_dir": empty_dir, "read_only": read_only, "sub_path": sub_path}
        try:
            self.policy: VolumePolicy = volume_policy({**fields, "size": size, "in_memory": in_memory})
        except Misfit as misfit:
            raise _refused("D163", "Volume", misfit) from None

    def __repr__(self) -> str:
        return _shown(self)


class Pod:
    """How the pods of a task are made, on engines that have pods; a run on one machine takes no notice of it.

    Args:
        node_selector: labels that a machine must have.
        tolerations: taints it may have: `Toleration(...)`, or as `kubectl taint` writes them
            (`"dedicated=gpu:NoSchedule"`).
        priority_class: a PriorityClass of the cluster.
        spot: True for machines that may be taken away. What these are, the target says (`spot_selector`): each cloud
            has labels of its own.
        labels, annotations: of the pods.
        service_account: whose rights they have.
        volumes: what is mounted in them.
        env_from_secrets: Secrets, all of whose keys become variables.
        secret_env: variable -> (Secret, key).
        image_pull_secrets: Secrets that its image is fetched with.

    Raises:
        DefinitionError: something in it Kubernetes would refuse (D162, D163).
    """

    __slots__ = ("policy",)

    def __init__(
        self,
        *,
        node_selector: Mapping[str, str] | None = None,
        tolerations: Sequence[Toleration | str] = (),
        priority_class: str = "",
        spot: bool = False,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        service_account: str = "",
        volumes: Sequence[Volume] = (),
        env_from_secrets: Sequence[str] = (),
        secret_env: Mapping[str, tuple[str, str]] | None = None,
        image_pull_secrets: Sequence[str] = (),
    ) -> None:
        try:
            self.policy: PodPolicy = pod_policy(
                node_selector=node_selector or {},
                tolerations=_policies(tolerations),
                priority_class=priority_class,
                spot=spot,
                labels=labels or {},
                annotations=annotations or {},
                service_account=service_account,
                volumes=_policies(volumes),
                env_from_secrets=env_from_secrets,
                secret_env=secret_env or {},
                image_pull_secrets=image_pull_secrets,
            )
        except Misfit as misfit:
            raise _refused("D163" if misfit.name == "volumes" else "D162", "Pod", misfit) from None

    def __repr__(self) -> str:
        return _shown(self)


def _policies(given: Any) -> Any:  # Any: whatever was given; what is no list is refused by `ir.pods`
    if not isinstance(given, (list, tuple)):
        return given
    return [one.policy if isinstance(one, (Toleration, Volume)) else one for one in given]


def _refused(code: str, owner: str, misfit: Misfit) -> Exception:
    return refusal(code, f"{owner}(...): {misfit}", f"give `{misfit.name}` {misfit.expected}")


def _shown(value: Resources | Toleration | Volume | Pod) -> str:
    policy: Any = value.policy
    fields = ((name, getattr(policy, name), default) for name, default in policy.__frozen_fields__)
    return (
        f"{type(value).__name__}({', '.join(f'{name}={item!r}' for name, item, default in fields if item != default)})"
    )
