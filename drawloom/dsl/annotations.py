"""Annotations to port types.

Known classes of numpy, pandas, pyarrow, polars, scikit-learn, matplotlib and drawloom's own value types are recognised
by their module and name, never imported: an annotation that names one has imported it already.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from drawloom.dsl.markers import Codec
from drawloom.ir.assign import union_of
from drawloom.ir.canonical import canonical_json
from drawloom.ir.envelope import NotEncodable, class_ref, encode
from drawloom.ir.types import ANY, BOOL, FLOAT, INT, NONE, STR, Type

__all__ = ["Names", "UnknownName", "UnsupportedType", "read_annotation"]

# Any: an annotation is whatever stands behind the colon

_CLASSES: Final[dict[str, Type]] = {
    "builtins:NoneType": NONE,
    "types:NoneType": NONE,
    "builtins:bool": BOOL,
    "builtins:int": INT,
    "builtins:float": FLOAT,
    "builtins:str": STR,
    "builtins:bytes": Type("bytes"),
    "builtins:object": ANY,
    "builtins:list": Type("list", (ANY,)),
    "builtins:set": Type("set", (ANY,)),
    "builtins:frozenset": Type("frozenset", (ANY,)),
    "builtins:dict": Type("dict", (ANY, ANY)),
    "builtins:tuple": Type("tuple_of", (ANY,)),
    "datetime:datetime": Type("datetime"),
    "datetime:date": Type("date"),
    "datetime:time": Type("time"),
    "datetime:timedelta": Type("timedelta"),
    "decimal:Decimal": Type("decimal"),
    "uuid:UUID": Type("uuid"),
    "numpy:ndarray": Type("ndarray"),
    "pandas.core.frame:DataFrame": Type("dataframe"),
    "pandas:DataFrame": Type("dataframe"),
    "pandas.core.series:Series": Type("series"),
    "pandas:Series": Type("series"),
    "pyarrow.lib:Table": Type("arrow_table"),
    "polars.dataframe.frame:DataFrame": Type("polars"),
    "matplotlib.figure:Figure": Type("figure"),
    "sklearn.base:BaseEstimator": Type("model"),
    "sklearn.base:ClassifierMixin": Type("model"),
    "sklearn.base:RegressorMixin": Type("model"),
    "sklearn.base:TransformerMixin": Type("model"),
    "drawloom.values.files:File": Type("file"),
    "drawloom.values.files:Directory": Type("directory"),
    "drawloom.values.external:External": Type("external"),
    "drawloom.values.secret:Secret": Type("secret"),
    "drawloom.values.failure:Failure": Type("failure"),
}
_STRIPPED: Final = (typing.Final, typing.ClassVar, typing.Required, typing.NotRequired)


class Names(NamedTuple):
    """Where the names in a quoted annotation are looked up."""

    globals: dict[str, Any]
    locals: Mapping[str, Any]


class UnknownName(Exception):  # on its way to a Diagnostic
    """A quoted annotation names something that isn't there at run time."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text, reason)
        self.text, self.reason = text, reason


class UnsupportedType(Exception):  # on its way to a Diagnostic
    """An annotation, or a part of one, stands for no port type; `text` shows it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def read_annotation(annotation: Any, names: Names) -> Type:
    """The port type an annotation stands for.

    Args:
        annotation: a class, a form of `typing`, or the text of one.
        names: where the names in a text are looked up.

    Raises:
        UnknownName: a text has a name that doesn't exist at run time.
        UnsupportedType: a part stands for no port type, and no codec is named for it.
    """
    return _read(annotation, names, ())


def _read(annotation: Any, names: Names, inside: tuple[type, ...]) -> Type:
    """`inside`: the records being read; one that is met again stands for itself, without its fields."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        annotation = _resolve(annotation, names)
    if annotation is None:
        return NONE
    if annotation is Any or isinstance(annotation, (typing.TypeVar, typing.ParamSpec)):
        bound: Any = getattr(annotation, "__bound__", None)
        return ANY if bound is None else _read(bound, names, inside)
    if annotation in (typing.LiteralString, typing.AnyStr):
        return STR
    if hasattr(annotation, "__supertype__"):  # a NewType
        return _read(annotation.__supertype__, names, inside)
    if type(annotation).__name__ == "TypeAliasType":  # `type X = ...` of Python 3.12
        return _read(annotation.__value__, names, inside)
    origin = typing.get_origin(annotation)
    if origin is not None:
        return _read_generic(annotation, origin, names, inside)
    if isinstance(annotation, type):
        return _read_class(annotation, inside)
    raise UnsupportedType(_shown(annotation))


def _resolve(text: str, names: Names) -> Any:
    try:
        return eval(text, names.globals, names.locals)  # noqa: S307  # the user's own annotation, as typing does it
    except NameError as error:
        raise UnknownName(text, f"the name `{error.name}` isn't there at run time") from None
    except Exception as error:  # noqa: BLE001  # anything may go wrong in the user's text
        raise UnknownName(text, f"{type(error).__name__}: {error}") from None


def _read_generic(annotation: Any, origin: Any, names: Names, inside: tuple[type, ...]) -> Type:
    args = typing.get_args(annotation)
    if origin is typing.Annotated:
        return _read_annotated(args[0], args[1:], names, inside)
    if origin in (typing.Union, types.UnionType):
        return union_of([_read(a, names, inside) for a in args])
    if origin is typing.Literal:
        return _read_literal(annotation, args)
    if origin in _STRIPPED or getattr(origin, "_name", "") == "ReadOnly":
        return _read(args[0], names, inside)
    reader = _GENERICS.get(origin)
    if reader is not None:
        return reader([_read(a, names, inside) for a in args if a is not ...], args[-1:] == (...,))
    if isinstance(origin, type):
        return _read_class(origin, inside)  # a generic record, `np.ndarray[...]`: the arguments are not checked
    raise UnsupportedType(_shown(annotation))


