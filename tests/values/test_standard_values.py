"""Standard types: every value comes back with the same type and content, and equal values have equal digests."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import functools
import json
import math
import sys
import uuid
from collections import OrderedDict, defaultdict
from dataclasses import InitVar, dataclass, field
from decimal import Decimal
from typing import Any, Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.errors import ValueRefused
from drawloom.ir.canonical import canonical_json
from drawloom.ir.envelope import MAX_DEPTH, decode, encode, normalise, value_digest
from drawloom.values.store import Values

T = TypeVar("T")


def same(a: Any, b: Any) -> bool:
    """Equal with equal types throughout, NaN equal to NaN and the sign of zero counted."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b) if a == a else b != b
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, Decimal):
        return str(a) == str(b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a), list(b)) and same(list(a.values()), list(b.values()))
    if isinstance(a, (set, frozenset)):
        return sorted(map(repr, a)) == sorted(map(repr, b))
    if dataclasses.is_dataclass(a):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    if isinstance(a, dt.datetime):
        return a.replace(tzinfo=None) == b.replace(tzinfo=None) and (a.fold, a.tzinfo) == (b.fold, b.tzinfo)
    return bool(a == b)


def back(value: Any) -> Any:
    """Out and in again, through the text that a record would carry."""
    return decode(json.loads(canonical_json(encode(value))))


text = st.text(st.characters(exclude_categories=()), max_size=8)
numbers = st.integers() | st.floats() | st.booleans() | st.complex_numbers()
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]).map(ZoneInfo) | st.integers(-86399, 86399).map(
    lambda seconds: dt.timezone(dt.timedelta(seconds=seconds))
)
times = (
    st.datetimes(timezones=st.none() | zones, allow_imaginary=True)
    | st.times(timezones=st.none() | zones)
    | st.dates()
    | st.timedeltas()
)
hashable = st.none() | numbers | text | st.binary(max_size=8) | times | st.decimals() | st.uuids()
keys = (st.none() | st.integers() | text | st.binary(max_size=8) | st.dates() | st.uuids()).flatmap(
    lambda key: st.just(key) | st.just((key, 1))
)
anything = st.recursive(
    hashable | st.binary().map(bytearray),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
        | st.sets(keys, max_size=4)
        | st.frozensets(keys, max_size=4)
    ),
    max_leaves=12,
)


@given(anything)
@settings(max_examples=200, deadline=None)
def test_a_value_comes_back_the_same(value: Any) -> None:
    assert same(back(value), value)


@given(anything)
@settings(max_examples=100, deadline=None)
def test_the_digest_survives_the_way_through_the_store(value: Any) -> None:
    assert value_digest(encode(back(value))) == value_digest(encode(value))


@given(st.dictionaries(keys, anything, min_size=2, max_size=5))
@settings(max_examples=50, deadline=None)
def test_the_order_of_a_dict_comes_back_but_is_not_in_the_digest(value: dict[Any, Any]) -> None:
    turned = dict(reversed(value.items()))
    assert list(back(turned)) == list(turned)
    assert value_digest(encode(turned)) == value_digest(encode(value))


@given(anything, anything)
@settings(max_examples=100, deadline=None)
def test_values_that_differ_have_digests_that_differ(a: Any, b: Any) -> None:
    if canonical_json(normalise(encode(a))) != canonical_json(normalise(encode(b))):
        assert value_digest(encode(a)) != value_digest(encode(b))


def test_equal_numbers_of_different_types_are_different_values() -> None:
    assert len({value_digest(encode(v)) for v in (1, 1.0, True, "1", Decimal(1), 1 + 0j, b"1", None, [1], (1,))}) == 10


def test_zero_has_one_sign_and_nan_is_one_value_in_a_digest() -> None:
    assert value_digest(encode([0.0, 0j])) == value_digest(encode([-0.0, complex(-0.0, -0.0)]))
    assert value_digest(encode({"a": float("nan")})) == value_digest(encode({"a": -float("nan")}))


def test_two_nan_keys_have_one_order_in_a_digest() -> None:
    first, second = float("nan"), float("nan")
    assert value_digest(encode({first: 1, second: 2})) == value_digest(encode({second: 2, first: 1}))


HOSTILE = [
    "{{ inputs.parameters.x }}",
    "${HOME} $(id) `id`",
    "'\"\\\"'",
    "y",
    "null",
    "\ud83d\ude00",  # two lone surrogates, not the emoji they would make together
    "\udc00\ud800",
    "😀",
    "a\nb\r\n\x00\u2028",
    "",
    "1e-7",
    1e-7,
    5e-324,
    float("inf"),
    -0.0,
    2**53,
    -(2**53),
    2**63,
    2**70000,
    -(2**70000),
    10**22,
    b"",
    bytes(range(256)),
    [],
    (),
    {},
    set(),
    {(): {}},
    {("a", 1): {"$": "dict", "v": 1}},
    {"$": "int", "v": "0x1"},
    {"object": "x", "size": 1, "digest": "y", "$": "file"},
    Decimal("NaN"),
    Decimal("-sNaN123"),
    Decimal("-Infinity"),
    Decimal("1E+400"),
    Decimal("0.10"),
    uuid.UUID(int=2**128 - 1),
    dt.datetime.max,
    dt.datetime(2023, 10, 29, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    dt.datetime(1900, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-5, seconds=-17, microseconds=3))),
    dt.datetime(2020, 1, 1, fold=1),
    dt.time(1, 2, 3, 4, dt.UTC),
    dt.timedelta.min,
    dt.date.min,
]


@pytest.mark.parametrize("value", HOSTILE, ids=[f"{i}-{type(v).__name__}" for i, v in enumerate(HOSTILE)])
def test_a_hostile_value_comes_back_the_same(value: Any) -> None:
    assert same(back(value), value)
    assert same(back([value, {"k": (value,)}]), [value, {"k": (value,)}])


