"""Watching a run on an engine to its end: its records tell progress, the engine tells what no step lived to write.

Whoever watches may stop at any time: the run goes on. A connection that is lost is asked for again, for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from drawloom.catalog.commands import command
from drawloom.catalog.outcomes import finish_run, observe, read_commit
from drawloom.catalog.records import EngineObservation, FailureInfo, RunFinished
from drawloom.catalog.run import Run
from drawloom.errors import ConnectionLost, Diagnostic, DrawloomError, EngineError, RunRefused, StoreError
from drawloom.ir.policies import INFRA
from drawloom.ir.protocol import END
from drawloom.runtimes.context import StepContext
from drawloom.runtimes.engines import EngineClient, EngineRun, Status
from drawloom.runtimes.generations import latest_started
from drawloom.runtimes.progress import Progress, SilentProgress
from drawloom.storage.base import Storage

if TYPE_CHECKING:
    from drawloom.catalog.catalog import Catalog
    from drawloom.runtimes.following import Follower

__all__ = ["LOST_SECONDS", "close_run", "goes_on", "never_began", "note_observed", "watch"]

LOST_SECONDS: Final = 300.0  # how long a lost connection is asked for again
_HELD_SECONDS: Final = 120.0  # how long pods that can't start are waited for
_POLL_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
_BROKEN: Final = ("S414", "S415", "S416", "S452")  # what asking a store again doesn't mend
_CLOSED: Final = ("succeeded", "failed", "cancelled")

Note = Callable[[str], None]


def watch(
    client: EngineClient,
    run: EngineRun,
    catalog: Catalog,
    *,
    program: str = "",
    progress: Progress | None = None,
    note: Note | None = None,
    timeout_seconds: float | None = None,
    lost_seconds: float = LOST_SECONDS,
    held_seconds: float = _HELD_SECONDS,
) -> Run:
    """Waits for the end of a run.

    Args:
        client: the engine.
        run: the run.
        catalog: the store that it was compiled for, as it is reached from here.
        program: the program's digest, where the run may not have begun; "" to wait for its record.
        progress: is told of everything that happens; None for nobody.
        note: is told, in words, what the engine says; None for nobody.
        timeout_seconds: how long at most; None for ever.
        lost_seconds: how long a lost connection is asked for again.
        held_seconds: how long it is waited where nothing goes on and no pod can start.

    Returns:
        The run, also when it failed. One that was ended before its last step is closed here.

    Raises:
        RunRefused: E717, the run couldn't begin; E744, its pods can't start.
        EngineError: E740, the connection was lost for too long; E741, E747: it can't be asked any more.
        TimeoutError: it hasn't ended in time.
    """
    watching = _Watching(client, run, catalog, program, progress or SilentProgress(), note or _nobody)
    try:
        return watching.to_the_end(timeout_seconds, lost_seconds, held_seconds)
    except BaseException:
        watching.progress.close()
        raise


def _nobody(_: str) -> None:
    pass


class _Watching:
    def __init__(
        self, client: EngineClient, run: EngineRun, catalog: Catalog, program: str, progress: Progress, note: Note
    ) -> None:
        self.client = client
        self.run = run
        self.catalog = catalog
        self.program = program
        self.progress = progress
        self._note = note
        self.follower: Follower | None = None
        self._phase = ""
        self._held: tuple[str, ...] = ()
        self._held_since: float | None = None
        self._suspended = False

    def to_the_end(self, timeout_seconds: float | None, lost_seconds: float, held_seconds: float) -> Run:
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        lost_since: float | None = None
        pause = _POLL_SECONDS
        while True:
            now = time.monotonic()
            try:
                status = self._look()
                if status.ended:
                    return self._end(status)
            except (ConnectionLost, StoreError) as error:
                if error.diagnostics[0].code in _BROKEN:
                    raise
                lost_since = lost_since if lost_since is not None else now
                pause = self._lost(error, now - lost_since, lost_seconds, pause)
            else:
                if lost_since is not None:
                    self.note("the connection is there again")
                    lost_since, pause = None, _POLL_SECONDS
                self._tell(status, now, held_seconds)
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(f"{self.client.name_of(self.run)} is {self._phase or 'not begun'} after its time")
            time.sleep(pause)

    def note(self, text: str) -> None:
        """Where a picture is drawn, the line has to go above it."""
        if self.follower is not None:
            self.progress.noted(text)
        else:
            self._note(text)

    def _look(self) -> Status:
        status = self.client.status(self.run)  # first: what was written before it ended is all there to be read
        note_observed(self.catalog.storage, self.run.run, status)
        self._follow()
        return status

    def _follow(self) -> None:
        if isinstance(self.progress, SilentProgress):
            return  # nobody looks
        if self.follower is None:
            started = latest_started(self.catalog.storage, self.run.run)
            program, generation = (started.program, started.generation) if started is not None else (self.program, 0)
            if not program:
                return
            from drawloom.runtimes.following import Follower

            self.follower = Follower(self.catalog.storage, self.run.run, program, generation, self.progress)
        self.follower.look()

    def _end(self, status: Status) -> Run:
        done = close_run(self.client, self.run, self.catalog, status)
        if self.follower is not None:
            self.follower.look()
            failure = done.details.failure
            self.progress.ended(done.state, failure.info if failure is not None else None)
        return done

    def _lost(self, error: DrawloomError, gone: float, most: float, pause: float) -> float:
        said = error.diagnostics[0].what
        if gone >= most:
            what = f"the connection was lost for {most:.0f} s: {said}"
            raise EngineError(Diagnostic("E740", what, None, goes_on(self.run))) from error
        self.note(f"{said}; trying again for {most - gone:.0f} s")
        return min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _tell(self, status: Status, now: float, held_seconds: float) -> None:
        if status.phase != self._phase:
            self._phase = status.phase
            self.note(f"{self.client.name_of(self.run)}: {status.phase}")
        if status.suspended != self._suspended:
            self._suspended = status.suspended
            self.note("it is suspended: nothing more is started" if status.suspended else "it goes on")
        for text in status.held:
            if text not in self._held:
                self.note(f"a pod can't start: {text}")
        self._held = status.held
        if not status.hopeless:
            self._held_since = None
        elif self._held_since is None:
            self._held_since = now
        elif now - self._held_since >= held_seconds:
            what = f"no pod of {self.client.name_of(self.run)} can start, for {held_seconds:.0f} s now: "
            fix = "mend what it says (`image`, `env_from_secrets` of the target), and deploy again; this one waits on: "
            raise RunRefused(Diagnostic("E744", what + "; ".join(status.held), None, fix + goes_on(self.run)))


def goes_on(run: EngineRun) -> str:
    """What there is to do about a run that nobody watches any more."""
    again, cancel = command("watch", run.address), command("cancel", run.address)
    return f"the run goes on; `{again}` watches it again, `{cancel}` ends it"


def note_observed(storage: Storage, run: str, status: Status) -> None:
    """Writes what an engine tells of node instances whose steps haven't told it themselves."""
    started = latest_started(storage, run) if status.observed else None
    generation = started.generation if started is not None else 0
    for seen in status.observed:
        commit = read_commit(storage, run, generation, seen.node, seen.index)
        # a step that was lost has a commit as well, once the end step has looked for it: that doesn't know why
        if commit is None or (commit.failure is not None and commit.failure.type == INFRA):
            now = time.time()
            observe(
                storage,
                EngineObservation(run, seen.node, seen.event, seen.index, seen.attempt, generation, seen.detail, now),
            )