def _read_annotated(base: Any, metadata: tuple[Any, ...], names: Names, inside: tuple[type, ...]) -> Type:
    codecs = [m.name for m in metadata if isinstance(m, Codec)]
    if not codecs:
        return _read(base, names, inside)
    from dataclasses import replace  # lazy: few tasks need it

    try:
        return replace(_read(base, names, inside), codec=codecs[-1])
    except UnsupportedType:
        cls = typing.get_origin(base) or base
        if not isinstance(cls, type):
            raise
        return Type("object", ref=class_ref(cls), codec=codecs[-1], bases=_bases(cls))


def _read_literal(annotation: Any, args: tuple[Any, ...]) -> Type:
    try:
        return Type("literal", values=tuple(dict.fromkeys(canonical_json(encode(a)) for a in args)))
    except NotEncodable:
        raise UnsupportedType(_shown(annotation)) from None


def _read_tuple(args: list[Type], open_ended: bool) -> Type:
    return Type("tuple_of", tuple(args)) if open_ended else Type("tuple", tuple(args))


def _read_sequence(args: list[Type], _: bool) -> Type:
    return Type("union", (Type("list", tuple(args)), Type("tuple_of", tuple(args))))


def _named(name: str) -> Callable[[list[Type], bool], Type]:
    return lambda args, _: Type(name, tuple(args))


_abc = sys.modules["collections.abc"]
_GENERICS: Final[dict[Any, Callable[[list[Type], bool], Type]]] = {
    list: _named("list"),
    set: _named("set"),
    frozenset: _named("frozenset"),
    dict: _named("dict"),
    tuple: _read_tuple,
    type: lambda *_: _no_type(),
    _abc.Sequence: _read_sequence,
    _abc.Mapping: _named("dict"),
    _abc.MutableSequence: _named("list"),
    _abc.MutableMapping: _named("dict"),
    _abc.Set: lambda args, _: Type("union", (Type("set", tuple(args)), Type("frozenset", tuple(args)))),
}


def _no_type() -> Type:
    raise UnsupportedType("type[...]")


def _read_class(cls: type, inside: tuple[type, ...]) -> Type:
    ref = class_ref(cls)
    known = _CLASSES.get(ref)
    if known is not None:
        return known
    if cls in inside:
        return Type(_record_kind(cls), ref=ref, bases=_bases(cls))
    kind = _record_kind(cls)
    if kind == "enum":
        members = tuple(cls.__members__)  # type: ignore[attr-defined]  # every Enum has it
        return Type("enum", ref=ref, values=members, bases=_bases(cls))
    if kind:
        return Type(kind, ref=ref, fields=_fields(cls, kind, (*inside, cls)), bases=_bases(cls))
    if any(class_ref(base) == "sklearn.base:BaseEstimator" for base in cls.__mro__):
        return Type("model", ref=ref, bases=_bases(cls))
    raise UnsupportedType(_shown(cls))


def _bases(cls: type) -> tuple[str, ...]:
    """What a value of the class may be passed as: its bases, without those that are nobody's annotation."""
    refs = [class_ref(base) for base in cls.__mro__[1:] if not base.__qualname__.startswith("_")]
    return tuple(ref for ref in refs if ref not in ("builtins:object", "typing:Generic", "abc:ABC"))


def _record_kind(cls: type) -> str:
    """`dataclass`, `namedtuple`, `typeddict`, `pydantic` or `enum`; "" for any other class."""
    if any(class_ref(base) == "enum:Enum" for base in cls.__mro__):
        return "enum"
    if any(class_ref(base) == "pydantic.main:BaseModel" for base in cls.__mro__):
        return "pydantic"
    if "__dataclass_fields__" in dir(cls):
        return "dataclass"
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return "namedtuple"
    return "typeddict" if typing.is_typeddict(cls) else ""


def _fields(cls: Any, kind: str, inside: tuple[type, ...]) -> tuple[tuple[str, Type], ...]:
    if kind == "pydantic":
        found = {name: field.annotation for name, field in cls.model_fields.items()}
    elif kind == "dataclass":
        found = {name: f.type for name, f in cls.__dataclass_fields__.items() if f._field_type.name == "_FIELD"}
    elif kind == "namedtuple":
        found = {name: _inherited(cls, name) for name in cls._fields}
    else:
        found = dict(cls.__annotations__)
    return tuple((name, _read(a, _names_of(cls, name), inside)) for name, a in found.items())


def _inherited(cls: type, name: str) -> Any:
    return _own_annotations(_owner(cls, name)).get(name, Any)


def _owner(cls: type, field: str) -> type:
    return next((base for base in cls.__mro__ if field in _own_annotations(base)), cls)


def _own_annotations(cls: type) -> dict[str, Any]:
    found: dict[str, Any] = vars(cls).get("__annotations__", {})
    return found


def _names_of(cls: type, field: str) -> Names:
    """The names a field's annotation may use: those of the class that declares it, and of that class's module."""
    owner = _owner(cls, field)
    module = sys.modules.get(owner.__module__)
    params = {p.__name__: p for p in getattr(owner, "__type_params__", ())}
    return Names(vars(module) if module else {}, params | {owner.__name__: owner} | dict(vars(owner)))


def _shown(annotation: Any) -> str:
    if not isinstance(annotation, type) or typing.get_args(annotation):
        return str(annotation)
    name = annotation.__qualname__
    return name if annotation.__module__ == "builtins" else f"{annotation.__module__}.{name}"
