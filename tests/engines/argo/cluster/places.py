"""Where things lie: what is built once (the cache), and what one run of the cluster writes (the state).

Both are outside the repository; each can be moved by a variable of the environment.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
"""The folder of the scripts, with the Go modules that pin the versions of all that is built."""

REPOSITORY = HERE.parents[2]

UNAVAILABLE_STATUS = 75
"""Exit status (EX_TEMPFAIL) of a script that can't do its work on this machine; tests skip on it."""


class Unavailable(Exception):
    """Something that the cluster is made of can't be had here; the message is one line that says what and why."""


def cache() -> Path:
    """The folder of what is built once: `$TEST_ARGO_CACHE`, else `~/.cache/drawloom-test/argo`."""
    return Path(os.environ.get("TEST_ARGO_CACHE") or Path.home() / ".cache" / "drawloom-test" / "argo")


def state() -> Path:
    """The folder of the running cluster: `$TEST_ARGO_STATE`, else `/tmp/drawloom-argo`.

    Raises:
        Unavailable: The path is too long for the sockets in it (107 bytes are all that a socket's path may have).
    """
    path = Path(os.environ.get("TEST_ARGO_STATE") or "/tmp/drawloom-argo").resolve()
    if len(str(path)) > 50:
        raise Unavailable(f"the path of the state folder is longer than 50 characters: {path}")
    return path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, so that two runs at once build or start nothing twice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """Tell on stderr what is being done; stdout is for what a script was asked for."""
    print(text, file=sys.stderr, flush=True)


def run_script(main: Callable[[], None]) -> None:
    """Run the body of a script; where something can't be had, say so in one line and exit with status 75."""
    try:
        main()
    except Unavailable as problem:
        name = Path(sys.argv[0]).name
        say(f"{name}: not available here: {' '.join(str(problem).split())}")
        sys.exit(UNAVAILABLE_STATUS)
