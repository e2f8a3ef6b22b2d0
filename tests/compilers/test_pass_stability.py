"""An unrelated line added to a pipeline changes no other node, before and after each pass: neither ids nor digests."""

from __future__ import annotations

import importlib.util
import linecache
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drawloom.compilers.passes.fuse_nodes import FUSED, fuse_nodes
from drawloom.compilers.passes.order import PASSES, Pass, run_passes
from drawloom.compilers.passes.rewriting import with_blocks
from drawloom.dsl.tracing import trace
from drawloom.ir.nodes import Block, Call, Pipeline, PipelineCall
from drawloom.ir.program import pipeline_digest
from drawloom.ir.walk import blocks, walk

TASKS = """
from __future__ import annotations
from drawloom import *

@task
def double(n: int) -> int: return 2 * n
@task
def total(numbers: list[int]) -> int: return sum(numbers)
@task
def small(n: int) -> bool: return n < 10
@task
def fallback(failure: Failure) -> int: return 0
@task
def log(n: int) -> None: print(n)
@task
def other(n: int) -> int: return n

@pipeline
def inner(n: int) -> int:
    first = double(n)
    return double(first) + first

"""
LINES = """
@pipeline
def p(n: int, rows: list[list[int]], table: dict[str, list[int]]) -> int:
    a = double(n)
    nested = inner(a)
    chosen = branch(nested > 5, lambda: double(nested), lambda: 1)
    grown = while_loop(small, double, chosen, max_iterations=2)
    saved = try_(lambda: inner(grown), {ValueError: fallback}, lambda: log(grown))
    cells = for_each(rows, lambda row: for_each(row, lambda cell: double(cell + saved)))
    flat = for_each(table["flat"], lambda cell: inner(cell))
    b = double(saved)
    c = double(b)
    last = total(flat)
    return last + c + cells[0][0]
"""
HEAD = 3  # lines before the first statement
STATEMENTS = LINES.count("\n") - HEAD
CHAIN = 9  # the line between `b` and `c`, which the pass that fuses makes one group of
ADDED = "unrelated"


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Any]:
    """Gives the pipeline with an unrelated line before the given statement; None: without one."""
    made: list[str] = []

    def build(place: int | None) -> Pipeline:
        lines = LINES.splitlines()
        if place is not None:
            lines.insert(HEAD + place, f"    {ADDED} = other(n)")
        path = tmp_path / "stable_tasks.py"
        path.write_text(TASKS + "\n".join(lines), encoding="utf-8")
        linecache.checkcache(str(path))
        spec = importlib.util.spec_from_file_location("stable_tasks", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["stable_tasks"] = module
        made.append("stable_tasks")
        spec.loader.exec_module(module)
        return trace(module.p).program.pipeline

    yield build
    for name in made:
        sys.modules.pop(name, None)


def parts(pipeline: Pipeline) -> dict[str, str]:
    """Node id -> the digest of all the node is, the nodes in its blocks left out, which have their own."""
    found = {}
    for node in walk(pipeline.body):
        alone = with_blocks(node, [Block((), block.results) for block in blocks(node)])
        found[node.id] = pipeline_digest(Pipeline("p", body=Block((alone,))))
    return {name: digest for name, digest in found.items() if name != ADDED}


def unchanged(pipeline: Pipeline) -> Pipeline:
    return pipeline


@pytest.mark.parametrize("one", [unchanged, *PASSES, run_passes], ids=lambda one: one.__name__)
def test_an_unrelated_line_changes_no_other_node(one: Pass, traced: Any) -> None:
    expected = parts(one(traced(None)))
    for place in range(STATEMENTS):
        if place == CHAIN - 1 and one in (fuse_nodes, run_passes):
            continue
        made = one(traced(place))
        assert any(node.id == ADDED for node in walk(made.body))
        assert parts(made) == expected, place


def test_a_line_inside_a_chain_takes_it_apart_and_changes_no_call_before_its_end(traced: Any) -> None:
    whole, divided = fuse_nodes(traced(None)), fuse_nodes(traced(CHAIN - 1))
    chains = [node for node in walk(whole.body) if isinstance(node, PipelineCall) and node.pipeline == FUSED]
    assert ["b", "c"] in [[node.id for node in chain.body.nodes] for chain in chains]
    before, after = parts(whole), parts(divided)
    calls = [node.id for node in walk(whole.body) if isinstance(node, Call)]
    assert [name for name in calls if before[name] != after[name]] == []
    assert "c~fused" not in after
