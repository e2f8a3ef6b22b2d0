"""Whether a value is of a port's type, as `isinstance` would say, looking into containers and records too.

What Python's own numbers allow is allowed: a bool is an int, an int may stand where a float is asked for, and numpy's
scalars stand for the Python types they hold. Classes are compared by name along the value's bases, so that nothing has
to be imported. Standard library alone: a step loads this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from drawloom.ir.canonical import canonical_json
from drawloom.ir.envelope import NotEncodable, encode, show_key
from drawloom.ir.types import Type

__all__ = ["conform"]

_Problem = tuple[str, str, str]  # path, expected, got


def conform(value: Any, type: Type) -> str | None:  # noqa: A002  # reads well: `conform(result, type=...)`
    """None if `value` is of `type`, else what is wrong, as `expected int, got str at [3].x`.

    Args:
        value: any value; containers are looked through as a whole, since half a check would be none.
        type: the port's type.
    """
    problem = _check(value, type)
    if problem is None:
        return None
    path, expected, got = problem
    return f"expected {expected}, got {got} at {path.strip()}" if path else f"expected {expected}, got {got}"


def _got(value: Any) -> str:
    kind = value.__class__
    if value is None:
        return "None"
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _check(value: Any, kind: Type) -> _Problem | None:
    name = kind.name
    test = _SIMPLE.get(name)
    if test is not None:
        return None if test(value) else ("", str(kind), _got(value))
    return _STRUCTURED.get(name, _check_class)(value, kind)


def _numpy_kind(value: Any) -> str:
    """The kind of a numpy scalar's dtype, "" for anything else."""
    if value.__class__.__module__ != "numpy" or not _has_base(value, ("numpy:generic",)):
        return ""
    kind: str = value.dtype.kind
    return kind


def _is_float(value: Any) -> bool:
    return isinstance(value, (float, int)) or (_numpy_kind(value) or "-") in "fiub"


_CLASS_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "datetime": ("datetime:datetime",),
    "date": ("datetime:date",),
    "time": ("datetime:time",),
    "timedelta": ("datetime:timedelta",),
    "decimal": ("decimal:Decimal",),
    "uuid": ("uuid:UUID",),
    "ndarray": ("numpy:ndarray",),
    "dataframe": ("pandas:DataFrame", "pandas.core.frame:DataFrame"),
    "series": ("pandas:Series", "pandas.core.series:Series"),
    "arrow_table": ("pyarrow.lib:Table",),
    "polars": ("polars.dataframe.frame:DataFrame",),
    "file": ("drawloom.values.files:File",),
    "directory": ("drawloom.values.files:Directory",),
    "external": ("drawloom.values.external:External",),
    "secret": ("drawloom.values.secret:Secret",),
    "failure": ("drawloom.values.failure:Failure",),
    "figure": ("matplotlib.figure:Figure", "drawloom.values.figure:Picture"),
    "model": ("sklearn.base:BaseEstimator",),
}


def _has_base(value: Any, refs: Iterable[str]) -> bool:
    return any(f"{cls.__module__}:{cls.__qualname__}" in refs for cls in value.__class__.__mro__)


def _check_class(value: Any, kind: Type) -> _Problem | None:
    refs = (kind.ref,) if kind.ref else _CLASS_NAMES.get(kind.name, ())
    if refs and not _has_base(value, refs):
        return "", str(kind), _got(value)
    return None


def _check_items(items: Any, kind: Type, step: Callable[[int], str]) -> _Problem | None:
    if kind.name == "any":
        return None
    test = _SIMPLE.get(kind.name)
    # an item's class decides, so one of each class speaks for all: a million floats are two look-ups
    if test is not None and all(test(item) for item in {item.__class__: item for item in items}.values()):
        return None
    for i, item in enumerate(items):
        problem = _check(item, kind)
        if problem is not None:
            return step(i) + problem[0], problem[1], problem[2]
    return None


def _check_list(value: Any, kind: Type) -> _Problem | None:
    if not isinstance(value, list):
        return "", str(kind), _got(value)
    return _check_items(value, kind.args[0], lambda i: f"[{i}]") if kind.args else None


def _check_set(value: Any, kind: Type) -> _Problem | None:
    if not isinstance(value, set if kind.name == "set" else frozenset):
        return "", str(kind), _got(value)
    return _check_items(value, kind.args[0], lambda _: "{...}") if kind.args else None


