"""What a client of a live engine is: submit, status, logs, cancel, and what else a deployed run needs.

A new engine is one module here that has a `connect`, and one line in `_BUILTIN` or an entry point in the group
`drawloom.clients`. Clients are imported when they are asked for, and import their libraries when they connect.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from drawloom.catalog.commands import RunAddress
from drawloom.catalog.records import Index
from drawloom.errors import Diagnostic, RunRefused, did_you_mean

if TYPE_CHECKING:
    from drawloom.catalog.catalog import Catalog

__all__ = [
    "SETTLED_LOOKS",
    "Applied",
    "Connection",
    "EngineClient",
    "EngineRun",
    "Finding",
    "Observed",
    "Status",
    "Submission",
    "client_names",
    "connect",
]

# how often it is looked for what a node's processes still print once it has its outcome, until they have ended
SETTLED_LOOKS: Final = 10


@dataclass(frozen=True, slots=True)
class EngineRun:
    """A run as its engine knows it.

    Args:
        run: its id in the catalog.
        ids: (name, text) pairs, the engine's own names of it.
        pipeline: the pipeline's name.
        target: the name of the target it was deployed to, "" if not known.
    """

    run: str
    ids: tuple[tuple[str, str], ...]
    pipeline: str = ""
    target: str = ""

    @property
    def address(self) -> RunAddress:
        """Where commands find it."""
        return RunAddress(self.run, self.target, deployed=bool(self.target))

    def id(self, name: str) -> str:
        """One of the engine's names of it, "" if it has none of that name."""
        return dict(self.ids).get(name, "")


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of an object that a deployment gave to an engine.

    Args:
        kind, name, namespace: the object.
        done: `created`, `replaced`, or `unchanged`.
    """

    kind: str
    name: str
    namespace: str
    done: str


@dataclass(frozen=True, slots=True)
class Submission:
    """What a deployment has made.

    Args:
        run: the run that was started, None if none was.
        objects: what the engine was given.
    """

    run: EngineRun | None
    objects: tuple[Applied, ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """What an engine tells of a node instance that no process lived to write (`records.EngineObservation`)."""

    node: str
    index: Index
    attempt: int
    event: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """How an engine's run is.

    Args:
        phase: the engine's own word for it, "" before it has one.
        ended: whether it has ended.
        stopped: whether somebody asked for its end.
        message: what the engine says of it.
        observed: what it tells of node instances.
        held: why processes can't start, one text each: no such image, no machine that is large enough.
        hopeless: whether all that is left of it can't start, for a reason that doesn't go away by itself.
        suspended: whether it starts nothing, because somebody said so.
    """

    phase: str = ""
    ended: bool = False
    stopped: bool = False
    message: str = ""
    observed: tuple[Observed, ...] = ()
    held: tuple[str, ...] = ()
    hopeless: bool = False
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check of an engine found: as `drawloom doctor` tells it.

    Args:
        name: what was looked at.
        state: `ok`, `note` or `problem`.
        what: what was found.
        fix: what to do about it.
    """

    name: str
    state: str
    what: str
    fix: str = ""


class EngineClient(Protocol):
    """A live engine. Every method may raise `EngineError`; `ConnectionLost` where asking again may help."""

    def preflight(self) -> None:
        """Whether it can be reached and may be used: asked before anything is published."""
        ...

    def submit(self, folder: str | os.PathLike[str], asked: Mapping[str, Any], *, run: bool) -> Submission:
        """Gives it what was compiled, all of it or nothing.

        Args:
            folder: where a compiler has written it; what it names is in the store already.
            asked: what the begin step is to be given.
            run: whether a run is started, too, where the program is one that may be started.
        """
        ...

    def status(self, run: EngineRun) -> Status:
        """How a run is; each node instance's observation is told once by one client."""
        ...

    def logs(
        self, run: EngineRun, node: str, index: Index | None, *, follow: bool, settled: Callable[[], bool]
    ) -> Iterator[str]:
        """What a node's processes are printing, as far as the engine still has it.

        Args:
            run: the run.
            node: the node's id.
            index: which instance; None for all.
            follow: whether it goes on until `settled` says that the node has its outcome, or the run has ended.
            settled: whether the node has its outcome.
        """
        ...

    def cancel(self, run: EngineRun, *, now: bool) -> None:
        """Ends a run; `now` without giving its processes time to end well."""
        ...

    def suspend(self, run: EngineRun) -> None:
        """Lets a run start nothing more; what runs goes on."""
        ...

    def unsuspend(self, run: EngineRun) -> None:
        """Lets a suspended run go on."""
        ...

    def again(self, run: EngineRun, asked: Mapping[str, Any]) -> Submission:
        """Starts the program of a run anew, with something else for its begin step."""
        ...

    def remove(self, submission: Submission) -> None:
        """Takes back what `submit` made."""
        ...

    def name_of(self, run: EngineRun) -> str:
        """What the engine calls a run, for people."""
        ...

    def findings(self, options: Mapping[str, Any]) -> Iterator[Finding]:
        """What there is to say of the engine, and of what the options of its compiler name."""
        ...

    def probe(self, folder: str | os.PathLike[str], catalog: Catalog) -> Iterator[Finding]:
        """Whether a process that the engine starts reaches the store."""
        ...


@dataclass(frozen=True, slots=True)
class Connection:
    """How an engine is reached; what `project.targets.Target` says, for a room that may not import it.

    Args:
        target: the target's name, for messages.
        kubeconfig, context, server, token, ca_file, insecure_skip_verify, username, password, dags, dags_git: as in the
            project file, the token and the password themselves.
        options: those of the engine's compiler: `namespace` is where things are.
        note: is told, in words, what is waited for; None for nobody.
    """

    target: str
    kubeconfig: str | None = None
    context: str | None = None
    server: str | None = None
    token: str = field(default="", repr=False)
    ca_file: str | None = None
    insecure_skip_verify: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    dags: str = ""
    dags_git: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    note: Callable[[str], None] | None = None


_BUILTIN: Final[dict[str, str]] = {"airflow": "drawloom.runtimes.airflow", "argo": "drawloom.runtimes.argo"}
_GROUP: Final = "drawloom.clients"


def client_names() -> list[str]:
    """The engines there is a client for, sorted."""
    return sorted({*_BUILTIN, *_installed()})


def connect(engine: str, connection: Connection) -> EngineClient:
    """A client of an engine; nothing is asked of the engine yet.

    Raises:
        RunRefused: E745, there is no client for such an engine, or its library isn't installed.
        EngineError: E745, what says how it is reached can't be read.
    """
    if engine in _BUILTIN:
        module: Any = importlib.import_module(_BUILTIN[engine])
    elif engine in _installed():
        module = _installed()[engine].load()
    else:
        names = client_names()
        what = f"target `{connection.target}` has the engine {engine!r}, and nothing can be deployed to one"
        fix = f"name an engine that is reached from here: {', '.join(names)}"
        raise RunRefused(Diagnostic("E745", f"{what}{did_you_mean(engine, names)}", None, fix))
    found: EngineClient = module.connect(connection)
    return found


def _installed() -> dict[str, Any]:
    from importlib.metadata import entry_points  # it reads every installed distribution: only when a client is wanted

    return {point.name: point for point in entry_points(group=_GROUP)}
