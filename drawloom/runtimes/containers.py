"""Running a task's container: its inputs written as files, its command made, its results read from files.

A folder on this machine holds `in` and `out`; in the container they lie below `ir.container.ROOT`. What is here is the
same wherever the container runs: on this machine (`container_command`), or between two stages of a pod (`stage_in`).
Standard library alone: a step loads this module.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from typing import Any, Final

from drawloom.errors import Diagnostic, NodeFailed
from drawloom.ir.container import ROOT, input_kind, result_fields, result_kind
from drawloom.ir.tasks import Container, InputPath, InputText, OutputPath, TaskSpec
from drawloom.ir.types import Type
from drawloom.runtimes.plain_text import plain_text, plain_value, result_of

__all__ = [
    "command_line",
    "container_of",
    "ended_badly",
    "make_folders",
    "quoted",
    "read_result",
    "run_container",
    "write_inputs",
]

# Any: values of the user's

_TEXT_LIMIT_BYTES: Final = 1 << 20  # of a result that is a text or a number
_ARGUMENT_LIMIT_BYTES: Final = (128 << 10) - 1  # of Linux, for one argument
_TAIL_LINES, _TAIL_CHARACTERS = 10, 2000
_NOT_STARTED: Final = {125: "it couldn't be started", 126: "its program can't be run", 127: "its program isn't there"}
_KILLED: Final = 137


def container_of(spec: TaskSpec) -> Container:
    """The container of a task that has one."""
    assert spec.container is not None, f"{spec.name} runs a container"
    return spec.container


def run_container(spec: TaskSpec, given: Mapping[str, Any]) -> Any:
    """Runs a task's container on this machine and waits for its end.

    Args:
        spec: the task.
        given: parameter name -> value.

    Returns:
        What the task returns.

    Raises:
        NodeFailed: R560, it ended with another exit code than 0; R561, it left no such results; R562, there is nothing
            to run it by; R563, an input can't be handed over.
    """
    from drawloom.runtimes.container_command import run_here
    from drawloom.values.scratch import new_folder

    folder = new_folder()
    make_folders(spec, folder)
    arguments = command_line(spec, given, write_inputs(spec, given, folder))
    code, said = run_here(container_of(spec), arguments, folder)
    if code:
        raise ended_badly(spec, code, said)
    return read_result(spec, folder)


def make_folders(spec: TaskSpec, folder: str) -> None:
    """Makes `in` and `out`, and those for results that are folders; whoever the container runs as may write there."""
    outputs = [_result_path(spec, folder, name) for name, t in result_fields(spec.result) if t.name == "directory"]
    for path in (os.path.join(folder, "in"), os.path.join(folder, "out"), *outputs):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o777)  # noqa: S103  # the image's own user


# inputs


def write_inputs(spec: TaskSpec, given: Mapping[str, Any], folder: str) -> dict[str, str]:
    """Writes a task's inputs below `folder`; returns where each lies, from there.

    A file lies at `in/<parameter>/<its name>`; a folder, a text or a number at `in/<parameter>`; all else as JSON at
    `in/<parameter>.json`.

    Raises:
        NodeFailed: R563.
    """
    placed = {}
    for port in spec.inputs:
        if port.name in given:
            placed[port.name] = _write(spec, port.name, port.type, given[port.name], folder)
    return placed


def _write(spec: TaskSpec, name: str, type_: Type, value: Any, folder: str) -> str:
    kind, place = input_kind(type_), f"in/{name}"
    path = os.path.join(folder, "in", name)
    if kind == "directory":
        shutil.copytree(value.path, path)
        _readable(path)
    elif kind == "file":
        os.mkdir(path)
        place = f"{place}/{value.name}"
        shutil.copyfile(value.path, os.path.join(path, value.name))
        _readable(path)
    else:
        if kind == "json":
            place, path = f"{place}.json", f"{path}.json"
        try:
            text = plain_text(value, kind)
        except ValueError as error:
            raise _not_handed(spec, name, f"JSON can't hold it: {error}") from None
        with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
        os.chmod(path, 0o644)
    return place


def _readable(path: str) -> None:
    """Lets every user read: the container may run as any."""
    os.chmod(path, 0o755)  # noqa: S103
    for root, folders, files in os.walk(path):
        for name in folders:
            os.chmod(os.path.join(root, name), 0o755)  # noqa: S103
        for name in files:
            os.chmod(os.path.join(root, name), 0o644)


def _not_handed(spec: TaskSpec, name: str, why: str) -> NodeFailed:
    return NodeFailed(
        Diagnostic(
            "R563",
            f"the input `{name}` of task `{spec.name}` can't be handed to its container: {why}",
            None,
            "hand it over as a `File` that a @task has written, or put `input_path(...)` into the command",
        )
    )


def command_line(spec: TaskSpec, given: Mapping[str, Any], placed: Mapping[str, str], root: str = ROOT) -> list[str]:
    """The command of a task's container.

    Args:
        spec: the task.
        given: parameter name -> value.
        placed: what `write_inputs` gave.
        root: where the folder is seen by the command.

    Raises:
        NodeFailed: R563, no program can be given such a text.
    """

    def part(one: str | InputPath | InputText | OutputPath) -> str:
        match one:
            case str():
                return one
            case InputPath(name):
                return f"{root}/{placed[name]}"
            case InputText(name):
                return _argument(spec, name, plain_text(given[name], "text"))
            case OutputPath(name):
                return _result_path(spec, root, name)

    made = ["".join(part(one) for one in argument) for argument in container_of(spec).command]
    if not made[0]:
        what = f"the command of the container of task `{spec.name}` names no program: its first text is empty"
        raise NodeFailed(Diagnostic("R563", what, None, "give the program a name, or name it in the command"))
    return made


def _argument(spec: TaskSpec, name: str, text: str) -> str:
    if "\0" in text:
        raise _not_handed(spec, name, "it has a null character, which no argument of a program can have")
    if len(text.encode("utf-8", "surrogateescape")) > _ARGUMENT_LIMIT_BYTES:
        raise _not_handed(spec, name, f"it has {len(text):,} characters, too many for an argument of a program")
    return text


# results


def _result_path(spec: TaskSpec, root: str, name: str) -> str:
    suffixes = [
        part.suffix
        for argument in container_of(spec).command
        for part in argument
        if isinstance(part, OutputPath) and part.name == name
    ]
    return f"{root}/out/{name or 'result'}{suffixes[0] if suffixes else ''}"


def read_result(spec: TaskSpec, folder: str) -> Any:
    """What a task returns, read from what its container left below `folder`.

    Raises:
        NodeFailed: R561, a result is missing, or is none of its type.
    """
    return result_of(spec.result, lambda name, type_: _read(spec, folder, name, type_))


def _read(spec: TaskSpec, folder: str, name: str, type_: Type) -> Any:
    path, kind = _result_path(spec, folder, name), result_kind(type_)
    shown = f"{ROOT}/{os.path.relpath(path, folder)}"
    what = f"the result `{name}`" if name else "the result"
    wanted = "directory" if kind == "directory" else "file"
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        raise _bad_result(spec, f"{what} isn't there: no {wanted} {shown}") from None
    if not (stat.S_ISDIR(mode) if kind == "directory" else stat.S_ISREG(mode)):
        raise _bad_result(spec, f"{what} is no {wanted}: {shown}")  # a link would lead anywhere on this machine
    if kind in ("file", "directory"):
        from drawloom.values.files import Directory, File

        return (Directory if kind == "directory" else File)(path)
    text = _content(spec, path, what, kind)
    try:
        return plain_value(text.removesuffix("\n").removesuffix("\r"), type_, kind)
    except (ValueError, RecursionError) as error:
        told = f"{text.strip()[:80]!r} is no {type_}" if kind == "text" else f"it is no JSON: {error}"
        raise _bad_result(spec, f"{what} in {shown}: {told}") from None


def _content(spec: TaskSpec, path: str, what: str, kind: str) -> str:
    size = os.path.getsize(path)
    if kind == "text" and size > _TEXT_LIMIT_BYTES:
        raise _bad_result(spec, f"{what} has {size:,} bytes; a text or a number may have {_TEXT_LIMIT_BYTES:,}")
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise _bad_result(
            spec, f"{what} can't be read: {getattr(error, 'strerror', None) or 'it is no UTF-8'}"
        ) from None


def _bad_result(spec: TaskSpec, problem: str) -> NodeFailed:
    return NodeFailed(
        Diagnostic(
            "R561",
            f"the container of task `{spec.name}` ended well, but {problem}",
            None,
            "let its command write the result where `output_path()` says, or correct what the function is declared to "
            "return",
        )
    )


def ended_badly(spec: TaskSpec, code: int, said: bytes) -> NodeFailed:
    """What a task fails with whose container ended with another exit code than 0; `said` is the end of its output."""
    why = _NOT_STARTED.get(code, "it was killed, perhaps for its memory" if code == _KILLED else "")
    tail = _tail(said)
    told = f", having written:\n{tail}" if tail else ""
    return NodeFailed(
        Diagnostic(
            "R560",
            f"the container of task `{spec.name}` ended with exit code {code}{f': {why}' if why else ''}{told}",
            None,
            "see the node's log; run the image by hand with the same command",
        )
    )


def _tail(said: bytes) -> str:
    text = said.decode("utf-8", "replace").rstrip()[-_TAIL_CHARACTERS:]
    return "\n".join(f"    {line.rstrip()}" for line in text.splitlines()[-_TAIL_LINES:])


def quoted(arguments: Sequence[str]) -> str:
    """A command as a POSIX shell takes it to mean these very arguments."""
    from shlex import quote

    return " ".join(map(quote, arguments))
