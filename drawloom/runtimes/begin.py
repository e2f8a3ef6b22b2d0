"""The begin step: takes an engine's identity and the run parameters, and makes the run every other step refers to.

    --store URL --project P --program DIGEST --run BASE64 --out DIR [--ids name=TEXT,...] [--scheduled TIME]

`--run` is base64 of JSON, so that no character of a user's means anything to an engine's templates:

    {"engine": "reference", "ids": [["run", "17"]], "generation": 0, "logical_time": "", "interval": [],
     "params": {"depth": {"tree": 3}, "table": {"object": "<sha256>", "digest": "<sha256>", "size_bytes": 5000000}},
     "plain": {"ratio": 0.5}, "clears": 0, "first": true,
     "target": "flows/churn.py:churn", "static": [[name, digest, size, tree, object, type], ...],
     "deployed_to": "prod", "resumed": "argo-1f"}

`plain` has parameters as an engine's own form gives them, in plain JSON (`ir.plain`); those in `params` go before.

`--ids` are an engine's names of its own run that are known only once it runs; they come after those in `--run`.
`--scheduled` is the time that an engine started the run for by the pipeline's schedule; the run's logical time and its
interval are made of it. What isn't a time (a template that the engine has left as it was) counts as none.

A doubled begin of the same engine run makes the same run: its id is made of the identity, and the first record counts.
An engine that can clear a run counts how often it did (`clears`), and says whether it starts this step for the `first`
time; then the run is begun again, in its next generation (`generations`).
"""

from __future__ import annotations

import json
import os
import sys
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from time import time

from drawloom.catalog.outcomes import write_started
from drawloom.catalog.records import RunStarted, ValueRef
from drawloom.errors import Diagnostic, DrawloomError, RunRefused, did_you_mean
from drawloom.ir.canonical import Json, canonical_json, digest_json
from drawloom.ir.protocol import BEGIN, BEGUN, DONE, FAILED_FINAL, RUN
from drawloom.ir.slices import StepSlice
from drawloom.ir.tasks import Port
from drawloom.runtimes.context import StepContext, check_bundle, open_project, run_reference
from drawloom.runtimes.step import LOST, read_options
from drawloom.storage.base import Storage
from drawloom.values.conform import conform

__all__ = ["begin_run", "main", "run_name"]

_OPTIONS = ("store", "project", "program", "run", "out")


def main(arguments: Sequence[str]) -> int:
    """Begins a run and writes its reference to `--out` and stdout.

    Returns:
        An exit code of `ir.protocol`: `failed-final` if the parameters are wrong; 1 if the step couldn't do its work.
    """
    try:
        options = read_options(arguments, _OPTIONS, optional=("ids", "scheduled"))
        storage = open_project(options["store"], options["project"])
        asked = json.loads(b64decode(options["run"]))
        asked["ids"] += [part.split("=", 1) for part in options.get("ids", "").split(",") if part]
        asked["scheduled"] = options.get("scheduled", "")
        started = begin_run(storage, options["program"], asked, options["out"])
    except RunRefused as error:
        print(error, file=sys.stderr)
        return FAILED_FINAL
    except DrawloomError as error:
        print(error, file=sys.stderr)
        return LOST
    print(run_reference(started.run, started.generation))
    return DONE


def begin_run(storage: Storage, program: str, asked: Json, out: str = "") -> RunStarted:
    """Makes a run, or adopts the one the same engine run has made before.

    Args:
        storage: the project's storage.
        program: the digest of the published program.
        asked: what `--run` holds.
        out: the folder for what the engine reads; "" for none.

    Raises:
        RunRefused: E714, a parameter is missing, unknown or of the wrong type; R557, the pipeline asks for a time that
            the run hasn't; E735, there is no data on the schedule's zone here.
        StoreError: E710, the program isn't published; E718, the run was begun with another bundle.
    """
    run = RunStarted(
        run=run_name(asked["engine"], asked["ids"]),
        pipeline="",
        program=program,
        engine=asked["engine"],
        engine_ids=tuple((name, text) for name, text in asked["ids"]),
        logical_time=asked.get("logical_time", ""),
        interval=tuple(asked.get("interval", ())),
        generation=asked.get("generation", 0),
        at=time(),
        drawloom=str(sys.modules["drawloom"].__version__),
        python=".".join(map(str, sys.version_info[:3])),
        bundle=os.environ.get("DRAWLOOM_BUNDLE", ""),
        target=asked.get("target", ""),
        deployed_to=asked.get("deployed_to", ""),
        resumed=asked.get("resumed", ""),
        static=tuple((name, ValueRef(*fields)) for name, *fields in asked.get("static", ())),
        clears=asked.get("clears", 0),
    )
    step = StepContext(storage, run, BEGIN, out=out)
    run = _with_times(run, step.slice, asked.get("scheduled", ""))
    params = _take_params(step, asked.get("params", {}), asked.get("plain", {}))
    run = replace(run, pipeline=step.slice.pipeline, params=params)
    won = write_started(storage, run)
    if won.at != run.at and "first" in asked:
        won = _begun_again(storage, run, first=asked["first"])
    check_bundle(won)
    step.write_output(RUN, run_reference(won.run, won.generation))
    begun = {"run": won.run, "generation": won.generation, "bundle": won.bundle, "clears": won.clears}
    step.write_output(BEGUN, canonical_json(begun))
    return won


