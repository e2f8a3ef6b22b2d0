"""What `import drawloom` costs over a bare interpreter."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.timing import PYTHON, processes_ms


def rows() -> Iterator[tuple[str, str, str, str]]:
    found = processes_ms(
        {
            "bare": [PYTHON, "-c", "pass"],
            "dataclasses": [PYTHON, "-c", "import dataclasses"],
            "drawloom": [PYTHON, "-c", "import drawloom; from drawloom import task, pipeline"],
        }
    )
    over = found["drawloom"] - found["bare"]
    floor = f"bare {found['bare']:.0f} ms; `import dataclasses` +{found['dataclasses'] - found['bare']:.0f} ms"
    yield "`from drawloom import task, pipeline`", f"+{over:.0f} ms", floor, "<= 40 ms"
