"""`@pipeline`: a Python function that composes tasks; plain when called, a graph when traced."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from drawloom.dsl.current import CURRENT
from drawloom.dsl.place import refusal
from drawloom.dsl.task import checked_function

if TYPE_CHECKING:
    from datetime import datetime

    from drawloom.catalog.catalog import Catalog
    from drawloom.catalog.run import Run
    from drawloom.compilers.base import Bundle
    from drawloom.dsl.schedule import Schedule
    from drawloom.dsl.signature import Signature
    from drawloom.errors import Diagnostic
    from drawloom.ir.policies import PipelinePolicies
    from drawloom.ir.program import Program
    from drawloom.runtimes.planned import Plan

__all__ = ["Configured", "Pipeline", "pipeline"]

P = ParamSpec("P")
R = TypeVar("R")


class Pipeline(Generic[P, R]):
    """A function that composes tasks; made by `@pipeline`.

    Calling it runs the plain function, tasks and all; inside another pipeline that is being traced it becomes a node.

    Attributes:
        function: the plain function.
        name: its name; artifacts are named `<name>/<node id>`.
        run_timeout_seconds: the longest a run may take, None for no limit.
        schedule: when an engine starts runs by itself, None for never.
        upstream: what a call inside another pipeline waits for besides its inputs.
    """

    function: Callable[P, R]

    def __init__(
        self, function: Callable[P, R], run_timeout_seconds: float | None = None, schedule: Schedule | None = None
    ) -> None:
        self.__wrapped__ = self.function = function
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__name__ = self.name = function.__name__
        self.__qualname__ = function.__qualname__
        self.run_timeout_seconds = run_timeout_seconds
        self.schedule = schedule
        self.upstream: tuple[object, ...] = ()

    @property
    def graph(self) -> Program:
        """The pipeline in the IR, traced anew.

        Raises:
            DefinitionError: it can't be traced (D1..).
        """
        from drawloom.dsl.tracing import trace  # lazy: a step imports this module and never traces

        return trace(self).program

    @property
    def policies(self) -> PipelinePolicies:
        """How the pipeline is run."""
        from drawloom.ir.policies import PipelinePolicies  # lazy: see `graph`

        return PipelinePolicies(self.run_timeout_seconds, self.schedule.policy() if self.schedule is not None else None)

    def signature(self) -> Signature:
        """The typed parameters and result.

        Raises:
            DefinitionError: an annotation can't be resolved or isn't supported (D106, D107), or a default can't be
                kept (D109).
        """
        from drawloom.dsl.signature import signature  # lazy: see `graph`

        return signature(self.function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        tracer = CURRENT.get()
        if tracer is None:
            return self.function(*args, **kwargs)
        return tracer.call_pipeline(self, args, kwargs, sys._getframe(1))  # type: ignore[return-value]  # a handle

    def after(self, *upstream: object) -> Pipeline[P, R]:
        """The same pipeline, its calls inside another one made to wait for other nodes.

        Args:
            upstream: results of earlier calls, or lists of them; what an effect returned counts too.
        """
        made: Pipeline[P, R] = Pipeline(self.function, self.run_timeout_seconds, self.schedule)
        made.upstream = (*self.upstream, *upstream)
        return made

    def options(
        self,
        *,
        catalog: Catalog | str | None = None,
        executor: str | None = None,
        workers: int | None = None,
        cache: bool | None = None,
        fail_fast: bool | None = None,
        logical_time: datetime | None = None,
        interval: tuple[datetime, datetime] | None = None,
    ) -> Configured[P, R]:
        """The pipeline with options for its run: `churn.options(executor="processes").run(csv=...)`.

        Args:
            catalog: the catalog, or its URL; a folder `.drawloom` here, if left out.
            executor: `threads`, `processes` or `inline`.
            workers: how many tasks run at once.
            cache: False to run every task anew.
            fail_fast: False to run everything that doesn't depend on a failure.
            logical_time: the time the run is for, with its zone.
            interval: the (start, end) of the data the run is for.
        """
        given = {
            "catalog": catalog,
            "executor": executor,
            "workers": workers,
            "cache": cache,
            "fail_fast": fail_fast,
            "logical_time": logical_time,
            "interval": interval,
        }
        return Configured(self, {name: value for name, value in given.items() if value is not None})

    def run(self, *args: P.args, **kwargs: P.kwargs) -> Run[R]:
        """Run the pipeline here, as `drawloom.run` does, with these parameters.

        Raises:
            DefinitionError: it can't be traced (D1..), or the parameters don't fit (D112).
            CheckFailed: its graph is wrong (G2..).
            RunRefused: the run can't start (R5..).
        """
        return Configured(self, {}).run(*args, **kwargs)

    def plan(self, *args: P.args, **kwargs: P.kwargs) -> Plan:
        """What a run with these parameters would do, as `drawloom.plan` tells; runs nothing.

        Raises: as `run`.
        """
        return Configured(self, {}).plan(*args, **kwargs)

    def check(self, engine: str | None = None) -> list[Diagnostic]:
        """Every problem of the pipeline, as `drawloom.check` finds them."""
        from drawloom import api  # lazy: sugar that goes up

        return api.check(self, engine)

    def compile(self, engine: str, **options: Any) -> Bundle:
        """Compile the pipeline for an engine, as `drawloom.compile` does."""
        from drawloom import api  # lazy: sugar that goes up

        return api.compile(self, engine, **options)

    def __reduce__(self) -> str:
        return self.__qualname__  # by reference, as pickle keeps functions

    def _repr_html_(self) -> str:
        from drawloom.display.notebook import pipeline_html  # lazy: only notebooks ask
        from drawloom.errors import DrawloomError

        program: Program | DrawloomError
        try:
            program = self.graph
        except DrawloomError as error:  # a pipeline that can't be traced is shown with the reason
            program = error
        return pipeline_html(self.name, f"{self.__module__}:{self.__qualname__}", program)

    def __repr__(self) -> str:
        return f"<pipeline {self.__module__}:{self.__qualname__}>"


class Configured(Generic[P, R]):
    """A pipeline with options for its run; made by `Pipeline.options`."""

    def __init__(self, pipeline: Pipeline[P, R], options: Mapping[str, Any]) -> None:
        self.pipeline = pipeline
        self.options = options

    def run(self, *args: P.args, **kwargs: P.kwargs) -> Run[R]:
        """Run the pipeline here with these parameters.

        Raises: as `Pipeline.run`.
        """
        from drawloom import api  # lazy: sugar that goes up

        return api.run(self.pipeline, self._params(args, kwargs), **self.options)

    def plan(self, *args: P.args, **kwargs: P.kwargs) -> Plan:
        """What a run with these parameters and options would do, as `drawloom.plan` tells; runs nothing.

        Raises: as `Pipeline.run`.
        """
        from drawloom import api  # lazy: sugar that goes up

        options = {name: value for name, value in self.options.items() if name in ("catalog", "cache")}
        return api.plan(self.pipeline, self._params(args, kwargs), **options)

    def _params(self, args: Any, kwargs: Any) -> dict[str, Any]:
        from drawloom.dsl.plans import bind_values  # lazy: a step imports this module and never runs a pipeline

        signature = self.pipeline.signature()
        missing: Any = _LEFT_OUT
        values = bind_values(
            self.pipeline.name, signature.names, signature.positional, [missing] * len(signature.names), args, kwargs
        )
        return {name: value for name, value in zip(signature.names, values) if value is not missing}


_LEFT_OUT = object()  # a parameter that isn't given: `drawloom.run` knows the defaults


@overload
def pipeline(function: Callable[P, R], /) -> Pipeline[P, R]: ...


@overload
def pipeline(
    *, run_timeout_seconds: float | None = None, schedule: Schedule | None = None
) -> Callable[[Callable[P, R]], Pipeline[P, R]]: ...


def pipeline(
    function: Callable[..., Any] | None = None,
    /,
    *,
    run_timeout_seconds: float | None = None,
    schedule: Schedule | None = None,
) -> Any:
    """Make a pipeline of a function that composes tasks, as `@pipeline` or `@pipeline(...)`.

    Args:
        function: a plain function; its parameters are the parameters of a run, run-time values inside it, unless
            they are annotated `Static[...]`.
        run_timeout_seconds: the longest a run may take; None for no limit.
        schedule: when an engine starts runs by itself; None for never. A run that you start, you start at once.

    Returns:
        A pipeline with the function's own signature.

    Raises:
        DefinitionError: the function can't be a pipeline (D101-D103), or the option is wrong (D108).
    """
    if run_timeout_seconds is not None and (type(run_timeout_seconds) not in (int, float) or run_timeout_seconds <= 0):
        what = f"pipeline(run_timeout_seconds={run_timeout_seconds!r}) must be a number of seconds above 0"
        raise refusal("D108", what, "pass a number of seconds above 0 as `run_timeout_seconds`")
    if schedule is not None and type(schedule).__name__ != "Schedule":  # by name: the module isn't loaded for it
        raise refusal("D108", f"pipeline(schedule={schedule!r}) must be a Schedule(...)", "pass a Schedule(...)")
    if function is not None:
        return Pipeline(checked_function(function, "pipeline"), run_timeout_seconds, schedule)
    return lambda decorated: Pipeline(checked_function(decorated, "pipeline"), run_timeout_seconds, schedule)
