"""The compiler for Airflow: a DAG file that starts steps, and what these read from the store.

dag.py           the file for the DAGs folder; deployed, it is named after the DAG
engine.json      digests, and the store: what `publish_folder` needs
pipeline.json, spans.json, functions/, steps/, bundle.zip    as for the reference engine; they go into the store
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from drawloom.catalog import keys
from drawloom.compilers.airflow.dag_file import DagText, dag_text
from drawloom.compilers.airflow.names import dag_key
from drawloom.compilers.airflow.options import Options, check_options, notifiers, task_arguments
from drawloom.compilers.airflow.own import refuse_own
from drawloom.compilers.airflow.params import param_sources
from drawloom.compilers.airflow.pods import Places, places_of, refuse_containers
from drawloom.compilers.airflow.schedules import SCHEDULES, schedule_arguments, schedule_rules
from drawloom.compilers.airflow.tasks import DagTask, dag_tasks
from drawloom.compilers.base import Bundle, Compiler, Lowered, Native, Support, refuse_unsupported
from drawloom.compilers.by_steps import BY_STEPS, engine_limit_seconds
from drawloom.compilers.emit.python import Source
from drawloom.compilers.features import FEATURES
from drawloom.compilers.given_params import given_params
from drawloom.compilers.importable import refuse_unimportable
from drawloom.compilers.passes.lower_steps import lower_steps
from drawloom.compilers.program_files import engine_file, program_code, program_files
from drawloom.ir.canonical import Json, digest_bytes
from drawloom.ir.program import Program, pipeline_digest
from drawloom.ir.protocol import stub_text

__all__ = ["COMPILER", "compile_airflow"]

_STARTUP_SECONDS: Final = 600  # a machine that is added for a pod takes minutes


def compile_airflow(
    program: Program,
    *,
    store: str = "",
    project: str = "default",
    dag_id: str = "",
    airflow: str = "3",
    runner: str = "python",
    python: str = "python3",
    image: str = "",
    image_pull_policy: str = "",
    image_pull_secrets: Sequence[str] = (),
    namespace: str = "",
    kubernetes_conn_id: str = "",
    startup_timeout_seconds: int | None = None,
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
    tags: Sequence[str] = (),
    owner: str = "",
    pool: str = "",
    priority_weight: int | None = None,
    queue: str = "",
    tasks: Mapping[str, Mapping[str, object]] | None = None,
    start_date: str = "",
    on_failure: Sequence[Mapping[str, object]] = (),
    on_success: Sequence[Mapping[str, object]] = (),
    max_map_length: int = 1024,
    params: Mapping[str, object] | None = None,
    root: str | None = None,
    allow_pickle: bool = False,
) -> Bundle:
    """The files of a DAG.

    Args:
        program: a checked program.
        store: the URL of the store that the workers reach: `s3://bucket/prefix`, or the path of a folder they all have.
        project: the project in the store.
        dag_id: the DAG's id; "" for the pipeline's name.
        airflow: which Airflow the file is for: `3` or `2.11`.
        runner: how a worker runs a step: `python`, an interpreter that shares nothing with Airflow's own; `docker`, a
            container of `image`; `kubernetes`, a pod of `image`; `inprocess`, a fork of the worker's own process, which
            has Airflow's packages.
        python: the interpreter, 3.11 or later, with the packages of the tasks: a path, or a name that is looked for in
            the PATH of the worker, or of the image.
        image: the image of `docker` and `kubernetes`: any with Python 3.11 or later, and the packages of the tasks.
        image_pull_policy: `IfNotPresent`, `Always` or `Never`; "" for Kubernetes' own, or docker's, default.
        image_pull_secrets: Secrets that the images of pods are fetched with.
        namespace, kubernetes_conn_id: where pods run, and Airflow's Connection to that cluster; "" for Airflow's own
            defaults.
        startup_timeout_seconds: how long a pod may wait for a machine and its image; None for 600.
        service_account: whose rights the pods have; "" for the namespace's default.
        env: variables of the steps' processes.
        env_from_secrets: Secrets of the namespace, all of whose keys become variables of the pods.
        secret_env: variable -> (Secret, key), or `secret:key`; of a container of docker's, the worker's own variable.
        cpu, memory, disk: what is kept for each pod, or the most a container of docker's may take, where its task says
            nothing.
        node_selector, tolerations, priority_class: where all pods run, and how urgent they are.
        labels, annotations: of all pods.
        volumes: what is mounted in all pods (`claim:/mount/path`, or the fields of a `Volume`); in a container of
            docker's, what lies under the same path on the worker.
        spot_selector, spot_tolerations: which machines a task with `spot=True` runs on.
        tags: of the DAG, beside `drawloom`.
        owner: of the tasks; "" for Airflow's own default.
        pool, priority_weight, queue: of all tasks; "" and None for Airflow's own defaults.
        tasks: task name -> options of that task alone: `pool`, `pool_slots`, `priority_weight`, `queue`, and those of
            its pod or container, which go before its own.
        start_date: the time from which on a schedule makes up for runs, ISO 8601 with its zone.
        on_failure, on_success: notifiers that are told how a run ended: tables of `class` and the class's arguments.
        max_map_length: how many instances of a task Airflow maps at most (its option of the same name).
        params: parameter name -> value, where it isn't the default.
        root: the project's folder; None to find it by the modules of the program's tasks.
        allow_pickle: whether the project allows the codec `pickle`.

    Raises:
        CompileError: E701, a feature Airflow doesn't have; E703, E704, the bundle can't be made; E706, a task can't be
            imported by a step; E720, an option is wrong; E721, the parameters don't fit; E724, E727, a pod or a
            container that a task asks for can't be had; E731, a scheduled pipeline has
            a parameter without a value; E737, an engine node can't be run by Airflow; E750, jinja2 isn't installed;
            E751, a schedule needs a start.
    """
    given = dict(locals())
    refuse_unsupported(program, COMPILER)
    refuse_own(program)
    refuse_unimportable(program)
    options = check_options(program, given)
    if runner == "docker":
        refuse_containers(program)
    code = program_code(program, root)
    plan = lower_steps(program.pipeline, allow_pickle=allow_pickle)
    places = Places() if options.pods is None else places_of(program, plan, options.pods, runner)
    given["dag_id"] = dag_id or dag_key(program.pipeline.name)
    tasks_made = dag_tasks(plan, places.staged)
    digest, sha = pipeline_digest(program.pipeline), digest_bytes(code)
    text = dag_text(_dag_text_of(program, tasks_made, given, options, places, digest, sha))
    where: dict[str, Json] = {"store": store, "project": project, "dag_id": given["dag_id"]}
    files: dict[str, str | bytes] = {
        "dag.py": text,
        "engine.json": engine_file("airflow", program, digest, sha, **where),
        "bundle.zip": code,
    }
    return Bundle(files | program_files(program, plan))


def _dag_text_of(
    program: Program,
    tasks: Sequence[DagTask],
    given: Mapping[str, Any],
    options: Options,
    places: Places,
    digest: str,
    sha: str,
) -> DagText:
    """What is printed of a program.

    Args:
        program: the program.
        tasks: its tasks.
        given: option -> value, as `compile_airflow` has them.
        options: them, read.
        places: what its steps run in.
        digest, sha: of its pipeline, and of its code bundle.
    """
    values = given_params(program, given["params"] or {}, "a DAG")
    forms = param_sources(program.pipeline.params, values)
    imports, callbacks = notifiers({name: given[name] for name in ("on_failure", "on_success")})
    others = {name: {"tree": tree} for name, tree in values.items() if name not in forms}
    return DagText(
        dag=_dag_arguments(program, given, forms) | callbacks,
        tasks=tasks,
        arguments=_arguments(tasks, task_arguments(program, tasks, options.operators), places, given["runner"]),
        settings=_settings(given, places, digest, sha)
        | {"PARAMS": list(forms), "RUN": {"engine": "airflow", **({"params": others} if others else {})}},
        imports=imports,
        rules=schedule_rules(program.pipeline.policies.schedule),
        stub=stub_text(),
        title=f"The pipeline `{program.pipeline.name}`.",
        profile=given["airflow"],
        runner=given["runner"],
    )


def _settings(given: Mapping[str, Any], places: Places, digest: str, sha: str) -> dict[str, Any]:
    """What the code of the operators is given."""
    project = f"{given['store'].rstrip('/')}/{keys.project_prefix(given['project'])}"
    made = {
        "PROGRAM": digest,
        "BUNDLE": sha,
        "BUNDLES": (project + keys.bundle_key(sha)).removesuffix(f"/{sha}.zip"),
        "WHERE": ["--store", given["store"], "--project", given["project"]],
        "PYTHON": given["python"],
        "MAX_MAP_LENGTH": given["max_map_length"],
    }
    match given["runner"]:
        case "kubernetes":
            names = ("namespace", "kubernetes_conn_id")
            arguments = {name: given[name] for name in names if given[name]}
            arguments["startup_timeout_seconds"] = given["startup_timeout_seconds"] or _STARTUP_SECONDS
            return made | {"PODS": places.made, "POD_ARGUMENTS": arguments}
        case "docker":
            return made | {"CONTAINERS": places.made}
    return made | {"ENVIRONMENT": dict(given["env"] or {})}


def _arguments(
    tasks: Sequence[DagTask], known: Mapping[str, Mapping[str, Any]], places: Places, runner: str
) -> dict[str, dict[str, Any]]:
    """Further arguments of operators, by task id: what is said of their tasks, and what they run in."""
    made = {name: dict(arguments) for name, arguments in known.items()}
    kind = "pod_kind" if runner == "kubernetes" else "container"
    for task in tasks:
        if task.step in places.names:
            made.setdefault(task.id, {})[kind] = places.names[task.step]
        if task.step in places.staged:
            made.setdefault(task.id, {})["staged"] = True
    return made


def _dag_arguments(program: Program, given: Mapping[str, Any], forms: Mapping[str, Source]) -> dict[str, Any]:
    pipeline = program.pipeline
    made: dict[str, Any] = {"dag_id": given["dag_id"]}
    where = program.spans.get("")
    made |= schedule_arguments(pipeline, given["params"] or {}, given["start_date"], given["airflow"], where)
    if forms:
        made["params"] = dict(forms)
    defaults: dict[str, Any] = {"retries": 0, "retry_delay": Source("timedelta(0)")}
    defaults |= {name: given[name] for name in ("owner", "pool", "priority_weight", "queue") if given[name]}
    made["default_args"] = defaults
    limit = engine_limit_seconds(pipeline.policies)
    if limit is not None:
        made["dagrun_timeout"] = Source(f"timedelta(seconds={limit})")
    made["tags"] = sorted({"drawloom", *given["tags"]})
    if any(task.engine is not None for task in pipeline.tasks):
        made["user_defined_macros"] = {"given": Source("given")}
    if program.docs.get(""):
        made["doc_md"] = program.docs[""]
    return made


_SUPPORT: Final[dict[str, Support]] = {
    **dict.fromkeys(FEATURES, Native()),
    **BY_STEPS,
    "node.container@1": Lowered("in its pod, between two stages, or by docker or podman of its worker"),
    "node.engine@1": Lowered("an operator between a step that gives its inputs and one that reads its result"),
    "node.pipeline@1": Lowered("a task group"),
    "control.map@1": Lowered("tasks mapped over the index vectors that a deciding step counts"),
    "control.map.nested@1": Lowered("each step is mapped over the index vectors of all its depths"),
    "control.map.batch@1": Lowered("a mapped task is given several index vectors"),
    "control.map.parallelism@1": Lowered("`max_active_tis_per_dagrun`; where it is 1, one task, which keeps the order"),
    "control.map.parallelism_steps@1": Lowered("one task, which starts the steps of so many items"),
    "control.branch@1": Lowered("a deciding step skips the tasks of the other arms; in a map they find out themselves"),
    "control.loop@1": Lowered("one task, which starts the steps of every iteration"),
    "control.loop.nested@1": Lowered("as any loop"),
    "control.loop.long@1": Lowered("as any loop"),
    "policy.retry.backoff@1": Lowered(
        "`retry_exponential_backoff`, which adds up to as much again; Airflow 2 doubles the pause, whatever the factor"
    ),
    **SCHEDULES,
    "policy.packages@1": Lowered("the packages of the interpreter"),
    "policy.resources@1": Lowered("what is kept for its pod, or the most its container may take; nothing of a worker"),
    "policy.resources.gpu@1": Lowered("those of its pod or container, or whatever a worker has"),
    "policy.image@1": Lowered("that of its pod or container, or the interpreter of the target"),
    "policy.placement@1": Lowered("the machine of its pod, or any worker"),
    "policy.volumes@1": Lowered("those of its pod, or what lies under these paths on a worker"),
    "policy.secrets@1": Lowered("those of its pod, or variables of these names, where a worker has them"),
    "policy.pod@1": Lowered("its pod's; a process or a container has none of these"),
    "value.logical_time@1": Lowered("the end of the run's data interval, or its logical date"),
    "value.interval@1": Lowered("the run's data interval"),
    "value.file@1": Lowered("who triggers the run stores them first"),
}
_STAND_INS: Final = {"store": "s3://bucket/prefix", "start_date": "2026-01-01T00:00:00Z"}
_OF_PIPELINES: Final = frozenset({"dag_id", "params", "tasks"})
COMPILER: Final = Compiler(
    "airflow", _SUPPORT, compile_airflow, _STAND_INS, _OF_PIPELINES, has_runs_beside_schedule=True
)
