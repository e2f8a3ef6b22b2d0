"""What `drawloom doctor --target` looks at in an Airflow, and the run that tries the store from a worker."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from drawloom.catalog.outcomes import read_run
from drawloom.errors import DrawloomError
from drawloom.runtimes.api_problems import ApiProblem
from drawloom.runtimes.engines import Finding

if TYPE_CHECKING:
    from drawloom.catalog.catalog import Catalog
    from drawloom.runtimes.airflow import AirflowClient

__all__ = ["findings", "probe"]

# Any: options as users write them, Airflow's objects as JSON trees

_COMPONENTS: Final = ("metadatabase", "scheduler", "dag_processor")
_PROBE_SECONDS: Final = 300.0
_PROBE: Final = "airflow worker"


def findings(client: AirflowClient, options: Mapping[str, Any]) -> Iterator[Finding]:
    """What there is to say of an Airflow, and of what the options name in it."""
    try:
        client.preflight()
    except DrawloomError as error:
        for one in error.diagnostics:
            yield Finding("airflow", "problem", one.what, one.fix or "")
        return
    version = ".".join(map(str, client.access.version))
    yield Finding("airflow", "ok", f"Airflow {version} at {client.access.place}")
    yield _profile(client, str(options.get("airflow", "3")))
    yield from _health(client)
    yield _dags(client)
    yield from _pools(client, options)


def _profile(client: AirflowClient, profile: str) -> Finding:
    major = client.access.version[0]
    if (profile == "3") == (major >= 3):
        return Finding("airflow files", "ok", f"DAG files are for Airflow {profile}")
    fits = "3" if major >= 3 else "2.11"
    return Finding(
        "airflow files", "problem", f"DAG files are for Airflow {profile}", f'give the option airflow = "{fits}"'
    )


def _health(client: AirflowClient) -> Iterator[Finding]:
    path = ("monitor", "health") if client.access.version[0] >= 3 else ("health",)
    found = client.access.get(*path) or {}
    sick = [name for name in _COMPONENTS if (found.get(name) or {}).get("status") not in ("healthy", None)]
    if sick:
        fix = "start it, or see its log: nothing is run without it"
        yield Finding("airflow health", "problem", f"{', '.join(sick)}: not healthy", fix)
    else:
        yield Finding("airflow health", "ok", "its database, scheduler and DAG processor are healthy")


def _dags(client: AirflowClient) -> Finding:
    name = "airflow dags"
    if client.place is None:
        fix = 'add `dags = "/opt/airflow/dags"`, as it is reached from here'
        return Finding(name, "problem", "the target doesn't say where DAG files go", fix)
    try:
        client.place.check()
    except DrawloomError as error:
        return Finding(name, "problem", error.diagnostics[0].what, error.diagnostics[0].fix or "")
    return Finding(name, "ok", f"DAG files go to {client.place.place}")


def _pools(client: AirflowClient, options: Mapping[str, Any]) -> Iterator[Finding]:
    named = {str(options["pool"])} if options.get("pool") else set()
    named |= {str(own["pool"]) for own in (options.get("tasks") or {}).values() if own.get("pool")}
    for pool in sorted(named):
        try:
            there = client.access.get("pools", pool) is not None
        except ApiProblem as problem:
            yield Finding("airflow pool", "note", f"the pool {pool} can't be looked for: {problem.message}")
            continue
        if there:
            yield Finding("airflow pool", "ok", f"there is a pool {pool}")
        else:
            fix = f"make one: `airflow pools set {pool} 4 ''`; tasks of a pool that isn't there are never run"
            yield Finding("airflow pool", "problem", f"there is no pool {pool}", fix)


def probe(client: AirflowClient, folder: str | os.PathLike[str], catalog: Catalog) -> Iterator[Finding]:
    """Whether a worker reaches the store: a run without tasks, whose DAG is removed afterwards."""
    from drawloom.runtimes.publish import begin_asked

    made = client.submit(folder, begin_asked(catalog, {}, "airflow"), run=True)
    assert made.run is not None, "a run was asked for"
    try:
        deadline = time.monotonic() + _PROBE_SECONDS
        status = client.status(made.run)
        while not status.ended and time.monotonic() < deadline:
            time.sleep(1)
            status = client.status(made.run)
        if not status.ended:
            fix = "see that the scheduler runs and has room for a task"
            yield Finding(_PROBE, "problem", f"no worker has run a step for {_PROBE_SECONDS:.0f} s", fix)
        elif read_run(catalog.storage, made.run.run) is None:
            fix = (
                "see `python`, `store` and `env` of the target: a worker starts that interpreter, which opens the store"
            )
            yield Finding(_PROBE, "problem", f"a step on a worker fails: {status.message}", fix)
        else:
            yield Finding(_PROBE, "ok", "a step on a worker has written to the store")
    finally:
        client.remove(made)
        client.forget(made.run.id("dag_id"))
