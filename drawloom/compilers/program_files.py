"""What a compiled program has in the store, whichever engine starts its steps, and what says where that is."""

from __future__ import annotations

import json
from typing import Final

from drawloom.compilers.bundle import code_bundle, project_root
from drawloom.compilers.passes.plan import StepPlan
from drawloom.ir.canonical import Json, canonical_json
from drawloom.ir.program import Program, pipeline_json
from drawloom.ir.slices import LAYOUT, layout_text, slice_text, step_file

__all__ = ["engine_file", "program_code", "program_files", "readable_json"]

_FORMAT: Final = 0


def program_code(program: Program, root: str | None) -> bytes:
    """The code bundle of a program's tasks.

    Args:
        program: the program.
        root: the project's folder; None to find it by the modules of the tasks.

    Raises:
        CompileError: E703, E704, it can't be made.
    """
    modules = sorted({task.function.module for task in program.pipeline.tasks})
    if root is None and modules:
        root = project_root(modules)
    return code_bundle(root, modules)


def engine_file(engine: str, program: Program, digest: str, bundle: str, **more: Json) -> str:
    """The text of `engine.json`: digests, and what `publish_folder` needs to know besides.

    Args:
        engine: the engine.
        program: the program.
        digest, bundle: of its pipeline, and of its code bundle.
        more: further fields.
    """
    made: dict[str, Json] = {
        "format": _FORMAT,
        "engine": engine,
        "pipeline": program.pipeline.name,
        "program": digest,
        "bundle": bundle,
    }
    return readable_json(made | more)


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
