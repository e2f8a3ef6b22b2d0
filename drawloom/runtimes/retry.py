"""Whether a failed attempt is made again, and after which pause. Standard library alone: a step loads this module."""

from __future__ import annotations

from drawloom.catalog.records import FailureInfo
from drawloom.ir.policies import INFRA, TIMEOUT, RetryPolicy

__all__ = ["delay_seconds", "is_retried", "matches"]


def matches(failure: FailureInfo, classes: tuple[str, ...]) -> bool:
    """Whether the failure's class, or a base of it, is among `classes` (`module:qualname`, `infra`, `timeout`)."""
    return failure.type in classes or any(base in classes for base in failure.bases)


def is_retried(policy: RetryPolicy, failure: FailureInfo, attempt: int) -> bool:
    """Whether attempt number `attempt` (from 1), which ended with `failure`, is followed by another.

    >>> is_retried(RetryPolicy(max_attempts=3, on=("builtins:OSError",)), FailureInfo("infra"), 1)
    False
    """
    if attempt >= policy.max_attempts or failure.type == "cancelled":
        return False
    if not policy.on:
        return True
    if failure.type in (INFRA, TIMEOUT):  # their bases are for handlers; a policy names them by their own word
        return failure.type in policy.on
    return matches(failure, policy.on)


def delay_seconds(policy: RetryPolicy, attempt: int) -> float:
    """The pause after attempt number `attempt` (from 1).

    >>> [delay_seconds(RetryPolicy(9, 1.0, 2.0, 5.0), n) for n in (1, 2, 3, 4)]
    [1.0, 2.0, 4.0, 5.0]
    """
    if policy.delay_seconds <= 0:
        return 0.0
    try:
        return float(min(policy.delay_seconds * policy.factor ** (attempt - 1), policy.max_delay_seconds))
    except OverflowError:  # float ** int has no infinity
        return policy.max_delay_seconds
