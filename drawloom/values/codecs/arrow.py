"""pyarrow tables and record batches, as Arrow IPC files; the digest is by content (`arrow_digest`).

Schema metadata comes back and counts, except what pandas notes about its own version.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from drawloom.ir.canonical import Json, digest_json
from drawloom.ir.envelope import NotEncodable
from drawloom.values.codecs.arrow_digest import UnknownLayout, arrow_digest
from drawloom.values.leaves import Leaves

__all__ = ["decode", "encode", "read_ipc", "write_ipc"]


def write_ipc(table: Any) -> bytes:
    """The bytes of an Arrow IPC file with the table's columns, lightly compressed."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4", unify_dictionaries=True)
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def read_ipc(data: bytes) -> Any:
    """The table of an Arrow IPC file."""
    with pa.ipc.open_file(pa.BufferReader(data)) as reader:
        return reader.read_all()


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
        data = write_ipc(table)
    except (UnknownLayout, pa.ArrowException) as error:
        reason = f"Arrow can't keep it ({error})"
        raise NotEncodable(value, "", reason, "V304", "convert the column to another Arrow type") from error
    tree = {"$": "arrow_table" if is_table else "arrow_batch", "rows": table.num_rows, "digest": digest}
    return tree | leaves.place(data)


def _digest(table: Any) -> str:
    columns = [
        [field.name.encode("utf-8", "surrogatepass").hex(), str(field.type), field.nullable, arrow_digest(column)]
        for field, column in zip(table.schema, table.columns, strict=True)
    ]
    notes = sorted((k.hex(), v.hex()) for k, v in (table.schema.metadata or {}).items() if k != b"pandas")
    return digest_json(["arrow", table.num_rows, columns, notes])


def decode(tree: Json, leaves: Leaves) -> Any:
    """The table or record batch of a tree."""
    table = read_ipc(leaves.fetch(tree))
    if tree["$"] == "arrow_table":
        return table
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
