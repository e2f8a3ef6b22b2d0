"""Containers on this machine: run by `docker`, `podman`, or what DRAWLOOM_CONTAINER_COMMAND names.

A container must not outlive whoever waits for it, however that ends: a small process of its own sits at a pipe that
closes when we are gone, and then removes the container. Standard library alone: a step loads this module.
"""

from __future__ import annotations

import codecs
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final

from drawloom.errors import Diagnostic, NodeFailed, Span
from drawloom.ir.container import ROOT
from drawloom.ir.tasks import Container

if TYPE_CHECKING:
    import subprocess

__all__ = ["container_command", "missing_command", "run_here"]

_VARIABLE: Final = "DRAWLOOM_CONTAINER_COMMAND"
_KNOWN: Final = ("docker", "podman")
_TAIL_BYTES: Final = 8192
# removes the container `$0` by the command `$@` once its stdin ends; tries again, as it may be just being made
_GUARD: Final = 'cat >/dev/null; for n in 1 2 3 4 5; do "$@" rm -f "$0" >/dev/null 2>&1 && exit; sleep 1; done'


def container_command() -> list[str]:
    """The command that runs containers here, as the first words of a command line; empty if there is none."""
    named = os.environ.get(_VARIABLE, "")
    if named:
        words = shlex.split(named)
        return words if words and shutil.which(words[0]) else []
    return next(([name] for name in _KNOWN if shutil.which(name)), [])


def missing_command(what: str, where: Span | None = None) -> Diagnostic:
    """R562: nothing on this machine runs containers.

    Args:
        what: what needs one, to begin the sentence: "`convert`".
        where: the user's line.
    """
    named = os.environ.get(_VARIABLE, "")
    reason = f"{_VARIABLE}={named!r} is no program" if named else f"neither {' nor '.join(_KNOWN)} is on PATH"
    fix = f"install docker or podman, or name a command that takes docker's options in {_VARIABLE}"
    return Diagnostic("R562", f"{what} runs a container, and {reason}", where, fix)


def run_here(container: Container, arguments: Sequence[str], folder: str) -> tuple[int, bytes]:
    """Runs a container to its end; what it writes goes to stdout, which an attempt keeps.

    Args:
        container: the image and its variables.
        arguments: the program and its arguments.
        folder: holds `in` and `out`.

    Returns:
        Its exit code, and the end of what it wrote.

    Raises:
        NodeFailed: R562.
    """
    import subprocess

    command = container_command()
    if not command:
        raise NodeFailed(missing_command(f"the image {container.image}"))
    name = f"drawloom-{os.urandom(8).hex()}"
    line = [*command, "run", "--rm", "--name", name, *_options(command, container, folder)]
    line += ["--entrypoint", arguments[0], container.image, *arguments[1:]]
    guard = subprocess.Popen(
        ["/bin/sh", "-c", _GUARD, name, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # who kills us with our group is to leave it
    )
    try:
        with subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as client:
            try:
                said = _passed_on(client)
                code = client.wait()
            except BaseException:
                _close(guard)  # it removes the container
                guard.wait()
                client.kill()
                raise
        guard.kill()  # `--rm` has removed it
    finally:
        _close(guard)
        guard.wait()
    return code, said


def _close(guard: subprocess.Popen[bytes]) -> None:
    if guard.stdin is not None:
        with suppress(OSError):
            guard.stdin.close()


def _options(command: Sequence[str], container: Container, folder: str) -> list[str]:
    there = ("in", "readonly"), ("out", "")
    made = []
    for name, option in there:
        mount = f"type=bind,source={os.path.join(os.path.abspath(folder), name)},target={ROOT}/{name}"
        made += ["--mount", f"{mount},{option}" if option else mount]
    made += ["--security-opt", "label=disable"]  # else SELinux keeps it from what is mounted
    if os.getuid():  # else what it writes would belong to root, and couldn't be removed again
        rootless = any(os.path.basename(word).startswith("podman") for word in command)
        made += ["--userns=keep-id"] if rootless else ["--user", f"{os.getuid()}:{os.getgid()}"]
    for variable, text in container.env:
        made += ["--env", f"{variable}={text}"]
    return made


def _passed_on(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None, "it was opened as a pipe"
    tail = b""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    with process.stdout as pipe:
        while data := _read(pipe):
            tail = (tail + data)[-_TAIL_BYTES:]
            _show(decoder.decode(data))
        _show(decoder.decode(b"", True))
    return tail


def _show(text: str) -> None:
    """Writes to stdout, whatever stands there: a notebook's has no bytes, a terminal's may know few characters."""
    stream = sys.stdout
    if stream is not None and text:
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


def _read(pipe: IO[bytes]) -> bytes:
    return os.read(pipe.fileno(), 1 << 16)  # what is there: not as much as was asked for
