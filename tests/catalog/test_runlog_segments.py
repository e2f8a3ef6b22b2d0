"""The segment format: what is written is read, what is cut off is dropped, what is changed is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawloom.catalog.records import (
    AttemptFinished,
    Commit,
    Decision,
    FailureInfo,
    Record,
    RunFinished,
    RunStarted,
    ValueRef,
    record_from_json,
    record_to_json,
)
from drawloom.catalog.segments import decode_segment, encode_end, encode_header, encode_line
from drawloom.errors import StoreError

TEXT = st.text(max_size=12)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
INDEX = st.lists(st.integers(0, 9), max_size=3).map(tuple)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
REFS = st.builds(ValueRef, TEXT, st.integers(0, 9), TREES, TEXT, TEXT)
PORTS = st.lists(st.tuples(TEXT, REFS), max_size=2).map(tuple)
FAILURES = st.none() | st.builds(FailureInfo, TEXT, TEXT, st.lists(TEXT, max_size=2).map(tuple), TEXT)
RECORDS: st.SearchStrategy[Record] = st.one_of(
    st.builds(RunStarted, TEXT, TEXT, TEXT, PORTS, at=FINITE),
    st.builds(RunFinished, TEXT, TEXT, failure=FAILURES, at=FINITE),
    st.builds(AttemptFinished, TEXT, TEXT, INDEX, st.integers(1, 5), failure=FAILURES, seconds=FINITE),
    st.builds(Commit, TEXT, TEXT, INDEX, outputs=PORTS, inputs=PORTS, failure=FAILURES),
    st.builds(Decision, TEXT, TEXT, INDEX, value=st.integers(), caught=FAILURES),
)


def _segment(records: list[Record], *, whole: bool, ended: bool) -> bytes:
    lines = [encode_line(record_to_json(record)) for record in records]
    return encode_header("r1", whole=whole) + b"".join(lines) + (encode_end(len(lines)) if ended else b"")


def _read(data: bytes) -> list[Record]:
    return [record_from_json(tree) for tree in decode_segment(data, "r1", "s/x.seg")]


@settings(max_examples=100, deadline=None)
@given(st.lists(RECORDS, max_size=5), st.sampled_from([(True, True), (False, True), (False, False)]))
def test_what_is_written_is_read(records: list[Record], kind: tuple[bool, bool]) -> None:
    whole, ended = kind
    assert _read(_segment(records, whole=whole, ended=ended)) == records


@settings(max_examples=100, deadline=None)
@given(st.lists(RECORDS, max_size=4), st.booleans(), st.data())
def test_a_segment_cut_off_anywhere_gives_its_whole_lines(
    records: list[Record], ended: bool, data: st.DataObject
) -> None:
    segment = _segment(records, whole=False, ended=ended)
    kept = segment[: data.draw(st.integers(0, len(segment)))]
    whole_lines = max(kept.count(b"\n") - 1, 0)
    assert _read(kept) == records[:whole_lines]


@settings(max_examples=60, deadline=None)
@given(st.lists(RECORDS, max_size=3), st.data())
def test_an_object_cut_off_is_refused(records: list[Record], data: st.DataObject) -> None:
    segment = _segment(records, whole=True, ended=True)
    header = len(encode_header("r1", whole=True))
    kept = segment[: data.draw(st.integers(header, len(segment) - 1))]
    with pytest.raises(StoreError, match="S414"):
        _read(kept)


@settings(max_examples=200, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=4), st.booleans(), st.data())
def test_a_flipped_bit_is_noticed(records: list[Record], ended: bool, data: st.DataObject) -> None:
    segment = bytearray(_segment(records, whole=False, ended=ended))
    place = data.draw(st.integers(0, len(segment) - 1))
    segment[place] ^= 1 << data.draw(st.integers(0, 7))
    if place == len(segment) - 1:
        # Only the last newline can go unnoticed: then the last line looks like one a killed writer was at.
        assert _read(bytes(segment)) == (records if ended else records[:-1])
    else:
        with pytest.raises(StoreError, match="S414"):
            _read(bytes(segment))


def test_a_changed_line_is_told() -> None:
    segment = _segment([RunFinished("r1", "succeeded"), RunFinished("r1", "failed")], whole=False, ended=False)
    with pytest.raises(StoreError) as caught:
        list(decode_segment(segment.replace(b"succeeded", b"succeedet"), "r1", "runs/r1/segments/w-0.seg"))
    assert str(caught.value) == (
        "error[S414] a segment of the run log is corrupt: line 2 doesn't have its checksum\n"
        "  where  runs/r1/segments/w-0.seg\n"
        "  fix    restore this file from a copy of the store; or move it away, and the run is shown without its records"
    )


@pytest.mark.parametrize(
    ("segment", "why"),
    [
        (encode_header("r2", whole=False), "it belongs to the run 'r2', not to 'r1'"),
        (encode_line({"kind": "commit"}), "line 1 is no header"),
        (encode_line([1]), "line 1 is no header"),
        (encode_header("r1", whole=True), "its end is missing"),
        (encode_header("r1", whole=False) + encode_end(2), "it ends after 0 records and says 2"),
        (encode_header("r1", whole=False) + encode_end(0) + b"more", "something follows its end"),
        (b"\0" * 40 + b"\n", "line 1 doesn't have its checksum"),
    ],
)
def test_what_else_is_no_segment(segment: bytes, why: str) -> None:
    with pytest.raises(StoreError) as caught:
        list(decode_segment(segment, "r1", "x"))
    assert caught.value.diagnostics[0].what == f"a segment of the run log is corrupt: {why}"


def test_a_segment_of_a_newer_format_is_refused() -> None:
    with pytest.raises(StoreError) as caught:
        list(decode_segment(encode_line({"segment": 1, "run": "r1"}), "r1", "s/x.seg"))
    assert str(caught.value) == (
        "error[S415] a newer drawloom wrote what this one can't read: a segment of format 1\n"
        "  where  s/x.seg\n"
        "  fix    upgrade drawloom (`pip install --upgrade drawloom`); nothing was changed"
    )


def test_nothing_but_a_torn_header_has_no_records() -> None:
    assert list(decode_segment(b"", "r1", "x")) == []
    assert list(decode_segment(encode_header("r1", whole=False)[:-1], "r1", "x")) == []
    assert list(decode_segment(b"\0" * 100, "r1", "x")) == []
