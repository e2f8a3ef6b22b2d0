"""Reading what a `@container` function returned: every part of its command checked, and made the IR's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from drawloom.dsl.container import ImageCommand, Placeholder
from drawloom.dsl.place import function_span, refusal
from drawloom.errors import did_you_mean
from drawloom.ir.container import result_fields, result_kind
from drawloom.ir.tasks import Container, InputPath, InputText, OutputPath
from drawloom.ir.types import Type

__all__ = ["read_command"]

# Any: whatever the user put into the command

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SUFFIX = re.compile(r"[-A-Za-z0-9._]*\Z")


def read_command(function: Any, returned: ImageCommand, inputs: Mapping[str, Type], result: Type | None) -> Container:
    """The container of a `@container` function.

    Args:
        function: the function, for messages.
        returned: what it returned.
        inputs: its parameters.
        result: the type it is declared to return, None if it isn't.

    Raises:
        DefinitionError: D170, D171, D173.
    """
    return _Reader(function, inputs, _outputs(function, result)).read(returned)


def _outputs(function: Any, result: Type | None) -> dict[str, Type]:
    if result is None:
        raise refusal(
            "D171",
            f"the container `{function.__name__}` doesn't say what it gives",
            "annotate its result; `-> None` if it leaves no files",
            function_span(function),
        )
    fields = dict(result_fields(result))
    for name, type_ in fields.items():
        if not result_kind(type_):
            what = f"the field `{name}` of the result" if name else "the result"
            raise refusal(
                "D171",
                f"{what} of the container `{function.__name__}` has the type `{type_}`, which no file can hold",
                "use File, Directory, str, int, float, bool, lists and dicts of such, or a NamedTuple of these",
                function_span(function),
            )
    _refuse_twins(function, fields)
    return fields


def _refuse_twins(function: Any, names: Mapping[str, Type]) -> None:
    """Names that a file system without case takes for one."""
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(name.casefold(), name)
        if twin != name:
            raise refusal(
                "D171",
                f"`{twin}` and `{name}` of the container `{function.__name__}` differ only in case; both become files",
                "rename one of them",
                function_span(function),
            )


class _Reader:
    """Reads one command."""

    def __init__(self, function: Any, inputs: Mapping[str, Type], outputs: Mapping[str, Type]) -> None:
        self._function = function
        self._outputs = outputs
        self._suffixes: dict[str, str] = {}
        _refuse_twins(function, inputs)

    def read(self, returned: ImageCommand) -> Container:
        image, command = returned.image, returned.command
        if type(image) is not str or not image.strip() or image.startswith("-"):
            raise self._wrong(f"the image is {image!r:.80}", "name an image: `debian:12`, `name@sha256:...`")
        if isinstance(command, str) or not isinstance(command, (list, tuple)) or not command:
            fix = 'give the program and its arguments as a list: `["ffmpeg", "-i", video]`'
            raise self._wrong(f"the command is {command!r:.80}", fix)
        return Container(image, tuple(self._argument(argument) for argument in command), self._env(returned.env))

    def _argument(self, argument: object) -> tuple[str | InputPath | InputText | OutputPath, ...]:
        parts = argument if isinstance(argument, tuple) else (argument,)
        return tuple(self._part(part) for part in parts)

    def _part(self, part: object) -> str | InputPath | InputText | OutputPath:
        if type(part) is str:
            if "\0" in part:
                raise self._wrong("a part of the command has a null character", "no program can be given one")
            return part
        if type(part) is not Placeholder:
            fix = "texts, parameters, `input_path(...)`, `output_path(...)`, or tuples of these; write numbers as texts"
            raise self._wrong(f"a part of the command is {part!r:.80}", fix)
        if part._dl_kind == "text":
            return InputText(part._dl_name)
        if part._dl_kind == "path":
            return InputPath(part._dl_name)
        return self._output(part._dl_name, part._dl_suffix)

    def _output(self, name: str, suffix: str) -> OutputPath:
        if name not in self._outputs:
            known = [n for n in self._outputs if n]
            if not self._outputs:
                what, fix = "the command has an output_path(), but the result is None", "annotate what it gives"
            elif name:
                what = f"output_path({name!r}) names no field of the result{did_you_mean(name, known)}"
                fix = f"name one of: {', '.join(known)}" if known else "call output_path() without a name"
            else:
                what, fix = "output_path() doesn't say which field of the result", f"name one of: {', '.join(known)}"
            raise self._wrong(what, fix)
        if type(suffix) is not str or not _SUFFIX.match(suffix):
            raise self._wrong(f"the suffix {suffix!r:.80} of an output can't end a file's name", "use one like `.wav`")
        if self._suffixes.setdefault(name, suffix) != suffix:
            raise self._wrong(f"the output {name or 'result'!r} has two suffixes", "use one of them everywhere")
        return OutputPath(name, suffix)

    def _env(self, env: Any) -> tuple[tuple[str, str], ...]:
        if env is None:
            return ()
        if not isinstance(env, Mapping):
            raise self._wrong(f"`env` is {env!r:.80}", 'give a dict: `{"LANG": "C"}`')
        for name, text in env.items():
            if type(name) is not str or not _VARIABLE.match(name) or type(text) is not str or "\0" in text:
                raise self._wrong(
                    f"`env` has {name!r}: {text!r:.80}", "names of letters, digits and _; texts as values"
                )
        return tuple(sorted(env.items()))

    def _wrong(self, what: str, fix: str) -> Exception:
        return refusal("D173", f"container `{self._function.__name__}`: {what}", fix, function_span(self._function))
