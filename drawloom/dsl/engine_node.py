"""`@engine_node`: a task whose work is what one engine alone has, declared by a function with typed parameters.

The function is called once per trace, on placeholders, and returns `run_on_engine(...)`: which engine, and what it is
called there. Its parameters are given to that by their names, and its result is read from it by name.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from drawloom.dsl.container import Placeholder
from drawloom.dsl.options import Options, checked_options
from drawloom.dsl.place import function_span, refusal
from drawloom.dsl.task import Task, checked_function

if TYPE_CHECKING:
    from drawloom.ir.tasks import EngineSpec

__all__ = ["engine_node", "engine_of", "refuse_here", "run_on_engine"]

P = ParamSpec("P")
R = TypeVar("R")

# Any: whatever the user describes to the engine

_TEXTS = "use str, int, float, bool, or lists and dicts of such (they become JSON)"


class _Named:
    """What `run_on_engine` returns."""

    __slots__ = ("engine", "spec")

    def __init__(self, engine: object, spec: dict[str, object]) -> None:
        self.engine = engine
        self.spec = spec


_CALLS: ContextVar[list[_Named] | None] = ContextVar("drawloom_engine_nodes", default=None)


def run_on_engine(engine: str, /, **spec: object) -> R:  # type: ignore[type-var]  # whatever the function around it is declared to return
    """What an `@engine_node` function returns: the engine, and what it runs, in that engine's own words.

    One that is declared to return None may call it without returning it, as type checkers would have it.

    Args:
        engine: the engine's name: `argo`, `airflow`.
        spec: its description of what is run, as its own documents have it; JSON throughout. For Argo
            `templateRef={"name": "mail", "template": "send", "clusterScope": True}`; for Airflow
            `operator="airflow.providers.http.operators.http.HttpOperator"` and that operator's arguments.
    """
    made = _Named(engine, spec)
    calls = _CALLS.get()
    if calls is not None:
        calls.append(made)
    return made  # type: ignore[return-value]  # it stands for what the engine makes


@overload
def engine_node(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def engine_node(*, independent: bool | None = None) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def engine_node(function: Callable[..., Any] | None = None, /, *, independent: bool | None = None) -> Any:
    """Make a task of something that one engine alone has, as `@engine_node` or `@engine_node(...)`.

    Pipelines that call it compile for that engine and for no other. How it is run, how often and how long, is said
    where the engine has it, so there are no other options. Its calls are never answered from the cache.

    Args:
        function: a plain, top-level function that returns `run_on_engine(...)`; its annotations become typed ports:
            texts, numbers, truth values, and JSON of them; the fields of a NamedTuple or a dataclass are several
            results.
        independent: True to keep the task out of the order of effects.

    Returns:
        A task with the function's own signature.

    Raises:
        DefinitionError: the function can't be a task (D101-D103, D105), or an option is wrong (D108).
    """
    options = checked_options("engine_node", Options(independent=independent))
    if function is not None:
        return _made(function, options)
    return lambda decorated: _made(decorated, options)


def _made(function: Any, options: Options) -> Task[..., Any]:
    made: Task[..., Any] = Task(checked_function(function, "engine_node"), options)
    made.runs = "engine"
    return made


def refuse_here(task: Task[..., Any]) -> Exception:
    """What a call outside of a pipeline raises (D177), or why the task isn't well declared (D174-D176)."""
    engine = engine_of(task).engine
    return refusal(
        "D177",
        f"`{task.function.__name__}` is called outside of a pipeline, and only {engine} has what it runs",
        f"call it in a @pipeline that is compiled for {engine}",
    )


def engine_of(task: Task[..., Any]) -> EngineSpec:
    """What an `@engine_node` task runs.

    Raises:
        DefinitionError: its function doesn't return `run_on_engine(...)` (D174), an input or the result has a type that
            no text can hold (D175), or what the engine is told is no JSON (D176).
    """
    _check_ports(task)
    calls: list[_Named] = []
    token = _CALLS.set(calls)
    try:
        returned = task.function(**{port.name: Placeholder("input", port.name) for port in task.signature().ports})
    finally:
        _CALLS.reset(token)
    if returned is None and len(calls) == 1 and task.signature().effect:
        (returned,) = calls
    if type(returned) is not _Named:
        raise _refused(
            task,
            "D174",
            f"`{task.function.__name__}` returns {returned!r:.80}, not what `run_on_engine(...)` gives",
            'end the function with `return run_on_engine("argo", templateRef={...})`',
        )
    return _spec(task, returned)


def _spec(task: Task[..., Any], named: _Named) -> EngineSpec:
    from drawloom.ir.canonical import canonical_json
    from drawloom.ir.tasks import EngineSpec

    name = task.function.__name__
    if not isinstance(named.engine, str) or not named.engine:
        what = f"the engine node `{name}` names the engine {named.engine!r:.80}"
        raise _refused(task, "D176", what, 'name an engine: `run_on_engine("argo", ...)`')
    wrong = "" if named.spec else "it is empty"
    for key, value in named.spec.items():
        wrong = wrong or _not_json(value, key)
    if wrong:
        what = f"what the engine node `{name}` tells {named.engine} is no JSON: {wrong}"
        fix = "use texts, numbers, True, False, None, lists and dicts; inputs are given by their names, not in here"
        raise _refused(task, "D176", what, fix)
    return EngineSpec(named.engine, canonical_json(named.spec))


def _not_json(value: object, where: str) -> str:
    """What in a value JSON doesn't know, "" if nothing is."""
    if isinstance(value, dict):
        if any(not isinstance(key, str) for key in value):
            return f"`{where}` has a key that is no text"
        found = (_not_json(inner, f"{where}.{key}") for key, inner in value.items())
    elif isinstance(value, (list, tuple)):
        found = (_not_json(inner, f"{where}[{place}]") for place, inner in enumerate(value))
    elif value is None or type(value) in (str, int, bool) or (type(value) is float and value - value == 0):
        return ""
    else:
        return f"`{where}` is {value!r:.80}"
    return next(filter(None, found), "")


def _check_ports(task: Task[..., Any]) -> None:
    from drawloom.ir.container import input_kind, result_fields, result_kind

    signature, name = task.signature(), task.function.__name__
    if signature.static:
        what = f"the parameter `{next(iter(signature.static))}` of the engine node `{name}` is `Static`"
        raise _refused(task, "D175", what, "take `Static[...]` away: a constant may stand in what the engine is told")
    for port in signature.ports:
        if input_kind(port.type) not in ("text", "json"):
            what = f"the parameter `{port.name}` of the engine node `{name}` has the type `{port.type}`"
            raise _refused(task, "D175", f"{what}, which no text can hold", _TEXTS)
    if signature.result is None:
        what = f"the engine node `{name}` doesn't say what it gives"
        raise _refused(task, "D175", what, "annotate its result; `-> None` if it gives nothing")
    for field, type_ in result_fields(signature.result):
        if result_kind(type_) not in ("text", "json"):
            what = f"{_result_name(field)} of the engine node `{name}` has the type `{type_}`"
            raise _refused(task, "D175", f"{what}, which no text can hold", f"{_TEXTS}, or a NamedTuple of these")


def _result_name(field: str) -> str:
    return f"the field `{field}` of the result" if field else "the result"


def _refused(task: Task[..., Any], code: str, what: str, fix: str) -> Exception:
    return refusal(code, what, fix, function_span(task.function))
