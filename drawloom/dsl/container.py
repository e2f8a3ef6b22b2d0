"""`@container`: a task whose work is a command of an image, declared by a function with typed parameters and result.

The function is called once per trace, on placeholders, and returns `run_image(...)`: which image, which command. A
placeholder in the command is the input itself, put there when the task runs; it has no text that could be formatted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar, overload

from drawloom.dsl.options import Cache, Options, Retry, checked_options
from drawloom.dsl.place import function_span, refusal
from drawloom.dsl.task import Task, checked_function

if TYPE_CHECKING:
    from drawloom.dsl.pods import Pod, Resources
    from drawloom.ir.tasks import Container
    from drawloom.ir.types import Type

__all__ = ["container", "container_of", "input_path", "output_path", "run_image"]

P = ParamSpec("P")
R = TypeVar("R")

# Any: parameters of the user's stand for placeholders here


class Placeholder:
    """An input or a result in the command of a container, while it is declared. Nothing can be made of it but a part.

    Args:
        kind: `text`, `path` or `output`; `input` for one of an engine node, which has no command.
        name: of the input, or of the field of the result.
        suffix: what an output's file name ends with.
    """

    __slots__ = ("_dl_kind", "_dl_name", "_dl_suffix")

    def __init__(self, kind: str, name: str, suffix: str = "") -> None:
        self._dl_kind = kind
        self._dl_name = name
        self._dl_suffix = suffix

    def __repr__(self) -> str:
        owner = "an engine node" if self._dl_kind == "input" else "a container"
        return f"<{self._dl_kind} {self._dl_name or 'result'!r} of {owner}>"

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self._misused()

    def _misused(self, *_: object) -> Exception:
        fix = 'put it into the command as it is, or in a tuple of parts that are joined: `("--level=", level)`'
        if self._dl_kind == "input":
            fix = "leave it out: the engine is given the inputs by their names"
        return refusal("D172", f"{self!r} is used as a value, which is known only when the task runs", fix)


def _refuse(self: Placeholder, *arguments: object) -> NoReturn:
    raise self._misused(*arguments)


for _name in (
    *("__str__", "__format__", "__bool__", "__len__", "__iter__", "__int__", "__float__", "__index__", "__fspath__"),
    *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__", "__getitem__", "__neg__", "__abs__"),
    *("__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__mod__", "__rmod__", "__truediv__"),
    *("__rtruediv__", "__floordiv__", "__rfloordiv__", "__pow__", "__rpow__", "__and__", "__or__", "__call__"),
):
    setattr(Placeholder, _name, _refuse)
Placeholder.__hash__ = object.__hash__  # type: ignore[method-assign]  # `__eq__` is no comparison


class ImageCommand:
    """What `run_image` returns: an image, a command, variables."""

    __slots__ = ("command", "env", "image")

    def __init__(self, image: object, command: object, env: object) -> None:
        self.image = image
        self.command = command
        self.env = env


_COMMANDS: ContextVar[list[ImageCommand] | None] = ContextVar("drawloom_commands", default=None)


def run_image(image: str, command: Sequence[object], *, env: Mapping[str, str] | None = None) -> R:  # type: ignore[type-var]  # whatever the function around it is declared to return
    """What a `@container` function returns: the image, and the command that is run in it.

    One that is declared to return None may call it without returning it, as type checkers would have it.

    Args:
        image: the image's name; one with a digest (`name@sha256:...`) always means the same, and its calls are cached.
        command: the program and its arguments: texts, parameters of the function, `input_path(...)`,
            `output_path(...)`, and tuples of such parts, which are joined. It takes the place of the image's own.
        env: variables for the command, beside the image's.
    """
    made = ImageCommand(image, command, env)
    commands = _COMMANDS.get()
    if commands is not None:
        commands.append(made)
    return made  # type: ignore[return-value]  # it stands for what the container makes


def input_path(parameter: object) -> Any:
    """In a command: the path of the file that holds a parameter, where the parameter itself would be its text.

    Raises:
        DefinitionError: it is given something else than a parameter (D172).
    """
    if type(parameter) is not Placeholder or parameter._dl_kind == "output":
        what = f"input_path({parameter!r}) is given no parameter of the @container function"
        raise refusal("D172", what, "pass one of its parameters")
    return Placeholder("path", parameter._dl_name)


def output_path(field: str = "", *, suffix: str = "") -> Any:
    """In a command: where the program is to write the result.

    Args:
        field: the field of the result, where that is a NamedTuple or a dataclass; "" for a result without fields.
        suffix: what the file's name ends with (`.wav`), for programs that go by it.
    """
    return Placeholder("output", field, suffix)


@overload
def container(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def container(
    *,
    retry: Retry | None = None,
    attempt_timeout_seconds: float | None = None,
    node_timeout_seconds: float | None = None,
    cache: Cache | bool | None = None,
    resources: Resources | None = None,
    pod: Pod | None = None,
    independent: bool | None = None,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def container(
    function: Callable[..., Any] | None = None,
    /,
    *,
    retry: Retry | None = None,
    attempt_timeout_seconds: float | None = None,
    node_timeout_seconds: float | None = None,
    cache: Cache | bool | None = None,
    resources: Resources | None = None,
    pod: Pod | None = None,
    independent: bool | None = None,
) -> Any:  # the overloads say what
    """Make a task of a command of an image, as `@container` or `@container(...)`.

    Args:
        function: a plain, top-level function that returns `run_image(...)`; its annotations become typed ports.
        retry: when a failed attempt is made again; once, if left out.
        attempt_timeout_seconds: the longest one attempt may run.
        node_timeout_seconds: the longest all attempts of a call may take, pauses included.
        cache: whether calls may be answered from earlier runs; if left out, as other tasks where the image is named by
            its digest, and not where it is named by a tag.
        resources: the processors, memory, disk and GPUs it needs, where an engine keeps them for it.
        pod: how its pod is made, where an engine has pods.
        independent: True to keep the task out of the order of effects.

    Returns:
        A task with the function's own signature. Called outside of a pipeline, it runs the container on this machine.

    Raises:
        DefinitionError: the function can't be a task (D101-D103, D105), or an option is wrong (D108).
    """
    given = Options(
        retry=retry,
        attempt_timeout_seconds=attempt_timeout_seconds,
        node_timeout_seconds=node_timeout_seconds,
        cache=cache,
        resources=resources,
        pod=pod,
        independent=independent,
    )
    options = checked_options("container", given)
    if function is not None:
        return _made(function, options)
    return lambda decorated: _made(decorated, options)


def call_here(task: Task[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Runs a container task on this machine, outside of any pipeline.

    Raises:
        DefinitionError: the arguments don't fit (D112), or as for `container_of`.
        NodeFailed: R560-R563.
    """
    from drawloom.dsl.plans import MISSING, bind_values
    from drawloom.dsl.specs import task_spec
    from drawloom.runtimes.containers import run_container

    signature, name = task.signature(), task.function.__name__
    defaults = [signature.defaults.get(n, MISSING) for n in signature.names]
    values = bind_values(name, signature.names, signature.positional, defaults, args, kwargs)
    return run_container(task_spec(task), dict(zip(signature.names, values)))


