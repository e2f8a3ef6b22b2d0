"""What a compiled program has in the store, whichever engine starts its steps."""

from __future__ import annotations

import json

from drawloom.compilers.passes.plan import StepPlan
from drawloom.ir.canonical import canonical_json
from drawloom.ir.program import Program, pipeline_json
from drawloom.ir.slices import LAYOUT, layout_text, slice_text, step_file

__all__ = ["program_files", "readable_json"]


def program_files(program: Program, plan: StepPlan) -> dict[str, str | bytes]:
    """The pipeline, its spans, its functions' sources and the slices: relative path -> content."""
    spans = {node: [span.file, span.line, span.symbol] for node, span in program.spans.items()}
    files: dict[str, str | bytes] = {
        "pipeline.json": canonical_json(pipeline_json(program.pipeline)),
        "spans.json": canonical_json(spans),
        f"steps/{step_file(LAYOUT)}": layout_text(plan.places),
    }
    for digest in sorted(program.sources):
        files[f"functions/{digest}.json"] = canonical_json(program.sources[digest])
    for step in plan.steps:
        files[f"steps/{step_file(step.id)}"] = slice_text(step)
    return files


def readable_json(tree: object) -> str:
    """JSON for people: indented, its keys sorted."""
    return json.dumps(tree, indent=1, sort_keys=True) + "\n"