def test_the_name_of_a_fixed_offset_comes_back() -> None:
    zone = dt.timezone(dt.timedelta(hours=1), "CET")
    assert back(dt.datetime(2020, 1, 1, tzinfo=zone)).tzname() == "CET"


def test_a_string_of_five_megabytes_comes_back(values: Values) -> None:
    value = {"text": "é{{" * 1_700_000}
    ref = values.ref(values.encode(value))
    assert ref.object
    assert values.decode(values.tree(ref)) == value


class Colour(enum.Enum):
    RED = 1
    SCARLET = 1  # noqa: PIE796  # an alias
    BLUE = "{{"


class Level(enum.IntEnum):
    LOW = 1


class Word(enum.StrEnum):
    HELLO = "hello"


class Right(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Bits(enum.IntFlag):
    A = 1
    B = 2


MEMBERS = [Colour.SCARLET, Colour.BLUE, Level.LOW, Word.HELLO, Right.READ | Right.WRITE, Right(0), Bits(64), Bits.A]


@pytest.mark.parametrize("member", MEMBERS, ids=repr)
def test_a_member_of_an_enum_comes_back_as_itself(member: enum.Enum) -> None:
    assert back(member) is member or back(member) == member
    assert type(back({member: [member]}).popitem()[0]) is type(member)
    assert value_digest(encode(member)) != value_digest(encode(member.value))


@dataclass
class Plain:
    x: int
    y: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, order=True)
class Frozen:
    x: Any
    derived: int = field(init=False, default=7)


@dataclass
class Box(Generic[T]):
    x: T


@dataclass
class Derived:
    seed: InitVar[int]
    total: int = field(init=False)
    count: int = 0

    def __post_init__(self, seed: int) -> None:
        self.total = seed + self.total if hasattr(self, "total") else seed
        self.count += 1

    @functools.cached_property
    def slow(self) -> int:
        return self.total * 2


@dataclass(kw_only=True)
class Child(Plain):
    z: str = "z"


class Pair(NamedTuple, Generic[T]):
    first: T
    second: Any = None


class Outer:
    @dataclass(frozen=True)
    class Inner:
        value: Any


RECORDS = [
    Plain(1, [float("nan"), -0.0]),
    Frozen("{{"),
    Box[int](3),
    Child(x=2, z="\ud800"),
    Pair(1, (2,)),
    Pair(Pair(b"x"), Colour.RED),
    Outer.Inner([Outer.Inner(None)]),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: type(r).__name__)
def test_a_record_comes_back_with_its_class(record: Any) -> None:
    assert same(back(record), record)
    assert type(back([record])[0]) is type(record)


def test_a_record_is_not_initialised_a_second_time() -> None:
    made = Derived(seed=5)
    assert made.slow == 10  # a cached property: it is there, but it isn't part of the value
    again = back(made)
    assert (again.total, again.count, again.slow) == (5, 1, 10)


def test_a_record_as_key_comes_back() -> None:
    assert back({Frozen(1): 2, Pair(1): 3}) == {Frozen(1): 2, Pair(1): 3}


def test_records_of_two_classes_with_equal_fields_are_two_values() -> None:
    assert value_digest(encode(Plain(1))) != value_digest(encode(Child(x=1)))


@dataclass
class Cached:
    x: int

    def __post_init__(self) -> None:
        self.hidden = self.x * 2


@dataclass
class Dictlike(dict):  # type: ignore[type-arg]
    x: int = 0


class Money(Decimal):
    pass


class Stamp(dt.datetime):
    pass


class Text(str):
    __slots__ = ()


class MyTuple(tuple):  # type: ignore[type-arg]
    __slots__ = ()


REFUSED = [
    OrderedDict(a=1),
    defaultdict(list),
    Text("x"),
    MyTuple((1,)),
    Money(1),
    Stamp(2020, 1, 1),
    Dictlike(),
    Cached(1),
    range(3),
    memoryview(b"x"),
    iter([1]),
    print,
    Colour,
    sys,
    object(),
    ValueError("x"),
    NotImplemented,
    ...,
]


@pytest.mark.parametrize("value", REFUSED, ids=lambda v: type(v).__name__)
def test_what_would_come_back_changed_is_refused(values: Values, value: Any) -> None:
    with pytest.raises(ValueRefused) as caught:
        values.encode({"a": [value]})
    diagnostic = caught.value.diagnostics[0]
    assert diagnostic.what.startswith("value['a'][0] is a")
    assert diagnostic.fix
    assert " at 0x" not in str(caught.value)


def test_as_deep_as_allowed_comes_back() -> None:
    value: Any = 1
    for i in range(MAX_DEPTH):
        value = ([value], {"k": value}, (value,), Outer.Inner(value))[i % 4]
    assert repr(back(value)) == repr(value)
    assert value_digest(encode(value)) == value_digest(encode(back(value)))


@pytest.mark.parametrize("count", [7, 9, 1000])
@pytest.mark.parametrize(
    "item", [1, 2**60, 1.5, float("inf"), float("nan"), -0.0, "a", "é", "\ud800", True, None, b"x", 1e308]
)
def test_long_lists_of_one_type_come_back(item: Any, count: int) -> None:
    plain = {int: 3, float: 0.25, str: "x", bool: False, bytes: b"", type(None): None}[type(item)]
    value = [plain] * count + [item] + [plain] * count
    assert same(back(value), value)


def test_an_encoded_list_is_not_the_callers() -> None:
    value = [float(i) for i in range(100)]
    tree = encode(value)
    value[0] = 99.0
    assert tree[0] == 0.0
