"""The compiler for Argo Workflows: a Workflow that starts steps, and what these read from the store.

workflow.yaml    the Workflow: what `kubectl create` takes; or workflowtemplate.yaml beside it, or cronworkflow.yaml
names.json       where in it each node is run
engine.json      digests, and the store: what `publish_folder` needs; `objects`, the files to create, in this order
pipeline.json, spans.json, functions/, steps/, bundle.zip    as for the reference engine; they go into the store
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from drawloom.catalog import keys
from drawloom.compilers.argo.containers import refuse_images
from drawloom.compilers.argo.kinds import (
    CRON,
    SCHEDULES,
    chosen_kind,
    lacks_times,
    objects_of,
    times_of,
)
from drawloom.compilers.argo.options import argo_pods, pods_of
from drawloom.compilers.argo.own import refuse_own
from drawloom.compilers.argo.patches import PATCH_FIX, Patch, patched, read_patches
from drawloom.compilers.argo.rules import OBJECT_LIMIT_BYTES, problems_of
from drawloom.compilers.argo.templates import ENTRYPOINT, EXIT, Pods, Templates
from drawloom.compilers.base import Bundle, Compiler, Lowered, Native, Support, refuse_unsupported
from drawloom.compilers.by_steps import BY_STEPS, engine_limit_seconds
from drawloom.compilers.emit.yaml import yaml_text
from drawloom.compilers.features import FEATURES
from drawloom.compilers.given_params import given_params, lacking_params, needs_values
from drawloom.compilers.importable import refuse_unimportable
from drawloom.compilers.passes.lower_steps import lower_steps
from drawloom.compilers.passes.plan import StepPlan
from drawloom.compilers.pods.names import object_name
from drawloom.compilers.pods.printed import container_part
from drawloom.compilers.program_files import engine_file, program_code, program_files, readable_json
from drawloom.errors import CompileError, Diagnostic, Span
from drawloom.ir.canonical import Json, digest_bytes
from drawloom.ir.program import Program, pipeline_digest
from drawloom.ir.protocol import asked_text, stub_text

__all__ = ["COMPILER", "compile_argo", "workflow_of"]

_PARAMS_LIMIT_BYTES: Final = 64 * 1024  # a Workflow has 1 MiB, and Linux 128 KiB for one argument


def compile_argo(
    program: Program,
    *,
    store: str = "",
    project: str = "default",
    image: str = "python:3.11-slim",
    image_pull_policy: str = "IfNotPresent",
    image_pull_secrets: Sequence[str] = (),
    namespace: str = "",
    service_account: str = "",
    env: Mapping[str, str] | None = None,
    env_from_secrets: Sequence[str] = (),
    secret_env: Mapping[str, object] | None = None,
    cpu: float | str | None = None,
    memory: str = "",
    disk: str = "",
    node_selector: Mapping[str, str] | None = None,
    tolerations: Sequence[object] = (),
    priority_class: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    volumes: Sequence[object] = (),
    spot_selector: Mapping[str, str] | None = None,
    spot_tolerations: Sequence[object] = (),
    tasks: Mapping[str, Mapping[str, object]] | None = None,
    params: Mapping[str, object] | None = None,
    kind: str = "",
    logical_time: object = None,
    interval: object = None,
    patches: Sequence[Patch | Mapping[str, Any]] = (),
    root: str | None = None,
    allow_pickle: bool = False,
) -> Bundle:
    """The files of an Argo Workflow.

    Args:
        program: a checked program.
        store: the URL of the store that the pods reach: `s3://bucket/prefix`, or the path of a volume they all have.
        project: the project in the store.
        image: the image of the steps: any with Python 3.11 or later as `python3`, and the packages of the tasks.
        image_pull_policy: `IfNotPresent`, `Always` or `Never`.
        image_pull_secrets: Secrets that images are fetched with.
        namespace: where it runs; "" for whatever `kubectl` says.
        service_account: whose rights the pods have; "" for the namespace's default.
        env: variables of the steps' containers.
        env_from_secrets: Secrets of the namespace, all of whose keys become variables.
        secret_env: variable -> (Secret, key), or `secret:key`.
        cpu, memory, disk: what is kept for each step where its task says nothing.
        node_selector, tolerations, priority_class: where all steps run, and how urgent they are.
        labels, annotations: of all pods.
        volumes: what is mounted in all pods: `claim:/mount/path`, or the fields of a `Volume`.
        spot_selector, spot_tolerations: which machines a task with `spot=True` runs on.
        tasks: task name -> options of that task alone, which go before its own: `image`, `env`, `gpu`, `spot`, ...
        params: parameter name -> value, where it isn't the default.
        kind: `workflow`, `template` (a WorkflowTemplate, and a Workflow of it) or `cron` (a CronWorkflow); "" for
            `cron` where the pipeline has a schedule, else `workflow`.
        logical_time: the time the runs are for, with its zone, or its text in ISO 8601.
        interval: the (start, end) of the data the runs are for, or `START/END`.
        patches: changes to what is made (`patches.Patch`, or mappings of its fields).
        root: the project's folder; None to find it by the modules of the program's tasks.
        allow_pickle: whether the project allows the codec `pickle`.

    Raises:
        CompileError: E701, a feature Argo doesn't have; E703, E704, the bundle can't be made; E706, a task can't be
            imported by a step; E720, an option is wrong; E721, the parameters don't fit or are too large; E722, the
            Workflow is larger than Kubernetes takes, or would break a rule of Argo's; E724, E725, E727, a pod that a
            task asks for can't be had; E730, there is no such kind of object, or no schedule for it; E731, a scheduled
            pipeline has a parameter without a value; E732, a time is none; E733, E734, a patch is wrong; E736, Argo
            would read the name of a container's image as a template; E737, an engine node names no template of Argo's.
    """
    given = dict(locals())
    refuse_unsupported(program, COMPILER)
    refuse_own(program)
    refuse_unimportable(program)
    _check_store(store)
    kind = chosen_kind(program.pipeline, kind, program.spans.get(""))
    changes = read_patches(patches)
    options = argo_pods(program, given)
    refuse_images(program)
    code = program_code(program, root)
    sha = digest_bytes(code)
    plan = lower_steps(program.pipeline, allow_pickle=allow_pickle)
    steps, spec = pods_of(program, plan.policies, options)
    pods = Pods(
        container=container_part(options.base),
        stub=stub_text(),
        bundle=(f"{store.rstrip('/')}/{keys.project_prefix(project)}{keys.bundle_key(sha)}", sha),
        where=("--store", store, "--project", project),
        steps=steps,
        spec=spec,
    )
    times = times_of(kind, logical_time, interval)
    scheduled = kind == CRON
    asked = _asked(program, params or {}, times, scheduled=scheduled)
    digest = pipeline_digest(program.pipeline)
    workflow, names = workflow_of(program, digest, plan, pods, asked, namespace=namespace, scheduled=scheduled)
    objects = patched(objects_of(workflow, kind, program.pipeline), changes)
    texts = {file: yaml_text(made) for file, made in objects.items()}
    for file, made in objects.items():
        _refuse_broken(made, texts[file], program, has_patches=bool(changes))
    files: dict[str, str | bytes] = {
        **texts,
        "names.json": readable_json(names),
        "engine.json": engine_file("argo", program, digest, sha, store=store, project=project, objects=list(objects)),
        "bundle.zip": code,
    }
    return Bundle(files | program_files(program, plan))


def workflow_of(
    program: Program,
    digest: str,
    plan: StepPlan,
    pods: Pods,
    asked: str | None,
    *,
    namespace: str = "",
    scheduled: bool = False,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The Workflow of a program, and where in it each node is run.

    Args:
        program: the program.
        digest: its pipeline's.
        plan: it, lowered to steps.
        pods: how pods are made.
        asked: what the begin step is given; None to be given by who submits it.
        namespace: where it runs; "" for whatever `kubectl` says.
        scheduled: whether Argo knows which time of a schedule a run is for.
    """
    pipeline = program.pipeline
    templates = Templates(plan, pods, digest, scheduled=scheduled)
    where = zip(pods.where[::2], pods.where[1::2], strict=True)  # --store URL --project P
    whose = {"drawloom/pipeline": pipeline.name} | {f"drawloom/{name.removeprefix('--')}": text for name, text in where}
    metadata: dict[str, Any] = {
        "generateName": f"{object_name(pipeline.name)}-",
        "labels": {"app.kubernetes.io/managed-by": "drawloom", "drawloom/pipeline": object_name(pipeline.name)},
        "annotations": {**whose, "drawloom/program": digest},
    }
    if namespace:
        metadata["namespace"] = namespace
    spec: dict[str, Any] = {
        "entrypoint": ENTRYPOINT,
        "onExit": EXIT,
        "arguments": {"parameters": [{"name": "run"} | ({} if asked is None else {"value": asked})]},
        "templates": templates.made,
        **pods.spec,
    }
    limit = engine_limit_seconds(pipeline.policies)
    if limit is not None:
        spec["activeDeadlineSeconds"] = limit
    made = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata, "spec": spec}
    return made, templates.names