def _made(function: Any, options: Options) -> Task[..., Any]:
    made: Task[..., Any] = Task(checked_function(function, "container"), options)
    made.runs = "container"
    return made


def container_of(task: Task[..., Any]) -> Container:
    """What a `@container` task runs.

    Raises:
        DefinitionError: its function doesn't return `run_image(...)` (D170), an input or the result has a type that
            can't be a file (D171), or a part of the command is wrong (D172, D173).
    """
    from drawloom.dsl.container_parts import read_command  # lazy: only a trace needs it

    signature = task.signature()
    inputs = {port.name: port.type for port in signature.ports}
    _refuse_static(task, signature.static)
    placeholders = {name: Placeholder(_kind(task, name, type_), name) for name, type_ in inputs.items()}
    commands: list[ImageCommand] = []
    token = _COMMANDS.set(commands)
    try:
        returned = task.function(**placeholders)
    finally:
        _COMMANDS.reset(token)
    if returned is None and len(commands) == 1 and signature.effect:
        (returned,) = commands
    if type(returned) is not ImageCommand:
        raise refusal(
            "D170",
            f"`{task.function.__name__}` returns {returned!r:.80}, not what `run_image(...)` gives",
            "end the function with `return run_image(image, command)`",
            function_span(task.function),
        )
    return read_command(task.function, returned, inputs, signature.result)


def _refuse_static(task: Task[..., Any], static: Mapping[str, Type]) -> None:
    if static:
        raise refusal(
            "D171",
            f"the parameter `{next(iter(static))}` of the container `{task.function.__name__}` is `Static`",
            "take `Static[...]` away: a constant may stand in the command itself",
            function_span(task.function),
        )


def _kind(task: Task[..., Any], name: str, type_: Type) -> str:
    from drawloom.ir.container import input_kind

    kind = input_kind(type_)
    if not kind:
        raise refusal(
            "D171",
            f"the parameter `{name}` of the container `{task.function.__name__}` has the type `{type_}`, "
            "which can't be handed over as a file",
            "use File, Directory, str, int, float, bool, or lists and dicts of such (they become JSON)",
            function_span(task.function),
        )
    return "text" if kind == "text" else "path"
