"""Running other programs to their end, with errors that are one line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.places import Unavailable


def output(
    arguments: Sequence[str | Path],
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    text: str | None = None,
) -> str:
    """What a program prints on stdout.

    Args:
        arguments: The program and its arguments.
        folder: Where it runs.
        environment: Variables added to this process's own.
        text: What it reads on stdin.

    Raises:
        Unavailable: The program isn't there, or fails; the message holds the last line of its stderr.
    """
    name = Path(arguments[0]).name
    try:
        done = subprocess.run(
            [str(argument) for argument in arguments],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            input=text or "",
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as problem:
        raise Unavailable(f"{name} is not installed") from problem
    if done.returncode != 0:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        last = lines[-1] if lines else "no message"
        shown = " ".join(str(argument) for argument in arguments)[:160]
        raise Unavailable(f"`{shown}` failed with status {done.returncode}: {last}")
    return done.stdout


def find(name: str) -> str | None:
    """The path of a program, looked for where system programs lie, too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin")
