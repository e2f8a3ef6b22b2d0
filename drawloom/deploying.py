"""Deploying a pipeline to an engine that exists, and operating what runs there.

Where a target, a compiler, a store and a client of the engine meet.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.commands import command
from drawloom.catalog.deployments import read_deployments, write_deployment
from drawloom.catalog.outcomes import read_run
from drawloom.catalog.programs import load_program
from drawloom.catalog.records import Deployment as DeploymentRecord
from drawloom.catalog.records import Index, RunStarted
from drawloom.catalog.run import Run
from drawloom.catalog.run_problems import RunNames, no_node
from drawloom.errors import Diagnostic, DrawloomError, EngineError, ProjectError, RunRefused, StoreError
from drawloom.ir.layout import layout
from drawloom.ir.program import pipeline_digest
from drawloom.project.settings import Settings, load_settings
from drawloom.project.targets import Target, find_target
from drawloom.runtimes.engines import Applied, Connection, EngineClient, EngineRun, Status, Submission
from drawloom.runtimes.watching import close_run, never_began, note_observed, watch

if TYPE_CHECKING:
    from datetime import datetime

    from drawloom.dsl.pipeline import Pipeline
    from drawloom.runtimes.progress import Progress
    from drawloom.values.store import Values

    AnyPipeline = Pipeline[..., Any]  # Any: whatever the pipeline returns

__all__ = ["Deployed", "Deployment", "connect_target", "deploy", "deploy_to", "deployed_run", "open_target"]

_CANCEL_SECONDS = 180.0
_CANCEL_POLL_SECONDS = 1.0
_STATES_TO_RETRY = ("failed", "cancelled")


def connect_target(target: Target, note: Callable[[str], None] | None = None) -> EngineClient:
    """A client of the engine of a target.

    Args:
        target: the target.
        note: is told, in words, what the engine is waited for; None for nobody.

    Raises:
        ProjectError: P672, the variable with the token isn't set.
        RunRefused, EngineError: E745, there is no such client, or how it is reached can't be read.
    """
    from drawloom.runtimes.engines import connect

    how = target.connection
    connection = Connection(
        target=target.name,
        kubeconfig=how.kubeconfig,
        context=how.context,
        server=how.server,
        token=target.token(),
        ca_file=how.ca_file,
        insecure_skip_verify=how.insecure_skip_verify,
        username=how.username or "",
        password=target.password(),
        dags=how.dags or "",
        dags_git=how.dags_git,
        options=target.options,
        note=note,
    )
    return connect(target.engine, connection)


def open_target(target: Target, *, allow_pickle: bool = False, create: bool = False) -> Catalog:
    """The catalog of a target, as it is reached from here."""
    catalog = Catalog.open(target.catalog, target.project, create=create, allow_pickle=allow_pickle)
    catalog.target = target.name
    return catalog


# a run that is there


class Deployed:
    """A run on an engine: what can be done with it.

    Args:
        run: the run, as its engine knows it.
        client: the engine.
        catalog: the store that it was compiled for.
        program: its program's digest, "" if not known.
    """

    def __init__(self, run: EngineRun, client: EngineClient, catalog: Catalog, program: str = "") -> None:
        self.run = run
        self.client = client
        self.catalog = catalog
        self.program = program

    @property
    def id(self) -> str:
        """The run's id in the catalog."""
        return self.run.run

    def watch(
        self,
        *,
        progress: Progress | None = None,
        note: Callable[[str], None] | None = None,
        timeout_seconds: float | None = None,
    ) -> Run:
        """Waits for the end of the run (`runtimes.watching.watch`)."""
        return watch(
            self.client,
            self.run,
            self.catalog,
            program=self.program,
            progress=progress,
            note=note,
            timeout_seconds=timeout_seconds,
        )

    def status(self) -> Status:
        """What the engine says of it; what it tells of nodes is written into the catalog."""
        found = self.client.status(self.run)
        if read_run(self.catalog.storage, self.id) is not None:
            note_observed(self.catalog.storage, self.id, found)
        return found

    def cancel(self, *, now: bool = False, wait_seconds: float = _CANCEL_SECONDS) -> Run | None:
        """Ends the run, and writes that it was cancelled.

        Args:
            now: without giving its processes time to end well.
            wait_seconds: how long the engine may take; 0 not to wait, and whoever watches it next writes its end.

        Returns:
            The run as it is now; None if it never began.

        Raises:
            EngineError: E748, it has ended; or the engine can't be asked.
        """
        self.client.cancel(self.run, now=now)
        deadline = time.monotonic() + wait_seconds
        while True:
            found = self.status()
            began = read_run(self.catalog.storage, self.id) is not None
            if found.ended:
                return close_run(self.client, self.run, self.catalog, found) if began else None
            if time.monotonic() > deadline:
                return self.catalog.run(self.id) if began else None
            time.sleep(_CANCEL_POLL_SECONDS)

    def logs(
        self,
        node: str,
        index: Index | None = None,
        *,
        follow: bool = False,
        note: Callable[[str], None] | None = None,
    ) -> Iterator[str]:
        """What the processes of a node are printing.

        Args:
            node: the node's id.
            index: which instance; None for all.
            follow: whether it goes on until the node has its outcome; one that hasn't begun is waited for.
            note: is told once, in words, if the node is waited for; None for nobody.

        Raises:
            StoreError: S454, the pipeline has no such node.
            EngineError: E749, nothing has printed; E717, the run has ended there before it began; or the engine can't
                be asked.
        """
        self._refuse_unbegun(node)
        told = note is None

        def is_settled() -> bool:
            nonlocal told
            state = self._state(node, index)
            if state == "pending" and not told and note is not None:
                told = True
                note(f"`{node}` hasn't begun: it is waited for")
            return state not in ("pending", "running")

        return self._printed(node, self.client.logs(self.run, node, index, follow=follow, settled=is_settled))

    def _printed(self, node: str, texts: Iterator[str]) -> Iterator[str]:
        try:
            yield from texts
        except EngineError as error:
            if error.diagnostics[0].code == "E749":
                self._refuse_unbegun(node)
            raise

    def _refuse_unbegun(self, node: str) -> None:
        """Refuses what would be waited for in vain: a run that ended there before it began, a node it won't have."""
        if read_run(self.catalog.storage, self.id) is not None:
            return
        found = self.status()
        if found.ended:
            raise EngineError(never_began(self.client, self.run, found))
        if self.program:
            program = load_program(self.catalog.storage, self.program)
            known, names = layout(program.pipeline), RunNames(self.run.address, self.run.pipeline, program.spans)
            if node not in known:
                raise StoreError(no_node(names, node, list(known)))

    def _state(self, node: str, index: Index | None) -> str:
        if read_run(self.catalog.storage, self.id) is None:
            return "pending"
        run = self.catalog.run(self.id)
        if node not in run.details.nodes:
            run.logs(node)  # refuses it, with a hint
        found = run.details.nodes[node]
        return found.state if index is None else found.instances.get(index, "pending")

    def retry(self) -> Deployed:
        """Runs what is left of a run that failed or was cancelled, there, as a new run of the same program.

        Everything that succeeded is adopted, sources and effects too: what was done is not done again.

        Raises:
            EngineError: E748, the run succeeded or is still going; E747, the engine no longer has it.
        """
        found = self.catalog.run(self.id)
        if found.state in ("pending", "running"):
            status = self.client.status(self.run)
            if status.ended:
                note_observed(self.catalog.storage, self.id, status)
                found = close_run(self.client, self.run, self.catalog, status)
        if found.state not in _STATES_TO_RETRY:
            done = found.state == "succeeded"
            what = f"run {self.id} {'succeeded: nothing of it is left' if done else f'is {found.state}'}"
            watching, cancel = command("watch", self.run.address), command("cancel", self.run.address)
            fix = f"`{watching}` waits for it, `{cancel}` ends it"
            if done:
                fix = "deploy the pipeline to run it anew: what is unchanged is answered from the cache"
            raise EngineError(Diagnostic("E748", what, None, fix))
        record = found.record
        made = self.client.again(self.run, _asked_again(self.catalog, record))
        assert made.run is not None, "a run that is started again is a run"
        _record(self.catalog, made, self.run.target, record.pipeline, record.program, record.engine)
        return Deployed(made.run, self.client, self.catalog, record.program)


