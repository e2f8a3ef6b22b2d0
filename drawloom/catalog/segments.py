"""Segments: the file format of a run log; pure functions between records' JSON and bytes.

A segment is text, one line for each record: the CRC-32 of the rest as 8 hex characters, a space, the JSON, a newline.
The first line is a header, a closed segment ends with `{"end": <number of records>}`:

    5a0c9f3e {"run":"r1","segment":0,"whole":false}
    0e8a1b77 {"at":1.5,"kind":"run-finished","outcome":"succeeded","run":"r1"}
    93d1c2aa {"end":1}

A writer that is killed, or loses power, leaves a prefix of what it wrote: the last line may be cut off, and is dropped.
Any other line whose checksum is wrong was changed after it was written, and the segment is refused.
"""

from __future__ import annotations

import json
import zlib
from typing import Final

from drawloom.errors import StoreError
from drawloom.ir.canonical import Json, canonical_json
from drawloom.storage.problems import store_error

__all__ = [
    "SEGMENT_FORMAT",
    "decode_segment",
    "encode_end",
    "encode_header",
    "encode_line",
    "encode_text",
    "newer_record",
]

SEGMENT_FORMAT: Final = 0


def encode_line(tree: Json) -> bytes:
    r"""One line: checksum, JSON, newline.

    >>> encode_line({"a": 1})
    b'561bacaf {"a":1}\n'
    """
    return encode_text(canonical_json(tree))


def encode_text(text: str) -> bytes:
    """One line of the canonical JSON `text`."""
    data = text.encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(data), data)


def encode_header(run: str, *, whole: bool) -> bytes:
    """The first line; `whole` says that the segment was written in one piece and so never lacks its end."""
    return encode_line({"segment": SEGMENT_FORMAT, "run": run, "whole": whole})


def encode_end(count: int) -> bytes:
    """The last line of a closed segment of `count` records."""
    return encode_line({"end": count})


def decode_segment(data: bytes, run: str, place: str) -> list[Json]:
    """The JSON of the records of a segment, in order; a torn last line is dropped.

    Args:
        data: the segment.
        run: the run it must belong to.
        place: its path or URL, for the error.

    Raises:
        StoreError: S414, the segment is corrupt; S415, a newer drawloom wrote it.
    """
    lines = data.split(b"\n")
    torn = lines.pop()  # what stands behind the last newline: nothing, or a line cut off
    if not lines:
        return []
    trees = [_decode_line(line, number, place) for number, line in enumerate(lines, 1)]
    header = trees[0]
    _check_header(header, run, place)
    last = trees[-1]
    if isinstance(last, dict) and set(last) == {"end"}:
        if torn:
            raise _corrupt(place, "something follows its end")
        if last["end"] != len(trees) - 2:
            raise _corrupt(place, f"it ends after {len(trees) - 2} records and says {last['end']}")
        return trees[1:-1]
    if header["whole"]:
        raise _corrupt(place, "its end is missing")
    return trees[1:]


def _decode_line(line: bytes, number: int, place: str) -> Json:
    checksum, text = line[:8], line[9:]
    if checksum != b"%08x" % zlib.crc32(text) or line[8:9] != b" ":
        raise _corrupt(place, f"line {number} doesn't have its checksum")
    return json.loads(text)


def _check_header(header: Json, run: str, place: str) -> None:
    if not isinstance(header, dict) or type(header.get("segment")) is not int:
        raise _corrupt(place, "line 1 is no header")
    if header["segment"] > SEGMENT_FORMAT:
        raise newer_record(place, f"a segment of format {header['segment']}")
    if header.get("run") != run:
        raise _corrupt(place, f"it belongs to the run {header.get('run')!r}, not to {run!r}")


def _corrupt(place: str, why: str) -> StoreError:
    return store_error(
        "S414",
        f"a segment of the run log is corrupt: {why}",
        place,
        "restore this file from a copy of the store; or move it away, and the run is shown without its records",
    )


def newer_record(place: str, what: str) -> StoreError:
    """The error of a record this drawloom can't read rightly, because a newer one wrote it."""
    return store_error(
        "S415",
        f"a newer drawloom wrote what this one can't read: {what}",
        place,
        "upgrade drawloom (`pip install --upgrade drawloom`); nothing was changed",
    )
