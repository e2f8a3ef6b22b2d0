"""The command line in a terminal: live progress, its width and colours, Ctrl-C, a terminal that is closed."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

import pytest

SOURCE = """
import time
from drawloom import for_each, pipeline, task


@task
def items(n: int) -> list[int]:
    return list(range(n))


@task
def nap(n: int) -> int:
    time.sleep(0.05)  # a run of a hundred lasts until it is drawn
    return n


@task
def wait(n: list[int]) -> int:
    open("started", "w").close()
    time.sleep(60)
    return 1


@task
def fail(n: list[int]) -> int:
    for line in range(15):
        print("line", line)
    raise ValueError("no luck")


@pipeline
def good(n: int = 100) -> list[int]:
    return for_each(items(n), nap)


@pipeline
def slow(n: int = 10) -> int:
    return wait(for_each(items(n), nap))


@pipeline
def failing(n: int = 100) -> int:
    return fail(for_each(items(n), nap))
"""
ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Window:
    """A terminal with a command in it."""

    def __init__(self, folder: Path, *arguments: str, columns: int = 80, stdout: Any = None, **variables: str) -> None:
        self.ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")}
        environment = {**kept, "TERM": "xterm-256color", "DRAWLOOM_CACHE": str(folder / "cache"), **variables}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "drawloom", *arguments],
            cwd=folder,
            env=environment,
            stdin=theirs,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        self.text = ""

    def read(self, *, until: str = "") -> str:
        """What is shown, until the command ends or `until` is."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if until and until in self.text:
                break
            if select.select([self.ours], [], [], 0.1)[0]:
                try:
                    got = os.read(self.ours, 65536)
                except OSError:
                    break
                if not got:
                    break
                self.text += got.decode()
        return self.text.replace("\r\n", "\n")

    def ended(self) -> int:
        return self.process.wait(timeout=60)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.ours)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text(SOURCE)
    return tmp_path


@pytest.fixture
def window(folder: Path) -> Any:
    opened = []

    def make(*arguments: str, **options: Any) -> Window:
        opened.append(Window(folder, *arguments, **options))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def runs_in(folder: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "drawloom", "runs", "--json"]
    environment = {**os.environ, "DRAWLOOM_CACHE": str(folder / "cache")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)["runs"]
    return found


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_rows_fit_the_window_and_stay(window: Any, columns: int) -> None:
    shown = window("run", "flow.py:good", columns=columns)
    text = shown.read()
    assert shown.ended() == 0
    assert "good running: " in text
    end = ANSI.sub("", text[text.rindex("\x1b[?25h") :])
    assert "100/100" in end
    assert end.count("good succeeded in ") == 1
    lines = [line for line in ANSI.sub("", text).splitlines() if "for_each" in line or "running" in line]
    assert all(len(line) < columns for line in lines)


def test_a_failure_is_told_once_with_its_log_and_what_to_do(window: Any) -> None:
    shown = window("run", "flow.py:failing", "--n", "3")
    text = ANSI.sub("", shown.read())
    assert shown.ended() == 1
    assert text.count("ValueError: no luck") == 1
    assert text.count("line 14") == 1
    run = re.search(r"drawloom debug (\S+) fail", text)
    assert run is not None
    assert f"drawloom resume {run[1]}" in text
    assert "flow.py:" in text


def test_whoever_sits_at_the_terminal_is_told_also_when_the_answer_goes_into_a_file(window: Any, folder: Path) -> None:
    with open(folder / "out", "w") as out:
        shown = window("run", "flow.py:failing", "--n", "3", stdout=out)
        text = ANSI.sub("", shown.read())
    assert shown.ended() == 1
    assert "fail failed: ValueError: no luck" in text
    assert "ValueError: no luck" in (folder / "out").read_text()
    assert "\x1b" not in (folder / "out").read_text()


@pytest.mark.parametrize(
    ("variables", "coloured", "moves"),
    [({}, True, True), ({"NO_COLOR": "1"}, False, True), ({"TERM": "dumb"}, False, False)],
)
def test_colours_and_cursor(window: Any, variables: dict[str, str], coloured: bool, moves: bool) -> None:
    shown = window("run", "flow.py:good", **variables)
    text = shown.read()
    assert shown.ended() == 0
    assert ("\x1b[32m" in text) is coloured
    assert ("\x1b[?25l" in text) is moves


def test_the_width_can_be_given(window: Any) -> None:
    window("run", "flow.py:good", "--n", "2").ended()
    wide, narrow = window("runs", COLUMNS="200", columns=80), window("runs", COLUMNS="50", columns=200)
    texts = [ANSI.sub("", one.read()) for one in (wide, narrow)]
    assert "3 succeeded" in texts[0] or "2 succeeded" in texts[0]
    assert "…" in texts[1]


def test_forced_colours_in_a_pipe_cut_nothing(window: Any, folder: Path) -> None:
    window("run", "flow.py:good", "--n", "2").ended()
    command = [sys.executable, "-m", "drawloom", "runs"]
    environment = {**os.environ, "DRAWLOOM_CACHE": str(folder / "cache"), "FORCE_COLOR": "1"}
    for name, coloured in (("", True), ("1", False)):
        done = subprocess.run(
            command, cwd=folder, env={**environment, "NO_COLOR": name}, capture_output=True, check=True
        )
        assert (b"\x1b[" in done.stdout) is coloured
        assert b"succeeded" in done.stdout


def test_ascii_terminals_get_ascii(window: Any) -> None:
    shown = window("run", "flow.py:good", PYTHONIOENCODING="ascii")
    text = shown.read()
    assert shown.ended() == 0
    assert text.isascii()
    assert "\\u" not in text
    assert "+ for_each/nap" in ANSI.sub("", text)


def test_ctrl_c_cancels_and_gives_the_terminal_back(window: Any, folder: Path) -> None:
    shown = window("run", "flow.py:slow")
    shown.read(until="wait")
    _until_started(folder)
    os.write(shown.ours, b"\x03")
    text = shown.read()
    assert shown.ended() == 130
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    assert "slow cancelled in " in text
    [run] = runs_in(folder)
    assert (run["state"], run["counts"]["succeeded"]) == ("cancelled", 3)


def test_a_closed_terminal_loses_nothing(window: Any, folder: Path) -> None:
    shown = window("run", "flow.py:slow")
    shown.read(until="wait")
    _until_started(folder)
    os.close(shown.ours)
    assert shown.ended() == 130
    [run] = runs_in(folder)
    assert (run["state"], run["counts"]["succeeded"]) == ("cancelled", 3)


def test_a_run_goes_on_under_nohup_when_its_terminal_is_closed(window: Any, folder: Path) -> None:
    source = (folder / "flow.py").read_text().replace("sleep(60)", "sleep(1)")
    (folder / "flow.py").write_text(f"import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n{source}")
    shown = window("run", "flow.py:slow")
    _until_started(folder)
    os.close(shown.ours)
    assert shown.ended() == 0
    assert [run["state"] for run in runs_in(folder)] == ["succeeded"]


def test_a_reader_of_progress_that_goes_away_does_not_end_a_run(folder: Path) -> None:
    line = f"{sys.executable} -m drawloom run flow.py:good 2>&1 >out | head -1; echo ${{PIPESTATUS[0]}}"
    environment = {**os.environ, "DRAWLOOM_CACHE": str(folder / "cache")}
    done = subprocess.run(["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0"
    assert "good succeeded in " in (folder / "out").read_text()


def _until_started(folder: Path) -> None:
    deadline = time.monotonic() + 30
    while not (folder / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)  # until what it did last is drawn
