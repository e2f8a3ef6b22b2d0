"""A program: a pipeline together with where it came from, and its digest.

Spans live beside the pipeline and outside every digest, so that moving a line changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from drawloom.errors import Span
from drawloom.frozen import dataclass
from drawloom.ir.canonical import Json, digest_json
from drawloom.ir.nodes import IR_VERSION, KNOWN_FEATURES, Pipeline
from drawloom.ir.serialize import MalformedDocument, from_json, to_json

__all__ = ["Program", "load_pipeline", "pipeline_digest", "pipeline_json"]


_NOWHERE: Final[Mapping[str, Span]] = {}


@dataclass(frozen=True, slots=True)
class Program:
    """A traced pipeline.

    Args:
        pipeline: the IR.
        spans: node id -> where the user wrote it; `""` is the pipeline itself.
    """

    pipeline: Pipeline
    spans: Mapping[str, Span] = _NOWHERE


def pipeline_json(pipeline: Pipeline) -> Json:
    """The JSON tree of a pipeline; `docs/ir.schema.json` describes it."""
    return to_json(pipeline)


def pipeline_digest(pipeline: Pipeline) -> str:
    """The digest of a pipeline, 64 hex characters: equal in every process, on every machine and Python version."""
    return digest_json(to_json(pipeline))


def load_pipeline(tree: Json) -> Pipeline:
    """A pipeline from its JSON tree.

    Raises:
        MalformedDocument: another `ir_version`, a required feature this version doesn't know, an unknown field,
            or more nesting than can be read.
    """
    version = tree.get("ir_version", IR_VERSION) if isinstance(tree, dict) else IR_VERSION
    if version != IR_VERSION:
        raise MalformedDocument(f"$.ir_version is {version!r}; this drawloom reads {IR_VERSION}")
    try:
        pipeline = from_json(Pipeline, tree)
    except RecursionError:
        raise MalformedDocument("$ is nested deeper than Python's stack") from None
    unknown = sorted(set(pipeline.requires) - KNOWN_FEATURES)
    if unknown:
        raise MalformedDocument(f"$.requires names features this drawloom doesn't know: {', '.join(unknown)}")
    return pipeline
