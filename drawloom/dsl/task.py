"""`@task`: a Python function that becomes a node where a pipeline is traced, and stays a function anywhere else.

Decorating must cost next to nothing and import next to nothing: a user's module runs `from drawloom import task` in
every step. The signature, the policies and the digest are made when a pipeline is traced.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from drawloom.dsl.current import CURRENT
from drawloom.dsl.options import Cache, Options, Retry, checked_options, policies
from drawloom.dsl.place import function_span, refusal

if TYPE_CHECKING:
    from drawloom.dsl.pods import Pod, Resources
    from drawloom.dsl.signature import Signature
    from drawloom.ir.policies import Policies

__all__ = ["Cache", "Retry", "Task", "checked_function", "task"]

P = ParamSpec("P")
R = TypeVar("R")

# `inspect.CO_*` (importing inspect costs more than all of this module)
_GENERATOR, _COROUTINE, _ITERABLE_COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x100, 0x200


class Task(Generic[P, R]):
    """A Python function to be run as a node; made by `@task`.

    Calling it in a pipeline that is being traced records a node; calling it anywhere else calls the function.

    Attributes:
        function: the plain function.
        name: `module:qualname` of the function.
        options: what was given to `@task`, or by `with_options`.
        declared: the task as it was declared: itself, or what `with_options` and `after` were called on.
        upstream: what calls wait for besides their inputs.
        runs: what is run: the `function`, or what it names in its place: a `container` (`@container`), or what an
            `engine` has of its own (`@engine_node`).
    """

    function: Callable[P, R]

    def __init__(self, function: Callable[P, R], options: Options) -> None:
        self.__wrapped__ = self.function = function
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__
        self.__name__ = function.__name__
        self.__qualname__ = function.__qualname__
        self.options = options
        self.declared: Task[P, R] = self
        self.upstream: tuple[object, ...] = ()
        self.runs = "function"

    @property
    def name(self) -> str:
        """`module:qualname` of the function."""
        return f"{self.__module__}:{self.__qualname__}"

    @property
    def policies(self) -> Policies:
        """How calls of this task are run."""
        return policies(self.options)

    def signature(self) -> Signature:
        """The typed ports of the function.

        Raises:
            DefinitionError: an annotation can't be resolved or isn't supported (D106, D107), or a default can't be
                kept (D109).
        """
        from drawloom.dsl.signature import signature  # lazy: only tracing needs it

        return signature(self.function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        tracer = CURRENT.get()
        if tracer is None:
            return self.function(*args, **kwargs) if self.runs == "function" else self._call_here(args, kwargs)
        return tracer.call(self, args, kwargs, sys._getframe(1))  # type: ignore[return-value]  # a handle, typed R

    def _call_here(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> R:
        if self.runs == "engine":
            from drawloom.dsl.engine_node import refuse_here

            raise refuse_here(self)
        from drawloom.dsl.container import call_here  # lazy: it is run only where somebody calls it

        return call_here(self, args, kwargs)  # type: ignore[no-any-return]  # R, by its own declaration

    def with_options(
        self,
        *,
        retry: Retry | None = None,
        attempt_timeout_seconds: float | None = None,
        node_timeout_seconds: float | None = None,
        cache: Cache | bool | None = None,
        packages: Sequence[str] | None = None,
        resources: Resources | None = None,
        image: str | None = None,
        env: Mapping[str, str] | None = None,
        pod: Pod | None = None,
        independent: bool | None = None,
    ) -> Task[P, R]:
        """The same task with other options; what is left out stays as declared.

        Args: as for `task`.

        Raises:
            DefinitionError: an option has a value out of its range (D108, D161).
        """
        given = Options(
            retry=retry,
            attempt_timeout_seconds=attempt_timeout_seconds,
            node_timeout_seconds=node_timeout_seconds,
            cache=cache,
            packages=packages,
            resources=resources,
            image=image,
            env=env,
            pod=pod,
            independent=independent,
        )
        made = self._view()
        made.options = self.options | checked_options("with_options", given)
        return made

    def after(self, *upstream: object) -> Task[P, R]:
        """The same task, its calls made to wait for other nodes: `publish.after(audit)(table)`.

        Args:
            upstream: results of earlier calls, or lists of them; what an effect returned counts too.
        """
        made = self._view()
        made.upstream = (*self.upstream, *upstream)
        return made

    def _view(self) -> Task[P, R]:
        made: Task[P, R] = Task(self.function, self.options)
        made.declared, made.upstream = self.declared, self.upstream
        made.runs = self.runs
        return made

    def __reduce__(self) -> str:
        return self.__qualname__  # by reference, as pickle keeps functions

    def __repr__(self) -> str:
        return f"<task {self.name}>"


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(
    *,
    retry: Retry | None = None,
    attempt_timeout_seconds: float | None = None,
    node_timeout_seconds: float | None = None,
    cache: Cache | bool | None = None,
    packages: Sequence[str] | None = None,
    resources: Resources | None = None,
    image: str | None = None,
    env: Mapping[str, str] | None = None,
    pod: Pod | None = None,
    independent: bool | None = None,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    retry: Retry | None = None,
    attempt_timeout_seconds: float | None = None,
    node_timeout_seconds: float | None = None,
    cache: Cache | bool | None = None,
    packages: Sequence[str] | None = None,
    resources: Resources | None = None,
    image: str | None = None,
    env: Mapping[str, str] | None = None,
    pod: Pod | None = None,
    independent: bool | None = None,
) -> Any:  # the overloads say what
    """Make a task of a function, as `@task` or `@task(...)`.

    Args:
        function: a plain, top-level function; annotations become typed ports. `-> None` makes it an *effect*.
        retry: when a failed attempt is made again; once, if left out.
        attempt_timeout_seconds: the longest one attempt may run.
        node_timeout_seconds: the longest all attempts of a call may take, pauses included.
        cache: whether calls may be answered from earlier runs; by the rule of `Cache`, if left out.
        packages: distributions the task needs (`pandas>=2`); their installed versions are part of the cache key.
        resources: what a step needs of a machine; a run on one machine keeps nothing for it.
        image: the container image its steps run in, on engines that have containers; part of the cache key.
        env: environment variables that the task is given, on every engine; part of the cache key, and no place for
            secrets: they are written down with the pipeline.
        pod: how its pods are made, on engines that have pods: placement, labels, volumes, secrets.
        independent: True to keep the task out of the order of effects.

    Returns:
        A task with the function's own signature.

    Raises:
        DefinitionError: the function can't be a task (D101-D103, D105), or an option is wrong (D108, D161).
    """
    given = Options(
        retry=retry,
        attempt_timeout_seconds=attempt_timeout_seconds,
        node_timeout_seconds=node_timeout_seconds,
        cache=cache,
        packages=packages,
        resources=resources,
        image=image,
        env=env,
        pod=pod,
        independent=independent,
    )
    options = checked_options("task", given)
    if function is not None:
        return Task(checked_function(function, "task"), options)
    return lambda decorated: Task(checked_function(decorated, "task"), options)


def checked_function(function: Any, decorator: str) -> Any:
    """`function`, if it can be a task or a pipeline.

    Args:
        function: what was decorated.
        decorator: `task` or `pipeline`, for the message.

    Raises:
        DefinitionError: it is no plain function (D101), a generator or coroutine (D102), or a method (D103).
    """
    if type(function) is not FunctionType or function.__name__ == "<lambda>":
        raise _not_a_function(function, decorator)
    code = getattr(getattr(function, "__wrapped__", function), "__code__", function.__code__)
    flags = code.co_flags | function.__code__.co_flags
    if flags & (_GENERATOR | _COROUTINE | _ITERABLE_COROUTINE | _ASYNC_GENERATOR):
        kind, fix = "an async function", "write `def`, and run the event loop inside it"
        if flags & _GENERATOR:
            kind, fix = "a generator", "return a list instead of yielding"
        what = f"`{function.__name__}` is {kind}; a {decorator} returns its result"
        raise refusal("D102", what, fix, function_span(function))
    owner = function.__qualname__.rpartition(".")[0]
    if owner and not owner.endswith("<locals>") and code.co_varnames[: code.co_argcount][:1] in (("self",), ("cls",)):
        raise refusal(
            "D103",
            f"`{function.__qualname__}` is a method; a {decorator} is a function of its own",
            "move it out of the class and pass what it needs of `self` as parameters",
            function_span(function),
        )
    return function


def _not_a_function(function: Any, decorator: str) -> Exception:
    if type(function) is FunctionType:
        what, fix = f"a lambda can't be a {decorator}: it has no name to be found by", "write a `def` with a name"
    elif isinstance(function, (staticmethod, classmethod)):
        what = f"@{decorator} is given a {type(function).__name__}; a {decorator} is a function of its own"
        fix = "move it out of the class"
    else:
        what = f"@{decorator} is given a {type(function).__name__}, not a function written with `def`"
        fix = f"put @{decorator} on a `def` that calls it"
    return refusal("D101", what, fix, function_span(function))
