"""Plain JSON and the values it stands for, as Airflow's form gives them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawloom.compilers.airflow.params import param_schema
from drawloom.dsl.annotations import Names, read_annotation
from drawloom.ir.envelope import decode, encode
from drawloom.ir.plain import Misread, from_plain, has_plain_form, plain_tree
from drawloom.ir.types import Type
from drawloom.runtimes.airflow_conf import conf_of


def type_of(annotation: Any) -> Type:
    return read_annotation(annotation, Names(globals(), {}))


VALUES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers()),
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (str, st.text()),
    (bool, st.booleans()),
    (int | None, st.none() | st.integers()),
    (list[int], st.lists(st.integers())),
    (tuple[int, str], st.tuples(st.integers(), st.text())),
    (set[str], st.sets(st.text())),
    (dict[str, float | None], st.dictionaries(st.text(), st.none() | st.floats(allow_nan=False, allow_infinity=False))),
    (datetime, st.datetimes(timezones=st.just(UTC)).map(lambda one: one.replace(fold=0))),
    (date, st.dates()),
    (time, st.times().map(lambda one: one.replace(fold=0))),
    (Literal["a", 1, None], st.sampled_from(["a", 1, None])),
    (list[list[str | int]], st.lists(st.lists(st.text() | st.integers()))),
]


@given(st.data())
def test_what_is_written_plainly_is_read_as_the_value(data: st.DataObject) -> None:
    annotation, values = data.draw(st.sampled_from(VALUES))
    type_ = type_of(annotation)
    value = data.draw(values)
    assert has_plain_form(type_)
    found = plain_tree(encode(value))
    assert found is not None
    assert from_plain(found[0], type_) == value


@pytest.mark.parametrize(
    ("annotation", "tree"),
    [
        (int, 1.5), (int, True), (int, "1"), (bool, 1), (str, None), (float, "1"), (list[int], [1, "2"]), (list[int], 3),
        (tuple[int, int], [1]), (dict[str, int], []), (datetime, "yesterday"), (date, 3), (Literal["a"], "b"), (Literal[1], True),
    ],
)  # fmt: skip
def test_what_is_no_value_of_the_type_is_refused(annotation: Any, tree: Any) -> None:
    with pytest.raises(Misread):
        from_plain(tree, type_of(annotation))


def test_a_value_that_json_has_not_goes_beside_the_form() -> None:
    forms = {"ratio": param_schema(type_of(float)), "names": param_schema(type_of(list[str]))}
    trees = {"ratio": encode(float("nan")), "names": encode(["x"]), "blob": encode(b"\0")}
    asked = {"params": {name: {"tree": tree} for name, tree in trees.items()}, "target": "f.py:flow", "static": []}
    conf = conf_of(asked, forms)
    assert conf["ratio"] == 0.0  # the form asks for one
    assert conf["names"] == ["x"]
    assert "blob" not in conf
    told = json.loads(conf["drawloom"])
    assert sorted(told["params"]) == ["blob", "ratio"]
    assert decode(told["params"]["blob"]["tree"]) == b"\0"
    assert told["target"] == "f.py:flow"


def as_jsonb(tree: Any) -> Any:
    """What PostgreSQL makes of JSON: decimal numbers, keys in its own order, no NUL."""
    if isinstance(tree, dict):
        ordered = sorted(tree.items(), key=lambda pair: (len(pair[0].encode()), pair[0].encode()))
        return {as_jsonb(key): as_jsonb(value) for key, value in ordered}
    if isinstance(tree, list):
        return [as_jsonb(one) for one in tree]
    if isinstance(tree, str):
        assert "\0" not in tree, "unsupported Unicode escape sequence"
    if isinstance(tree, float):
        return json.loads(f"{Decimal(repr(tree)) + 0:f}")
    return tree


def texts_of(value: Any) -> str:
    """A value with the order of its keys and the signs of its zeros."""
    return f"{sorted(value)!r}" if isinstance(value, set) else repr(value)


@given(st.data())
def test_a_database_that_changes_json_changes_no_parameter(data: st.DataObject) -> None:
    annotation, values = data.draw(st.sampled_from(VALUES))
    type_, value = type_of(annotation), data.draw(values)
    conf = as_jsonb(conf_of({"params": {"x": {"tree": encode(value)}}}, {"x": param_schema(type_)}))
    told = json.loads(conf.get("drawloom", "{}")).get("params", {})
    found = decode(told["x"]["tree"]) if told else from_plain(conf["x"], type_)
    assert texts_of(found) == texts_of(value)


def test_a_readable_value_stays_in_the_form() -> None:
    for value in (0, 0.5, 1e-7, 10**30, "a\nb", {"a": 1, "bb": 2}, [1.5, 2.0]):
        assert conf_of({"params": {"x": {"tree": encode(value)}}}, {"x": {}}) == {"x": value}
