"""Which faults the reference engine injects: the same seed gives each start of each step the same fate."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from drawloom.runtimes.faults import VARIABLE

__all__ = ["Fate", "Faults"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one start of a step.

    Args:
        environment: variables for the step's process (`runtimes.faults`).
        twice: a second process is started beside it with the same command.
        zombie: the engine takes the process for lost and starts the next attempt while it still runs.
        forget: the process ends as it will, but its exit code is lost.
    """

    environment: tuple[tuple[str, str], ...] = ()
    twice: bool = False
    zombie: bool = False
    forget: bool = False

    @property
    def harmless(self) -> bool:
        """Whether the engine learns how the process ended."""
        return not (self.zombie or self.forget or any("kill" in text or "fail" in text for _, text in self.environment))


@dataclass(frozen=True, slots=True)
class Faults:
    """The probabilities of faults, each between 0 and 1; the last start a step is allowed is always left alone.

    Args:
        double_start: the step is started twice at once.
        zombie: the step is thought lost while it runs on, and commits late.
        kill_before_commit: SIGKILL when the task is done and nothing is committed.
        kill_after_commit: SIGKILL right after the commit.
        lost_exit_code: the step ends, but the engine never hears how.
        failing_store: the store refuses the step's first operation.
        slow_store_seconds: how long every operation on the store takes longer, at every start of every step.
        seed: where the randomness begins.
        lost_retries: how often a step may be lost, beyond what its own policy allows.
    """

    double_start: float = 0.0
    zombie: float = 0.0
    kill_before_commit: float = 0.0
    kill_after_commit: float = 0.0
    lost_exit_code: float = 0.0
    failing_store: float = 0.0
    slow_store_seconds: float = 0.0
    seed: int = 0
    lost_retries: int = 2

    def fate(self, step: str, index: str, start: int, last: bool) -> Fate:
        """The fate of start number `start` (from 1) of a step at an index text; `last` if no other may follow."""
        # a string seed is hashed with SHA-512, so equal in every process, unlike one made of `hash`
        random = Random(f"{self.seed}/{step}/{index}/{start}")  # noqa: S311  # reproducible on purpose
        drawn = [random.random() for _ in range(6)]
        points = []
        if self.slow_store_seconds:
            points.append(f"store=sleep:{self.slow_store_seconds}")
        if last:
            return Fate(_environment(points))
        if drawn[0] < self.failing_store:
            return Fate(_environment(["store=fail:1"]))
        if drawn[1] < self.kill_before_commit:
            return Fate(_environment([*points, "before-commit=kill"]))
        if drawn[2] < self.kill_after_commit:
            return Fate(_environment([*points, "after-commit=kill"]))
        if drawn[3] < self.zombie:
            return Fate(_environment([*points, "before-commit=sleep:0.3"]), zombie=True)
        return Fate(_environment(points), twice=drawn[4] < self.double_start, forget=drawn[5] < self.lost_exit_code)


def _environment(points: list[str]) -> tuple[tuple[str, str], ...]:
    return ((VARIABLE, ",".join(points)),) if points else ()
