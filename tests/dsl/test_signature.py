"""Annotations become port types; what stands for none is refused with the way out."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import typing
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, TypedDict, TypeVar, Union

import matplotlib.figure
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pydantic
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier

from drawloom import Codec, DefinitionError, Directory, External, Failure, File, Secret, Static, task
from drawloom.dsl.signature import signature
from drawloom.ir.tasks import Port
from drawloom.ir.types import ANY, BOOL, FLOAT, INT, NONE, STR, Type

T = TypeVar("T")
N = TypeVar("N", bound=int)
Metres = NewType("Metres", float)


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass
class Leaf:
    name: str
    size: int = field(default=0, metadata={"unit": "cm"})
    kind: typing.ClassVar[str] = "leaf"


@dataclass
class Tree:
    leaf: Leaf
    children: list[Tree]


class Split(NamedTuple):
    train: list[int]
    test: list[int]


class Row(TypedDict):
    id: int
    note: typing.NotRequired[str]


class Settings(pydantic.BaseModel):
    depth: int
    rate: float | None = None


class Mesh:
    pass


HERE = __name__
LEAF = Type("dataclass", ref=f"{HERE}:Leaf", fields=(("name", STR), ("size", INT)))
SPLIT = Type(
    "namedtuple",
    ref=f"{HERE}:Split",
    fields=(("train", Type("list", (INT,))), ("test", Type("list", (INT,)))),
    bases=("builtins:tuple",),
)
TREE = Type(
    "dataclass",
    ref=f"{HERE}:Tree",
    fields=(("leaf", LEAF), ("children", Type("list", (Type("dataclass", ref=f"{HERE}:Tree"),)))),
)


def type_of(annotation: Any) -> Type:
    def function(value):  # type: ignore[no-untyped-def]
        return value

    function.__annotations__["value"] = annotation
    return signature(function).ports[0].type


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, INT),
        (bool, BOOL),
        (float, FLOAT),
        (str, STR),
        (bytes, Type("bytes")),
        (None, NONE),
        (type(None), NONE),
        (Any, ANY),
        (object, ANY),
        (T, ANY),
        (N, INT),
        (Metres, FLOAT),
        (typing.LiteralString, STR),
        (Optional[int], Type("union", (INT, NONE))),  # noqa: UP045  # users still write it
        (int | str | None, Type("union", (INT, STR, NONE))),
        (Union[int, Union[str, int]], Type("union", (INT, STR))),  # noqa: UP007  # users still write it
        (Literal["a", 1, True, None], Type("literal", values=('"a"', "1", "true", "null"))),
        (Annotated[int, "metres"], INT),
        (Annotated[Mesh, Codec("mesh")], Type("object", ref=f"{HERE}:Mesh", codec="mesh")),
        (Annotated[dict[str, int], Codec("packed")], Type("dict", (STR, INT), codec="packed")),
        (list, Type("list", (ANY,))),
        (list[int], Type("list", (INT,))),
        (typing.List[str], Type("list", (STR,))),  # noqa: UP006  # users still write it
        (dict[str, list[float]], Type("dict", (STR, Type("list", (FLOAT,))))),
        (dict, Type("dict", (ANY, ANY))),
        (set[int], Type("set", (INT,))),
        (frozenset[str], Type("frozenset", (STR,))),
        (tuple[int, str], Type("tuple", (INT, STR))),
        (tuple[int, ...], Type("tuple_of", (INT,))),
        (tuple[()], Type("tuple")),
        (tuple, Type("tuple_of", (ANY,))),
        (Sequence[int], Type("union", (Type("list", (INT,)), Type("tuple_of", (INT,))))),
        (Mapping[str, int], Type("dict", (STR, INT))),
        (dt.datetime, Type("datetime")),
        (dt.date, Type("date")),
        (dt.time, Type("time")),
        (dt.timedelta, Type("timedelta")),
        (decimal.Decimal, Type("decimal")),
        (uuid.UUID, Type("uuid")),
        (Colour, Type("enum", ref=f"{HERE}:Colour", values=("RED", "BLUE"), bases=("enum:Enum",))),
        (Leaf, LEAF),
        (Tree, TREE),
        (Split, SPLIT),
        (np.ndarray, Type("ndarray")),
        (npt.NDArray[np.float64], Type("ndarray")),
        (pd.DataFrame, Type("dataframe")),
        (pd.Series, Type("series")),
        (pa.Table, Type("arrow_table")),
        (matplotlib.figure.Figure, Type("figure")),
        (BaseEstimator, Type("model")),
        (ClassifierMixin, Type("model")),
        (File, Type("file")),
        (Directory, Type("directory")),
        (External, Type("external")),
        (Secret, Type("secret")),
        (Failure, Type("failure")),
        ("list[Leaf]", Type("list", (LEAF,))),
        (list["Leaf"], Type("list", (LEAF,))),
    ],
    ids=str,
)
def test_an_annotation_is_a_port_type(annotation: Any, expected: Type) -> None:
    assert type_of(annotation) == expected


def test_a_typed_dict_has_its_fields() -> None:
    found = type_of(Row)
    assert (found.name, found.ref, found.fields) == ("typeddict", f"{HERE}:Row", (("id", INT), ("note", STR)))


def test_a_pydantic_model_has_its_fields_and_bases() -> None:
    found = type_of(Settings)
    assert (found.name, found.ref) == ("pydantic", f"{HERE}:Settings")
    assert found.fields == (("depth", INT), ("rate", Type("union", (FLOAT, NONE))))
    assert "pydantic.main:BaseModel" in found.bases


def test_an_estimator_may_be_passed_as_its_bases() -> None:
    found = type_of(RandomForestClassifier)
    assert (found.name, found.ref) == ("model", "sklearn.ensemble._forest:RandomForestClassifier")
    assert "sklearn.base:BaseEstimator" in found.bases


def test_a_signature_lists_ports_defaults_and_static_parameters() -> None:
    def work(table: list[int], rate: float = 0.5, *, folds: Static[int] = 3, name: str) -> int | None:
        return None

    found = signature(work)
    assert found.ports == (
        Port("table", Type("list", (INT,))),
        Port("rate", FLOAT, "0.5"),
        Port("name", STR),
    )
    assert (found.names, found.positional) == (("table", "rate", "folds", "name"), 2)
    assert found.static == {"folds": INT}
    assert found.defaults == {"rate": 0.5, "folds": 3}
    assert found.result == Type("union", (INT, NONE))
    assert not found.effect


def test_a_function_without_annotations_takes_anything() -> None:
    def work(a, b=None):  # type: ignore[no-untyped-def]
        return a

    found = signature(work)
    assert found.ports == (Port("a"), Port("b", ANY, "null"))
    assert found.result is None


def test_a_wrapped_function_has_the_signature_of_the_inner_one() -> None:
    import functools

    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapper

    @task
    @logged
    def work(n: int) -> str:
        return str(n)

    assert work.signature().ports == (Port("n", INT),)
    assert work.signature().result == STR


def text_of(make: Callable[[], object]) -> str:
    with pytest.raises(DefinitionError) as caught:
        make()
    return str(caught.value)


def test_open_parameter_lists_are_refused(user_module: Callable[..., ModuleType]) -> None:
    module = user_module("""
        def many(*tables): ...
        def named(**options): ...
        def hidden(n, /): ...
    """)
    where = f"  where  {module.__file__}"
    assert text_of(lambda: signature(module.many)) == (
        "error[D104] `many` takes `*args`; every input of a task or a pipeline has a name and a type\n"
        f"{where}:2, many\n"
        "  fix    name the parameters, or take one list or dict"
    )
    assert "`named` takes `**kwargs`" in text_of(lambda: signature(module.named))
    assert text_of(lambda: signature(module.hidden)) == (
        "error[D104] `hidden` has positional-only parameters; inputs are passed by name\n"
        f"{where}:4, hidden\n"
        "  fix    take the `/` out of the parameter list"
    )


def test_an_annotation_for_type_checkers_only_is_refused(user_module: Callable[..., ModuleType]) -> None:
    module = user_module("""
        from __future__ import annotations
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import pandas as pd
        def load(table: pd.DataFrame) -> int: ...
    """)
    assert text_of(lambda: signature(module.load)) == (
        "error[D106] the annotation `pd.DataFrame` of parameter `table` of `load` can't be resolved: "
        "the name `pd` isn't there at run time\n"
        f"  where  {module.__file__}:6, load\n"
        "  fix    import the name outside `if TYPE_CHECKING:`, at the top of the module"
    )


def test_an_unknown_type_is_refused_with_the_codec_that_would_do(user_module: Callable[..., ModuleType]) -> None:
    module = user_module("""
        class Mesh: ...
        def build(n: int) -> list[Mesh]: ...
    """)
    name = module.__name__
    assert text_of(lambda: signature(module.build)) == (
        f"error[D107] the result of `build` has the type `{name}.Mesh`, which drawloom can't keep\n"
        f"  where  {module.__file__}:3, build\n"
        '  fix    name a codec for it, `Annotated[Mesh, Codec("...")]`, or use a type of the list in docs/types.md'
    )


def test_a_default_that_cannot_be_kept_is_refused(user_module: Callable[..., ModuleType]) -> None:
    module = user_module("""
        def work(log=print): ...
    """)
    assert text_of(lambda: signature(module.work)) == (
        "error[D109] the default of parameter `log` of `work` can't be kept: "
        "value is a builtin_function_or_method\n"
        f"  where  {module.__file__}:2, work\n"
        "  fix    use a plain value, or None and make the value inside the function"
    )


def test_a_file_as_a_default_is_refused(user_module: Callable[..., ModuleType]) -> None:
    module = user_module("""
        from drawloom import File
        def work(source: File = File("data.csv")): ...
    """)
    assert text_of(lambda: signature(module.work)) == (
        "error[D109] the default of parameter `source` of `work` can't be kept: value is a drawloom.values.files.File\n"
        f"  where  {module.__file__}:3, work\n"
        "  fix    give the parameter no default: its value is read, and given a version, when a run begins"
    )