def _asked(program: Program, params: Mapping[str, object], times: Mapping[str, Json], *, scheduled: bool) -> str | None:
    """What the begin step is given.

    None if a parameter has no value, or the run no time that the pipeline asks for: then who submits the Workflow must
    give it, and Argo refuses it else. A schedule gives the times, and nobody could give parameters.
    """
    where = program.spans.get("")
    trees = given_params(program, params, "a Workflow")
    if lacking_params(program.pipeline, params):
        if scheduled:
            raise CompileError(needs_values(program.pipeline, params, where))
        return None
    if not scheduled and lacks_times(program.pipeline, times):
        return None
    given = {name: {"tree": tree} for name, tree in trees.items()}
    text = asked_text({"engine": "argo", "ids": [], "params": given, **times})
    if len(text) > _PARAMS_LIMIT_BYTES:
        what = f"the parameters have {len(text):,} characters; a Workflow takes {_PARAMS_LIMIT_BYTES:,}"
        raise CompileError(Diagnostic("E721", what, where, "pass a large value as a `File`, or by its place"))
    return text


def _check_store(store: str) -> None:
    fix = "" if store else "name the store that the pods reach: s3://bucket/prefix"
    if "{{" in store:
        fix = "Argo would read `{{` as a template: leave it out"
    if fix:
        raise CompileError(Diagnostic("E720", f"the option `store` of the argo compiler is {store!r}", None, fix))


