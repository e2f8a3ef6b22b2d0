"""Policies: how a node is to be run, apart from what it computes.

Only policies that something honours are here; each lands with its first consumer. Standard library alone.
"""

from __future__ import annotations

from typing import Final

from drawloom.frozen import dataclass

__all__ = [
    "GPU_TYPE",
    "INFRA",
    "TIMEOUT",
    "CachePolicy",
    "Parallelism",
    "PipelinePolicies",
    "PodPolicy",
    "Policies",
    "ResourcesPolicy",
    "RetryPolicy",
    "SchedulePolicy",
    "TolerationPolicy",
    "VolumePolicy",
]

INFRA: Final = "infra"  # the step was lost: killed, evicted, out of memory
TIMEOUT: Final = "timeout"  # an attempt ran into `attempt_timeout_seconds`
GPU_TYPE: Final = "nvidia.com/gpu"  # the resource that GPUs are, where nothing else is said


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often a failed attempt is made again.

    Args:
        max_attempts: the number of tries in all, the first included; at least 1.
        delay_seconds: the pause before the second attempt.
        factor: what each further pause is multiplied by.
        max_delay_seconds: the longest pause.
        on: `module:qualname` of exception classes (subclasses count), `"infra"`, `"timeout"`; empty means all of them.
    """

    max_attempts: int = 1
    delay_seconds: float = 0.0
    factor: float = 1.0
    max_delay_seconds: float = 3600.0
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Whether a call may be answered from an earlier commit.

    Args:
        enabled: True or False where the user said so; None means by the rule (not for sources, nor for effects).
        version: a text of the user's that is part of the cache key.
        ttl_seconds: how old a commit may be that answers a call, from when it was made; None for any age.
    """

    enabled: bool | None = None
    version: str = ""
    ttl_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ResourcesPolicy:
    """What a step needs of a machine, as Kubernetes quantities; "" and 0 where nothing is said (`ir.pods` makes it).

    Args:
        cpu: processors that are kept for it; it may use more where nobody else wants them.
        memory, disk: bytes that are kept for it; it is ended where it takes more.
        gpu, gpu_type: how many devices, and the name of the resource they are.
    """

    cpu: str = ""
    memory: str = ""
    disk: str = ""
    gpu: int = 0
    gpu_type: str = GPU_TYPE


@dataclass(frozen=True, slots=True)
class TolerationPolicy:
    """A taint of a machine that doesn't keep a step away from it.

    Args:
        key: the taint's key; "" for every taint.
        value: the taint's value; None for any.
        effect: `NoSchedule`, `PreferNoSchedule` or `NoExecute`; "" for all of them.
        seconds: how long it may stay after a `NoExecute`; None for ever.
    """

    key: str = ""
    value: str | None = None
    effect: str = ""
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class VolumePolicy:
    """A folder of a step that is mounted from elsewhere.

    Args:
        mount_path: where it is in the step.
        source: `claim`, `secret`, `config_map` or `empty_dir`.
        name: of the claim, the Secret or the ConfigMap.
        read_only: whether the step can't write there.
        sub_path: the part of the volume that is mounted; "" for all of it.
        size: the most that an empty folder may hold; "" for no limit.
        in_memory: whether an empty folder lies in memory.
    """

    mount_path: str
    source: str
    name: str = ""
    read_only: bool = False
    sub_path: str = ""
    size: str = ""
    in_memory: bool = False


@dataclass(frozen=True, slots=True)
class PodPolicy:
    """How the pod of a step is made, apart from what runs in it; pairs are sorted by name.

    Args:
        node_selector: labels of the machines it may run on.
        tolerations: taints of machines it may run on in spite of them.
        priority_class: of Kubernetes.
        spot: whether it is to run on machines that may be taken away; what these are, the target says.
        labels, annotations: of the pod.
        service_account: whose rights it has.
        volumes: what is mounted in it.
        env_from_secrets: Secrets, all of whose keys become variables.
        secret_env: (variable, Secret, key).
        image_pull_secrets: what its image is fetched with.
    """

    node_selector: tuple[tuple[str, str], ...] = ()
    tolerations: tuple[TolerationPolicy, ...] = ()
    priority_class: str = ""
    spot: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    service_account: str = ""
    volumes: tuple[VolumePolicy, ...] = ()
    env_from_secrets: tuple[str, ...] = ()
    secret_env: tuple[tuple[str, str, str], ...] = ()
    image_pull_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of a task or of one call (a call's replace its task's as a whole).

    Args:
        retry: when a failed attempt is made again.
        attempt_timeout_seconds: the longest one attempt may run, queueing left out; None for no limit.
        node_timeout_seconds: the longest all attempts of a node instance may take, pauses included.
        cache: whether a call may be answered from an earlier commit.
        packages: distributions the task needs (`pandas>=2`); their installed versions are part of the cache key.
        resources: what a step needs of a machine.
        image: the container image it runs in, on engines that have containers; part of the cache key.
        env: (name, text) of environment variables, sorted; the step sets them itself; part of the cache key.
        pod: how its pod is made, on engines that have pods.
    """

    retry: RetryPolicy = RetryPolicy()
    attempt_timeout_seconds: float | None = None
    node_timeout_seconds: float | None = None
    cache: CachePolicy = CachePolicy()
    packages: tuple[str, ...] = ()
    resources: ResourcesPolicy = ResourcesPolicy()
    image: str = ""
    env: tuple[tuple[str, str], ...] = ()
    pod: PodPolicy = PodPolicy()


@dataclass(frozen=True, slots=True)
class Parallelism:
    """At most `limit` items of a map at once, counted within `scope` (`loop`: this map instance)."""

    limit: int
    scope: str = "loop"


@dataclass(frozen=True, slots=True)
class SchedulePolicy:
    """When an engine starts runs by itself.

    Args:
        cron: five fields (`ir.cron`).
        zone: the IANA name of the zone they are in.
        catch_up: which of the times that were missed get a run: `none`, the `latest`, `all`.
        overlap: at a time where the run before still goes on: `skip` the new one, `replace` the old one, `allow` both.
    """

    cron: str
    zone: str
    catch_up: str = "none"
    overlap: str = "skip"


@dataclass(frozen=True, slots=True)
class PipelinePolicies:
    """The policies of a whole run.

    Args:
        run_timeout_seconds: the longest a run may take; None for no limit.
        schedule: when an engine starts runs by itself; None for never.
    """

    run_timeout_seconds: float | None = None
    schedule: SchedulePolicy | None = None
