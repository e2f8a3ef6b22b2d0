"""numpy arrays and scalars."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from drawloom.errors import ValueRefused
from drawloom.values.store import Values

dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness="?", sizes=(64, 128)),
    hnp.datetime64_dtypes(max_period="D", min_period="ns", endianness="<"),
    hnp.timedelta64_dtypes(max_period="D", min_period="ns", endianness="<"),
    hnp.byte_string_dtypes(max_len=6),
    hnp.unicode_string_dtypes(max_len=6, endianness="<"),
)
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))


@given(arrays)
@settings(max_examples=150, deadline=None)
def test_an_array_comes_back_bit_by_bit(shared: Values, array: Any) -> None:
    again = shared.decode(shared.encode(array))
    assert (again.dtype, again.shape, again.tobytes()) == (array.dtype, array.shape, array.tobytes())
    assert again.flags.writeable
    assert shared.encode(again)["digest"] == shared.encode(array)["digest"]


@given(arrays)
@settings(max_examples=75, deadline=None)
def test_the_digest_ignores_the_layout_in_memory(shared: Values, array: Any) -> None:
    wide = np.repeat(array[None], 2, axis=0)
    strided = np.asfortranarray(wide)[1, ...]
    assert shared.encode(strided)["digest"] == shared.encode(array)["digest"]
    assert shared.encode(np.array(array, order="F"))["digest"] == shared.encode(array)["digest"]


@given(st.data())
@settings(max_examples=75, deadline=None)
def test_arrays_that_differ_have_digests_that_differ(shared: Values, data: st.DataObject) -> None:
    dtype = data.draw(dtypes)
    shape = data.draw(hnp.array_shapes(max_dims=2, max_side=3))
    a, b = data.draw(hnp.arrays(dtype, shape)), data.draw(hnp.arrays(dtype, shape))
    equal = np.array_equal(a, b, equal_nan=dtype.kind not in "SU")
    if dtype.kind == "c":  # numpy takes NaN+1j and NaN+2j for equal; their parts differ
        equal = np.array_equal(a.real, b.real, equal_nan=True) and np.array_equal(a.imag, b.imag, equal_nan=True)
    assert (shared.encode(a)["digest"] == shared.encode(b)["digest"]) == equal


def test_zero_has_one_sign_and_nan_one_payload_in_a_digest(values: Values) -> None:
    strange = np.array([0x7FF8_0000_0000_0001, 0x8000_0000_0000_0000], np.uint64).view(float)
    plain = np.array([np.nan, 0.0])
    assert values.encode(strange)["digest"] == values.encode(plain)["digest"]
    assert values.decode(values.encode(strange)).tobytes() == strange.tobytes()


def test_shape_and_dtype_count(values: Values) -> None:
    zeros = [np.zeros((2, 3)), np.zeros((3, 2)), np.zeros(6), np.zeros(6, "f4"), np.zeros(6, int), np.zeros(6, ">f8")]
    assert len({values.encode(a)["digest"] for a in zeros}) == 6


def test_a_large_array_is_an_object_and_a_small_one_lies_in_the_tree(values: Values) -> None:
    small, large = values.encode(np.zeros(10)), values.encode(np.zeros(10_000))
    assert "object" not in small
    assert large["size"] > 80_000
    assert values.ref(large).size_bytes > 80_000
    assert values.objects.has(large["object"])


def test_a_copy_is_handed_over(values: Values) -> None:
    tree = values.encode(np.zeros(1000))
    values.decode(tree)[0] = 1
    assert values.decode(tree)[0] == 0


def test_records_come_back_and_their_padding_is_no_content(values: Values) -> None:
    padded = np.dtype([("name", "U3"), ("v", "f4", (2,)), ("flag", "?")], align=True)
    array = np.zeros(3, padded)
    array["name"], array["v"] = ["a", "é", ""], -0.0
    again = values.decode(values.encode(array))
    assert again.dtype == padded
    assert (again == array).all()
    dirty = np.frombuffer(b"\xff" * array.nbytes, padded).copy()
    for name in ("name", "v", "flag"):
        dirty[name] = array[name]
    assert values.encode(dirty)["digest"] == values.encode(array)["digest"]


SCALARS = [
    np.float64(-0.0),
    np.float32("nan"),
    np.float16(1.5),
    np.int8(-3),
    np.uint64(2**64 - 1),
    np.bool_(True),
    np.complex64(1 - 2j),
    np.str_("{{é\ud800"),
    np.bytes_(b"\xff"),
    np.datetime64("2020-01-01T00:00:00.123", "ms"),
    np.datetime64("NaT", "ns"),
    np.timedelta64(-5, "D"),
]


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda s: s.dtype.str)
def test_a_scalar_comes_back_with_its_dtype(values: Values, scalar: Any) -> None:
    tree = values.encode([scalar])
    (again,) = values.decode(tree)
    assert type(again) is type(scalar)
    assert again.dtype == scalar.dtype
    assert again.tobytes() == scalar.tobytes()
    assert values.ref(values.encode([again])).digest == values.ref(tree).digest


def test_a_negative_zero_scalar_has_the_digest_of_zero(values: Values) -> None:
    assert values.ref(values.encode(np.float32(-0.0))).digest == values.ref(values.encode(np.float32(0))).digest


def test_an_object_array_is_refused_with_what_to_do(values: Values) -> None:
    with pytest.raises(ValueRefused) as caught:
        values.encode({"rows": np.array([{}, 1], object)}, what="what task `f` returned")
    assert str(caught.value) == (
        "error[V304] what task `f` returned['rows'] is a numpy.ndarray: its dtype object holds Python objects\n"
        "  fix    give it a number or str dtype (`array.astype(float)`), or return a list"
    )


REFUSED = [
    np.ma.masked_array([1, 2], [True, False]),
    np.zeros(3, [("a", object)]),
    np.rec.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    np.zeros(2, np.dtype("f8", metadata={"unit": "m"})),
    np.zeros(1, "V4")[0],
    np.random.default_rng(0),
    np.dtype("f8"),
    np.zeros(3, np.longdouble),
    np.array(["a"], np.dtypes.StringDType()),
]


@pytest.mark.parametrize("value", REFUSED, ids=lambda v: type(v).__name__)
def test_what_npy_would_change_is_refused(values: Values, value: Any) -> None:
    with pytest.raises(ValueRefused, match=r"error\[V30[14]\] value is a"):
        values.encode(value)