def _with_times(run: RunStarted, step: StepSlice, scheduled: str) -> RunStarted:
    """The run with the times that its schedule gives it, or those it was given."""
    if not step.asks and not scheduled:
        return run
    from drawloom.ir.times import missing_time

    if step.schedule is not None and scheduled and not run.logical_time and not run.interval:
        run = _scheduled(run, step, scheduled)
    given = {"logical_time": run.logical_time, "interval_start": run.interval, "interval_end": run.interval}
    missing = [field for field in step.asks if not given[field]]
    if missing:
        raise RunRefused(missing_time(step.pipeline, field) for field in missing)
    return run


def _scheduled(run: RunStarted, step: StepSlice, scheduled: str) -> RunStarted:
    from datetime import datetime

    from drawloom.ir.cron import UnknownZone
    from drawloom.ir.times import scheduled_times

    assert step.schedule is not None, "there is a schedule"
    try:
        moment = datetime.fromisoformat(scheduled)
    except ValueError:
        return run
    try:
        time, interval = scheduled_times(step.schedule.cron, step.schedule.zone, moment)
    except UnknownZone:
        what = f"the schedule of `{step.pipeline}` is in {step.schedule.zone}, and there is no data on that zone here"
        fix = "use an image with time zones: install `tzdata` in it, the distribution's or PyPI's"
        raise RunRefused(Diagnostic("E735", what, None, fix)) from None
    return replace(run, logical_time=time.isoformat(), interval=tuple(end.isoformat() for end in interval))


def run_name(engine: str, ids: Sequence[Sequence[str]]) -> str:
    """The id of the run that an engine's own run is here."""
    return f"{engine}-{digest_json([engine, sorted(map(list, ids))])[:20]}"


def _begun_again(storage: Storage, run: RunStarted, *, first: bool) -> RunStarted:
    from drawloom.runtimes.generations import begin_again, latest_started

    latest = latest_started(storage, run.run)
    assert latest is not None, "the run has a record"
    return write_started(storage, begin_again(latest, run, first=first))


def _take_params(step: StepContext, given: Json, plain: Json) -> tuple[tuple[str, ValueRef], ...]:
    ports = {port.name: port for port in step.slice.ports}
    problems = [
        _refusal(step.slice, f"has no parameter `{name}`{did_you_mean(name, ports)}", "leave it out")
        for name in sorted({*given, *plain} - set(ports))
    ]
    taken = []
    for port in step.slice.ports:
        if port.name in given:
            taken.append((port.name, _reference(step, port, given[port.name], problems)))
        elif port.name in plain:
            taken += _from_plain(step, port, plain[port.name], problems)
        elif port.default is not None:
            taken.append((port.name, step.values.ref(json.loads(port.default), str(port.type))))
        else:
            problems.append(_refusal(step.slice, f"needs the parameter `{port.name}`", "give it a value"))
    if problems:
        raise RunRefused(problems)
    return tuple(taken)


def _from_plain(step: StepContext, port: Port, tree: Json, problems: list[Diagnostic]) -> list[tuple[str, ValueRef]]:
    from drawloom.ir.plain import Misread, from_plain, has_plain_form

    try:
        if not has_plain_form(port.type):
            raise Misread(f"plain JSON can't say what a {port.type} is")
        value = from_plain(tree, port.type)
    except Misread as problem:
        fix = f"give it a value of type {port.type}"
        problems.append(_refusal(step.slice, f"parameter `{port.name}`: {problem}", fix))
        return []
    return [(port.name, step.values.ref(step.values.encode(value, port.type), str(port.type)))]


def _reference(step: StepContext, port: Port, given: Json, problems: list[Diagnostic]) -> ValueRef:
    if "tree" in given:
        ref = step.values.ref(given["tree"], str(port.type))
    else:
        ref = ValueRef(given["digest"], given["size_bytes"], None, given["object"], str(port.type))
    problem = conform(step.values.decode(step.values.tree(ref)), port.type)
    if problem is not None:
        problems.append(
            _refusal(step.slice, f"parameter `{port.name}`: {problem}", f"give it a value of type {port.type}")
        )
    return ref


def _refusal(step: StepSlice, problem: str, fix: str) -> Diagnostic:
    return Diagnostic("E714", f"pipeline `{step.pipeline}` {problem}", None, fix)
