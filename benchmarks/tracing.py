"""Trace, check and IR of pipelines of many nodes; the floor is building as many `Call` objects."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.timing import median_ms
from drawloom import pipeline, task
from drawloom.dsl.tracing import trace
from drawloom.ir.check import check_pipeline
from drawloom.ir.nodes import Call
from drawloom.ir.operands import Output


@task
def increment(n: int) -> int:
    return n + 1


def _chain(length: int):  # type: ignore[no-untyped-def]  # a pipeline object; its type says nothing here
    @pipeline
    def chain(n: int) -> int:
        for _ in range(length):
            n = increment(n)
        return n

    return chain


def rows() -> Iterator[tuple[str, str, str, str]]:
    for length, reach in ((1_000, "<= 15 ms"), (10_000, "linear"), (100_000, "linear")):
        chain = _chain(length)

        def build(chain=chain) -> None:  # type: ignore[no-untyped-def]
            found = check_pipeline(trace(chain).program)
            assert not found

        def floor(length: int = length) -> None:
            [Call(f"n-{i}", "m:f", (("n", Output(f"n-{i - 1}")),)) for i in range(length)]

        repeats = 5 if length < 100_000 else 3
        took = median_ms(build, repeats)
        yield f"trace + check + IR, {length:,} nodes", f"{took:.1f} ms", f"{median_ms(floor, repeats):.1f} ms", reach