def _asked_again(catalog: Catalog, record: RunStarted) -> dict[str, Any]:
    from drawloom.runtimes.publish import begin_asked

    trees = {name: catalog.values.tree(ref) for name, ref in record.params}
    told = {
        "target": record.target,
        "static": record.static,
        "deployed_to": record.deployed_to,
        "resumed": record.run,
    }
    return begin_asked(
        catalog, trees, record.engine, logical_time=record.logical_time, interval=record.interval, told=told
    )


def deployed_run(
    name: str, settings: Settings, *, target: str | None = None, catalog: Catalog | None = None
) -> Deployed:
    """A run that was deployed.

    Args:
        name: its id, the beginning of it, or `last`.
        settings: those of the project.
        target: the target's name; None for the one that it was deployed to, or for the only one there is.
        catalog: where to look for it; None for the store of the target, or the project's catalog.

    Raises:
        ProjectError: P670 to P672, the target; P673, the run wasn't deployed, or nothing tells where.
        StoreError: S451, there is no such run.
    """
    targets = list(settings.file.model.targets) if settings.file is not None else []
    try:
        return _deployed_run(name, settings, target, catalog)
    except (StoreError, ProjectError):
        if target is not None or catalog is not None or len(targets) != 1:
            raise
    return _deployed_run(name, settings, targets[0], None)


