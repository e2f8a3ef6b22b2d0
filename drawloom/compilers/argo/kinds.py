"""The objects that a Workflow is deployed as: itself, a template and a Workflow of it, or a CronWorkflow.

| kind | files | |
|---|---|---|
| `workflow` | workflow.yaml | one run, each time it is created |
| `template` | workflowtemplate.yaml, workflow.yaml | the second one is a run of the first, and refers to it |
| `cron` | cronworkflow.yaml | Argo starts runs by the pipeline's schedule |

Argo 3.7 and 4 take the same objects: `schedules` is a list in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from drawloom.compilers.base import Lowered, Native, Refused, Support
from drawloom.compilers.features import FEATURES
from drawloom.compilers.pods.names import object_name
from drawloom.errors import CompileError, Diagnostic, Span, did_you_mean
from drawloom.ir.canonical import Json
from drawloom.ir.nodes import Pipeline
from drawloom.ir.policies import SchedulePolicy
from drawloom.ir.times import times_asked

__all__ = [
    "CRON",
    "KINDS",
    "SCHEDULES",
    "chosen_kind",
    "lacks_times",
    "objects_of",
    "times_of",
]

# Any: Argo's objects as JSON trees

WORKFLOW: Final = "workflow"
TEMPLATE: Final = "template"
CRON: Final = "cron"
KINDS: Final = (WORKFLOW, TEMPLATE, CRON)
_POLICIES: Final = {"skip": "Forbid", "replace": "Replace", "allow": "Allow"}
# for the last time that was missed Argo makes a run, unless it is older than this
_DEADLINES: Final = {"none": 0, "latest": 10 * 366 * 24 * 3600}
SCHEDULES: Final[Mapping[str, Support]] = {
    **dict.fromkeys((name for name in FEATURES if name.startswith("policy.schedule")), Native()),
    "policy.schedule@1": Lowered("a CronWorkflow"),
    "policy.schedule.catch_up@1": Refused('it makes one run at most for all it missed, as catch_up="latest" says'),
    "policy.schedule.catch_up_latest@1": Lowered("`startingDeadlineSeconds`"),
}


def chosen_kind(pipeline: Pipeline, kind: str, where: Span | None) -> str:
    """The kind to make: the one that is asked for, else `cron` where there is a schedule, else `workflow`.

    Raises:
        CompileError: E730, there is no such kind, or no schedule for it.
    """
    schedule = pipeline.policies.schedule
    if not kind:
        return CRON if schedule is not None else WORKFLOW
    if kind not in KINDS:
        what = f"the argo compiler makes no {kind!r}{did_you_mean(kind, KINDS)}"
        raise CompileError(Diagnostic("E730", what, None, f"use one of {', '.join(KINDS)} as `kind`"))
    if kind == CRON and schedule is None:
        what = f"`{pipeline.name}` has no schedule, and a CronWorkflow is wanted"
        fix = 'give it one: `@pipeline(schedule=Schedule("0 6 * * *", zone="Europe/Berlin"))`'
        raise CompileError(Diagnostic("E730", what, where, fix))
    return kind


def objects_of(workflow: Mapping[str, Any], kind: str, pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """The objects to create, in this order: file name -> object.

    Args:
        workflow: the Workflow.
        kind: one of `KINDS`.
        pipeline: what it was made of.
    """
    name = object_name(pipeline.name)
    metadata = dict(workflow["metadata"])
    del metadata["generateName"]
    fixed = {"name": name, **metadata}
    api = workflow["apiVersion"]
    if kind == CRON:
        assert pipeline.policies.schedule is not None, "a CronWorkflow is made of a schedule"
        told = {part: metadata[part] for part in ("labels", "annotations")}
        spec = {**_cron_spec(pipeline.policies.schedule), "workflowMetadata": told, "workflowSpec": workflow["spec"]}
        return {"cronworkflow.yaml": {"apiVersion": api, "kind": "CronWorkflow", "metadata": fixed, "spec": spec}}
    if kind == TEMPLATE:
        own = {"arguments": workflow["spec"]["arguments"], "workflowTemplateRef": {"name": name}}
        template = {"apiVersion": api, "kind": "WorkflowTemplate", "metadata": fixed, "spec": workflow["spec"]}
        return {"workflowtemplate.yaml": template, "workflow.yaml": {**workflow, "spec": own}}
    return {"workflow.yaml": dict(workflow)}


def _cron_spec(schedule: SchedulePolicy) -> dict[str, Json]:
    return {
        "schedules": [schedule.cron],
        "timezone": schedule.zone,
        "concurrencyPolicy": _POLICIES[schedule.overlap],
        "startingDeadlineSeconds": _DEADLINES[schedule.catch_up],
    }


# the times of a run that is compiled for one


def lacks_times(pipeline: Pipeline, times: Mapping[str, Json]) -> bool:
    """Whether a pipeline asks for a time that isn't there.

    Args:
        pipeline: the pipeline.
        times: `logical_time` and `interval`, as far as they are known.
    """
    return any(
        ("logical_time" if field == "logical_time" else "interval") not in times for field in times_asked(pipeline)
    )


def times_of(kind: str, logical_time: object, interval: object) -> dict[str, Json]:
    """The times that runs are compiled for, as far as there are any.

    Args:
        kind: one of `KINDS`.
        logical_time: a time with its zone, or its text.
        interval: (start, end), or `START/END`.

    Raises:
        CompileError: E732, one is no time, or a schedule gives each run another one.
    """
    time, ends = _iso_time("logical_time", logical_time), list(_iso_interval(interval))
    if kind == CRON and (time or ends):
        what = "the runs of a CronWorkflow get their times of its schedule, and a time is given for all of them"
        raise CompileError(Diagnostic("E732", what, None, "leave it out, or make a single run: `kind=workflow`"))
    found: dict[str, Json] = {"logical_time": time, "interval": ends}
    return {name: told for name, told in found.items() if told}


def _iso_time(name: str, time: object) -> str:
    """A time as ISO 8601, "" for none.

    Args:
        name: the option, for the error.
        time: a time with its zone, or its text.

    Raises:
        CompileError: E732, it isn't one.
    """
    try:
        made = datetime.fromisoformat(time) if isinstance(time, str) and time else time
    except ValueError:
        made = ""
    if made in (None, "") and time in (None, ""):
        return ""
    if isinstance(made, datetime) and made.utcoffset() is not None:
        return made.isoformat()
    what = f"the option `{name}` of the argo compiler is {time!s:.60}, which is no time with a zone"
    raise CompileError(Diagnostic("E732", what, None, "write it as in ISO 8601: 2026-01-31T00:00:00Z"))


def _iso_interval(interval: object) -> tuple[str, ...]:
    """An interval as two texts in ISO 8601, empty for none.

    Args:
        interval: (start, end), or `START/END`.

    Raises:
        CompileError: E732, it isn't one.
    """
    if interval in (None, "", ()):
        return ()
    ends = interval.split("/") if isinstance(interval, str) else interval
    if not isinstance(ends, (tuple, list)) or len(ends) != 2:
        what = f"the option `interval` of the argo compiler is {interval!s:.60}, which is no interval"
        raise CompileError(Diagnostic("E732", what, None, "write START/END: 2026-01-30T00:00:00Z/2026-01-31T00:00:00Z"))
    start, end = (_iso_time("interval", end) for end in ends)
    if not start or not end or datetime.fromisoformat(start) > datetime.fromisoformat(end):
        what = f"the option `interval` of the argo compiler goes from {start or 'nowhere'} to {end or 'nowhere'}"
        raise CompileError(Diagnostic("E732", what, None, "give its begin first, then its end: (start, end)"))
    return (start, end)
