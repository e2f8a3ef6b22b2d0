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
_NO_SOURCES: Final[Mapping[str, Json]] = {}
_NO_DOCS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Program:
    """A traced pipeline.

    Args:
        pipeline: the IR.
        spans: node id -> where the user wrote it; `""` is the pipeline itself.
        sources: the digest of a task's function -> what it is made of (`dsl.manifest`); empty where nobody knows.
        docs: task name -> its docstring; `""` is the pipeline itself. No part of what the program is.
    """

    pipeline: Pipeline
    spans: Mapping[str, Span] = _NOWHERE
    sources: Mapping[str, Json] = _NO_SOURCES
    docs: Mapping[str, str] = _NO_DOCS

    def __eq__(self, other: object) -> bool:
        """Whether the pipelines are equal and stand in the same places; sources follow from the functions."""
        return isinstance(other, Program) and (self.pipeline, self.spans) == (other.pipeline, other.spans)

    __hash__ = None  # type: ignore[assignment]  # spans are a mapping

    def __repr__(self) -> str:
        return f"Program(pipeline={self.pipeline!r}, spans={self.spans!r})"


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
