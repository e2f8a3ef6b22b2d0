"""`call_options`: options for all calls in a `with`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from drawloom.dsl.current import CURRENT
from drawloom.dsl.options import Options, checked_options

if TYPE_CHECKING:
    from drawloom.dsl.options import Cache, Retry
    from drawloom.dsl.pods import Pod, Resources

__all__ = ["CallOptions", "call_options", "scoped"]


class CallOptions:
    """A `with` whose calls have these options; made by `call_options`."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def __enter__(self) -> None:
        tracer = CURRENT.get()
        if tracer is not None:
            tracer.options.append(self.options)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        tracer = CURRENT.get()
        if tracer is not None:
            tracer.options.pop()


def call_options(
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
) -> CallOptions:
    """`with call_options(retry=Retry(3)): ...`: options for every call made inside, those of pipelines and helpers too.

    What `.with_options(...)` gives one call goes before, and an inner `with` before an outer one.

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
    return CallOptions(checked_options("call_options", given))


def scoped(options: Options, declared: Options, scopes: Sequence[Options]) -> Options:
    """The options of a call.

    Args:
        options: those of what is called, with what `.with_options(...)` gave it.
        declared: those of the task as declared.
        scopes: those of the `with` statements around it, from the outside in.
    """
    own: Any = {name: value for name, value in options.items() if name not in declared or declared[name] is not value}  # type: ignore[literal-required]  # the names are those of `declared`
    made: Any = dict(declared)
    for scope in scopes:
        made |= scope
    made |= own
    found: Options = made
    return found
