"""Helpers for tests of pipelines: run one with tasks substituted, look at what was executed, hear what is logged.

    from drawloom.testing import recording, run

    done = run(churn, {"csv": "tiny.csv"}, substitute={load: lambda csv: frame})
    assert done.result == 0.5
    assert done.executed == ["table", "train"]

With pytest the fixtures `drawloom_catalog`, `drawloom_run` and `drawloom_recorder` are there without an import.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from drawloom.catalog.catalog import Catalog
from drawloom.catalog.run import Run
from drawloom.dsl.fingerprint import fingerprint
from drawloom.dsl.place import function_span, refusal
from drawloom.errors import did_you_mean
from drawloom.graphs import checked_trace, place
from drawloom.ir.canonical import digest_json
from drawloom.ir.policies import Policies
from drawloom.ir.program import Program
from drawloom.ir.tasks import FunctionRef, TaskSpec
from drawloom.runtimes.tracking import listen, unlisten

if TYPE_CHECKING:
    from drawloom.dsl.pipeline import Pipeline
    from drawloom.dsl.task import Task

__all__ = ["Recorded", "TestedRun", "recording", "run", "temporary_catalog"]

# Any: pipelines and tasks of any signature


class TestedRun(Run):
    """A run with questions that tests ask. Nodes are those of calls, in program order."""

    __test__ = False  # pytest must not take it for a test

    @property
    def executed(self) -> list[str]:
        """The nodes of which an instance was executed, successfully or not."""
        return self._calls_with(lambda counts: bool(counts.keys() & {"succeeded", "failed"}))

    @property
    def cached(self) -> list[str]:
        """The nodes that were answered from the cache, all their instances."""
        return self._calls_with(lambda counts: counts.keys() == {"cached"})

    @property
    def skipped(self) -> list[str]:
        """The nodes that were skipped or never began, all their instances."""
        return self._calls_with(lambda counts: counts.keys() <= {"skipped", "cancelled", "pending"})

    @property
    def failed(self) -> list[str]:
        """The nodes of which an instance failed."""
        return self._calls_with(lambda counts: "failed" in counts)

    def _calls_with(self, is_meant: Callable[[Mapping[str, int]], bool]) -> list[str]:
        return [node.id for node in self.nodes() if node.kind == "call" and is_meant(node.counts)]


def run(
    pipeline: Pipeline[..., Any],
    params: Mapping[str, object] | None = None,
    *,
    substitute: Mapping[Task[..., Any], Callable[..., Any]] | None = None,
    catalog: Catalog | str | os.PathLike[str] | None = None,
    executor: str = "inline",
    workers: int | None = None,
    cache: bool = True,
    fail_fast: bool = True,
    logical_time: datetime | None = None,
    interval: tuple[datetime, datetime] | None = None,
) -> TestedRun:
    """Runs a pipeline in a test.

    Args:
        pipeline: what to run.
        params: as for `drawloom.run`.
        substitute: task, container or engine node -> what is called in its place: a function that takes the task's
            parameters, by name or in their order, and returns a value of the type the task declares. It has a version
            of its own: it is never answered from what the task made, nor the other way round. A `lambda` that holds a
            value of the test's, or a mock, is called each time.
        catalog: where the run is kept; None for a catalog that goes away with this process.
        executor: `inline` runs everything in this thread, so that breakpoints stop and coverage counts; tasks run
            without their time limits then, which only other processes can keep.
        workers, cache, fail_fast, logical_time, interval: as for `drawloom.run`.

    Returns:
        The run, also when it failed; its `result` then raises from the task's own exception.

    Raises:
        DefinitionError: D137, a substitute is for no task of the pipeline, or doesn't take its parameters.
        DrawloomError: as for `drawloom.run`; that declared packages are installed is asked of the real tasks alone.
    """
    from drawloom.parameters.binding import bind, encode_params
    from drawloom.parameters.requirements import refuse_unmet
    from drawloom.parameters.times import refuse_missing_times, times_given
    from drawloom.runtimes.local import run_local

    info = times_given(logical_time, interval)
    bound = bind(pipeline.function, params or {}, place(pipeline))
    trace = checked_trace(pipeline, bound.static)
    functions = dict(trace.functions)
    body = trace.program.pipeline
    specs = {spec.name: spec for spec in body.tasks}
    for task, function in (substitute or {}).items():
        spec = specs.get(task.name)
        if spec is None:
            raise _no_task(pipeline.name, task.name, list(specs))
        functions[task.name], specs[task.name] = _substituted(spec, function)
    body = dataclasses.replace(body, tasks=tuple(specs.values()))
    program = Program(_unlimited(body) if executor == "inline" else body, trace.program.spans)
    refuse_unmet(program)
    refuse_missing_times(program, info)
    opened = catalog if isinstance(catalog, Catalog) else temporary_catalog(catalog)
    trees = encode_params(body.params, bound.given, opened.values)
    done = run_local(
        program,
        functions,
        trees,
        opened,
        executor=executor,
        workers=workers,
        cache=cache,
        fail_fast=fail_fast,
        info=info,
    )
    tested = TestedRun(done.id, opened.storage, opened.objects, opened.values)
    if done.live_failure is not None:
        tested.attach_failure(done.live_failure)
    return tested


def temporary_catalog(path: str | os.PathLike[str] | None = None) -> Catalog:
    """A catalog for tests.

    Args:
        path: the folder to make it in; None for one that is removed when this process ends.
    """
    from drawloom.values.scratch import new_folder

    return Catalog.open(os.path.join(new_folder(), "catalog") if path is None else path)


def _no_task(pipeline: str, name: str, known: list[str]) -> Exception:
    what = f"`{pipeline}` calls no task `{name}`{did_you_mean(name, known)}"
    return refusal("D137", what, f"substitute one of {', '.join(known)}" if known else "leave `substitute` out")


def _substituted(spec: TaskSpec, function: Callable[..., Any]) -> tuple[Callable[..., Any], TaskSpec]:
    """What is called in a task's place, and the task's interface with the version of that."""
    names = [port.name for port in spec.inputs]
    made = function
    if not _takes(function, (), dict.fromkeys(names)):
        if not _takes(function, names, {}):
            raise refusal(
                "D137",
                f"what is substituted for `{spec.name}` doesn't take its parameters ({', '.join(names) or 'none'})",
                f"write it as `lambda {', '.join(names)}: ...`",
                function_span(function) if inspect.isfunction(function) else None,
            )

        def made(**given: Any) -> Any:
            return function(*[given[name] for name in names])

    qualname = getattr(function, "__qualname__", type(function).__qualname__)
    ref = FunctionRef(getattr(function, "__module__", None) or "", qualname, _digest(function))
    policies = dataclasses.replace(spec.policies, packages=())
    return made, dataclasses.replace(spec, function=ref, policies=policies, container=None, engine=None)


def _takes(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> bool:
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:  # a built-in function that doesn't tell
        return not kwargs
    return True


def _digest(function: Callable[..., Any]) -> str:
    """The version of a substitute, "" if it can't be told: then it is called each time."""
    try:
        return digest_json(["substitute", fingerprint(function).digest])
    except Exception:  # noqa: BLE001  # it holds values of the test's, or is no plain function
        return ""