def _check_dict(value: Any, kind: Type) -> _Problem | None:
    if not isinstance(value, dict):
        return "", str(kind), _got(value)
    if not kind.args:
        return None
    keys = list(value)
    problem = _check_items(keys, kind.args[0], lambda i: f" key {show_key(keys[i])}")
    return problem or _check_items(value.values(), kind.args[1], lambda i: f"[{show_key(keys[i])}]")


def _check_tuple(value: Any, kind: Type) -> _Problem | None:
    if not isinstance(value, tuple):
        return "", str(kind), _got(value)
    if kind.name == "tuple_of":
        return _check_items(value, kind.args[0], lambda i: f"[{i}]")
    if len(value) != len(kind.args):
        return "", str(kind), f"a tuple of {len(value)}"
    for i, (item, arg) in enumerate(zip(value, kind.args, strict=True)):
        problem = _check(item, arg)
        if problem is not None:
            return f"[{i}]{problem[0]}", problem[1], problem[2]
    return None


def _check_union(value: Any, kind: Type) -> _Problem | None:
    problems = []
    for member in kind.args:
        problem = _check(value, member)
        if problem is None:
            return None
        problems.append(problem)
    inner = [problem for problem in problems if problem[0]]
    # the one member it is meant to be, wrong further in, tells more than the whole union
    return inner[0] if len(inner) == 1 else ("", str(kind), _got(value))


def _check_literal(value: Any, kind: Type) -> _Problem | None:
    try:
        text = canonical_json(encode(value))
    except NotEncodable:
        text = ""
    return None if text in kind.values else ("", str(kind), text[:60] or _got(value))


def _check_record(value: Any, kind: Type) -> _Problem | None:
    if kind.ref and not _has_base(value, (kind.ref,)):
        return "", str(kind), _got(value)
    for name, field in kind.fields:
        if not hasattr(value, name):
            return "", f"{kind} with the field {name!r}", "one without it"
        problem = _check(getattr(value, name), field)
        if problem is not None:
            return f".{name}{problem[0]}", problem[1], problem[2]
    return None


def _check_typed_dict(value: Any, kind: Type) -> _Problem | None:
    if not isinstance(value, dict):
        return "", str(kind), _got(value)
    fields = dict(kind.fields)
    for key, item in value.items():
        if key not in fields:
            return "", str(kind), f"a dict with the key {show_key(key)}"
        problem = _check(item, fields[key])
        if problem is not None:
            return f"[{show_key(key)}]{problem[0]}", problem[1], problem[2]
    return None


# what a declared column type asks of a pandas dtype's `kind` (`O` holds whatever Python objects it holds)
_COLUMN_KINDS: Final = {"bool": "b", "int": "iu", "float": "fiu", "datetime": "M", "timedelta": "m", "str": "OTU"}


def _check_table(value: Any, kind: Type) -> _Problem | None:
    problem = _check_class(value, kind)
    if problem is not None or not kind.fields:
        return problem
    columns = list(value.columns)
    for name, column in kind.fields:
        if name not in columns:
            return "", f"{kind} with the column {name!r}", "one without it"
        dtype = value[name].dtype
        allowed = _COLUMN_KINDS.get(column.name)
        if allowed is not None and getattr(dtype, "kind", "O") not in allowed:
            return f"[{name!r}]", f"a column of {column}", str(dtype)
    return None


_SIMPLE: Final[dict[str, Callable[[Any], bool]]] = {
    "any": lambda _: True,
    "none": lambda value: value is None,
    "bool": lambda value: isinstance(value, bool) or _numpy_kind(value) == "b",
    "int": lambda value: isinstance(value, int) or (_numpy_kind(value) or "-") in "iub",
    "float": _is_float,
    "str": lambda value: isinstance(value, str),
    "bytes": lambda value: isinstance(value, bytes),
}
_STRUCTURED: Final[dict[str, Callable[[Any, Type], _Problem | None]]] = {
    "list": _check_list,
    "set": _check_set,
    "frozenset": _check_set,
    "dict": _check_dict,
    "tuple": _check_tuple,
    "tuple_of": _check_tuple,
    "union": _check_union,
    "literal": _check_literal,
    "dataclass": _check_record,
    "namedtuple": _check_record,
    "pydantic": _check_record,
    "failure": _check_class,
    "typeddict": _check_typed_dict,
    "dataframe": _check_table,
}
