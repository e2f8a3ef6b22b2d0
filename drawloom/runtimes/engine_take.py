"""The step after what an engine has of its own: reads how it ended and what it gave, and commits that.

--store URL --project P --run REF --step ID --index 0,3 --attempt N --status Succeeded --told NAME=BASE64,...
[--after done|ended] [--out DIR]
"""

from __future__ import annotations

import sys
from base64 import b64decode
from collections.abc import Sequence
from time import time
from typing import Any

from drawloom.catalog.keys import attempt_key
from drawloom.catalog.outcomes import decode_record
from drawloom.catalog.records import AttemptStarted, Index
from drawloom.errors import Diagnostic, DrawloomError, NodeFailed
from drawloom.ir.container import result_kind
from drawloom.ir.protocol import FAILED_FINAL, SKIPPED, parse_indices
from drawloom.ir.tasks import TaskSpec
from drawloom.ir.types import Type
from drawloom.runtimes.attempt import AttemptResult, describe_failure, encoded_result
from drawloom.runtimes.call import Instance, adopted, prepared
from drawloom.runtimes.context import StepContext
from drawloom.runtimes.plain_text import plain_value, result_of
from drawloom.runtimes.step import LOST, is_started_late, opened, out_of_time, read_options
from drawloom.storage.base import KeyMissing

__all__ = ["main"]

# Any: values of the user's

_OPTIONS = ("store", "project", "run", "step", "index", "attempt", "status", "told")
_WELL = "Succeeded"


def main(arguments: Sequence[str]) -> int:
    """Commits what came of it.

    Returns:
        An exit code of `ir.protocol`; 1 if the step couldn't do its work.
    """
    try:
        options = read_options(arguments, _OPTIONS, optional=("after", "out"))
        (index,) = parse_indices(options["index"])
        return _take(opened(options), index, options["status"], options["told"])
    except DrawloomError as error:
        print(error, file=sys.stderr)
        return LOST


def _take(step: StepContext, index: Index, status: str, told: str) -> int:
    if is_started_late(step, (index,)):
        return FAILED_FINAL
    late = out_of_time(step)
    if late is not None:
        return late
    if not step.is_wanted(index):
        return SKIPPED
    if step.outcomes.written(step.slice.node, index) is not None:  # the step before had nothing to run
        return adopted(step, index)
    found = prepared(step, index)
    if isinstance(found, int):
        return found
    started = _last_started(step, index)
    return found.end(started, _result(found, status, told, time() - started.at))


def _last_started(step: StepContext, index: Index) -> AttemptStarted:
    """The attempt that the step before has begun."""
    found: Any = None
    run, number = step.run, 1
    while True:
        key = attempt_key(run.run, run.generation, step.slice.node, index, number, "started")
        try:
            found = decode_record(step.storage.read(key), key)
        except KeyMissing:
            break
        number += 1
    assert isinstance(found, AttemptStarted), "the step before has told the engine to run it"
    return found


def _result(instance: Instance, status: str, told: str, seconds: float) -> AttemptResult:
    spec = instance.spec
    try:
        if status != _WELL:
            raise _ended_badly(spec, status)
        texts = _texts(told)
        result = result_of(spec.result, lambda name, type_: _value(spec, name, type_, texts[name or "result"]))
        output = encoded_result(spec, result, instance.step.values)
    except Exception as exception:  # noqa: BLE001  # what the engine gave may be anything
        return AttemptResult("failed", None, describe_failure(exception), exception, seconds)
    return AttemptResult("succeeded", output, seconds=seconds)


def _texts(told: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in told.split(",") if part)
    return {name: b64decode(text).decode("utf-8", "surrogateescape") for name, _, text in pairs}


def _value(spec: TaskSpec, name: str, type_: Type, text: str) -> Any:
    try:
        return plain_value(text, type_, result_kind(type_))
    except (ValueError, RecursionError):
        shown = f"{text[:80]!r} for `{name or 'result'}`"
        raise NodeFailed(
            Diagnostic(
                "R566",
                f"what the engine ran for task `{spec.name}` ended well and gave {shown}, which is no {type_}",
                None,
                "let it give such an output parameter, or correct what the function is declared to return",
            )
        ) from None


def _ended_badly(spec: TaskSpec, status: str) -> NodeFailed:
    return NodeFailed(
        Diagnostic(
            "R565",
            f"what the engine ran for task `{spec.name}` ended as {status}",
            None,
            "see its log there",
        )
    )
