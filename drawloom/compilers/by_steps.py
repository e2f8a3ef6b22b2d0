"""What the step protocol does for any engine that has order, booleans, counts and retries."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Final

from drawloom.compilers.base import Lowered, Support
from drawloom.ir.policies import PipelinePolicies

__all__ = ["BY_STEPS", "engine_limit_seconds"]

_GRACE_SECONDS: Final = 600  # beyond a run's limit: for its first step to begin, and its last to end


def engine_limit_seconds(policies: PipelinePolicies) -> int | None:
    """When an engine is to end a run itself; None if its pipeline has no limit.

    The steps keep the limit. This is for what can't start.
    """
    limit = policies.run_timeout_seconds
    return None if limit is None else ceil(limit) + _GRACE_SECONDS


BY_STEPS: Final[Mapping[str, Support]] = {
    "control.map.branch@1": Lowered("a deciding step for each item writes its booleans"),
    "control.map.try@1": Lowered("each item's steps are contained by themselves"),
    "control.map.batch_control@1": Lowered("each item goes in steps of its own; the results are the same"),
    "control.loop.stop@1": Lowered("the deciding step writes false at the bound"),
    "control.try@1": Lowered("steps within are contained; a settling step fails if the failure is left"),
    "control.try.handlers@1": Lowered("a deciding step picks the handler"),
    "control.try.final@1": Lowered("its steps start when those before them have ended, however they did"),
    "policy.retry.by_class@1": Lowered("the step's exit code says whether another attempt is wanted"),
    "policy.retry.timeout@1": Lowered("an attempt that took too long ends like a failed one"),
    "policy.timeout.attempt@1": Lowered("the step watches over a process of its own"),
    "policy.timeout.node@1": Lowered("the step counts from the first attempt"),
    "policy.timeout.run@1": Lowered(
        "a step that starts when the time is over does nothing, and an attempt is ended then"
    ),
    "policy.cache@1": Lowered("the step looks it up"),
    "policy.env@1": Lowered("the step sets them before it imports the task"),
}
