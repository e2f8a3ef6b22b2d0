"""Publishing a compiled program: what its steps read goes into the store, before an engine may start any of them."""

from __future__ import annotations

from collections.abc import Mapping

from drawloom.catalog import keys
from drawloom.ir.canonical import digest_bytes
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.objects import RENEW_SECONDS

__all__ = ["publish_program"]


def publish_program(storage: Storage, files: Mapping[str, str | bytes], program: str) -> str:
    """Writes a program's slices, pipeline, spans, sources and code bundle; what is there and equal stays as it is.

    The pipeline comes last: a program that can be found is whole.

    Args:
        storage: the project's storage.
        files: what a compiler made (`compilers.base.Bundle`).
        program: the pipeline's digest.

    Returns:
        The digest of the code bundle.

    Raises:
        StoreError: the storage can't be written.
    """
    code = _bytes(files["bundle.zip"])
    sha = digest_bytes(code)
    if not storage.create(keys.bundle_key(sha), code):
        storage.renew(keys.bundle_key(sha), RENEW_SECONDS)
    steps = keys.slice_key(program, "").rpartition("/")[0]
    for path in files:
        if path.startswith("steps/"):
            _put(storage, f"{steps}/{path.removeprefix('steps/')}", _bytes(files[path]))
        elif path.startswith("functions/"):
            key = keys.function_key(path.removeprefix("functions/").removesuffix(".json"))
            if not storage.exists(key):
                storage.create(key, _bytes(files[path]))
    _put(storage, keys.spans_key(program), _bytes(files["spans.json"]))
    if not storage.create(keys.pipeline_key(program), _bytes(files["pipeline.json"])):
        storage.renew(keys.pipeline_key(program), RENEW_SECONDS)
    return sha


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content


def _put(storage: Storage, key: str, data: bytes) -> None:
    """Slices of one program differ only where another drawloom or other options made them: then the latest counts."""
    if storage.create(key, data):
        return
    try:
        if storage.read(key) == data:
            return
    except KeyMissing:
        pass
    storage.write(key, data)
