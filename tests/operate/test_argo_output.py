"""Argo's own lines among what a task prints, however the stream is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawloom.runtimes.argo_output import without_argo

ARGOS = (
    b'time=2026-11-26T03:19:02.590Z level=INFO msg="waiting for signals" argo=true signalPath=/var/run/argo/x',
    b'time=2026-11-26T03:19:04.630Z level=INFO msg="sub-process exited" error=<nil> argo=true',
    b'{"time":"2026-11-26T03:19:04Z","level":"INFO","msg":"sub-process exited","argo":true,"error":null}',
)
OWN = (
    b"",
    b"t",
    b"time=3 s",
    b"time=now level=INFO msg=mine argo=maybe",
    b'{"time": 3, "argo":true}',
    b'{"time":3}',
    "sub-process exited 🎉 argo=true".encode(),
    b" " + ARGOS[0],
    b"10 %\r20 %",
    b"\x00\xff\x85{{workflow.name}}",
)


@given(st.lists(st.sampled_from(ARGOS + OWN)), st.booleans(), st.lists(st.integers(1, 30)))
def test_argos_own_lines_are_left_out(lines: list[bytes], ends: bool, cuts: list[int]) -> None:
    whole = b"\n".join(lines) + (b"\n" if ends and lines else b"")
    pieces = []
    for cut in cuts:
        pieces.append(whole[:cut])
        whole = whole[cut:]
    kept = [line for line in lines if line not in ARGOS]
    wanted = b"".join(line + b"\n" for line in kept)
    if not ends and lines and lines[-1] not in ARGOS:
        wanted = wanted[:-1]  # the last line is the task's, and has no end
    assert b"".join(without_argo(iter([*pieces, whole]))) == wanted


@pytest.mark.parametrize("piece", [b"10 %", b"tick 0\n", b"time is short", b"\n"])
def test_what_can_not_be_argos_is_given_at_once(piece: bytes) -> None:
    def stream():
        yield piece
        raise AssertionError("it was waited for more")

    assert next(without_argo(stream())) == piece