def _unlimited(part: Any) -> Any:
    """A part of a pipeline without the time limits of attempts and nodes."""
    if isinstance(part, tuple):
        return tuple(map(_unlimited, part))
    if isinstance(part, Policies):
        return dataclasses.replace(part, attempt_timeout_seconds=None, node_timeout_seconds=None)
    if not dataclasses.is_dataclass(part) or isinstance(part, type):
        return part
    fields = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
    changed = {name: _unlimited(value) for name, value in fields.items()}
    return part if all(changed[name] is fields[name] for name in fields) else dataclasses.replace(part, **changed)


# what is logged outside runs


class Recorded:
    """What tasks logged that were called as plain functions.

    Attributes:
        metrics: name -> last value.
        series: name -> (step, value) points; the step is the number of points before it where none was given.
        artifacts: name -> last value, figures included, as they were handed over.
    """

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self.series: dict[str, list[tuple[int, float]]] = {}
        self.artifacts: dict[str, Any] = {}

    def metric(self, name: str, value: float, step: int | None) -> None:
        """Takes a value of a metric."""
        points = self.series.setdefault(name, [])
        points.append((len(points) if step is None else step, value))
        self.metrics[name] = value

    def artifact(self, name: str, value: Any) -> None:
        """Takes an artifact."""
        self.artifacts[name] = value


@contextmanager
def recording() -> Iterator[Recorded]:
    """Hears what `log_metric`, `log_artifact` and `log_figure` are told outside runs, from any thread, meanwhile."""
    recorded = Recorded()
    listen(recorded)
    try:
        yield recorded
    finally:
        unlisten(recorded)
