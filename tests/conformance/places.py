"""The places where a program can run on one machine: the local executors, and every engine with a runtime here.

Both come from drawloom's own lists, so a new engine is held to the suite by being there.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import PROGRAMS, Case, Outcome

from drawloom.catalog.catalog import Catalog
from drawloom.compilers.base import compiler_of, engine_names
from drawloom.runtimes.engine_faults import Faults
from drawloom.runtimes.local import EXECUTORS, run_local

WORKERS = 2


def runner_of(engine: str) -> Callable[..., Any] | None:
    """What runs an engine's compiled programs on this machine, None if nothing does."""
    name = f"drawloom.runtimes.{engine}"
    if importlib.util.find_spec(name) is None:
        return None
    found: Callable[..., Any] | None = getattr(importlib.import_module(name), "run_bundle", None)
    return found


EXECUTOR_PLACES = sorted(EXECUTORS)
ENGINE_PLACES = [name for name in engine_names() if runner_of(name) is not None]
PLACES = [*EXECUTOR_PLACES, *ENGINE_PLACES]


def run_on(where: str, case: Case, folder: Path, faults: Faults | None = None, cache: Path | None = None) -> Outcome:
    """What comes of a case on an executor or an engine.

    Args:
        where: one of `PLACES`.
        case: the program and its parameters.
        folder: an empty one, for the store and what effects write.
        faults: what goes wrong on purpose, on an engine.
        cache: a folder where steps of several runs may keep what they fetch.
    """
    catalog = Catalog.open(str(folder / "store"))
    program = case.trace.program
    if where in EXECUTORS:
        catalog.save_program(program)
        params = case.encoded(folder, catalog)
        run = run_local(
            program, case.trace.functions, params, catalog, executor=where, workers=WORKERS, fail_fast=False
        )
        return case.outcome(run, catalog, folder)
    runner = runner_of(where)
    assert runner is not None
    compiler_of(where).compile(program, root=str(PROGRAMS)).write(folder / "compiled")
    run = runner(
        folder / "compiled",
        case.encoded(folder, catalog),
        str(folder / "store"),
        faults=faults,
        bare=not getattr(case.module, "PACKAGES", False),
        environment={"DRAWLOOM_CACHE": str(cache or folder / "cache")},
    )
    return case.outcome(run, catalog, folder)
