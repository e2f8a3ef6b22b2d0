"""`dataclass(frozen=True, slots=True)`, as in the standard library but cheap to define: for what every step loads.

The standard decorator compiles seven functions for each class (0.35 ms) and imports `inspect` (5 ms): with the forty
classes a step needs, that is more than half of its start. This one compiles `__init__` alone, when the first value is
made. Its classes are dataclasses to everybody who asks: type checkers see the standard decorator, and
`dataclasses.fields`, `replace`, `is_dataclass`, `copy`, `pickle`, `inspect.signature` and `match` work. Not supported,
because nothing here needs it: `field()`, `ClassVar`, inheritance of fields, `__post_init__`.
"""

from __future__ import annotations

from operator import attrgetter

TYPE_CHECKING = False  # `typing` knows no better, and costs 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass
    from typing import Any

__all__ = ["MISSING", "dataclass", "field_defaults", "is_frozen"]


class _Missing:
    def __repr__(self) -> str:
        return "<required>"


MISSING = _Missing()
_set = object.__setattr__


def field_defaults(cls: type) -> tuple[tuple[str, Any], ...]:
    """(name, default) of each field in order; the default is `MISSING` where a value must be given."""
    found: tuple[tuple[str, Any], ...] = cls.__frozen_fields__  # type: ignore[attr-defined]  # made by `dataclass`
    return found


def is_frozen(value: object) -> bool:
    """Whether a class is one of those made here, or a value of one."""
    return hasattr(value, "__frozen_fields__")


if not TYPE_CHECKING:

    def dataclass(*, frozen: bool, slots: bool) -> Callable[[type], type]:
        """The decorator; both arguments must be True, so that a reader of a class sees what it is."""
        if not (frozen and slots):
            raise TypeError("only frozen, slotted dataclasses can be made here; take the standard decorator")
        return _make


def _make(cls: type) -> type:
    annotations: dict[str, str] = cls.__dict__.get("__annotations__", {})  # noqa: RUF063  # `inspect` is what this saves
    names = tuple(annotations)
    defaults = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
    if hasattr(cls, "__post_init__") or any(type(d).__name__ == "Field" for d in defaults.values()):
        raise TypeError(f"{cls.__qualname__} needs the standard dataclass: it has `field()` or `__post_init__`")
    if any("ClassVar" in text for text in annotations.values()) or names[len(names) - len(defaults) :] != tuple(
        defaults
    ):
        raise TypeError(f"{cls.__qualname__} needs the standard dataclass: it has a ClassVar, or a default before none")
    body = {key: value for key, value in cls.__dict__.items() if key not in defaults}
    body.pop("__dict__", None)
    body.pop("__weakref__", None)
    added = {
        **_methods(names),
        "__slots__": names,
        "__match_args__": names,
        "__frozen_fields__": tuple((name, defaults.get(name, MISSING)) for name in names),
        "__dataclass_fields__": _Fields(),
    }
    made: Any = type(cls.__name__, cls.__bases__, {**added, **body})
    made.__qualname__ = cls.__qualname__
    if "__init__" not in body:
        _init_later(made)
    cls = made
    return cls


def _init_later(cls: Any) -> None:
    """Compiles `__init__` (0.1 ms) when the first value is made: half of the classes have none in a run."""

    def first(self: Any, *given: Any, **named: Any) -> None:
        _init_now(cls)
        cls.__init__(self, *given, **named)

    cls.__init__ = first
    cls.__signature__ = _Signature(cls)


def _init_now(cls: Any) -> None:
    fields = field_defaults(cls)
    # by the slots themselves: `object.__setattr__` would look each of them up
    lines = "".join(f"\n _set_{name}(self, {name})" for name, _ in fields) or "\n pass"
    space: dict[str, Any] = {f"_set_{name}": cls.__dict__[name].__set__ for name, _ in fields}
    names = "".join(f", {name}" for name, _ in fields)
    exec(f"def __init__(self{names}):{lines}", space)  # noqa: S102  # field names alone
    made = space["__init__"]
    made.__defaults__ = tuple(default for _, default in fields if default is not MISSING)
    cls.__init__ = made


class _Signature:
    """`__signature__`, for which `inspect` looks before it looks at `__init__`: None, with `__init__` made."""

    def __init__(self, cls: type) -> None:
        self._class = cls

    def __get__(self, instance: object, owner: type) -> None:
        _init_now(self._class)


def _methods(names: tuple[str, ...]) -> dict[str, Any]:
    values: Any = attrgetter(*names) if names else lambda _: ()

    def eq(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(values(self))

    def shown(self: Any) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    def getstate(self: Any) -> list[Any]:
        return [getattr(self, name) for name in names]

    def setstate(self: Any, state: list[Any]) -> None:
        for name, value in zip(names, state, strict=True):
            _set(self, name, value)

    return {
        "__eq__": eq,
        "__hash__": hashed,
        "__repr__": shown,
        "__getstate__": getstate,
        "__setstate__": setstate,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
    }


def _refuse(_self: object, name: str, *_: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


class _Fields:
    """`__dataclass_fields__`, made when somebody asks: `dataclasses` is not imported before."""

    def __get__(self, instance: object, owner: type) -> dict[str, Any]:
        import dataclasses

        made = {}
        for name, default in field_defaults(owner):
            field: Any = dataclasses.field() if default is MISSING else dataclasses.field(default=default)
            field.name, field.type, field.kw_only = name, owner.__annotations__[name], False
            field._field_type = dataclasses._FIELD  # type: ignore[attr-defined]  # what `dataclasses.fields` looks at
            made[name] = field
        owner.__dataclass_fields__ = made  # type: ignore[attr-defined]  # from now on without this descriptor
        return made
