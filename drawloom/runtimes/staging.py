"""A container between two stages of one pod: `stage_in` writes what it needs, the image's shell runs it, `stage_out`
reads what it left.

    <root>/in, <root>/out    inputs and results, as anywhere else
    <root>/run.sh            the command, its arguments quoted; nothing of it stands in what the engine is given
    <root>/log, code, late   what the command wrote, its exit code, whether its time was over
    <root>/stage.json        what `stage_in` tells `stage_out`

The script always ends well, so that the second stage runs: that one says what the engine hears. Standard library alone:
a step loads this module.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from drawloom.ir.canonical import Json

__all__ = ["STAGE_OPTIONS", "Ended", "read_ended", "read_stage", "write_script", "write_stage"]

STAGE_OPTIONS: Final = ("store", "project", "run", "step", "index", "attempt", "root")
_SCRIPT: Final = """\
#!/bin/sh
# what drawloom runs in this container
root={root}
shown=
({exports}exec {command}) >"$root/log" 2>&1 &
command=$!
{watch}if command -v tail >/dev/null 2>&1; then tail -n +1 -f "$root/log" & shown=$!; fi
wait "$command"
echo "$?" >"$root/code"
[ -z "$shown" ] || kill "$shown"
exit 0
"""
_WATCH: Final = """\
if ! command -v sleep >/dev/null 2>&1; then
    echo 'the image has no `sleep`, which its time limit needs' >"$root/log"
    kill -9 "$command"
fi
(sleep {seconds} && echo late >"$root/late" && kill -9 "$command") &
"""
_NOTHING: Final = "#!/bin/sh\n# there is nothing to run: the outcome is known\nexit 0\n"


class Ended:
    """How a command ended.

    Args:
        code: its exit code, None if the script didn't come that far.
        late: whether it was ended because its time was over.
        log: what it wrote.
        seconds: from the end of the first stage to that of the command.
    """

    __slots__ = ("code", "late", "log", "seconds")

    def __init__(self, code: int | None, late: bool, log: bytes, seconds: float) -> None:
        self.code = code
        self.late = late
        self.log = log
        self.seconds = seconds


def write_script(root: str, arguments: Sequence[str], env: Mapping[str, str], seconds: float | None) -> None:
    """Writes `run.sh`.

    Args:
        root: the folder both stages and the command see.
        arguments: the command; empty if there is nothing to run.
        env: its variables.
        seconds: how long it may run, None for no limit.
    """
    text = _NOTHING
    if arguments:
        from drawloom.runtimes.containers import quoted

        exports = "".join(f"export {name}={quoted([value])}; " for name, value in env.items())
        # a fraction of a second is more than every `sleep` takes
        watch = "" if seconds is None else _WATCH.format(seconds=max(1, round(seconds)))
        text = _SCRIPT.format(root=quoted([root]), exports=exports, command=quoted(arguments), watch=watch)
    _write(os.path.join(root, "run.sh"), text)
    for name in ("log", "code"):
        _write(os.path.join(root, name), "")
        os.chmod(os.path.join(root, name), 0o666)  # noqa: S103  # the image's own user
    with suppress(PermissionError):  # a volume's own folder: everybody may write there already
        os.chmod(root, 0o777)  # noqa: S103


def write_stage(root: str, told: Mapping[str, Json]) -> None:
    """Writes what the second stage is told."""
    _write(os.path.join(root, "stage.json"), json.dumps(told))


def read_stage(root: str) -> dict[str, Json]:
    """What the first stage has told."""
    with open(os.path.join(root, "stage.json"), encoding="utf-8") as file:
        told: dict[str, Json] = json.load(file)
    return told


def read_ended(root: str) -> Ended:
    """How the command ended."""
    with open(os.path.join(root, "log"), "rb") as file:
        log = file.read()
    with open(os.path.join(root, "code"), encoding="ascii") as file:
        text = file.read().strip()
    began = os.stat(os.path.join(root, "stage.json")).st_mtime
    seconds = os.stat(os.path.join(root, "code")).st_mtime - began
    return Ended(int(text) if text else None, os.path.exists(os.path.join(root, "late")), log, max(0.0, seconds))


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)
