"""Requests to an engine's API that failed, and what they mean; what is to be done an engine says in its own words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from drawloom.catalog.commands import command
from drawloom.errors import ConnectionLost, Diagnostic, EngineError

if TYPE_CHECKING:
    from drawloom.runtimes.engines import EngineRun

__all__ = ["PASSING", "Api", "ApiProblem", "ended_already", "gone", "plainly"]

PASSING: Final = (0, 408, 429, 500, 502, 503, 504)  # what may be better in a moment


class ApiProblem(Exception):
    """A request that failed.

    Args:
        status: the HTTP status; 0 where there was no answer.
        message: what the other side said, or why there was no answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


def plainly(error: BaseException) -> str:
    """The innermost reason of a connection that failed: urllib3 wraps it several times."""
    reason = getattr(error, "reason", None)
    while isinstance(reason, BaseException) and getattr(reason, "reason", None) is not None:
        reason = reason.reason  # type: ignore[attr-defined]  # just looked for
    return str(reason if reason is not None else error)


@dataclass(frozen=True, slots=True)
class Api:
    """Where requests go to, and what helps against their failures.

    Args:
        place: what is asked, to begin a sentence with: `Airflow at http://...`.
        target: the target's name, "" if it has none.
        certificate: what helps where its certificate isn't trusted.
        login: what a request is let in by: `your token`, `the password of ann`.
        anew: what helps where that isn't taken.
        rights: what helps where something may not be done, or isn't there.
        looked_at: what of the user's it refuses, if it refuses that.
    """

    place: str
    target: str
    certificate: str
    login: str
    anew: str
    rights: str
    looked_at: str

    @contextmanager
    def asking(self, doing: str, *, giving: bool = False) -> Iterator[None]:
        """Tells a request that fails as what it means.

        Args:
            doing: what is asked for, after "to".
            giving: whether something of the user's is handed over.

        Raises:
            ConnectionLost: E740, there was no answer, or one that may be better in a moment.
            EngineError: E740, E741, E742; E723, what was handed over is refused.
        """
        try:
            yield
        except ApiProblem as problem:
            raise self.problem(problem, doing, giving=giving) from problem

    def problem(self, problem: ApiProblem, doing: str, *, giving: bool = False) -> EngineError:
        """What a request that failed means; see `asking`."""
        place = f"{self.place}{f' (target `{self.target}`)' if self.target else ''}"
        said = problem.message
        if problem.status == 0 and "CERTIFICATE" in said.upper():
            return EngineError(Diagnostic("E740", f"{place} can't be trusted: {said}", None, self.certificate))
        if problem.status in PASSING:
            said = f"{problem.status} {said}" if problem.status else said
            fix = "see that the address is right and that it can be reached from here: a network, a VPN, a proxy"
            if "WRONG_VERSION_NUMBER" in said:
                fix = "it doesn't speak https: write `http://` where the target names it"
            return ConnectionLost(Diagnostic("E740", f"{place} can't be reached to {doing}: {said}", None, fix))
        if problem.status == 401:
            what = f"{place} doesn't take {self.login}, to {doing}: it is wrong or expired: {said}"
            return EngineError(Diagnostic("E741", what, None, self.anew))
        if problem.status in (403, 404):
            may = "you may not" if problem.status == 403 else "there is nothing to"
            return EngineError(Diagnostic("E742", f"{place} says that {may} {doing}: {said}", None, self.rights))
        code = "E723" if giving else "E742"
        fix = f"mend what it says; `drawloom doctor --target` looks at what the {self.looked_at} needs"
        return EngineError(Diagnostic(code, f"{place} refuses to {doing}: {said}", None, fix))


def gone(run: EngineRun, what: str, why: str = "it was deleted") -> EngineError:
    """E747: what an engine has of a run isn't there any more."""
    fix = f"`{command('show', run.address)}` tells what the catalog has; deploy the pipeline anew to run it again"
    return EngineError(Diagnostic("E747", f"{what} of run {run.run} isn't there: {why}", None, fix))


def ended_already(run: EngineRun, name: str, verb: str) -> EngineError:
    """E748: a run has ended, and can't be ordered about any more."""
    what = f"{name} has ended: there is nothing to {verb}"
    return EngineError(Diagnostic("E748", what, None, f"`{command('show', run.address)}` tells how it went"))
