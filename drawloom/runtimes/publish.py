"""Publishing a compiled program: what its steps read goes into the store, before an engine may start any of them; and
what its begin step is given."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from drawloom.catalog import keys
from drawloom.catalog.records import ValueRef
from drawloom.errors import Diagnostic, RunRefused, Span
from drawloom.ir.canonical import Json, digest_bytes
from drawloom.ir.protocol import asked_text
from drawloom.storage.base import KeyMissing, Storage
from drawloom.storage.objects import RENEW_SECONDS

if TYPE_CHECKING:
    from drawloom.catalog.catalog import Catalog

__all__ = ["Pushed", "begin_asked", "begin_text", "publish_folder", "publish_program", "read_engine", "read_files"]

_FORMAT: Final = 0
_FOLDERS: Final = ("functions", "steps")


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


def read_files(folder: str | os.PathLike[str]) -> dict[str, bytes]:
    """What `publish_program` needs of a folder that a compiler has written.

    Args:
        folder: where `compile(...).write(...)` has put it.
    """
    names = ["bundle.zip", "pipeline.json", "spans.json"]
    for inner in _FOLDERS:
        path = os.path.join(folder, inner)
        names += [f"{inner}/{name}" for name in sorted(os.listdir(path))] if os.path.isdir(path) else []
    files = {}
    for name in names:
        with open(os.path.join(folder, *name.split("/")), "rb") as file:
            files[name] = file.read()
    return files


class Pushed(NamedTuple):
    """A program that was published.

    Attributes:
        pipeline: the pipeline's name.
        program, bundle: digests of the pipeline and of the code bundle.
        store: where it is.
        size_bytes: what the files have together.
    """

    pipeline: str
    program: str
    bundle: str
    store: str
    size_bytes: int


def publish_folder(folder: str | os.PathLike[str], store: str | None = None) -> Pushed:
    """Publishes what a compiler has written, to the store it was compiled for.

    Args:
        folder: where `compile(...).write(...)` has put it.
        store: the store's URL as it is reached from here; None for the one it was compiled for.

    Raises:
        RunRefused: E716, the folder holds no compiled program that knows its store.
        StoreError: the store can't be written.
    """
    from drawloom.catalog.catalog import Catalog

    engine = read_engine(folder)
    url = store or engine.get("store")
    if not url:
        problem = f"it is for {engine['engine']}, which has no store of its own"
        raise _no_program(folder, problem, "name the store: `--store URL`")
    files = read_files(folder)
    catalog = Catalog.open(url, engine.get("project", "default"))
    sha = publish_program(catalog.storage, files, engine["program"])
    return Pushed(engine["pipeline"], engine["program"], sha, url, sum(map(len, files.values())))


def read_engine(folder: str | os.PathLike[str], wanted: str | None = None) -> Json:
    """What `engine.json` of a compiled program tells.

    Args:
        folder: where a compiler has written it.
        wanted: the engine it must be for; None for any.

    Raises:
        RunRefused: E716, there is none, or it is another engine's or another version's.
    """
    engine: Json = {}
    try:
        with open(os.path.join(folder, "engine.json"), encoding="utf-8") as file:
            engine = json.load(file)
        problem = "" if wanted in (None, engine["engine"]) else f"it is a program for {engine['engine']!r}"
        if not problem and engine.get("format") != _FORMAT:
            problem = f"it has the format {engine.get('format')!r}; this drawloom runs {_FORMAT}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{type(error).__name__}: {error}"
    if problem:
        fix = f'write one there: `drawloom.compile(pipeline, "{wanted or "argo"}").write(folder)`'
        raise _no_program(folder, problem, fix, wanted)
    return engine


def _no_program(folder: str | os.PathLike[str], problem: str, fix: str, wanted: str | None = None) -> RunRefused:
    path = os.path.join(folder, "engine.json")
    what = f"{path} is no program of {'an' if wanted is None else f'the {wanted}'} engine: {problem}"
    return RunRefused(Diagnostic("E716", what, Span(path, 0), fix))


def begin_text(
    catalog: Catalog,
    params: Mapping[str, Json],
    engine: str,
    ids: Sequence[Sequence[str]] = (),
    logical_time: str = "",
    interval: tuple[str, ...] = (),
    told: Mapping[str, Any] | None = None,
) -> str:
    """What the begin step is given as `--run`; a long parameter is an object and goes by its digest.

    Args:
        catalog: where the objects are.
        params: parameter name -> envelope tree.
        engine: the engine's name.
        ids: (name, text) pairs, the engine's names of its own run that are known now.
        logical_time, interval: the times the run is for, ISO 8601.
        told: fields of the run's record that the caller alone knows: `target`, `static`, `deployed_to`, `resumed`.
    """
    return asked_text(begin_asked(catalog, params, engine, ids, logical_time, interval, told))


def begin_asked(
    catalog: Catalog,
    params: Mapping[str, Json],
    engine: str,
    ids: Sequence[Sequence[str]] = (),
    logical_time: str = "",
    interval: tuple[str, ...] = (),
    told: Mapping[str, Any] | None = None,
) -> dict[str, Json]:
    """`begin_text`, before it is made a text."""
    given: dict[str, Json] = {}
    for name, tree in params.items():
        ref = catalog.values.ref(tree)
        long = {"object": ref.object, "digest": ref.digest, "size_bytes": ref.size_bytes}
        given[name] = long if ref.object else {"tree": tree}
    known = dict(told or {})
    static: tuple[tuple[str, ValueRef], ...] = known.get("static", ())
    asked: dict[str, Json] = {
        "engine": engine,
        "ids": [list(pair) for pair in ids],
        "logical_time": logical_time,
        "interval": list(interval),
        "params": given,
        "target": known.get("target", ""),
        "static": [[name, ref.digest, ref.size_bytes, ref.tree, ref.object, ref.type] for name, ref in static],
    }
    return asked | {name: known[name] for name in ("deployed_to", "resumed") if known.get(name)}


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
