"""The pipelines whose text before and after each pass lies in `passes/<pass>/<case>.<before|after>.txt`.

Run as a file, this writes those texts anew; look at the difference before it is committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from drawloom import branch, for_each, pipeline, task, try_, while_loop
from drawloom.compilers.passes.order import PASSES, run_passes
from drawloom.dsl.tracing import trace
from drawloom.ir.nodes import FunctionRef, Pipeline
from drawloom.ir.text import format_pipeline

__all__ = ["CASES", "FOLDER", "after", "before", "text"]

FOLDER: Final = Path(__file__).parent / "passes"


@task
def double(number: int) -> int:
    return 2 * number


@task
def is_small(number: int) -> bool:
    return number < 10


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task
def describe(text: str) -> str:
    return f"<{text}>"


@task
def note(text: str) -> None:
    print(text)


@pipeline
def doubled(number: int) -> int:
    first = double(number)
    return double(first)


@pipeline
def computed(number: int) -> int:
    halved = double(number)
    return add(halved, 1) + halved


@pipeline
def plain(number: int) -> int:
    note("begin")
    twice = doubled(number)
    return add(twice, number)


@pipeline
def computing(numbers: list[int]) -> list[int]:
    return for_each(numbers, lambda number: double(computed(number)))


@pipeline
def two_tests(number: int, table: dict[str, int]) -> str:
    size = double(number)
    return branch(
        size > 5,
        lambda: describe("large"),
        lambda: branch(table["limit"] > size, lambda: describe("small"), lambda: "middle"),
    )


@pipeline
def test_and_items(start: int, tables: dict[str, list[int]]) -> list[int]:
    end = while_loop(lambda n: n < 20, double, start, max_iterations=9)
    return for_each(tables["small"], lambda number: add(number, end))


@pipeline
def arms(number: int) -> str:
    chosen = branch(number > 5, lambda: describe("large"), lambda: "small")
    return describe(chosen)


@pipeline
def no_results(number: int) -> int:
    branch(number > 5, lambda: note("large"), lambda: note("small"))
    note("done")
    return double(number)


@pipeline
def grid(rows: list[list[int]]) -> list[list[int]]:
    return for_each(rows, lambda row: for_each(row, lambda cell: add(cell, row[0])))


@pipeline
def kept(rows: list[dict[str, list[int]]]) -> list[list[int]]:
    return for_each(rows, lambda row: for_each(row["cells"], double))


@pipeline
def stops(start: int) -> int:
    return while_loop(lambda n: n < 1000, double, start, max_iterations=2, on_limit="stop")


@pipeline
def fails(start: int) -> int:
    return while_loop(is_small, double, start, max_iterations=1)


@pipeline
def many(start: int) -> int:
    return while_loop(is_small, double, start, max_iterations=100)


@pipeline
def cleaned(number: int) -> int:
    kept = try_(lambda: double(number), {ValueError: lambda failure: double(0)}, lambda: note("clean"))
    return double(kept)


@pipeline
def batched(numbers: list[int]) -> int:
    found = for_each(numbers, lambda number: double(add(number, 1)))
    return total(for_each(found, lambda number: doubled(number)))


@pipeline
def chain(number: int) -> int:
    a = double(number)
    b = add(a, number)
    c = double(b)
    note("between")
    d = double(c)
    return add(d, c)


@pipeline
def everything(numbers: list[int], limit: int) -> int:
    kept = try_(
        lambda: for_each(numbers, lambda number: branch(number > limit, lambda: doubled(number), lambda: 0)),
        {ValueError: lambda failure: [0]},
        lambda: note("clean"),
    )
    grown = while_loop(is_small, double, total(kept), max_iterations=1, on_limit="stop")
    return double(grown)


# pass -> case -> the pipeline
CASES: Final[Mapping[str, Mapping[str, Any]]] = {
    "lift_cleanup": {"handler-and-final": cleaned},
    "unroll_loops": {"stops-at-the-bound": stops, "fails-at-the-bound": fails, "too-many-iterations": many},
    "inline_pipelines": {"moves-the-nodes": plain, "keeps-what-can-fail": computing},
    "guard_branches": {"picks-a-result": arms, "without-results": no_results},
    "flatten_maps": {"pairs": grid, "keeps-an-expression": kept},
    "separate_decisions": {"two-tests": two_tests, "loop-and-map": test_and_items},
    "batch_maps": {"calls-alone": batched},
    "fuse_nodes": {"chain": chain},
    "run_passes": {"everything": everything},
}
_RUN: Final[Mapping[str, Any]] = {one.__name__: one for one in PASSES} | {"run_passes": run_passes}


def before(name: str, case: str) -> Pipeline:
    """The pipeline of a case, without the digests of its functions."""
    made = trace(CASES[name][case]).program.pipeline
    plain = (replace(spec, function=FunctionRef(spec.function.module, spec.function.qualname)) for spec in made.tasks)
    return replace(made, tasks=tuple(plain))


def after(name: str, case: str) -> Pipeline:
    """The same after the pass."""
    made: Pipeline = _RUN[name](before(name, case))
    return made


def text(pipeline: Pipeline) -> str:
    return f"{format_pipeline(pipeline)}\n".replace(f"{__name__}:", "cases:")


def _write() -> None:
    for name, cases in CASES.items():
        (FOLDER / name).mkdir(parents=True, exist_ok=True)
        for case in cases:
            for when, make in (("before", before), ("after", after)):
                (FOLDER / name / f"{case}.{when}.txt").write_text(text(make(name, case)), encoding="utf-8")


if __name__ == "__main__":
    _write()
