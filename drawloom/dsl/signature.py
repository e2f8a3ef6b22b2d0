"""The typed ports of a function: its parameters, their defaults, its result.

Reads the code object and the annotations itself: `inspect.signature` per task would cost more than tracing does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, get_args, get_origin
from weakref import WeakKeyDictionary

from drawloom.dsl.annotations import Names, UnknownName, UnsupportedType, read_annotation
from drawloom.dsl.constants import reference_leaf
from drawloom.dsl.markers import STATIC
from drawloom.dsl.place import function_span, refusal
from drawloom.frozen import dataclass
from drawloom.ir.canonical import canonical_json
from drawloom.ir.envelope import NotEncodable, encode
from drawloom.ir.tasks import Port
from drawloom.ir.types import ANY, NONE, Type

__all__ = ["Signature", "signature", "unwrapped"]

_VARARGS, _VARKEYWORDS = 0x04, 0x08  # `inspect.CO_VARARGS`, `CO_VARKEYWORDS`


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and gives.

    Args:
        ports: its parameters in order, the static ones left out.
        positional: how many of all parameters may be given by position.
        names: all parameters in order, keyword-only ones last.
        static: the parameters marked `Static[...]`: name -> type.
        defaults: the default values as Python objects, by name.
        result: the type of its result, None if it isn't annotated.
    """

    ports: tuple[Port, ...]
    positional: int
    names: tuple[str, ...]
    static: dict[str, Type]
    defaults: dict[str, Any]  # Any: a default may be anything
    result: Type | None

    @property
    def effect(self) -> bool:
        """True if the function is annotated to return nothing."""
        return self.result == NONE


_KNOWN: WeakKeyDictionary[Callable[..., Any], Signature] = WeakKeyDictionary()


def signature(function: Callable[..., Any]) -> Signature:
    """The signature of a function; of the innermost one, where decorators wrapped it with `functools.wraps`.

    Raises:
        DefinitionError: it takes `*args`, `**kwargs` or positional-only parameters (D104), an annotation can't be
            resolved (D106) or isn't supported (D107), or a default can't be kept (D109).
    """
    found = _KNOWN.get(function)
    if found is None:
        found = _KNOWN[function] = _read_signature(unwrapped(function))
    return found


def unwrapped(function: Any) -> Any:
    """The innermost function behind `functools.wraps`."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


def _read_signature(function: Any) -> Signature:
    code = function.__code__
    _refuse_open_parameters(function)
    positional = code.co_argcount
    names = code.co_varnames[: positional + code.co_kwonlyargcount]
    values = function.__defaults__ or ()
    defaults = dict(zip(names[positional - len(values) : positional], values)) | (function.__kwdefaults__ or {})
    ports, static = [], {}
    for name in names:
        annotation = _annotation(function, name)
        type_ = ANY if annotation is _NO_ANNOTATION else _type(function, name, annotation)
        if _is_static(annotation):
            static[name] = type_
        else:
            ports.append(Port(name, type_, _default(function, name, defaults)))
    returned = _annotation(function, "return")
    result = None if returned is _NO_ANNOTATION else _type(function, "return", returned)
    return Signature(tuple(ports), positional, names, static, defaults, result)


def _refuse_open_parameters(function: Any) -> None:
    code = function.__code__
    for flag, text in ((_VARARGS, "*args"), (_VARKEYWORDS, "**kwargs")):
        if code.co_flags & flag:
            raise refusal(
                "D104",
                f"`{function.__name__}` takes `{text}`; every input of a task or a pipeline has a name and a type",
                "name the parameters, or take one list or dict",
                function_span(function),
            )
    if code.co_posonlyargcount:
        raise refusal(
            "D104",
            f"`{function.__name__}` has positional-only parameters; inputs are passed by name",
            "take the `/` out of the parameter list",
            function_span(function),
        )


_NO_ANNOTATION = object()


def _annotation(function: Any, name: str) -> Any:
    """The annotation of a parameter, a text where it is quoted: resolved, so that `Static` can be seen."""
    annotation = function.__annotations__.get(name, _NO_ANNOTATION)
    if isinstance(annotation, str):
        try:
            names = _names(function)
            return eval(annotation, names.globals, names.locals)  # noqa: S307  # the user's own annotation
        except Exception:  # noqa: BLE001  # anything may go wrong in it; `_type` reads it again and says what
            return annotation
    return annotation


def _names(function: Any) -> Names:
    params = {p.__name__: p for p in getattr(function, "__type_params__", ())}
    return Names(function.__globals__, params | dict(_closure(function)))


def _closure(function: Any) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not bound yet
            continue


def _is_static(annotation: Any) -> bool:
    return get_origin(annotation) is Annotated and STATIC in get_args(annotation)[1:]


def _type(function: Any, name: str, annotation: Any) -> Type:
    what = "the result" if name == "return" else f"parameter `{name}`"
    try:
        return read_annotation(annotation, _names(function))
    except UnknownName as unknown:
        raise refusal(
            "D106",
            f"the annotation `{unknown.text}` of {what} of `{function.__name__}` can't be resolved: {unknown.reason}",
            "import the name outside `if TYPE_CHECKING:`, at the top of the module",
            function_span(function),
        ) from None
    except UnsupportedType as unsupported:
        raise refusal(
            "D107",
            f"{what} of `{function.__name__}` has the type `{unsupported.text}`, which drawloom can't keep",
            f'name a codec for it, `Annotated[{unsupported.text.rpartition(".")[2]}, Codec("...")]`, '
            "or use a type of the list in docs/types.md",
            function_span(function),
        ) from None


def _default(function: Any, name: str, defaults: dict[str, Any]) -> str | None:
    if name not in defaults:
        return None
    try:
        return canonical_json(encode(defaults[name], reference_leaf))
    except NotEncodable as error:
        fix = "use a plain value, or None and make the value inside the function"
        if error.type_name.startswith("drawloom.values."):  # a file, a folder, an external: none of them is a constant
            fix = "give the parameter no default: its value is read, and given a version, when a run begins"
        raise refusal(
            "D109",
            f"the default of parameter `{name}` of `{function.__name__}` can't be kept: {error}",
            fix,
            function_span(function),
        ) from None
