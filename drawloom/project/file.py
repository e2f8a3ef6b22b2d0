"""Finding and reading the project file; everything wrong in it is told at once, each with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from drawloom.errors import Diagnostic, ProjectError, Span, did_you_mean
from drawloom.project.lines import KeyPath, key_lines
from drawloom.project.model import Profile, ProjectModel

__all__ = ["ProjectFile", "find_project", "read_project"]

_NAME: Final = "drawloom.toml"
_TABLE: Final[KeyPath] = ("tool", "drawloom")
_POSITION: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True)
class ProjectFile:
    """A project file that has been read.

    Args:
        path: the file.
        model: what it says.
        lines: path of keys (below `[tool.drawloom]` in a `pyproject.toml`) -> line.
    """

    path: Path
    model: ProjectModel
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    @property
    def targets(self) -> dict[str, str]:
        """Short name -> target of `[pipelines]`, files made absolute."""
        return {short: self._absolute(target) for short, target in self.model.pipelines.items()}

    def _absolute(self, target: str) -> str:
        place, _, name = target.rpartition(":")
        return f"{self.path.parent / place}:{name}" if place.endswith(".py") else target

    def span(self, *keys: str) -> Span:
        """Where the key at the path `keys` stands."""
        return Span(str(self.path), self.lines.get(keys, 0), ".".join(keys))


def find_project(start: Path) -> ProjectFile | None:
    """The project file of `start` or of the nearest folder above it that has one.

    Args:
        start: a folder.

    Returns:
        The file's content, or None if no folder up to the root has a project file.

    Raises:
        ProjectError: the file found can't be read (P606), isn't TOML (P601), or says something wrong (P602, P603,
            P605, P607).
    """
    for folder in (start.resolve(), *start.resolve().parents):
        own, shared = folder / _NAME, folder / "pyproject.toml"
        has_table = shared.is_file() and _has_table(shared)
        if own.is_file() and has_table:
            raise ProjectError(_two_files(own, shared))
        if own.is_file():
            return read_project(own)
        if has_table:
            return read_project(shared)
    return None


def _two_files(own: Path, shared: Path) -> Diagnostic:
    lines = key_lines(shared.read_text(encoding="utf-8"))
    return Diagnostic(
        "P607",
        f"the folder has two project files: {own.name}, and [tool.drawloom] in {shared.name}",
        Span(str(shared), lines.get(_TABLE, 0), "tool.drawloom"),
        f"keep one of them: move what [tool.drawloom] says into {own.name}, or the other way round",
    )


def _has_table(path: Path) -> bool:
    """Whether a `pyproject.toml` has our table. One that is broken and doesn't name us is none of our business."""
    text = _read_text(path)
    if "drawloom" not in text:
        return False
    document = _parse(path, text)
    tool = document.get("tool")
    return isinstance(tool, dict) and "drawloom" in tool


def read_project(path: Path) -> ProjectFile:
    """Reads one project file.

    Args:
        path: a `drawloom.toml`, or a `pyproject.toml` whose `[tool.drawloom]` table counts.

    Raises:
        ProjectError: the file can't be read (P606), isn't TOML (P601), or has wrong keys (P602) or values (P603).
    """
    text = _read_text(path)
    document: Any = _parse(path, text)
    lines = key_lines(text)
    if path.name == "pyproject.toml":
        document = document.get("tool", {}).get("drawloom", {})
        lines = {keys[2:]: line for keys, line in lines.items() if keys[:2] == _TABLE}
    try:
        model = ProjectModel.model_validate(document)
    except ValidationError as error:
        raise ProjectError(_diagnostics(path, lines, error)) from None
    found = ProjectFile(path, model, lines)
    if model.default_profile is not None and model.default_profile not in model.profiles:
        raise ProjectError(unknown_profile(model.default_profile, found, found.span("default_profile")))
    return found


