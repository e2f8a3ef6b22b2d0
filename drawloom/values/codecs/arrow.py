"""pyarrow tables and record batches, as Arrow IPC files; the digest is by content (`arrow_digest`).

Schema metadata comes back and counts, except what pandas notes about its own version.
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

from drawloom.ir.canonical import Json, digest_json
from drawloom.ir.envelope import NotEncodable
from drawloom.values.codecs.arrow_digest import UnknownLayout, arrow_digest
from drawloom.values.leaves import Leaves

__all__ = ["decode", "encode", "fetch_table", "place_table"]


_SAMPLE_BYTES: Final = 1 << 16
_WORTH: Final = 0.6  # a sample must shrink to less than this share for compression to pay
_STREAM_BYTES: Final = 1 << 20


def place_table(table: Any, leaves: Leaves) -> dict[str, Json]:
    """Keeps a table as an Arrow IPC file; returns the part of a tree that tells where.

    It is compressed (LZ4) where a sample says that this saves much; else it can be mapped into memory as it is.
    """
    if table.nbytes < _STREAM_BYTES:
        sink = pa.BufferOutputStream()
        _write(table, sink, "lz4")
        return leaves.place(sink.getvalue().to_pybytes())
    codec = "lz4" if _shrinks(table) else None
    sha, size = leaves.objects.put_written(lambda sink: _write(table, pa.PythonFile(sink, "w"), codec))
    return {"object": sha, "size": size}


def _write(table: Any, sink: Any, codec: str | None) -> None:
    options = pa.ipc.IpcWriteOptions(compression=codec, unify_dictionaries=True)
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)


def _shrinks(table: Any) -> bool:
    """Whether the beginnings of the columns' buffers shrink: content alone decides, so equal tables are kept alike."""
    before = after = 0
    for column in table.columns:
        for buffer in column.chunk(0).buffers() if column.num_chunks else ():
            if buffer is not None:
                sample = buffer[:_SAMPLE_BYTES]
                before += sample.size
                after += pa.compress(sample, codec="lz4", asbytes=False).size
    return after < _WORTH * before


def fetch_table(tree: Json, leaves: Leaves) -> tuple[Any, bool]:
    """The table that `place_table` kept; and whether it lies in a mapped file, where nobody can change it."""
    path = leaves.objects.verified_path(tree["object"]) if "object" in tree and "v" not in tree else None
    if path is None or tree["size"] < _STREAM_BYTES:
        with pa.ipc.open_file(pa.BufferReader(leaves.fetch(tree))) as reader:
            return reader.read_all(), False
    with pa.memory_map(path) as file, pa.ipc.open_file(file) as reader:
        table = reader.read_all()
    return table, table.nbytes <= tree["size"]  # compressed columns are not in the file as they are


def encode(value: Any, leaves: Leaves) -> Json:
    """The tree of a table or a record batch.

    Raises:
        NotEncodable: V304, it is another object of pyarrow's, or has a column without a digest.
    """
    if not isinstance(value, (pa.Table, pa.RecordBatch)):
        fix = "put it in a table: `pyarrow.table({'name': value})`"
        raise NotEncodable(value, "", "of pyarrow's objects only tables and record batches are kept", "V304", fix)
    is_table = isinstance(value, pa.Table)
    table = value if is_table else pa.Table.from_batches([value])
    try:
        digest = _digest(table)
        placed = place_table(table, leaves)
    except (UnknownLayout, pa.ArrowException) as error:
        reason = f"Arrow can't keep it ({error})"
        raise NotEncodable(value, "", reason, "V304", "convert the column to another Arrow type") from error
    tree = {"$": "arrow_table" if is_table else "arrow_batch", "rows": table.num_rows, "digest": digest}
    return tree | placed


def _digest(table: Any) -> str:
    columns = [
        [field.name.encode("utf-8", "surrogatepass").hex(), str(field.type), field.nullable, arrow_digest(column)]
        for field, column in zip(table.schema, table.columns, strict=True)
    ]
    notes = sorted((k.hex(), v.hex()) for k, v in (table.schema.metadata or {}).items() if k != b"pandas")
    return digest_json(["arrow", table.num_rows, columns, notes])


def decode(tree: Json, leaves: Leaves) -> Any:
    """The table or record batch of a tree."""
    table, _ = fetch_table(tree, leaves)
    if tree["$"] == "arrow_table":
        return table
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
