"""polars frames and series, as Arrow IPC files that polars writes and reads itself; the digest is by content."""

from __future__ import annotations

import io
from typing import Any

import polars as pl  # pyright: ignore[reportMissingImports]  # not among the tools of development

from drawloom.ir.canonical import Json, digest_json
from drawloom.ir.envelope import NotEncodable
from drawloom.values.codecs.arrow_digest import UnknownLayout, arrow_digest
from drawloom.values.leaves import Leaves

__all__ = ["decode", "encode"]


def encode(value: Any, leaves: Leaves) -> Json:
    """The tree of a frame or a series.

    Raises:
        NotEncodable: V304, it is another object of polars', or holds Python objects.
    """
    if type(value) not in (pl.DataFrame, pl.Series):
        fix = "collect it: `frame.collect()`" if isinstance(value, pl.LazyFrame) else "put it in a polars.DataFrame"
        raise NotEncodable(value, "", "of polars' objects only frames and series are kept", "V304", fix)
    is_frame = isinstance(value, pl.DataFrame)
    frame = value if is_frame else value.to_frame()
    file = io.BytesIO()
    try:
        # the polars dtype counts too: an Enum and a Categorical look alike to Arrow
        columns = [[c.name, str(c.dtype), arrow_digest(c.to_arrow())] for c in frame.get_columns()]
        frame.write_ipc(file, compression="lz4")
    except (UnknownLayout, pl.exceptions.PolarsError) as error:
        reason = f"Arrow can't keep it ({error})"
        raise NotEncodable(value, "", reason, "V304", "convert the column to a dtype without Python objects") from error
    tree = {"$": "polars" if is_frame else "polars_series", "rows": len(frame)}
    return tree | {"digest": digest_json(["polars", len(frame), columns]), **leaves.place(file.getvalue())}


def decode(tree: Json, leaves: Leaves) -> Any:
    """The frame or series of a tree."""
    frame = pl.read_ipc(io.BytesIO(leaves.fetch(tree)))
    return frame if tree["$"] == "polars" else frame.to_series()
