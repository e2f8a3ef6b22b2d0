"""What surrounds a run: signals that ask it to end, child processes that print, misspelt settings."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

import pytest

SOURCE = """
import subprocess, sys, time
from drawloom import pipeline, task


@task
def shout(n: int) -> int:
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    return n


@task
def wait(n: int) -> int:
    open("started", "w").close()
    time.sleep(60)
    return n


@pipeline
def loud(n: int = 1) -> int:
    return shout(n)


@pipeline
def slow(n: int = 1) -> int:
    return wait(n)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flow.py").write_text(SOURCE)
    return tmp_path


def _start(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "DRAWLOOM_CACHE": str(folder / "cache"), **variables}
    return subprocess.Popen(
        [sys.executable, "-m", "drawloom", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_a_child_process_prints_does_not_mix_with_the_answer(folder: Path) -> None:
    process = _start(folder, "run", "flow.py:loud", "--json", "--quiet")
    out, err = process.communicate()
    assert (process.returncode, json.loads(out)["state"]) == (0, "succeeded")
    assert "from a child\n" in err


@pytest.mark.parametrize("executor", ["threads", "processes", "inline"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_as_cancelled(folder: Path, executor: str, number: signal.Signals) -> None:
    process = _start(folder, "run", "flow.py:slow", "--quiet", "--executor", executor)
    deadline = time.monotonic() + 30
    while not (folder / "started").exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out.startswith("slow cancelled in ")
    listed, _ = _start(folder, "runs", "--json").communicate()
    assert [run["state"] for run in json.loads(listed)["runs"]] == ["cancelled"]


def test_a_variable_that_means_nothing_is_refused(folder: Path) -> None:
    process = _start(folder, "runs", DRAWLOOM_CATALGO="elsewhere")
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err == (
        "error[P608] there is no setting DRAWLOOM_CATALGO, did you mean `DRAWLOOM_CATALOG`?\n"
        "  where  DRAWLOOM_CATALGO\n"
        "  fix    unset it, or set one of DRAWLOOM_BUNDLE, DRAWLOOM_CACHE, DRAWLOOM_CATALOG, "
        "DRAWLOOM_CONTAINER_COMMAND, DRAWLOOM_DEBUG, DRAWLOOM_EXECUTOR, DRAWLOOM_FAULTS, DRAWLOOM_PROFILE, "
        "DRAWLOOM_PROJECT, DRAWLOOM_SCRATCH, DRAWLOOM_WORKERS, DRAWLOOM_SECRET_<NAME>\n"
    )


def test_logs_show_a_failures_traceback_and_where_a_cached_nodes_output_is(folder: Path) -> None:
    (folder / "fails.py").write_text(
        "from drawloom import pipeline, task\n\n\n"
        "@task\ndef hello(n: int) -> int:\n    print('hello')\n    return n\n\n\n"
        "@task\ndef bad(n: int) -> int:\n    print('before')\n    raise ValueError('no')\n\n\n"
        "@pipeline\ndef both(n: int = 1) -> int:\n    return bad(hello(n))\n"
    )
    first = json.loads(_start(folder, "run", "fails.py:both", "--json", "--quiet").communicate()[0])["run"]
    out, err = _start(folder, "logs", "last", "bad").communicate()
    assert out.startswith("before\nTraceback (most recent call last):\n")
    assert out.endswith("ValueError: no\n")
    assert err == ""
    _start(folder, "run", "fails.py:both", "--quiet").communicate()
    out, err = _start(folder, "logs", "last", "hello").communicate()
    assert (out, err) == ("", f"answered from run {first}, which has the output: `drawloom logs {first} hello`\n")


@pytest.mark.parametrize("columns", [40, 80])
def test_a_narrow_terminal_loses_neither_ids_nor_states(folder: Path, columns: int) -> None:
    (folder / "fine.py").write_text(
        "from drawloom import pipeline, task\n\n\n"
        "@task\ndef same(n: int) -> int:\n    return n\n\n\n"
        "@pipeline\ndef a_pipeline_with_a_rather_long_name_for_a_table(n: int = 1) -> int:\n    return same(n)\n"
    )
    target = "fine.py:a_pipeline_with_a_rather_long_name_for_a_table"
    run = json.loads(_start(folder, "run", target, "--json", "--quiet").communicate()[0])["run"]
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")} | {
        "NO_COLOR": "1",
        "TERM": "xterm",
    }
    command = [sys.executable, "-m", "drawloom", "runs"]
    subprocess.run(command, cwd=folder, env=variables, stdout=terminal, stderr=terminal, check=True)
    os.close(terminal)
    shown = ""
    with suppress(OSError):  # EIO: all is read
        while piece := os.read(main, 65536):
            shown += piece.decode()
    os.close(main)
    row = next(line for line in shown.splitlines() if line.startswith(run))
    assert re.search(r"  a_pipe\w*…  ", row)
    assert "succeeded" in row
