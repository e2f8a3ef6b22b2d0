"""The parameters of a pipeline as the outside sees them: names, real annotations, defaults."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, get_args, get_type_hints

from drawloom.dsl.markers import STATIC
from drawloom.dsl.signature import signature, unwrapped
from drawloom.errors import Diagnostic, ProjectError, Span, did_you_mean
from drawloom.frozen import dataclass
from drawloom.parameters.forms import describe, members, plain
from drawloom.parameters.reading import read_json, read_texts, takes_many
from drawloom.parameters.scalars import ReadingError

__all__ = ["Given", "Parameter", "parameters_of", "read_parameters"]


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a pipeline.

    Args:
        name: its name.
        annotation: its annotation, resolved; `Any` if it has none.
        default: its default value, `REQUIRED` if it has none.
        static: whether it must be known while the pipeline is traced.
        where: the pipeline in the user's file.
    """

    name: str
    annotation: Any  # an annotation may be any object
    default: Any = REQUIRED
    static: bool = False
    where: Span | None = None

    @property
    def required(self) -> bool:
        """Whether a run can't do without a value for it."""
        return isinstance(self.default, _Required)

    @property
    def is_flag(self) -> bool:
        """Whether it is a bool (or None), which the command line gives as `--name` or `--no-name`."""
        options = [plain(m) for m in members(self.annotation)] or [plain(self.annotation)]
        return [option for option in options if option not in (None, types.NoneType)] == [bool]

    @property
    def takes_many(self) -> bool:
        """Whether several texts make one value."""
        return takes_many(self.annotation)

    @property
    def type_text(self) -> str:
        """Its type, as a user would write it."""
        return describe(self.annotation)


@dataclass(frozen=True, slots=True)
class Given:
    """What was given for one parameter from outside.

    Args:
        texts: the texts, in order.
        json: whether the (one) text is JSON, whatever the type.
        source: what the user wrote it with (`--depth`).
    """

    texts: Sequence[str]
    json: bool = False
    source: str = ""


def parameters_of(function: Callable[..., Any], where: Span | None = None) -> tuple[Parameter, ...]:
    """The parameters of a pipeline's function, in order.

    Args:
        function: the plain function.
        where: where it is defined, for errors.

    Raises:
        DefinitionError: its signature can't be used (D104-D109).
    """
    found = signature(function)
    hints = _hints(unwrapped(function))
    return tuple(
        Parameter(
            name,
            _without_static(hints.get(name, Any)),
            found.defaults.get(name, REQUIRED),
            name in found.static,
            where,
        )
        for name in found.names
    )


def _hints(function: Any) -> dict[str, Any]:
    """The annotations, resolved where the function was defined; local classes through the closure."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    local = {}
    for name, cell in cells:
        try:
            local[name] = cell.cell_contents
        except ValueError:  # not bound yet
            continue
    return get_type_hints(function, localns=local, include_extras=True)


def _without_static(annotation: Any) -> Any:
    metadata = getattr(annotation, "__metadata__", ())
    if STATIC not in metadata:
        return annotation
    rest = tuple(m for m in metadata if m is not STATIC)
    from typing import Annotated

    return Annotated[get_args(annotation)[0], *rest] if rest else get_args(annotation)[0]


def read_parameters(parameters: Sequence[Parameter], given: Mapping[str, Given]) -> dict[str, Any]:
    """The typed values of what was given from outside; what wasn't given is left to its default.

    Args:
        parameters: the pipeline's.
        given: parameter name -> texts.

    Returns:
        Parameter name -> value.

    Raises:
        ProjectError: a text is no value of its parameter's type (P620), or there is no such parameter (P621).
    """
    by_name = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    problems: list[Diagnostic] = []
    for name, texts in given.items():
        if name not in by_name:
            problems.append(_unknown(name, parameters))
            continue
        try:
            values[name] = _read(by_name[name], texts)
        except ReadingError as error:
            problems.append(_refusal(by_name[name], texts, error))
    if problems:
        raise ProjectError(problems)
    return values


def _read(parameter: Parameter, given: Given) -> Any:
    if not given.json:
        return read_texts(given.texts, parameter.annotation)
    import json

    try:
        tree = json.loads(given.texts[-1])
    except ValueError as error:
        raise ReadingError("JSON", f"{given.texts[-1]!r} ({error})", "", "texts stand in double quotes") from None
    return read_json(tree, parameter.annotation)


def _unknown(name: str, parameters: Sequence[Parameter]) -> Diagnostic:
    known = [parameter.name for parameter in parameters]
    fix = f"it has {', '.join(known)}" if known else "it takes no parameters"
    where = parameters[0].where if parameters else None
    return Diagnostic("P621", f"there is no parameter `{name}`{did_you_mean(name, known)}", where, fix)


def _refusal(parameter: Parameter, given: Given, error: ReadingError) -> Diagnostic:
    place = f" at {error.path}" if error.path else ""
    source = given.source or parameter.name
    fix = error.fix or f"give a value of that type: {error.expected}"
    what = f"`{source}` needs {error.expected}{place}, got {error.got}"
    return Diagnostic("P620", what, parameter.where, fix)
