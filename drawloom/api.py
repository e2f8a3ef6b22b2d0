"""The verbs: run, plan, check, compile, run_compiled, debug, resume: where front end, runtimes and the catalog meet.

Each verb imports what it needs when it is called: checking a pipeline loads no runtime, compiling one no catalog.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from drawloom.errors import CompileError, DefinitionError, Diagnostic, RunRefused, did_you_mean
from drawloom.graphs import checked_trace, place, traced, twice_traced

if TYPE_CHECKING:
    from datetime import datetime

    from drawloom.catalog.catalog import Catalog
    from drawloom.catalog.run import Run
    from drawloom.compilers.base import Bundle, Compiler
    from drawloom.dsl.pipeline import Pipeline
    from drawloom.ir.program import Program
    from drawloom.runtimes.debug import Debugged
    from drawloom.runtimes.planned import Plan
    from drawloom.runtimes.progress import Progress
    from drawloom.storage.base import Storage

    AnyPipeline = Pipeline[..., Any]  # Any: whatever the pipeline returns

R = TypeVar("R")

__all__ = [
    "check",
    "compile",
    "compile_program",
    "debug",
    "graph",
    "plan",
    "plan_resume",
    "resume",
    "run",
    "run_compiled",
]


def run(
    pipeline: Pipeline[..., R],
    params: Mapping[str, object] | None = None,
    *,
    catalog: Catalog | str | os.PathLike[str] | None = None,
    executor: str = "threads",
    workers: int | None = None,
    cache: bool = True,
    fail_fast: bool = True,
    progress: Progress | None = None,
    logical_time: datetime | None = None,
    interval: tuple[datetime, datetime] | None = None,
) -> Run[R]:
    """Runs a pipeline here.

    Args:
        pipeline: what to run.
        params: parameter name -> value, of exactly the declared type; a path will do for a `File` or a `Directory`.
        catalog: the catalog, or its path or URL; None for the project's (`drawloom.toml`), or `.drawloom` here.
        executor: `threads`, `processes` or `inline`.
        workers: how many node instances run at once; None for what the executor thinks best.
        cache: False to run everything anew.
        fail_fast: whether the first failure cancels what has not started.
        progress: is told of everything that happens; None for nobody.
        logical_time: the time the run is for, with its zone; what `run_info` gives.
        interval: the (start, end) of the data the run is for, with their zones.

    Returns:
        The run, also when it failed; its `result` then raises from the task's own exception.

    Raises:
        DefinitionError: the pipeline can't be traced (D...).
        CheckFailed: its graph is wrong (G...).
        RunRefused: a parameter is missing (R541), unknown (R542) or of a wrong type (R543), a time has no zone (R544),
            an interval ends before it begins (R556) or the pipeline asks for a time that isn't given (R557), a package
            that a task declares isn't there (R522), or the executor can't be used as asked (R510-R518).
        ValueRefused: a parameter's value can't be kept (V...).
        StoreError: the catalog can't be read or written (S...).
    """
    from drawloom.parameters.binding import bind, encode_params
    from drawloom.parameters.requirements import refuse_unmet
    from drawloom.parameters.times import refuse_missing_times, times_given
    from drawloom.project.origin import origin
    from drawloom.runtimes.local import run_local

    info = times_given(logical_time, interval)
    bound = bind(pipeline.function, params or {}, place(pipeline))
    trace = checked_trace(pipeline, bound.static)
    refuse_unmet(trace.program)
    refuse_missing_times(trace.program, info)
    opened = _opened(catalog)
    trees = encode_params(trace.program.pipeline.params, bound.given, opened.values)
    return run_local(
        trace.program,
        trace.functions,
        trees,
        opened,
        executor=executor,
        workers=workers,
        cache=cache,
        fail_fast=fail_fast,
        progress=progress,
        info=info,
        told=origin(pipeline, bound.static, opened.values),
    )


def plan(
    pipeline: AnyPipeline,
    params: Mapping[str, object] | None = None,
    *,
    catalog: Catalog | str | os.PathLike[str] | None = None,
    cache: bool = True,
    deep: bool = False,
    logical_time: datetime | None = None,
    interval: tuple[datetime, datetime] | None = None,
) -> Plan:
    """What a run of a pipeline would do with each node, and why. Runs nothing and writes nothing.

    Args:
        pipeline: what would be run.
        params: as for `run`.
        catalog: as for `run`; none is made where there is none.
        cache: False for the plan of a run that runs everything anew.
        deep: whether tables that changed are read and compared, row counts, schema and distributions.
        logical_time, interval: as for `run`.

    Returns:
        The plan: nodes that are run, are cached, or perhaps are run, the reasons, and what it takes.

    Raises:
        DefinitionError, CheckFailed, ValueRefused, RunRefused: as for `run`; RunRefused R545: a node runs on an engine
            alone.
        StoreError: the catalog is there and can't be read.
    """
    from drawloom.parameters.binding import bind, encode_params
    from drawloom.parameters.requirements import refuse_unmet
    from drawloom.parameters.times import refuse_missing_times, times_given
    from drawloom.runtimes.plan import plan_local
    from drawloom.storage.objects import Objects
    from drawloom.values.store import Values

    info = times_given(logical_time, interval)
    bound = bind(pipeline.function, params or {}, place(pipeline))
    trace = checked_trace(pipeline, bound.static)
    refuse_unmet(trace.program)
    refuse_missing_times(trace.program, info)
    storage, allow_pickle = _looked_at(catalog)
    values = Values(Objects(storage), allow_pickle=allow_pickle)
    trees = encode_params(trace.program.pipeline.params, bound.given, values)
    return plan_local(trace.program, trees, storage, values, cache=cache, info=info, url=storage.url, deep=deep)


def run_compiled(
    pipeline: Pipeline[..., R],
    params: Mapping[str, object] | None = None,
    *,
    engine: str = "reference",
    catalog: Catalog | str | os.PathLike[str] | None = None,
    workers: int | None = None,
    logical_time: datetime | None = None,
    interval: tuple[datetime, datetime] | None = None,
) -> Run[R]:
    """Compiles a pipeline and runs it on an engine that needs no deployment: each step in a bare process of its own.

    Args:
        pipeline: what to run.
        params: as for `run`.
        engine: `reference`, the one such engine.
        catalog: as for `run`; a step must be able to reach it, too.
        workers: how many steps run at once; None for the number of processors.
        logical_time, interval: as for `run`.

    Returns:
        The run, also when it failed.

    Raises:
        DefinitionError, CheckFailed, CompileError: as for `compile`; CompileError E792: the engine runs elsewhere.
        RunRefused, ValueRefused, StoreError: as for `run`; RunRefused E717: the run couldn't begin.
        RunInterrupted: Ctrl-C; the run has ended and is written as cancelled.
    """
    import tempfile

    from drawloom.parameters.binding import bind, encode_params
    from drawloom.parameters.requirements import refuse_unmet
    from drawloom.parameters.times import refuse_missing_times, times_given
    from drawloom.project.origin import origin
    from drawloom.runtimes.reference import run_bundle

    info = times_given(logical_time, interval)  # refuses a time without a zone
    bound = bind(pipeline.function, params or {}, place(pipeline))
    if engine != "reference":
        from drawloom.compilers.base import engine_names

        fix = "compile it with `drawloom compile`, and run it where the engine is"
        if engine not in engine_names():
            fix = f"there is no engine of that name: {', '.join(engine_names())} is there"
        raise CompileError(Diagnostic("E792", f"{engine} can't be run from here; only reference can", None, fix))
    trace = twice_traced(pipeline, bound.static)
    refuse_unmet(trace.program)
    refuse_missing_times(trace.program, info)
    files = compile_program(trace.program, engine, {})
    opened = _opened(catalog)
    trees = encode_params(trace.program.pipeline.params, bound.given, opened.values)
    with tempfile.TemporaryDirectory(prefix="drawloom-compiled-") as folder:
        files.write(folder)
        return run_bundle(
            folder,
            trees,
            opened.store_url,
            project=opened.project,
            workers=workers,
            logical_time=logical_time.isoformat() if logical_time else "",
            interval=tuple(time.isoformat() for time in interval or ()),
            allow_pickle=opened.allow_pickle,
            told=origin(pipeline, bound.static, opened.values),
        )


def debug(
    run: Run | str,
    node: str,
    *,
    index: tuple[int, ...] | None = None,
    attempt: int | None = None,
    pdb: bool = False,
    stop_first: bool = False,
    pipeline: AnyPipeline | str | None = None,
    catalog: Catalog | str | os.PathLike[str] | None = None,
    tee: bool = True,
) -> Debugged:
    """Makes one node of a run again, here, with its exact inputs and the code as it is now; writes nothing.

    Args:
        run: the run, or its id.
        node: the id of a call in it.
        index: which instance, where it lies in maps or loops; None for the first that failed, or the only one.
        attempt: which of the run's attempts to compare with; None for the one that counts.
        pdb: whether a failure leads into the debugger, at the line that raised.
        stop_first: whether the debugger stops at the task's first line.
        pipeline: the pipeline, or its target (`file.py:name`); None for where the run's record says.
        catalog: as for `run`, where `run` is an id.
        tee: whether what the task prints goes to the terminal, too.

    Returns:
        How it ended, and whether that is how it ended in the run; `.value` is what it returned, or raises.

    Raises:
        ProjectError: P660, the pipeline can't be found again.
        RunRefused: R550, an input isn't there; R551, the task takes other inputs now; R552, a `Static` parameter no
            longer fits; R553, the pipeline no longer has the node.
        StoreError: S454, no such node; S494, no such instance; S455, an index is needed; S495, no such attempt; S496,
            the node isn't a call.
    """
    from drawloom.again import find_pipeline, refuse_other_kinds, retraced
    from drawloom.dsl.place import function_span
    from drawloom.runtimes.debug import chosen_index, debug_call

    found = _opened(catalog).run(run) if isinstance(run, str) else run
    refuse_other_kinds(found, node)
    chosen = chosen_index(found, node, None if index is None else tuple(index))
    made = pipeline if pipeline is not None and not isinstance(pipeline, str) else find_pipeline(found, pipeline)
    trace = retraced(found, made)
    call, spec = refuse_other_kinds(found, node, trace.program.pipeline)
    function = trace.functions[spec.name]
    return debug_call(
        found,
        call,
        spec,
        function,
        chosen,
        attempt=attempt,
        where=function_span(function),
        post_mortem=pdb,
        stop_first=stop_first,
        tee=tee,
    )


def resume(
    run: Run | str,
    *,
    pipeline: AnyPipeline | str | None = None,
    catalog: Catalog | str | os.PathLike[str] | None = None,
    executor: str = "threads",
    workers: int | None = None,
    cache: bool = True,
    fail_fast: bool = True,
    progress: Progress | None = None,
    force: bool = False,
) -> Run:
    """Runs what is left of a run that failed, was cancelled or was killed, as a new run of the code as it is now.

    What succeeded and whose code and inputs are the same is adopted, sources and effects too: what was done is not done
    again. A run that was resumed already is gone on with from there.

    Args:
        run: the run, or its id.
        pipeline: the pipeline, or its target (`file.py:name`); None for where the run's record says.
        catalog: as for `run`, where `run` is an id.
        executor, workers, cache, fail_fast, progress: as for `run`.
        force: go on with a run that has no end and of which nobody can tell whether it is still going.

    Returns:
        The new run; `.record.resumed` names the one it goes on with.

    Raises:
        ProjectError: P660, the pipeline can't be found again.
        RunRefused: R552, the parameters no longer fit; R553, the pipeline no longer has what succeeded; R554, nothing
            is left, or the run is still going; or as for `run`.
        DefinitionError, CheckFailed, StoreError: as for `run`.
    """
    from drawloom.again import resumption
    from drawloom.runtimes.local import run_local

    left = resumption(_opened(catalog).run(run) if isinstance(run, str) else run, pipeline, force=force)
    return run_local(
        left.trace.program,
        left.trace.functions,
        left.params,
        left.run.catalog,
        executor=executor,
        workers=workers,
        cache=cache,
        fail_fast=fail_fast,
        progress=progress,
        info=left.info,
        adopt=left.adopt,
        told=left.told,
    )


def plan_resume(
    run: Run | str,
    *,
    pipeline: AnyPipeline | str | None = None,
    catalog: Catalog | str | os.PathLike[str] | None = None,
    cache: bool = True,
    deep: bool = False,
    force: bool = False,
) -> Plan:
    """What `resume` would do with each node, and why. Runs nothing and writes nothing.

    Args:
        run, pipeline, catalog, cache, force: as for `resume`.
        deep: as for `plan`.

    Raises: as `resume` before anything runs, and as `plan`.
    """
    from drawloom.again import resumption
    from drawloom.runtimes.plan import plan_local
    from drawloom.storage.objects import Objects
    from drawloom.values.store import Values

    left = resumption(_opened(catalog).run(run) if isinstance(run, str) else run, pipeline, force=force)
    storage, allow_pickle = _looked_at(left.run.catalog)
    values = Values(Objects(storage), allow_pickle=allow_pickle)
    return plan_local(
        left.trace.program,
        left.params,
        storage,
        values,
        cache=cache,
        info=left.info,
        url=storage.url,
        deep=deep,
        adopt=left.adopt,
    )


def check(
    pipeline: AnyPipeline, engine: str | None = None, *, static: Mapping[str, object] | None = None
) -> list[Diagnostic]:
    """Every problem of a pipeline, without running anything.

    Args:
        pipeline: what to check.
        engine: also whether this engine can express it, each use of a feature that it refuses (E701) with the
            feature's id and the engines that accept it; None for the pipeline alone.
        static: values of `Static` parameters that have no default.

    Returns:
        The problems in the order they should be read; an empty list if there are none.
    """
    from drawloom.ir.check import check_pipeline

    try:
        trace = traced(pipeline, static or {})
        found = check_pipeline(trace.program)
        if engine is not None and not found:
            from drawloom.compilers.base import compiler_of

            compile_program(trace.program, engine, dict(compiler_of(engine).stand_ins))
    except (DefinitionError, CompileError, RunRefused) as error:
        return list(error.diagnostics)
    return found


def graph(pipeline: AnyPipeline, *, static: Mapping[str, object] | None = None) -> Program:
    """A pipeline in the IR, checked or not, for pictures and tools.

    Args:
        pipeline: what to trace.
        static: values of `Static` parameters that have no default.

    Raises:
        DefinitionError: the pipeline can't be traced (D...).
    """
    return traced(pipeline, static or {}).program


def compile(  # noqa: A001  # the verb of the design
    pipeline: AnyPipeline, engine: str, *, static: Mapping[str, object] | None = None, **options: Any
) -> Bundle:
    """What an engine needs to run a pipeline; needs no network and no client of the engine.

    Args:
        pipeline: what to compile.
        engine: the engine's name (`reference`).
        static: values of `Static` parameters that have no default.
        options: what the engine's compiler takes besides.

    Returns:
        A mapping of path -> text or bytes, with `.write(folder)`.

    Raises:
        DefinitionError: the pipeline can't be traced (D...).
        CheckFailed: its graph is wrong (G...).
        CompileError: it isn't the same each time it is traced (E791), there is no such engine (E702), it has no such
            option (E790), or it can't express the pipeline (E701).
    """
    return compile_program(twice_traced(pipeline, static or {}).program, engine, options)


def compile_program(program: Program, engine: str, options: dict[str, Any]) -> Bundle:
    """`compile`, of a program that was traced and checked already."""
    from drawloom.compilers.base import compiler_of

    compiler = compiler_of(engine)
    known = refuse_options(compiler, options)
    if "allow_pickle" in known and "allow_pickle" not in options:
        from drawloom.project import load_settings

        options = {**options, "allow_pickle": load_settings().allow_pickle}  # what the project's file says
    return compiler.compile(program, **options)


def refuse_options(compiler: Compiler, options: Mapping[str, Any]) -> list[str]:
    """Refuses options that a compiler doesn't have, or of another type; gives the names of those it has.

    Raises:
        CompileError: E720, E790.
    """
    from inspect import signature

    from drawloom.compilers.option_types import refuse_wrong_types

    engine = compiler.engine
    known = [name for name, p in signature(compiler.compile).parameters.items() if p.kind is p.KEYWORD_ONLY]
    unknown = [name for name in options if name not in known]
    if unknown:
        fix = f"it takes {', '.join(known)}" if known else "it takes none"
        raise CompileError(
            Diagnostic("E790", f"{engine} has no option `{name}`{did_you_mean(name, known)}", None, fix)
            for name in unknown
        )
    refuse_wrong_types(engine, compiler.compile, options)
    return known


def _opened(catalog: Catalog | str | os.PathLike[str] | None) -> Catalog:
    from drawloom.catalog.catalog import Catalog

    if isinstance(catalog, Catalog):
        return catalog
    from drawloom.project import Overrides, load_settings

    asked = None if catalog is None else os.fspath(catalog)
    settings = load_settings(Overrides(catalog=asked))
    return Catalog.open(settings.catalog, settings.project, allow_pickle=settings.allow_pickle)


def _looked_at(catalog: Catalog | str | os.PathLike[str] | None) -> tuple[Storage, bool]:
    """A view of the project's storage that is never written through, and whether pickles are read."""
    from drawloom.catalog.catalog import Catalog
    from drawloom.errors import StoreError
    from drawloom.storage.overlay import Overlay

    if isinstance(catalog, Catalog):
        return Overlay(catalog.storage), catalog.allow_pickle
    from drawloom.project import Overrides, load_settings

    asked = None if catalog is None else os.fspath(catalog)
    settings = load_settings(Overrides(catalog=asked))
    try:
        opened = Catalog.open(settings.catalog, settings.project, create=False, allow_pickle=settings.allow_pickle)
    except StoreError as error:
        if all(diagnostic.code == "S411" for diagnostic in error.diagnostics):
            return Overlay(None, os.fspath(settings.catalog)), settings.allow_pickle
        raise
    return Overlay(opened.storage), settings.allow_pickle
