"""Progress in a terminal: a row for each call, redrawn while the run goes on, and left behind in its last state.

What a run prints before its first quarter of a second is over is printed at once, and nothing is drawn: a short run
doesn't pay for the library that draws.
"""

from __future__ import annotations

import atexit
import shutil
from typing import Any, ClassVar, Final, TextIO

from drawloom.catalog.commands import RunAddress
from drawloom.display.colours import Segment, has_colours, paint
from drawloom.display.formats import shows_unicode
from drawloom.runtimes.progress_frame import Frame
from drawloom.runtimes.progress_thread import ThreadedProgress, failure_block
from drawloom.runtimes.tally import Tally, Told

__all__ = ["LiveProgress"]

_BEFORE_DRAWING_SECONDS: Final = 0.25


class LiveProgress(ThreadedProgress):
    """Rows with states, progress and times, under the lines of what tasks print.

    Args:
        stream: the terminal.
        summary: whether failures are told in full and the end is told; not where the caller does it.
        at: where commands find the run, if not in the project's own catalog.
    """

    pause_seconds: ClassVar[float] = 0.125

    def __init__(self, stream: TextIO, *, summary: bool = True, at: RunAddress | None = None) -> None:
        super().__init__(stream, summary=summary, at=at)
        self._frame = Frame(unicode=shows_unicode(stream))
        self._live: Any = None  # rich.live.Live
        self._drawn: list[list[Segment]] = []

    def show(self, tally: Tally, told: list[Told], now: float, outcome: str) -> None:
        lines: list[str] = []
        for one in told:
            row = tally.rows.get(one.node)
            if one.kind != "failed":  # its end is in the frame, and at the end
                lines += self.log_lines(one, row)
            if one.kind in ("retrying", "noted", "cleared") or (one.kind == "failed" and (row is None or row.many)):
                lines.append(self.told_line(one))
        if outcome:
            self._end(tally, lines, now, outcome)
            return
        if self._live is None and now - self.began >= _BEFORE_DRAWING_SECONDS:
            self._start()
        if self._live is None:
            self._print(lines)
            return
        width, height = self._live.console.size
        self._drawn = self._frame.lines(tally, self.name, now - self.began, now, width, height)
        failed = [[(line, "")] for one in self._failures[-1:] for line in failure_block(self.address, one, 5)]
        self._drawn += failed[: max(0, height - len(self._drawn) - 2)]
        if lines:
            self._live.console.print(_rich([[(line, "")] for line in lines]), soft_wrap=True)
        self._live.refresh()

    def close(self) -> None:
        """Gives the terminal back, whatever happened."""
        self._over.set()
        live, self._live = self._live, None
        if live is not None:
            live.stop()
            atexit.unregister(self.close)

    def _start(self) -> None:
        from rich.console import Console  # 40 ms, in this thread: only a run that lasts pays for it
        from rich.live import Live

        console = Console(file=self.stream, highlight=False, markup=False, emoji=False)
        self._live = Live(
            get_renderable=lambda: _rich(self._drawn),
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start()
        atexit.register(self.close)

    def _end(self, tally: Tally, lines: list[str], now: float, outcome: str) -> None:
        self.close()
        self._print(lines)
        width, height = shutil.get_terminal_size()
        frame = self._frame.lines(tally, self.name, now - self.began, now, width, height, outcome)
        colours = has_colours(self.stream)
        self._print([paint(line, colours=colours) for line in frame] + self.end_lines(outcome, now))

    def _print(self, lines: list[str]) -> None:
        if lines:
            print("\n".join(lines), file=self.stream, flush=True)


def _rich(lines: list[list[Segment]]) -> Any:
    from rich.text import Text

    text = Text(no_wrap=True, overflow="crop", end="")
    text.append_text(Text("\n").join(Text.assemble(*line) for line in lines))
    return text
