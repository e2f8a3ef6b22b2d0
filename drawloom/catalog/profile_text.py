"""A table's profile and what changed in it, as lines for a terminal and as HTML for a notebook."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from drawloom.catalog.profile import ColumnProfile, Histogram, TableProfile

__all__ = ["column_range", "fit_table", "plain_text", "profile_html", "profile_lines", "short_number"]

_BARS: Final = "▁▂▃▄▅▆▇█"
_LEAST_WIDTH: Final = 40
_WIDE: Final = 100
_HTML_ROWS: Final = 200


def plain_text(text: str) -> str:
    """`text` on one line, with everything escaped that a terminal would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def short_number(value: float | str | None) -> str:
    """A number with four significant digits, other values as they are, "" for None."""
    if value is None:
        return ""
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, int) and abs(value) < 10**7:
        return str(value)
    return f"{value:.4g}"


def column_range(column: ColumnProfile) -> str:
    """What a column holds, in a few words: its range, or its most frequent values."""
    if column.kind in ("number", "duration", "datetime"):
        if column.minimum is None:
            return ""
        text = f"{short_number(column.minimum)} .. {short_number(column.maximum)}"
        return text if column.mean is None else f"{text}, mean {short_number(column.mean)}"
    shares = [f"{plain_text(text) or repr('')} {_share(count, column.rows)}" for text, count in column.top[:3]]
    return ", ".join(shares)


def _share(count: int, rows: int) -> str:
    """A share of rows; none of many is never shown as none."""
    if not count or not rows:
        return "0 %"
    share = 100 * count / rows
    return f"{share:.0f} %" if share >= 1 else "<1 %"


def _distinct(column: ColumnProfile) -> str:
    if column.distinct is None:
        return ""
    return f"{column.distinct:,}" if column.distinct_exact else f"~{short_number(float(column.distinct))}"


def bars(histogram: Histogram | None, characters: int = 20) -> str:
    """A histogram as a line of block characters; a bin that isn't empty has at least the lowest one.

    Args:
        histogram: what to draw; None gives "".
        characters: how many there may be; where there are more bins, neighbours are drawn as one.
    """
    if histogram is None:
        return ""
    joined = math.ceil(len(histogram.counts) / characters)
    counts = [sum(histogram.counts[start : start + joined]) for start in range(0, len(histogram.counts), joined)]
    most = max(counts, default=0)
    levels = len(_BARS) - 1
    return "".join(" " if not count else _BARS[math.ceil(levels * count / most)] for count in counts)


def profile_lines(table: TableProfile, width: int) -> list[str]:
    """The lines of `TableProfile.lines`."""
    width = max(width, _LEAST_WIDTH)
    titles = ["column", "type", "nulls", "distinct", "values", "histogram"]
    rows = [
        [
            plain_text(column.name),
            plain_text(column.type),
            _share(column.nulls, column.rows),
            _distinct(column),
            column_range(column),
            bars(column.histogram, 20 if width >= _WIDE else 10),
        ]
        for column in table.columns
    ]
    lines = [_headline(table)]
    if rows:
        lines += fit_table(titles, rows, width, right=(2, 3))
    if table.preview:
        names = [plain_text(column.name) for column in table.columns]
        cells = [[_preview_cell(cell) for cell in row] for row in table.preview]
        lines += ["", f"first {len(cells)} rows" if table.rows > len(cells) else "rows"]
        lines += fit_table(names, cells, width)
    return [cut(line, width) for line in lines]


def _headline(table: TableProfile) -> str:
    counted = f"{table.rows:,} row{'' if table.rows == 1 else 's'} x {len(table.columns):,} column"
    text = counted + ("" if len(table.columns) == 1 else "s")
    if table.index:
        text += f", index {plain_text(table.index)}"
    return f"{plain_text(table.part)}: {text}" if table.part else text


def _preview_cell(cell: Any) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.6g}"  # --json has all digits
    return plain_text(cell) if isinstance(cell, str) else str(cell)


def cut(text: str, width: int) -> str:
    """`text` in at most `width` cells of a terminal."""
    from rich.cells import cell_len, set_cell_size  # knows which characters take two

    return text if cell_len(text) <= width else f"{set_cell_size(text, max(0, width - 1))}…"


def fit_table(titles: Sequence[str], rows: Sequence[Sequence[str]], width: int, right: Sequence[int] = ()) -> list[str]:
    """A table whose widest columns give way until it fits; columns that find no room at all are left out and counted.

    Args:
        titles: one for each column.
        rows: cells as plain text.
        width: of a line at most.
        right: positions of columns that are set right.
    """
    from rich.cells import cell_len, set_cell_size

    widths = [max(cell_len(cell) for cell in column) for column in zip(titles, *rows, strict=True)]
    least = [min(w, 8) for w in widths]
    shown = len(widths)
    while shown > 1 and sum(least[:shown]) + 2 * (shown - 1) > width:
        shown -= 1
    widths = widths[:shown]
    while sum(widths) + 2 * (shown - 1) > width and max(widths) > 1:
        widest = max(range(shown), key=lambda place: widths[place])
        widths[widest] -= 1
    lines = []
    for cells in (titles, *rows):
        parts = []
        for place, (cell, size) in enumerate(zip(cells, widths, strict=False)):
            text = cut(cell, size)
            padding = size - cell_len(text)
            parts.append(" " * padding + text if place in right else set_cell_size(text, size))
        lines.append("  ".join(parts).rstrip())
    if shown < len(titles):
        lines.append(f"and {len(titles) - shown} more columns")
    return lines


def profile_html(table: TableProfile) -> str:
    """The HTML of `TableProfile._repr_html_`: everything escaped, no script, no style sheet."""
    heads = ("column", "type", "nulls", "distinct", "values", "histogram")
    lines = [f"<p>{escape(_headline(table))}</p>", _html_row(heads, "th")]
    for column in table.columns[:_HTML_ROWS]:
        cells = [column.name, column.type, _share(column.nulls, column.rows), _distinct(column), column_range(column)]
        lines.append(_html_row([*cells, bars(column.histogram)], "td"))
    lines[1:] = ["<table>", *lines[1:], "</table>"]
    if len(table.columns) > _HTML_ROWS:
        lines.append(f"<p>and {len(table.columns) - _HTML_ROWS} more columns</p>")
    if table.preview:
        names = [column.name for column in table.columns[:_HTML_ROWS]]
        lines += ["<table>", _html_row(names, "th")]
        lines += [_html_row([_preview_cell(cell) for cell in row[:_HTML_ROWS]], "td") for row in table.preview]
        lines.append("</table>")
    return "\n".join(lines)


def _html_row(cells: Sequence[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(plain_text(cell))}</{tag}>' for cell in cells)}</tr>"
