"""The passes, in the order in which a compiler may run all of them.

Each needs no other; together they give the flattest form. A pass comes after those that make what it removes: unrolled
loops make groups and branches, guards make maps, and all of them make decisions. What only makes steps larger is last.
Fused chains are pipeline calls that hold nodes: inlining takes them apart again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from drawloom.compilers.passes.batch_maps import batch_maps
from drawloom.compilers.passes.flatten_maps import flatten_maps
from drawloom.compilers.passes.fuse_nodes import fuse_nodes
from drawloom.compilers.passes.guard_branches import guard_branches
from drawloom.compilers.passes.inline_pipelines import inline_pipelines
from drawloom.compilers.passes.lift_cleanup import lift_cleanup
from drawloom.compilers.passes.separate_decisions import separate_decisions
from drawloom.compilers.passes.unroll_loops import unroll_loops
from drawloom.ir.nodes import Pipeline

__all__ = ["PASSES", "Pass", "run_passes"]


class Pass(Protocol):
    """A pure function from a checked pipeline to a checked pipeline that means the same."""

    __name__: str

    def __call__(self, pipeline: Pipeline, /) -> Pipeline:
        """The pipeline in another form; options are keyword arguments with defaults."""
        ...


PASSES: Final[tuple[Pass, ...]] = (
    lift_cleanup,
    unroll_loops,
    inline_pipelines,
    guard_branches,
    flatten_maps,
    batch_maps,
    separate_decisions,
    fuse_nodes,
)


def run_passes(pipeline: Pipeline, passes: Sequence[Pass] = PASSES) -> Pipeline:
    """The pipeline after each of the passes, one after another.

    Args:
        pipeline: a checked pipeline.
        passes: the passes, in order.
    """
    for one in passes:
        pipeline = one(pipeline)
    return pipeline
