"""Colours of states in pictures and in HTML: (fill, border), readable with dark text on a light or a dark page."""

from __future__ import annotations

from typing import Final

__all__ = ["COLOURS", "PLAIN"]

COLOURS: Final = {
    "succeeded": ("#d7f2dc", "#2e7d32"),
    "cached": ("#d6ecf8", "#0277bd"),
    "running": ("#fff2c2", "#b28704"),
    "failed": ("#fbd5d5", "#c62828"),
    "cancelled": ("#ecdcf4", "#7b1fa2"),
    "skipped": ("#f2f2f2", "#9e9e9e"),
    "pending": ("#ffffff", "#9e9e9e"),
    # of plans
    "run": ("#fff2c2", "#b28704"),
    "perhaps": ("#fdf8e4", "#b28704"),
    "fails": ("#fbd5d5", "#c62828"),
}
PLAIN: Final = {
    "call": ("#e8effa", "#4a6fa5"),
    "param": ("#ffffff", "#777777"),
    "result": ("#ffffff", "#777777"),
    "empty": ("#ffffff", "#bbbbbb"),
    "frame": ("#fafafa", "#a8b3c2"),
}