def _refuse_broken(made: Mapping[str, Any], text: str, program: Program, *, has_patches: bool) -> None:
    where = program.spans.get("") or Span("", 0)
    size = len(text.encode("utf-8"))
    if size > OBJECT_LIMIT_BYTES:
        what = f"the {made['kind']} has {size / 2**20:.1f} MiB; Kubernetes takes {OBJECT_LIMIT_BYTES >> 20} MiB"
        raise CompileError(
            Diagnostic("E722", what, where, "loop over a run-time list: a map is one node for all items")
        )
    try:
        found = problems_of(made)
    except (KeyError, TypeError, AttributeError) as error:  # a patch has taken away what must be there
        raise CompileError(
            Diagnostic("E734", f"after the patches the {made['kind']} can't be read: {error!r}", where, PATCH_FIX)
        ) from error
    if found and has_patches:
        what = f"after the patches the {made['kind']} breaks a rule of Argo's"
        raise CompileError(Diagnostic("E734", f"{what}: {one}", where, PATCH_FIX) for one in found)
    if found:
        fix = "this is a fault of drawloom's: report it with the pipeline"
        raise CompileError(
            Diagnostic("E722", f"the {made['kind']} breaks a rule of Argo's: {one}", where, fix) for one in found
        )


_SUPPORT: Final[dict[str, Support]] = {
    **dict.fromkeys(FEATURES, Native()),
    **BY_STEPS,
    "node.container@1": Lowered("a pod that stages files in, runs the image by its `/bin/sh`, and stages files out"),
    "node.engine@1": Lowered("a `templateRef` between a step that writes its inputs and one that reads its outputs"),
    "node.pipeline@1": Lowered("a DAG template of its own"),
    "control.map@1": Lowered("a deciding step writes the count of a `withSequence`"),
    "control.map.nested@1": Lowered(
        "the number of the item goes to the end of an index vector, an input of the templates"
    ),
    "control.map.batch@1": Lowered("a deciding step writes the batches of a `withParam`"),
    "control.map.parallelism@1": Lowered("the `parallelism` of a template around the items"),
    "control.map.parallelism_steps@1": Lowered("the `parallelism` of a template around the items"),
    "control.branch@1": Lowered("a deciding step writes a boolean per arm, each a `when`"),
    "control.loop@1": Lowered("templates of 1, 2, 4, ... iterations, each run if a deciding step wants another one"),
    "control.loop.nested@1": Lowered("as any loop, with the index vector as an input"),
    "control.loop.long@1": Lowered("as any loop: the templates lie no deeper than the bound has binary digits"),
    "policy.packages@1": Lowered("the packages of the image"),
    "policy.env@1": Lowered("the step sets them before it imports the task: none of them goes through Argo"),
    **SCHEDULES,
    "value.logical_time@1": Lowered("the time of the schedule, or what the run is submitted with"),
    "value.interval@1": Lowered(
        "the begin step finds the time before in the schedule, or what the run is submitted with"
    ),
    "value.file@1": Lowered("who submits the run stores them first"),
}
_STAND_INS: Final = {"store": "s3://bucket/prefix", "spot_selector": {"example.com/spot": "true"}}
_OF_PIPELINES: Final = frozenset({"interval", "kind", "logical_time", "params", "patches", "tasks"})
COMPILER: Final = Compiler("argo", _SUPPORT, compile_argo, _STAND_INS, _OF_PIPELINES)
