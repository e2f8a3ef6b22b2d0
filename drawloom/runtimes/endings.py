"""What is said of attempts that had to be ended, and of processes that are gone: the same words wherever they ran.

Standard library alone: a step loads this module, once an attempt has a time limit or was lost.
"""

from __future__ import annotations

from drawloom.errors import Diagnostic
from drawloom.ir.policies import Policies

__all__ = ["attempt_late", "how_ended", "node_late", "run_late"]


def attempt_late(node: str, attempt: int, policies: Policies) -> Diagnostic:
    """R514: an attempt was ended by its own limit."""
    return Diagnostic(
        "R514",
        f"attempt {attempt} of `{node}` ran longer than "
        f"attempt_timeout_seconds={policies.attempt_timeout_seconds or 0:g} and was ended",
        None,
        "raise attempt_timeout_seconds, make the task faster, or retry it on `timeout`",
    )


def node_late(node: str, attempt: int, policies: Policies) -> Diagnostic:
    """R515: a node was ended, because its attempts together took too long."""
    return Diagnostic(
        "R515",
        f"the attempts at `{node}` took longer than node_timeout_seconds="
        f"{policies.node_timeout_seconds or 0:g}, pauses included; attempt {attempt} was the last",
        None,
        "raise node_timeout_seconds, or make fewer or faster attempts",
    )


def run_late(pipeline: str, seconds: float) -> Diagnostic:
    """R519: a run was ended, because it took too long."""
    return Diagnostic(
        "R519",
        f"`{pipeline}` took longer than run_timeout_seconds={seconds:g}",
        None,
        "raise run_timeout_seconds; what succeeded is answered from the cache when it is run again",
    )


def how_ended(status: int) -> str:
    """How a process ended, by its exit status as `subprocess` has it: that of a killed one is the signal, negative.

    >>> how_ended(5), how_ended(-9)
    ('ended with exit status 5', 'was killed by SIGKILL')
    """
    if status >= 0:
        return f"ended with exit status {status}"
    from signal import Signals

    try:
        name = Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was killed by {name}"