def _deployed_run(name: str, settings: Settings, target: str | None, catalog: Catalog | None) -> Deployed:
    place = find_target(target, settings) if target is not None else None
    if catalog is None:
        if place is not None:
            catalog = open_target(place, allow_pickle=settings.allow_pickle)
        else:
            catalog = Catalog.open(settings.catalog, settings.project, create=False, allow_pickle=settings.allow_pickle)
    record, found, program = _known_run(name, catalog, target)
    if place is None:
        if not found.target:
            what = f"run {found.run} was not deployed to a target"
            fix = "name the target it runs on: `--target NAME`"
            if record is not None and record.engine in ("local", "reference"):
                what = f"run {found.run} is a run of this machine ({record.engine}): no target has it"
                fix = "Ctrl-C ends it where it was started; `drawloom resume` goes on with it"
            raise ProjectError(Diagnostic("P673", what, None, fix))
        place = find_target(found.target, settings)
    elif not found.target:
        found = replace(found, target=place.name)
    return Deployed(found, connect_target(place), catalog, program)


def _known_run(name: str, catalog: Catalog, target: str | None) -> tuple[RunStarted | None, EngineRun, str]:
    """A run by its record, or, where it hasn't begun, by that of its deployment; and its program's digest."""
    from drawloom.cli.options import find_run

    known = sorted(
        (one for one in read_deployments(catalog.storage, target) if one.run), key=lambda one: one.at, reverse=True
    )
    if name == "last" and known and read_run(catalog.storage, known[0].run) is None:
        return None, _of_deployment(known[0]), known[0].program
    try:
        record = find_run(catalog, name).record
    except StoreError:
        found = [one for one in known if one.run.startswith(name)]
        if len({one.run for one in found}) != 1:
            raise
        return None, _of_deployment(found[0]), found[0].program
    deployment = next((one for one in known if one.run == record.run), None)
    if deployment is not None:
        return record, _of_deployment(deployment), record.program
    return record, EngineRun(record.run, record.engine_ids, record.pipeline, record.deployed_to), record.program


def _of_deployment(record: DeploymentRecord) -> EngineRun:
    return EngineRun(record.run, record.engine_ids, record.pipeline, record.target)


# deploying


@dataclass(frozen=True)
class Deployment:
    """A pipeline that was deployed.

    Args:
        target: the target's name.
        engine: the kind of engine.
        pipeline, program: the pipeline's name and digest.
        objects: what the engine was given.
        deployed: the run that was started, None if none was.
    """

    target: str
    engine: str
    pipeline: str
    program: str
    objects: tuple[Applied, ...]
    deployed: Deployed | None = field(default=None, compare=False)

    @property
    def run(self) -> str:
        """The id of the run that was started, "" if none was."""
        return self.deployed.id if self.deployed is not None else ""

    def wait(self, timeout_seconds: float | None = None) -> Run:
        """Waits for the end of the run that was started; the run, also when it failed.

        Raises:
            RunRefused: E717, it couldn't begin; E744, its pods can't start; E748, none was started.
            EngineError: E740, E741, E747: the engine can't be asked any more.
            TimeoutError: it hasn't ended in time.
        """
        return self._run().watch(timeout_seconds=timeout_seconds)

    def cancel(self, *, now: bool = False) -> Run | None:
        """Ends the run that was started (`Deployed.cancel`)."""
        return self._run().cancel(now=now)

    def _run(self) -> Deployed:
        if self.deployed is None:
            what = f"this deployment of `{self.pipeline}` started no run"
            raise RunRefused(Diagnostic("E748", what, None, "deploy with `run=True`"))
        return self.deployed


