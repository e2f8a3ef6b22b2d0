"""What steps run in, where that isn't the worker itself: a pod of Kubernetes', or a container of the worker's docker.

A DAG file has each kind once, under a name that its operators give: `Step(pod="train", ...)`.
Source: Airflow's docs "KubernetesPodOperator" (`pod_template_dict`, the XCom sidecar); docker's docs "docker run".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from drawloom.compilers.airflow.names import Variables
from drawloom.compilers.passes.plan import StepPlan
from drawloom.compilers.pods.options import PodOptions, settings_of_steps
from drawloom.compilers.pods.printed import container_part, pod_parts
from drawloom.compilers.pods.settings import PodSettings
from drawloom.compilers.pods.staged import staged
from drawloom.errors import CompileError, Diagnostic
from drawloom.ir.kubernetes import quantity_bytes
from drawloom.ir.nodes import Call
from drawloom.ir.policies import GPU_TYPE
from drawloom.ir.program import Program
from drawloom.ir.walk import walk

__all__ = ["RULES", "Places", "places_of", "refuse_containers"]

# Any: Kubernetes' objects as JSON trees

_BASE: Final = ""
_TAKEN_PATHS: Final = ("/airflow/xcom/", "/tmp/")  # noqa: S108  # the pod's own
_OF_AIRFLOW: Final = (
    *("airflow_kpo_in_cluster", "airflow_version", "already_checked", "dag_id", "kubernetes_pod_operator"),
    *("map_index", "run_id", "task_id", "try_number"),
)


@dataclass(frozen=True, slots=True)
class Places:
    """What steps run in.

    Args:
        made: name -> a pod, or the options and the image of a container; "" is that of most.
        names: step id -> name, of those that have another one.
        staged: ids of steps whose pods run an image of the user's between two stages.
    """

    made: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    staged: frozenset[str] = frozenset()


def _pod_rules(settings: PodSettings) -> Iterator[tuple[str, str, str]]:
    pod = settings.pod
    for path in (volume.mount_path for volume in pod.volumes):
        if f"{path}/".startswith(_TAKEN_PATHS):
            yield "E727", f"a volume is mounted at {path}, which Airflow and the step use", "mount it elsewhere"
    for key, _ in pod.labels:
        if key in _OF_AIRFLOW:
            yield "E727", f"the label {key!r} is one of Airflow's own", "choose another key"


def _container_rules(settings: PodSettings) -> Iterator[tuple[str, str, str]]:
    if settings.pod.env_from_secrets:
        what = "its variables come from all keys of a Secret, and docker has no Secrets"
        yield "E727", what, "name the variables (`secret_env`): the worker's of these names are handed on"
    for volume in settings.pod.volumes:
        if volume.size and not volume.in_memory:
            what = (
                f"the folder {volume.mount_path} may hold {volume.size}, and docker keeps such a limit in memory alone"
            )
            yield "E727", what, "leave the limit out, or put the folder into memory (`in_memory=True`)"
    if settings.resources.gpu and settings.resources.gpu_type != GPU_TYPE:
        what = f"it asks for devices of the kind {settings.resources.gpu_type}, which docker doesn't know"
        yield "E727", what, "choose the runner kubernetes"


RULES: Final[Mapping[str, Callable[[PodSettings], Iterator[tuple[str, str, str]]]]] = {
    "kubernetes": _pod_rules,
    "docker": _container_rules,
}


def places_of(program: Program, plan: StepPlan, options: PodOptions, runner: str) -> Places:
    """What the steps of a program run in.

    Args:
        program: the program.
        plan: it, lowered to steps.
        options: what the target says.
        runner: `kubernetes` or `docker`.

    Raises:
        CompileError: E724, E727, a task can't have what it asks for.
    """
    settings = settings_of_steps(
        program, plan.policies, options, RULES[runner], chooses_machines=runner == "kubernetes"
    )
    images = {task.name: task.container.image for task in program.pipeline.tasks if task.container is not None}
    tasks = {node.id: node.task for node in walk(program.pipeline.body) if isinstance(node, Call)}
    variables = Variables(())
    made: dict[str, Any] = {_BASE: _printed(options.base, options.base, "", runner)}
    known: dict[tuple[PodSettings, str], str] = {(options.base, ""): _BASE}
    names = {}
    for step, own in settings.items():
        image = images.get(tasks[step], "")
        if (own, image) not in known:
            name = known[own, image] = variables.new(tasks[step].rpartition(":")[2])
            made[name] = _printed(own, options.base, image, runner)
        if known[own, image]:
            names[step] = known[own, image]
    return Places(made, names, frozenset(step for step in settings if tasks[step] in images))


def refuse_containers(program: Program) -> None:
    """Refuses containers of the user's in steps that run in one.

    Raises:
        CompileError: E727, for each call of such a task.
    """
    images = {task.name for task in program.pipeline.tasks if task.container is not None}
    calls = [node for node in walk(program.pipeline.body) if isinstance(node, Call) and node.task in images]
    if calls:
        raise CompileError(
            Diagnostic(
                "E727",
                f"node `{node.id}` runs a container, and a step that docker runs can't start another one",
                program.spans.get(node.id),
                "choose the runner kubernetes, or python on workers that have docker or podman",
            )
            for node in calls
        )


def _printed(own: PodSettings, base: PodSettings, image: str, runner: str) -> Any:
    return _pod(own, base, image) if runner == "kubernetes" else _docker_options(own)


def _pod(own: PodSettings, base: PodSettings, image: str) -> dict[str, Any]:
    metadata, spec = pod_parts(own)
    container = container_part(own)
    if image:
        parts = staged(image, container, container_part(base), container, container)
        container = parts.pop("container")
        spec["volumes"] = [*parts.pop("volumes"), *spec.get("volumes", ())]
        spec |= parts
    spec["containers"] = [{"name": "base", **container}]
    return ({"metadata": metadata} if metadata else {}) | {"spec": spec}


def _docker_options(own: PodSettings) -> list[str]:
    """The options of `docker run`, and the image."""
    made = []
    resources = own.resources
    if resources.cpu:
        made += ["--cpus", f"{_processors(resources.cpu):g}"]
    if resources.memory:
        made += ["--memory", f"{quantity_bytes(resources.memory):.0f}b"]
    if resources.gpu:
        made += ["--gpus", str(resources.gpu)]
    for volume in own.pod.volumes:
        path = volume.mount_path
        if volume.source == "empty_dir":
            limit = f":size={quantity_bytes(volume.size):.0f}" if volume.size else ""
            made += ["--tmpfs", f"{path}{limit}"] if volume.in_memory else ["--volume", path]
        else:
            made += ["--volume", f"{path}:{path}{':ro' if volume.read_only else ''}"]
    for name, text in own.env:
        made += ["--env", f"{name}={text}"]
    for name, _, _ in own.pod.secret_env:
        made += ["--env", name]  # the worker's
    return [*made, "--pull", _PULL[own.pull_policy], own.image]


_PULL: Final = {"": "missing", "IfNotPresent": "missing", "Always": "always", "Never": "never"}


def _processors(text: str) -> float:
    return float(text.removesuffix("m")) / 1000 if text.endswith("m") else float(text)