def never_began(client: EngineClient, run: EngineRun, status: Status) -> Diagnostic:
    """E717: what there is to say of an engine's run that has ended, and of which the catalog has nothing."""
    how = "was stopped" if status.stopped else f"ended as {status.phase}"
    what = f"{client.name_of(run)} {how} before the run began: {status.message}"
    fix = f"see the log of its first step, and `drawloom doctor --target {run.target or 'NAME'} --from-pod`"
    if run.id("workflow"):
        fix = f"see `kubectl -n {run.id('namespace')} describe workflow {run.id('workflow')}`, and {fix[4:]}"
    return Diagnostic("E717", what, None, fix)


def close_run(client: EngineClient, run: EngineRun, catalog: Catalog, status: Status) -> Run:
    """The run of an engine's run that has ended; closed here if its last step never did.

    Raises:
        RunRefused: E717, it never began.
    """
    storage = catalog.storage
    started = latest_started(storage, run.run)
    if started is None:
        raise RunRefused(never_began(client, run, status))
    found = catalog.run(run.run)
    if found.state in _CLOSED:
        return found
    cleared = started.continues is not None
    if cleared and not status.stopped and not status.message:  # steps were cleared, and not the last one
        from drawloom.runtimes.end import run_end

        run_end(StepContext(storage, started, END))
    else:
        said = f"{status.message}; the last step wasn't cleared" if cleared else status.message
        failure = None if status.stopped else FailureInfo("infra", said)
        outcome = "cancelled" if status.stopped else "failed"
        finish_run(storage, RunFinished(run.run, outcome, started.generation, failure, time.time()))
    return catalog.run(run.run)
