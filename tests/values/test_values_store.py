"""`Values`: references, narrowing, named codecs, pickles, pydantic models, and the texts of refusals."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.catalog.records import Commit, ValueRef, record_from_json, record_to_json
from drawloom.errors import CorruptObject, StoreError, ValueRefused
from drawloom.ir.canonical import canonical_json
from drawloom.ir.envelope import BLOB_BYTES, encode
from drawloom.ir.evaluate import follow
from drawloom.ir.operands import Field, Key
from drawloom.ir.types import NONE, Type
from drawloom.storage.objects import object_key
from drawloom.values.codec import ValueCodec
from drawloom.values.files import File
from drawloom.values.store import INLINE_LIMIT_BYTES, Values

T = TypeVar("T")


@dataclass
class Holder:
    x: Any


class Pair(NamedTuple):
    a: Any
    b: Any = None


def diagnostic(values: Values, value: Any, kind: Type | None = None) -> Any:
    with pytest.raises(ValueRefused) as caught:
        values.encode(value, kind)
    return caught.value.diagnostics[0]


# --- references --------------------------------------------------------------------------------------------------


@given(st.integers(0, 3 * INLINE_LIMIT_BYTES))
@settings(max_examples=30, deadline=None)
def test_a_reference_leads_back_to_the_value_whatever_its_size(shared: Values, size: int) -> None:
    value = {"s": "x" * size}
    tree = shared.encode(value)
    ref = shared.ref(tree, "dict[str, str]")
    assert bool(ref.object) == (len(canonical_json(tree)) > INLINE_LIMIT_BYTES)
    written = json.loads(json.dumps(record_to_json(Commit("r", "n", outputs=(("result", ref),)))))
    (again,) = (value for _, value in record_from_json(written).outputs)  # type: ignore[union-attr]
    assert again == ref
    assert shared.decode(shared.tree(again)) == value
    assert ref.size_bytes == len(canonical_json(tree))


def test_none_is_a_value(values: Values) -> None:
    ref = values.ref(values.encode(None))
    assert values.decode(values.tree(ref)) is None
    assert values.tree(ValueRef(ref.digest)) is None


def test_a_reference_counts_the_bytes_of_its_objects(values: Values) -> None:
    tree = values.encode([b"x" * 10_000, {"f": File.write(b"y" * 7, "a")}])
    assert values.ref(tree).size_bytes == len(canonical_json(tree)) + 10_007


@given(st.binary(max_size=20), st.sampled_from([bytes, bytearray]))
@settings(max_examples=30, deadline=None)
def test_long_bytes_have_the_digest_they_would_have_in_the_tree(shared: Values, data: bytes, kind: Any) -> None:
    long = kind(data * (BLOB_BYTES // max(len(data), 1) + 1))
    stored = shared.encode([long])
    assert shared.decode(stored) == [long]
    assert type(shared.decode(stored)[0]) is kind
    assert shared.ref(stored).digest == shared.ref(encode([long])).digest
    if data:
        assert "object" in stored[0]


def test_a_missing_and_a_corrupt_object_are_told(values: Values, tmp_path: Path) -> None:
    ref = values.ref(values.encode("x" * 5000))
    stored = tmp_path / "store" / object_key(ref.object)
    stored.chmod(0o600)
    stored.write_bytes(b"other")
    with pytest.raises(CorruptObject, match="S401"):
        values.tree(ref)
    stored.unlink()
    with pytest.raises(StoreError, match="S407"):
        values.tree(ref)


def test_a_consumer_cannot_change_what_another_gets(values: Values) -> None:
    tree = values.encode({"rows": [[1, 2]]})
    values.decode(tree)["rows"][0].append(3)
    assert values.decode(tree) == {"rows": [[1, 2]]}


# --- narrowing ---------------------------------------------------------------------------------------------------


class Pydantic(pydantic.BaseModel):
    x: Any
    n: int = 1


NESTED = {
    "list": [10, {"k": (1, [2, 3])}],
    1: "one",
    "record": Holder(Pair([1], {"é": Holder(5)})),
    "model": Pydantic(x={"deep": [1]}),
    "\ud800": "lone",
    2**70: "huge",
    True: "true is one",  # noqa: F601  # as Python has it
}
PATHS: list[tuple[Any, ...]] = [
    (Key("list"), Key(0)),
    (Key("list"), Key(-1), Key("k"), Key(1), Key(-2)),
    (Key(1),),
    (Key(2**70),),
    (Key("\ud800"),),
    (Key("record"), Field("x"), Field("b"), Key("é"), Field("x")),
    (Key("record"), Field("x"), Key(0), Key(0)),
    (Key("record"), Field("x"), Key(-1)),
    (Key("model"), Field("x"), Key("deep"), Key(0)),
    (Key("model"), Field("n")),
    (),
]


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_a_part_is_the_same_as_the_part_of_the_whole(values: Values, path: Any) -> None:
    tree = values.encode(NESTED)
    assert values.narrow(tree, path) == values.encode(follow(NESTED, path))


WRONG: list[tuple[Any, ...]] = [
    (Key("none"),),
    (Key(7),),
    (Key("list"), Key(5)),
    (Key("list"), Key(-3)),
    (Key("list"), Key("x")),
    (Key("list"), Field("first")),
    (Key("record"), Field("y")),
    (Key("record"), Key(0)),
    (Key("record"), Field("x"), Key(2)),
    (Key("model"), Field("z")),
    (Key(1), Key("x")),
    (Key("list"), Key(0), Key(0)),
]


@pytest.mark.parametrize("path", WRONG, ids=range(len(WRONG)))
def test_what_is_not_there_raises_what_python_raises(values: Values, path: Any) -> None:
    with pytest.raises((KeyError, IndexError, AttributeError, TypeError)) as expected:
        follow(NESTED, path)
    with pytest.raises(expected.type) as caught:
        values.narrow(values.encode(NESTED), path)
    assert str(caught.value) == str(expected.value)


def test_a_part_is_found_without_decoding_the_rest(values: Values) -> None:
    tree = values.encode({"big": np.zeros(10_000), "gone": {"k": 1}})
    tree["v"][0][1]["object"] = "0" * 64  # nobody reads it
    assert values.narrow(tree, (Key("gone"), Key("k"))) == 1


def test_a_part_of_a_leaf_is_what_python_gives(values: Values) -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    tree = values.encode([frame, File.write("x", "n.txt"), 1 + 2j])
    assert values.decode(values.narrow(tree, (Key(0), Key("a")))).tolist() == [1, 2]
    assert values.narrow(tree, (Key(1), Field("name"))) == "n.txt"
    assert values.narrow(tree, (Key(2), Field("imag"))) == 2.0
    with pytest.raises(KeyError, match="nope"):
        values.narrow(tree, (Key(0), Key("nope")))


# --- pydantic ----------------------------------------------------------------------------------------------------


class Twice(pydantic.BaseModel):
    n: int
    inner: list[Pydantic] = pydantic.Field(default_factory=list, alias="innerList")
    _hidden: int = pydantic.PrivateAttr(default=0)

    @pydantic.field_validator("n")
    @classmethod
    def double(cls, n: int) -> int:
        return n * 2


class Extra(pydantic.BaseModel, extra="allow", frozen=True):
    a: int = 1


class Root(pydantic.RootModel[list[int]]):
    pass


class Page(pydantic.BaseModel, Generic[T]):
    items: list[T]


@pydantic.dataclasses.dataclass
class Checked:
    n: int


def test_a_pydantic_model_comes_back_without_being_validated_again(values: Values) -> None:
    model = Twice(n=2, innerList=[Pydantic(x=np.float32(1))])
    model._hidden = 7
    again = values.decode(values.encode({"m": model}))["m"]
    assert again == model
    assert (again.n, again._hidden) == (4, 7)
    assert again.model_fields_set == model.model_fields_set
    assert values.ref(values.encode(again)).digest == values.ref(values.encode(model)).digest
    again.n = 3
    assert again.model_dump(by_alias=True)["innerList"][0]["n"] == 1


MODELS = [Extra(b="{{", c=[1]), Extra(), Root([1, 2]), Pydantic(x=Pydantic(x=None)), Checked(3), Page(items=[1])]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_a_pydantic_model_of_each_kind_comes_back(values: Values, model: Any) -> None:
    again = values.decode(values.encode(model))
    assert type(again) is type(model)
    assert again == model


def test_fields_extras_and_privates_count_and_defaults_given_do_not(values: Values) -> None:
    def digest(model: Any) -> str:
        return values.ref(values.encode(model)).digest

    assert digest(Extra()) == digest(Extra(a=1))
    assert digest(Extra(b=1, c=2)) == digest(Extra(c=2, b=1))
    hidden = Twice(n=1)
    hidden._hidden = 1
    assert len({digest(m) for m in (Extra(), Extra(b=1), Extra(b=2), Twice(n=1), hidden)}) == 5


def test_a_parametrised_model_and_an_unset_field_are_refused(values: Values) -> None:
    assert diagnostic(values, Page[int](items=[1])).fix == "declare a class for it: `class Prices(Page[Price]): ...`"
    assert "its field 'n' is not set" in diagnostic(values, Twice.model_construct()).what


# --- named codecs and pickles ------------------------------------------------------------------------------------


class Mesh:
    def __init__(self, points: list[int]) -> None:
        self.points = points

    def __reduce__(self) -> Any:
        return (Mesh, (self.points,))


class MeshCodec(ValueCodec[Mesh]):
    def encode(self, value: Mesh) -> bytes:
        return json.dumps(value.points).encode()

    def decode(self, data: bytes) -> Mesh:
        return Mesh(json.loads(data))


class SetLike(MeshCodec):
    def digest(self, value: Mesh) -> str:
        return "-".join(map(str, sorted(value.points)))


class Broken(MeshCodec):
    def encode(self, value: Mesh) -> bytes:
        raise RuntimeError("no mesh today")


class Wordy(MeshCodec):
    def encode(self, value: Mesh) -> Any:
        return "text"


def mesh(codec: str) -> Type:
    return Type("object", ref=f"{__name__}:Mesh", codec=codec)


CODEC = f"{__name__}:MeshCodec"


@pytest.mark.parametrize("size", [3, 5000])
@pytest.mark.parametrize("codec", [CODEC, "pickle"])
def test_a_class_of_the_users_own_comes_back_by_its_codec(pickling: Values, codec: str, size: int) -> None:
    points = list(range(size))
    shapes = [
        (mesh(codec), Mesh(points), lambda v: v),
        (Type("list", (mesh(codec),)), [Mesh(points)], lambda v: v[0]),
        (Type("union", (mesh(codec), NONE)), Mesh(points), lambda v: v),
        (
            Type("dataclass", ref=f"{__name__}:Holder", fields=(("x", mesh(codec)),)),
            Holder(Mesh(points)),
            lambda v: v.x,
        ),
    ]
    for kind, value, part in shapes:
        again = part(pickling.decode(pickling.encode(value, kind)))
        assert type(again) is Mesh
        assert again.points == points
    assert pickling.encode(None, mesh(codec)) is None


def test_a_codec_can_be_named_for_what_the_envelope_knows(values: Values) -> None:
    class_of_list = f"{__name__}:ListCodec"
    tree = values.encode([3, 1], Type("list", codec=class_of_list))
    assert tree["$"] == "codec"
    assert values.decode(tree) == [3, 1]


class ListCodec(ValueCodec[list[int]]):
    def encode(self, value: list[int]) -> bytes:
        return bytes(value)

    def decode(self, data: bytes) -> list[int]:
        return list(data)


def test_a_codec_says_what_is_equal(values: Values) -> None:
    kind = mesh(f"{__name__}:SetLike")
    assert values.encode(Mesh([1, 2]), kind)["digest"] == values.encode(Mesh([2, 1]), kind)["digest"]
    assert values.encode(Mesh([1, 2]), mesh(CODEC))["digest"] != values.encode(Mesh([2, 1]), mesh(CODEC))["digest"]


BAD_CODECS = [
    ("mesh", "its codec 'mesh' can't be used ('mesh' is not the name of a codec)"),
    ("nowhere:Codec", "its codec 'nowhere:Codec' can't be used (No module named 'nowhere')"),
    ("json:Nope", "its codec 'json:Nope' can't be used (module 'json' has no attribute 'Nope')"),
    (
        "os:system",
        "its codec 'os:system' can't be used (os:system is not a subclass of drawloom.values.codec.ValueCodec)",
    ),
    (f"{__name__}:Broken", f"its codec '{__name__}:Broken' failed (RuntimeError: no mesh today)"),
    (f"{__name__}:Wordy", f"its codec '{__name__}:Wordy' failed (TypeError: Strings must be encoded before hashing)"),
]


@pytest.mark.parametrize(("codec", "told"), BAD_CODECS, ids=range(len(BAD_CODECS)))
def test_a_codec_that_does_not_work_is_refused(values: Values, codec: str, told: str) -> None:
    found = diagnostic(values, Mesh([1]), mesh(codec))
    assert found.code == "V311"
    assert found.what == f"value is a {__name__}.Mesh: {told}"


def test_a_codec_for_a_part_without_a_class_is_refused(values: Values) -> None:
    assert diagnostic(values, [{}], Type("list", (Type("dict", codec="pickle"),))).code == "V311"


def test_a_pickle_is_refused_where_the_project_does_not_allow_it(values: Values, pickling: Values) -> None:
    found = diagnostic(values, [Mesh([1])], Type("list", (mesh("pickle"),)))
    assert str(found) == (
        f"error[V306] value[0] is a {__name__}.Mesh: "
        "its type names the codec `pickle`, which the project doesn't allow\n"
        "  fix    set `allow_pickle = true` in the project's drawloom.toml, or name a codec of your own for the type"
    )
    tree = pickling.encode(Mesh([1]), mesh("pickle"))
    with pytest.raises(
        ValueRefused, match=r"V306\] a stored value is a pickle, and reading one runs its writer's code"
    ):
        values.decode(tree)
    assert diagnostic(pickling, threading.Lock(), mesh("pickle")).code == "V306"


# --- refusals ----------------------------------------------------------------------------------------------------


def test_what_cannot_be_kept_is_told_with_the_way_to_it(values: Values) -> None:
    value = {"a": [0, 1, 2, Holder(threading.Lock())]}
    with pytest.raises(ValueRefused) as caught:
        values.encode(value, what="what task `load` returned")
    assert str(caught.value) == (
        "error[V301] what task `load` returned['a'][3].x is a _thread.lock\n"
        "  fix    make it inside the task that uses it"
    )
    assert diagnostic(values, {("k", 2): {None: object()}}).what == "value[('k', 2)][None] is an object"
    assert diagnostic(values, {frozenset([print]): 1}).what == (
        "value key <frozenset>{...} is a builtin_function_or_method"
    )
    assert diagnostic(values, Pair(1, Pydantic(x=[print]))).what == "value.b.x[0] is a builtin_function_or_method"
    assert diagnostic(values, Path("x")).fix.startswith("return `drawloom.File(path)`")


def test_a_class_made_in_a_function_is_refused(values: Values) -> None:
    @dataclass
    class Local:
        x: int

    assert str(diagnostic(values, [Local(1)])) == (
        f"error[V302] value[0] is a {__name__}.test_a_class_made_in_a_function_is_refused.<locals>.Local: "
        "a class defined inside a function can't be imported again\n"
        "  fix    define the class at the top of a module that the pipeline's code is imported from"
    )


def test_a_class_whose_name_means_something_else_is_refused(values: Values, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Holder(1)
    monkeypatch.setattr(sys.modules[__name__], "Holder", Pair)
    assert diagnostic(values, old).what == f"value is a {__name__}.Holder: {__name__}:Holder is another object now"
    monkeypatch.delattr(sys.modules[__name__], "Holder")
    assert diagnostic(values, old).code == "V302"


def test_a_value_that_contains_itself_is_refused(values: Values) -> None:
    loop: list[Any] = []
    loop.append(loop)
    found = diagnostic(values, loop)
    assert found.code == "V303"
    assert found.what.startswith("value[0][0]")
    assert found.what.endswith("is a list: it contains itself, or is nested more than 150 levels deep")
    assert found.fix == "flatten it: hand over a list of records that name each other by key"
    record = Holder(None)
    record.x = {"again": Pydantic.model_construct(x=record, n=1)}
    assert diagnostic(values, record).code == "V303"


def test_a_dict_subclass_is_refused_with_what_to_do(values: Values) -> None:
    from collections import Counter

    assert str(diagnostic(values, Counter("aa"))) == (
        "error[V301] value is a collections.Counter\n  fix    convert it: `dict(value)`"
    )


HOLDER = f"{__name__}:Holder"
UNREADABLE = [
    ({"$": "dataclass", "class": HOLDER, "v": [["y", 1]]}, f"{HOLDER} has the fields x now; the stored value has y"),
    ({"$": "dataclass", "class": "os:getcwd", "v": []}, "os:getcwd is no dataclass class"),
    ({"$": "dataclass", "class": "threading:Thread", "v": []}, "threading:Thread is not a dataclass any more"),
    ({"$": "namedtuple", "class": "os:system", "v": [["command", "true"]]}, "os:system is no namedtuple class"),
    ({"$": "enum", "class": "os:environ", "v": "HOME"}, "os:environ is no enum class"),
    ({"$": "pydantic", "class": "builtins:dict", "v": [], "set": []}, "builtins:dict is not a pydantic model any more"),
    ({"$": "codec", "codec": "os:system", "v": ""}, "os:system is not a subclass of drawloom.values.codec.ValueCodec"),
    ({"$": "warp"}, "unknown tag 'warp': a newer drawloom may have written it"),
    ({}, "unknown tag None: a newer drawloom may have written it"),
    ({"$": "tuple"}, "KeyError: 'v'"),
]


@pytest.mark.parametrize(("tree", "told"), UNREADABLE, ids=range(len(UNREADABLE)))
def test_a_tree_that_is_no_value_here_is_refused(values: Values, tree: Any, told: str) -> None:
    with pytest.raises(ValueRefused) as caught:
        values.decode([tree])
    assert str(caught.value) == (
        f"error[V307] a stored value can't be read: {told}\n"
        "  fix    run the pipeline again with the code as it is now, or read the value with the code that wrote it"
    )


def test_a_class_that_is_gone_is_told_with_its_module(values: Values) -> None:
    with pytest.raises(ValueRefused, match=r"V307.*can't be imported \(no module 'gone_module'\)\n  fix    install it"):
        values.decode({"$": "dataclass", "class": "gone_module:X", "v": []})


# --- digests -----------------------------------------------------------------------------------------------------


def test_the_digests_are_the_same_in_another_process(values: Values) -> None:
    value = {"a": {3, 1, "x"}, "b": [1.5, None, b"\x00"], "frame": [1, (2,)]}
    code = (
        "from drawloom.ir.envelope import encode, value_digest\n"
        "print(value_digest(encode({'frame': [1, (2,)], 'b': [1.5, None, b'\\0'], 'a': {'x', 1, 3}})))"
    )
    for seed in ("1", "2"):
        env = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])}
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == values.ref(values.encode(value)).digest
