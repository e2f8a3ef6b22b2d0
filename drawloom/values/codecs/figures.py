"""matplotlib figures, and pictures: both as PNG files, so that what is in the store can be looked at.

A figure is drawn when it is handed over and arrives as a `Picture`. A `Picture` comes back as itself, with its digest.
"""

from __future__ import annotations

import io
from typing import Any

from drawloom.ir.canonical import Json
from drawloom.ir.envelope import NotEncodable
from drawloom.values.figure import Picture, picture_digest
from drawloom.values.leaves import Leaves

__all__ = ["decode", "encode"]


def encode(value: Any, leaves: Leaves) -> Json:
    """The tree of a figure or a picture.

    Raises:
        NotEncodable: V304, it is another object of matplotlib's, or can't be drawn.
    """
    png = value.png if type(value) is Picture else _draw(value)
    return {"$": "figure", **leaves.put(png), "digest": picture_digest(png)}


def _draw(figure: Any) -> bytes:
    from matplotlib.figure import Figure

    if not isinstance(figure, Figure):
        reason = "of matplotlib's objects only figures are kept"
        raise NotEncodable(figure, "", reason, "V304", "return the figure: `axes.figure`")
    file = io.BytesIO()
    try:
        # the library's name and version would change the bytes of an equal picture
        figure.savefig(file, format="png", metadata={"Software": None})
    except Exception as error:  # artists run whatever code they are made of
        reason = f"it can't be drawn ({type(error).__name__}: {error})"
        raise NotEncodable(
            figure, "", reason, "V304", "draw it once with `figure.savefig` to find the mistake"
        ) from error
    return file.getvalue()


def decode(tree: Json, leaves: Leaves) -> Any:
    """The picture of a tree."""
    return Picture(leaves.get(tree))