def unknown_profile(name: str, project: ProjectFile | None, where: Span | None) -> Diagnostic:
    """The diagnostic for a profile that the project file doesn't have (P605)."""
    known = sorted(project.model.profiles) if project is not None else []
    file = project.path.name if project is not None else _NAME
    listed = f"it has {', '.join(known) or 'none'}" if project is not None else "there is none here or above"
    return Diagnostic(
        "P605",
        f"there is no profile {name!r}{did_you_mean(name, known)}",
        where,
        f"name a profile of {file} ({listed}), or add [profiles.{name}] to it",
    )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        fix = "make the file readable, or work in another folder"
        what = f"the project file can't be read: {error.strerror}"
        raise ProjectError(Diagnostic("P606", what, Span(str(path), 0), fix)) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        fix = "save the file as UTF-8, which TOML asks for"
        raise ProjectError(Diagnostic("P601", "the project file isn't UTF-8", Span(str(path), line), fix)) from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        position = _POSITION.search(message)
        line = int(position[1]) if position and position[1] else len(text.splitlines())
        reason = _POSITION.sub("", message)
        what = f"the project file isn't TOML: {reason[:1].lower()}{reason[1:]}"
        fix = "mend this line (see https://toml.io/en/v1.0.0); texts stand in quotes, true and false in lower case"
        raise ProjectError(Diagnostic("P601", what, Span(str(path), line), fix)) from error


def _diagnostics(path: Path, lines: Mapping[KeyPath, int], error: ValidationError) -> Iterator[Diagnostic]:
    for problem in sorted(error.errors(), key=lambda e: _line(lines, _keys(e["loc"]))):
        keys = _keys(problem["loc"])
        where = Span(str(path), _line(lines, keys), ".".join(keys))
        if problem["type"] == "extra_forbidden":
            yield _unknown_key(keys, where)
        else:
            yield _wrong_value(keys, problem, where)


def _keys(location: tuple[int | str, ...]) -> KeyPath:
    return tuple(str(part) for part in location)


def _line(lines: Mapping[KeyPath, int], keys: KeyPath) -> int:
    """The line of a key, or of the nearest table around it that has one."""
    while keys and keys not in lines:
        keys = keys[:-1]
    return lines.get(keys, 0)


def _unknown_key(keys: KeyPath, where: Span) -> Diagnostic:
    model: type[BaseModel] = Profile if keys[0] == "profiles" else ProjectModel
    known = sorted(model.model_fields)
    place = f" in [profiles.{keys[1]}]" if model is Profile else ""
    hint = did_you_mean(keys[-1], known)
    what = f"unknown key `{keys[-1]}`{place}{hint}"
    return Diagnostic("P602", what, where, f"remove it, or use one of {', '.join(known)}")


_EXPECTED: Final = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "greater_than_equal": "a whole number, at least 1",
    "string_type": "a text",
    "string_too_short": "a text that isn't empty",
    "dict_type": "a table",
    "model_type": "a table",
}


def _wrong_value(keys: KeyPath, problem: Any, where: Span) -> Diagnostic:
    expected = _EXPECTED.get(problem["type"]) or _expected_text(keys, problem)
    got = problem["input"]
    what = f"`{'.'.join(keys)}` must be {expected}, got {_toml(got)}"
    return Diagnostic("P603", what, where, _fix(keys, got, expected))


def _expected_text(keys: KeyPath, problem: Any) -> str:
    if problem["type"] == "literal_error":
        return f"one of {problem['ctx']['expected']}".replace(" or ", ", ")
    if keys[0] == "project":
        return "a name of lower-case letters, digits, `.`, `_` and `-` (at most 63)"
    if keys[0] == "pipelines":
        return '"file.py:name" or "module:name"'
    return str(problem["msg"])


def _toml(value: object) -> str:
    """A value as TOML would write it, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        value = f'"{value}"'
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _fix(keys: KeyPath, got: object, expected: str) -> str:
    if isinstance(got, str) and expected in ("true or false", "a whole number"):
        return f"write it without quotes: `{keys[-1]} = {got}`" if _would_do(got, expected) else f"write {expected}"
    return f"write {expected}"


def _would_do(text: str, expected: str) -> bool:
    return text in ("true", "false") if expected == "true or false" else text.isdigit()
