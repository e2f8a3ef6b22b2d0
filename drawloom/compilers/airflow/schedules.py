"""A pipeline's schedule as a timetable of Airflow's, and what its begin step has to see to.

The timetable has intervals, whose end is the logical time here: what Airflow calls a logical date is their begin. For a
time that was missed Airflow starts a run as soon as it can, one for the last of them unless it is to catch up; and it
has no way to leave out a run while another goes on. So the begin step ends such runs before they have begun.
Source: Airflow's docs "Timetables", "Dag Runs: Catchup"; timetables/interval.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from drawloom.compilers.base import Lowered, Native, Refused, Support
from drawloom.compilers.emit.python import Source, call
from drawloom.compilers.features import FEATURES
from drawloom.compilers.given_params import needs_values
from drawloom.errors import CompileError, Diagnostic, Span
from drawloom.ir.nodes import Pipeline
from drawloom.ir.policies import SchedulePolicy

__all__ = ["SCHEDULES", "schedule_arguments", "schedule_rules"]

SCHEDULES: Final[Mapping[str, Support]] = {
    **dict.fromkeys((name for name in FEATURES if name.startswith("policy.schedule")), Native()),
    "policy.schedule@1": Lowered("a `CronDataIntervalTimetable`"),
    "policy.schedule.catch_up@1": Lowered("`catchup`, from the `start_date` of the target on"),
    "policy.schedule.catch_up_latest@1": Lowered("what Airflow does without `catchup`"),
    "policy.schedule.overlap_skip@1": Lowered("the begin step ends the run while another one goes on"),
    "policy.schedule.overlap_replace@1": Refused("a run can't end another one"),
}


def schedule_arguments(
    pipeline: Pipeline, params: Mapping[str, Any], start_date: str, profile: str, where: Span | None
) -> dict[str, Any]:
    """The arguments of a DAG that say when it runs.

    Args:
        pipeline: whose schedule it is.
        params: the parameters that the target gives.
        start_date: from when on runs are made up for, ISO 8601; "" if nothing is said.
        profile: `3` or `2.11`.
        where: the pipeline's line.

    Raises:
        CompileError: E751, `catch_up=True` without a start; E731, a parameter has no value.
    """
    policy = pipeline.policies.schedule
    if policy is None:
        return {"schedule": None, "catchup": False}
    _refuse_unscheduled(pipeline, policy, params, start_date, where)
    timetable = Source(call("CronDataIntervalTimetable", {"*": policy.cron, "timezone": policy.zone}, 4, 4 + 9))
    made: dict[str, Any] = {"schedule": timetable, "catchup": policy.catch_up == "all"}
    if start_date:
        made["start_date"] = Source(call("datetime.fromisoformat", {"*": start_date}))
    elif profile != "3":  # there a DAG with a schedule must have one
        made["start_date"] = Source(call("datetime.fromisoformat", {"*": "2000-01-01T00:00:00+00:00"}))
    return made


def schedule_rules(policy: SchedulePolicy | None) -> dict[str, str]:
    """What the begin step of a scheduled run looks at; nothing if it needn't."""
    if policy is None:
        return {}
    rules = {"overlap": policy.overlap, "catch_up": policy.catch_up}
    return {name: rule for name, rule in rules.items() if rule in ("skip", "none")}


def _refuse_unscheduled(
    pipeline: Pipeline, policy: SchedulePolicy, params: Mapping[str, Any], start_date: str, where: Span | None
) -> None:
    problems = []
    if policy.catch_up == "all" and not start_date:
        what = f"the schedule of `{pipeline.name}` has catch_up=True, and nothing says from when on"
        problems.append(
            Diagnostic("E751", what, where, "give the option start_date: the time from which on runs are made up for")
        )
    problems += needs_values(pipeline, params, where)
    if problems:
        raise CompileError(problems)
