"""Programs in a store: the pipeline a run was started with, and where its user wrote each node.

A program lies under its digest, so a run that names the digest can be read wherever the store can, without the user's
modules. Spans lie beside it, outside the digest: moving a line makes no new program, it only moves the spans. The
sources of its tasks' functions lie under the digests of those.
"""

from __future__ import annotations

import json

from drawloom.catalog import keys
from drawloom.catalog.functions import save_function_sources
from drawloom.errors import Diagnostic, Span, StoreError
from drawloom.ir.canonical import canonical_json, digest_bytes
from drawloom.ir.program import Program, load_pipeline, pipeline_json
from drawloom.ir.serialize import MalformedDocument
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.objects import RENEW_SECONDS

__all__ = ["load_program", "save_program"]


def save_program(storage: Storage, program: Program) -> str:
    """Puts a program into a store, once.

    Args:
        storage: the project's storage.
        program: the pipeline, its spans, and the sources of its functions.

    Returns:
        The pipeline's digest, 64 hex characters, under which `load_program` finds it.

    Raises:
        StoreError: the storage can't be written.
    """
    text = canonical_json(pipeline_json(program.pipeline)).encode("ascii")
    digest = digest_bytes(text)
    if not storage.create(keys.pipeline_key(digest), text):
        storage.renew(keys.pipeline_key(digest), RENEW_SECONDS)
    spans = {node: [span.file, span.line, span.symbol] for node, span in program.spans.items()}
    spans_text = canonical_json(spans).encode("ascii")
    key = keys.spans_key(digest)
    # the latest wins: they point into files as they are now, and the same program may have moved in them
    if not storage.create(key, spans_text) and storage.read(key) != spans_text:
        storage.write(key, spans_text)
    save_function_sources(storage, program.sources)
    return digest


def load_program(storage: Storage, digest: str) -> Program:
    """The program under `digest`.

    Raises:
        StoreError: it isn't there, its bytes don't have the digest, or a newer drawloom wrote it (S452).
    """
    try:
        text = storage.read(keys.pipeline_key(digest))
    except KeyMissing:
        raise _unreadable(storage, digest, "it isn't in the store") from None
    if digest_bytes(text) != digest:
        raise _unreadable(storage, digest, "its bytes don't have this digest")
    try:
        pipeline = load_pipeline(json.loads(text))
    except MalformedDocument as problem:
        raise _unreadable(storage, digest, str(problem)) from problem
    return Program(pipeline, _load_spans(storage, digest))


def _load_spans(storage: Storage, digest: str) -> dict[str, Span]:
    """The spans, or none: they only help people, so a program without them can be read as well."""
    try:
        tree = json.loads(storage.read(keys.spans_key(digest)))
        return {node: Span(str(file), int(line), str(symbol)) for node, (file, line, symbol) in tree.items()}
    except (KeyMissing, ValueError, TypeError, AttributeError):
        return {}


def _unreadable(storage: Storage, digest: str, reason: str) -> StoreError:
    return StoreError(
        Diagnostic(
            code="S452",
            what=f"the program {digest[:12]} can't be read: {reason}",
            where=Span(f"{storage.url}/{keys.pipeline_key(digest)}", 0),
            fix="read the store with the drawloom that wrote it, or run the pipeline again: it writes the program anew",
        )
    )
