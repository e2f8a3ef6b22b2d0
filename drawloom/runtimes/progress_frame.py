"""The picture that progress draws in a terminal: rows of calls that fit its width and height, and a line in total."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from drawloom.display.colours import STATE_STYLES, Segment
from drawloom.display.formats import cells, cut, format_seconds, one_line
from drawloom.runtimes.tally import Row, Tally

__all__ = ["Frame"]

_MOST_ROWS: Final = 40  # of a run that goes on
_FEW_ROWS: Final = 16  # of one that has ended, where not all fit on the screen
_LONGEST_NAME: Final = 60
_SIGNS: Final = {
    "succeeded": ("✓", "+"),
    "cached": ("✓", "="),
    "failed": ("✗", "x"),
    "skipped": ("-", "-"),
    "pending": ("·", "."),
    "cancelled": ("✗", "x"),
}
_SPINNER: Final = ("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\")
_NOTED: Final = ("cached", "failed", "skipped")  # counts that are shown in the notes of a row


class Frame:
    """Draws the rows of a tally as lines of styled segments.

    Args:
        unicode: whether the terminal can show more than ASCII.
    """

    def __init__(self, *, unicode: bool) -> None:
        self._ascii = not unicode
        self._ellipsis = "…" if unicode else "..."
        self._bar = ("━", "╌") if unicode else ("#", "-")

    def lines(
        self, tally: Tally, name: str, elapsed: float, now: float, width: int, height: int, outcome: str = ""
    ) -> list[list[Segment]]:
        """The lines of the picture.

        Args:
            tally: what is drawn.
            name: the pipeline's name.
            elapsed: how long the run has taken, in seconds.
            now: `time.monotonic`.
            width, height: of the terminal, in cells.
            outcome: how the run ended, "" while it goes on.
        """
        every = list(tally.rows.values())
        if outcome:
            rows = _left_behind(every, max(_FEW_ROWS, height - 8), now)
        else:
            rows = _chosen(every, max(1, min(_MOST_ROWS, height - 4)))
        left = len(tally.rows) - len(rows)
        lines = self._rows(rows, now, width, outcome)
        if left:
            told = ", these failed or took longest" if outcome else ""
            lines.append([(f"  {left:,} calls more{told}", "dim")])
        return lines if outcome else [*lines, self._total(tally, name, elapsed, width)]

    def _rows(self, rows: Sequence[Row], now: float, width: int, outcome: str) -> list[list[Segment]]:
        many = any(row.many for row in rows)
        counts = [_count(row) for row in rows]
        times = [format_seconds(row.elapsed(now)) if row.state != "skipped" else "" for row in rows]
        count_width = max(map(len, counts), default=0)
        time_width = max(map(len, times), default=0)
        bar_width = 0 if not many or width < 60 else 10 if width < 120 else 24
        taken = (
            2 + 1 + 9 + (1 + bar_width if bar_width else 0) + (1 + count_width if count_width else 0) + 1 + time_width
        )
        names = [one_line(row.node) for row in rows]
        longest = max(map(cells, names), default=0)
        name_width = max(8, min(longest, _LONGEST_NAME if width < 160 else 2 * _LONGEST_NAME, width - taken - 1))
        lines = []
        for row, name, count, time in zip(rows, names, counts, times, strict=True):
            state = _state(row, outcome)
            style = STATE_STYLES[state]
            shown = cut(name, name_width, self._ellipsis)
            line: list[Segment] = [
                (f"{self._sign(state, now)} ", style),
                (shown + " " * (name_width - cells(shown)), ""),
            ]
            line.append((f" {state:<9}", style))
            if bar_width:
                line += self._bar_of(row, bar_width)
            if count_width:
                line.append((f" {count:>{count_width}}", ""))
            line.append((f" {time:>{time_width}}", ""))
            notes = _notes(row)
            room = width - taken - name_width - 2
            if notes and room >= 8:
                line.append((f"  {cut(notes, room - 1, self._ellipsis)}", "dim"))
            lines.append(line)
        return lines

    def _bar_of(self, row: Row, width: int) -> list[Segment]:
        if not row.many or row.total is None or not row.exact:
            return [(" " * (width + 1), "")]
        share = 1.0 if not row.total else min(1.0, row.done / row.total)
        full = int(share * width)
        return [(" " + self._bar[0] * full, STATE_STYLES[row.outcome]), (self._bar[1] * (width - full), "dim")]

    def _sign(self, state: str, now: float) -> str:
        if state == "running":
            signs = _SPINNER[self._ascii]
            return signs[int(now * 8) % len(signs)]
        return _SIGNS[state][self._ascii]

    def _total(self, tally: Tally, name: str, elapsed: float, width: int) -> list[Segment]:
        rows = tally.rows.values()
        states = [row.state for row in rows]
        single = sum(not row.many for row in rows)
        parts = [f"{sum(s not in ('pending', 'running') for s in states):,}/{len(states):,} calls"]
        items, known = sum(row.done for row in rows if row.many), sum(row.total or 0 for row in rows if row.many)
        if len(states) > single and (items or known):
            exact = all(row.exact for row in rows if row.many)
            parts.append(f"{items:,}/{known:,} items" if exact and known else f"{items:,} items")
        for state, word in (("running", "running"), ("failed", "failed"), ("cached", "cached")):
            count = sum(getattr(row, state) for row in rows)
            if count:
                parts.append(f"{count:,} {word}")
        parts.append(format_seconds(elapsed))
        text = cut(f"{one_line(name)} running: {', '.join(parts)}", width - 1, self._ellipsis)
        return [(text, "bold")]


def _chosen(rows: list[Row], most: int) -> list[Row]:
    """The rows that are worth their place where not all fit, in program order: failed, running, newest, next."""
    if len(rows) <= most:
        return rows
    order = {"failed": 0, "running": 1, "succeeded": 2, "cached": 2, "skipped": 4, "pending": 3}
    ranked = sorted(range(len(rows)), key=lambda k: (order[rows[k].state], -(rows[k].until or 0.0), k))
    kept = set(ranked[:most])
    following = [k for k in range(len(rows)) if rows[k].state == "pending" and k not in kept][:2]
    if following and len(kept) > 8:  # what comes next, in place of what was done longest ago
        kept = {*ranked[: most - len(following)], *following}
    return [row for k, row in enumerate(rows) if k in kept]


def _left_behind(rows: list[Row], most: int, now: float) -> list[Row]:
    """The rows that stay on the screen after the run: all if they fit, else those that failed and the slowest."""
    if len(rows) <= most:
        return rows
    ranked = sorted(range(len(rows)), key=lambda k: (not rows[k].failed, -(rows[k].elapsed(now) or 0.0), k))
    kept = set(ranked[:_FEW_ROWS])
    return [row for k, row in enumerate(rows) if k in kept]


def _state(row: Row, outcome: str) -> str:
    state = row.state
    if not outcome or state not in ("running", "pending"):
        return state
    if state == "pending" or not row.done:
        return "skipped" if outcome == "succeeded" or state == "pending" else "cancelled"
    return "failed" if row.failed else "cancelled" if outcome != "succeeded" else row.outcome


def _count(row: Row) -> str:
    if not row.many or (row.total is None and not row.done):
        return ""
    return f"{row.done:,}/{row.total:,}" if row.exact and row.total is not None else f"{row.done:,}"


def _notes(row: Row) -> str:
    parts = []
    if row.many:
        parts += [f"{row.running:,} running"] if row.running else []
        parts += [f"{getattr(row, name):,} {name}" for name in _NOTED if getattr(row, name)]
    if row.retries:
        parts.append(f"{row.retries:,} {'retry' if row.retries == 1 else 'retries'}")
    return ", ".join(parts)
