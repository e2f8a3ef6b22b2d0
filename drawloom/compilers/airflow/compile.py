"""The compiler for Airflow: a DAG file that starts steps, and what these read from the store.

dag.py           the file for the DAGs folder; deployed, it is named after the DAG
names.json       the task that each node is
engine.json      digests, and the store: what `publish_folder` needs
pipeline.json, spans.json, functions/, steps/, bundle.zip    as for the reference engine; they go into the store
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Final

from drawloom.catalog import keys
from drawloom.compilers.airflow.dag_file import DagText, dag_text
from drawloom.compilers.airflow.names import dag_key
from drawloom.compilers.airflow.params import param_sources
from drawloom.compilers.airflow.tasks import DagTask, dag_tasks
from drawloom.compilers.base import Bundle, Compiler, EncodedValue, Lowered, Native, Refused, Support, refuse_unsupported
from drawloom.compilers.bundle import code_bundle, project_root
from drawloom.compilers.by_steps import BY_STEPS
from drawloom.compilers.emit.python import Source
from drawloom.compilers.features import FEATURES
from drawloom.compilers.importable import refuse_unimportable
from drawloom.compilers.passes.lower_steps import lower_steps
from drawloom.compilers.program_files import program_files, readable_json
from drawloom.errors import CompileError, Diagnostic, Span, did_you_mean
from drawloom.ir.canonical import Json, digest_bytes
from drawloom.ir.envelope import NotEncodable, encode
from drawloom.ir.program import Program, pipeline_digest
from drawloom.ir.protocol import stub_text

__all__ = ["COMPILER", "compile_airflow"]

_FORMAT: Final = 0
_GRACE_SECONDS: Final = 600  # beyond a run's limit: for its first step to begin, and its last to end
_PROFILES: Final = ("3", "2.11")


def compile_airflow(
    program: Program,
    *,
    store: str = "",
    project: str = "default",
    dag_id: str = "",
    python: str = "python3",
    airflow: str = "3",
    tags: Sequence[str] = (),
    owner: str = "",
    env: Mapping[str, str] | None = None,
    params: Mapping[str, object] | None = None,
    max_map_length: int = 1024,
    root: str | None = None,
    allow_pickle: bool = False,
) -> Bundle:
    """The files of a DAG.

    Args:
        program: a checked program.
        store: the URL of the store that the workers reach: `s3://bucket/prefix`, or the path of a folder they all have.
        project: the project in the store.
        dag_id: the DAG's id; "" for the pipeline's name.
        python: the interpreter of the steps on the workers, 3.11 or later, with the packages of the tasks: a path, or a
            name that is looked for in the worker's PATH. It shares nothing with Airflow's own.
        airflow: which Airflow the file is for: `3` or `2.11`.
        tags: of the DAG, beside `drawloom`.
        owner: of the tasks; "" for Airflow's own default.
        env: variables of the steps' processes.
        params: parameter name -> value, where it isn't the default.
        max_map_length: how many instances of a task Airflow maps at most (its option of the same name).
        root: the project's folder; None to find it by the modules of the program's tasks.
        allow_pickle: whether the project allows the codec `pickle`.

    Raises:
        CompileError: E701, a feature Airflow doesn't have; E703, E704, the bundle can't be made; E706, a task can't be
            imported by a step; E720, an option is wrong; E721, the parameters don't fit; E750, jinja2 isn't installed.
    """
    refuse_unsupported(program, COMPILER)
    refuse_unimportable(program)
    _check_options(store, airflow, dag_id, max_map_length)
    modules = sorted({task.function.module for task in program.pipeline.tasks})
    if root is None and modules:
        root = project_root(modules)
    code = code_bundle(root, modules)
    sha, digest = digest_bytes(code), pipeline_digest(program.pipeline)
    plan = lower_steps(program.pipeline, allow_pickle=allow_pickle)
    tasks = dag_tasks(plan)
    dag_id = dag_id or dag_key(program.pipeline.name)
    forms = param_sources(program.pipeline.params, _given(program, params or {}))
    bundles = f"{store.rstrip('/')}/{keys.project_prefix(project)}{keys.bundle_key(sha)}".removesuffix(f"/{sha}.zip")
    text = dag_text(
        DagText(
            dag=_dag_arguments(program, dag_id, forms, tags, owner),
            tasks=tasks,
            settings={
                "PROGRAM": digest,
                "BUNDLE": sha,
                "BUNDLES": bundles,
                "WHERE": ["--store", store, "--project", project],
                "PYTHON": python,
                "ENVIRONMENT": dict(env or {}),
                "MAX_MAP_LENGTH": max_map_length,
                "PARAMS": list(forms),
                "RUN": {"engine": "airflow", "ids": []},
            },
            stub=stub_text(),
            title=f"The pipeline `{program.pipeline.name}`.",
            profile=airflow,
        )
    )
    engine: Json = {
        "format": _FORMAT,
        "engine": "airflow",
        "pipeline": program.pipeline.name,
        "program": digest,
        "bundle": sha,
        "store": store,
        "project": project,
        "dag_id": dag_id,
    }
    files: dict[str, str | bytes] = {
        "dag.py": text,
        "names.json": readable_json(_names(tasks)),
        "engine.json": readable_json(engine),
        "bundle.zip": code,
    }
    return Bundle(files | program_files(program, plan))


def _names(tasks: Sequence[DagTask]) -> dict[str, str]:
    return {task.step: task.id for task in tasks if task.kind != "Spread"}


def _dag_arguments(
    program: Program, dag_id: str, forms: Mapping[str, Source], tags: Sequence[str], owner: str
) -> dict[str, Any]:
    pipeline = program.pipeline
    made: dict[str, Any] = {"dag_id": dag_id, "schedule": None, "catchup": False}
    if forms:
        made["params"] = dict(forms)
    defaults: dict[str, Any] = {"retries": 0, "retry_delay": Source("timedelta(0)")}
    if owner:
        defaults["owner"] = owner
    made["default_args"] = defaults
    if pipeline.policies.run_timeout_seconds is not None:  # the steps keep it; this is for tasks that can't start
        limit = ceil(pipeline.policies.run_timeout_seconds) + _GRACE_SECONDS
        made["dagrun_timeout"] = Source(f"timedelta(seconds={limit})")
    made["tags"] = sorted({"drawloom", *tags})
    return made


def _given(program: Program, params: Mapping[str, object]) -> dict[str, Json]:
    """Parameter name -> envelope tree, of those that are given a value.

    Raises:
        CompileError: E721.
    """
    ports = {port.name: port for port in program.pipeline.params}
    where = program.spans.get("")
    problems = [
        Diagnostic(
            "E721",
            f"pipeline `{program.pipeline.name}` has no parameter `{name}`{did_you_mean(name, ports)}",
            where,
            "leave it out",
        )
        for name in sorted(params.keys() - ports.keys())
    ]
    if problems:
        raise CompileError(problems)
    return {name: _tree(name, value, where) for name, value in params.items()}


def _tree(name: str, value: object, where: Span | None) -> Json:
    if isinstance(value, EncodedValue):
        return value.tree
    try:
        return encode(value)
    except NotEncodable as error:
        what = f"the parameter `{name}` can't be put into a DAG: {error}"
        fix = "use `drawloom deploy`, which stores such values first"
        raise CompileError(Diagnostic("E721", what, where, fix)) from error


def _check_options(store: str, airflow: str, dag_id: str, max_map_length: int) -> None:
    problems = []
    if not store or not ("://" in store or store.startswith("/")):
        problems.append(("store", store, "the store that the workers reach: s3://bucket/prefix, or a whole path"))
    if airflow not in _PROFILES:
        problems.append(("airflow", airflow, f"one of {', '.join(_PROFILES)}"))
    if dag_id and dag_key(dag_id) != dag_id:
        problems.append(("dag_id", dag_id, "letters of ASCII, digits, _ and -, 190 at most"))
    if max_map_length < 1:
        problems.append(("max_map_length", max_map_length, "a whole number above 0"))
    if problems:
        raise CompileError(
            Diagnostic("E720", f"the option `{name}` of the airflow compiler is {value!r}", None, f"give it {expected}")
            for name, value, expected in problems
        )


_SUPPORT: Final[dict[str, Support]] = {
    **dict.fromkeys(FEATURES, Native()),
    **BY_STEPS,
    "node.container@1": Lowered("the step runs it by docker or podman of its worker"),
    "node.engine@1": Refused("not yet"),
    "node.pipeline@1": Lowered("a task group"),
    "control.map@1": Lowered("tasks mapped over the index vectors that a deciding step counts"),
    "control.map.nested@1": Lowered("each step is mapped over the index vectors of all its depths"),
    "control.map.batch@1": Lowered("a mapped task is given several index vectors"),
    "control.map.parallelism@1": Lowered("`max_active_tis_per_dagrun`"),
    "control.map.parallelism_steps@1": Lowered("one task, which starts the steps of so many items"),
    "control.branch@1": Lowered("a deciding step skips the tasks of the other arms; in a map they find out themselves"),
    "control.loop@1": Lowered("one task, which starts the steps of every iteration"),
    "control.loop.nested@1": Lowered("as any loop"),
    "control.loop.long@1": Lowered("as any loop"),
    "policy.retry.backoff@1": Lowered("`retry_exponential_backoff`, which adds up to as much again"),
    **dict.fromkeys((name for name in FEATURES if name.startswith("policy.schedule")), Refused("not yet")),
    "policy.packages@1": Lowered("the packages of the interpreter"),
    "policy.resources@1": Lowered("a worker, of which nothing is kept for a step"),
    "policy.resources.gpu@1": Lowered("whatever devices a worker has"),
    "policy.image@1": Lowered("the interpreter of the target"),
    "policy.placement@1": Lowered("any worker"),
    "policy.volumes@1": Lowered("what lies under these paths on a worker"),
    "policy.secrets@1": Lowered("variables of these names, where a worker has them"),
    "policy.pod@1": Lowered("a process has none of these"),
    "value.logical_time@1": Lowered("the end of the run's data interval, or its logical date"),
    "value.interval@1": Lowered("the run's data interval"),
    "value.file@1": Lowered("who triggers the run stores them first"),
}
_STAND_INS: Final = {"store": "s3://bucket/prefix"}
_OF_PIPELINES: Final = frozenset({"dag_id", "params"})
COMPILER: Final = Compiler("airflow", _SUPPORT, compile_airflow, _STAND_INS, _OF_PIPELINES)