def deploy(
    pipeline: AnyPipeline,
    target: str,
    params: Mapping[str, object] | None = None,
    *,
    run: bool = True,
    logical_time: datetime | None = None,
    interval: tuple[datetime, datetime] | None = None,
) -> Deployment:
    """Deploys a pipeline to an engine that exists: checks, compiles and publishes it, and starts a run of it there.

    Args:
        pipeline: what to deploy.
        target: the name of a `[targets.NAME]` of the project file.
        params: as for `run`; checked before anything is published.
        run: whether a run is started; without it only what starts runs by itself, such as a schedule, is given to the
            engine.
        logical_time, interval: as for `run`.

    Returns:
        What was made; `.wait()` waits for the run.

    Raises:
        ProjectError: P670 to P672, the target isn't there or is wrong.
        DefinitionError, CheckFailed, CompileError, RunRefused, ValueRefused: as for `run` and `compile`.
        EngineError: E740 to E742, E745, the engine can't be reached or used; E723, it refuses the program; E746, what
            was taken back, and what is left.
        StoreError: the store can't be written.
    """
    settings = load_settings()
    times = {"logical_time": logical_time, "interval": interval}
    place = find_target(target, settings)
    return deploy_to(pipeline, place, params or {}, run=run, allow_pickle=settings.allow_pickle, times=times)


def deploy_to(
    pipeline: AnyPipeline,
    target: Target,
    params: Mapping[str, object],
    *,
    run: bool,
    allow_pickle: bool,
    times: Mapping[str, datetime | tuple[datetime, datetime] | None],
    note: Callable[[str], None] | None = None,
) -> Deployment:
    """Checks, compiles, publishes and submits a pipeline (`drawloom.deploy`); `note` is told what is waited for."""
    from drawloom.api import compile_program
    from drawloom.compilers.base import EncodedValue, compiler_of
    from drawloom.graphs import place, twice_traced
    from drawloom.parameters.binding import bind, encode_params
    from drawloom.parameters.times import refuse_missing_times, times_given
    from drawloom.project.origin import origin
    from drawloom.runtimes.publish import begin_asked, publish_program

    logical_time: Any = times.get("logical_time")
    interval: Any = times.get("interval")
    info = times_given(logical_time, interval)
    bound = bind(pipeline.function, params, place(pipeline))
    trace = twice_traced(pipeline, bound.static)
    options = dict(target.options)
    if getattr(trace.program.pipeline.policies, "schedule", None) is None:
        if run:
            refuse_missing_times(trace.program, info)
    elif not (run and compiler_of(target.engine).has_runs_beside_schedule):
        # nobody is there to give its runs their parameters, so the compiler wants to know them
        trees = encode_params(trace.program.pipeline.params, bound.given, _nowhere(allow_pickle))
        options.setdefault("params", {name: EncodedValue(trees[name]) for name in bound.given})
        options |= {name: time for name, time in times.items() if time}  # one for all of them: refused by a schedule
    files = compile_program(trace.program, target.engine, options)
    client = connect_target(target, note)
    client.preflight()
    catalog = open_target(target, allow_pickle=allow_pickle, create=True)
    trees = encode_params(trace.program.pipeline.params, bound.given, catalog.values)
    program, name = pipeline_digest(trace.program.pipeline), trace.program.pipeline.name
    publish_program(catalog.storage, files, program)
    told = {**origin(pipeline, bound.static, catalog.values), "deployed_to": target.name}
    asked = begin_asked(
        catalog,
        trees,
        target.engine,
        logical_time=logical_time.isoformat() if logical_time else "",
        interval=tuple(time.isoformat() for time in interval or ()),
        told=told,
    )
    made: Submission | None = None
    try:
        with tempfile.TemporaryDirectory(prefix="drawloom-deploy-") as folder:
            files.write(folder)
            made = client.submit(os.path.join(folder), asked, run=run)
        _record(catalog, made, target.name, name, program, target.engine)
    except DrawloomError as error:
        if made is not None:
            client.remove(made)
        raise type(error)([*error.diagnostics, _left(catalog, program)]) from error
    deployed = Deployed(made.run, client, catalog, program) if made.run is not None else None
    return Deployment(target.name, target.engine, name, program, made.objects, deployed)


def _nowhere(allow_pickle: bool) -> Values:
    """Values that are kept by nobody: for what they are called, before anything is published."""
    from drawloom.storage.objects import Objects
    from drawloom.storage.overlay import Overlay
    from drawloom.values.store import Values

    return Values(Objects(Overlay(None)), allow_pickle=allow_pickle)


def _left(catalog: Catalog, program: str) -> Diagnostic:
    what = f"nothing of it runs; its program {program[:12]} and its parameters stay in {catalog.store_url}"
    fix = "mend what is said above, and deploy again: what is there is used; `drawloom catalog gc` removes it"
    return Diagnostic("E746", what, None, fix)


def _record(catalog: Catalog, made: Submission, target: str, pipeline: str, program: str, engine: str) -> None:
    objects = tuple(f"{one.kind}/{one.namespace}/{one.name}" for one in made.objects)
    run, ids = (made.run.run, made.run.ids) if made.run is not None else ("", ())
    write_deployment(
        catalog.storage, DeploymentRecord(target, pipeline, program, time.time(), engine, run, ids, objects)
    )
