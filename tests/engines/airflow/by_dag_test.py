"""A pipeline compiled, published and run by `dag.test()`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from dag_process import DagRuns

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.run import Run
from drawloom.compilers.airflow.params import param_schema
from drawloom.compilers.base import compiler_of
from drawloom.dsl.tracing import trace
from drawloom.ir.plain import has_plain_form
from drawloom.ir.program import Program
from drawloom.runtimes.airflow_conf import conf_of
from drawloom.runtimes.begin import run_name
from drawloom.runtimes.publish import begin_asked, publish_folder, read_engine

__all__ = ["run_flow", "run_program", "states_of"]


def run_program(
    program: Program, folder: Path, dag_runs: DagRuns, store: str, encode: Any, **options: Any
) -> tuple[Run, dict[str, Any]]:
    """The run of a program, and what Airflow tells of it.

    Args:
        program: the program.
        folder: where it is compiled to.
        dag_runs: the process.
        store: the URL of a store.
        encode: makes the parameters' envelope trees of the store's catalog.
        options: of the compiler.
    """
    given = {"python": sys.executable} if options.get("runner", "python") == "python" else {}
    compiler_of("airflow").compile(program, store=store, **{**given, **options}).write(folder)
    publish_folder(folder)
    catalog = Catalog.open(store)
    dag_id = read_engine(folder, "airflow")["dag_id"]
    ports = program.pipeline.params
    forms = {port.name: param_schema(port.type) for port in ports if has_plain_form(port.type)}
    told = dag_runs.run(folder / "dag.py", dag_id, conf_of(begin_asked(catalog, encode(catalog), "airflow"), forms))
    return catalog.run(run_name("airflow", [["dag_id", dag_id], ["run_id", told["run_id"]]])), told


def run_flow(
    flow: Any, values: dict[str, Any], folder: Path, dag_runs: DagRuns, store: str, **options: Any
) -> tuple[Run, dict[str, list[str]]]:
    """The run of a pipeline, and Airflow's states of its tasks."""
    program = trace(flow, {}).program
    run, told = run_program(
        program,
        folder,
        dag_runs,
        store,
        lambda catalog: {name: catalog.values.encode(value) for name, value in values.items()},
        **options,
    )
    return run, states_of(told)


def states_of(told: dict[str, Any]) -> dict[str, list[str]]:
    """Task id -> the states of its instances."""
    states: dict[str, list[str]] = {}
    for task_id, _, state, _ in told["tasks"]:
        states.setdefault(task_id, []).append(state)
    return states
