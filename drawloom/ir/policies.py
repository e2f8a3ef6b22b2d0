"""Policies: how a node is to be run, apart from what it computes.

Only policies that something honours are here; each lands with its first consumer. Standard library alone.
"""

from __future__ import annotations

from typing import Final

from drawloom.frozen import dataclass

__all__ = [
    "INFRA",
    "TIMEOUT",
    "CachePolicy",
    "Parallelism",
    "PipelinePolicies",
    "Policies",
    "RetryPolicy",
    "SchedulePolicy",
]

INFRA: Final = "infra"  # the step was lost: killed, evicted, out of memory
TIMEOUT: Final = "timeout"  # an attempt ran into `attempt_timeout_seconds`


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often a failed attempt is made again.

    Args:
        max_attempts: the number of tries in all, the first included; at least 1.
        delay_seconds: the pause before the second attempt.
        factor: what each further pause is multiplied by.
        max_delay_seconds: the longest pause.
        on: `module:qualname` of exception classes (subclasses count), `"infra"`, `"timeout"`; empty means all of them.
    """

    max_attempts: int = 1
    delay_seconds: float = 0.0
    factor: float = 1.0
    max_delay_seconds: float = 3600.0
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Whether a call may be answered from an earlier commit.

    Args:
        enabled: True or False where the user said so; None means by the rule (not for sources, nor for effects).
        version: a text of the user's that is part of the cache key.
        ttl_seconds: how old a commit may be that answers a call, from when it was made; None for any age.
    """

    enabled: bool | None = None
    version: str = ""
    ttl_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of a task or of one call (a call's replace its task's as a whole).

    Args:
        retry: when a failed attempt is made again.
        attempt_timeout_seconds: the longest one attempt may run, queueing left out; None for no limit.
        node_timeout_seconds: the longest all attempts of a node instance may take, pauses included.
        cache: whether a call may be answered from an earlier commit.
        packages: distributions the task needs (`pandas>=2`); their installed versions are part of the cache key.
    """

    retry: RetryPolicy = RetryPolicy()
    attempt_timeout_seconds: float | None = None
    node_timeout_seconds: float | None = None
    cache: CachePolicy = CachePolicy()
    packages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parallelism:
    """At most `limit` items of a map at once, counted within `scope` (`loop`: this map instance)."""

    limit: int
    scope: str = "loop"


@dataclass(frozen=True, slots=True)
class SchedulePolicy:
    """When an engine starts runs by itself.

    Args:
        cron: five fields (`ir.cron`).
        zone: the IANA name of the zone they are in.
        catch_up: which of the times that were missed get a run: `none`, the `latest`, `all`.
        overlap: at a time where the run before still goes on: `skip` the new one, `replace` the old one, `allow` both.
    """

    cron: str
    zone: str
    catch_up: str = "none"
    overlap: str = "skip"


@dataclass(frozen=True, slots=True)
class PipelinePolicies:
    """The policies of a whole run.

    Args:
        run_timeout_seconds: the longest a run may take; None for no limit.
        schedule: when an engine starts runs by itself; None for never.
    """

    run_timeout_seconds: float | None = None
    schedule: SchedulePolicy | None = None
