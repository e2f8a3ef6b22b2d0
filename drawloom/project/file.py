"""Finding and reading the project file; everything wrong in it is told at once, each with its line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from drawloom.errors import Diagnostic, ProjectError, Span, did_you_mean
from drawloom.frozen import dataclass
from drawloom.project.model import ProjectModel, quickly_read

__all__ = ["ProjectFile", "absolute", "find_project", "read_project", "unknown_profile"]

_NAME: Final = "drawloom.toml"
_SHARED: Final = "pyproject.toml"
_AS_KEY: Final = r"""drawloom["']?[ \t]*[\].=]"""  # a name in a list of dependencies needs no parsing
_TABLE: Final = ("tool", "drawloom")
_POSITION: Final = r" \(at (?:line (\d+), column \d+|end of document)\)$"


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A project file that has been read.

    Args:
        path: the file.
        model: what it says.
        text: its text.
    """

    path: str
    model: ProjectModel
    text: str = ""

    @property
    def folder(self) -> str:
        """The folder it lies in."""
        return os.path.dirname(self.path)

    @property
    def targets(self) -> dict[str, str]:
        """Short name -> target of `[pipelines]`, files made absolute."""
        return {short: self._absolute(target) for short, target in self.model.pipelines.items()}

    def _absolute(self, target: str) -> str:
        place, _, name = target.rpartition(":")
        return f"{absolute(self.folder, place)}:{name}" if place.endswith(".py") else target

    def span(self, *keys: str) -> Span:
        """Where the key at the path `keys` stands."""
        return Span(self.path, _lines(self.path, self.text).get(keys, 0), ".".join(keys))


def absolute(base: str, path: str) -> str:
    """An absolute path without `.` and double slashes; `..` stays: what lies above a link isn't said by its path."""
    parts = os.path.join(base, path).split(os.sep)
    return os.sep + os.sep.join(part for part in parts if part not in ("", "."))


def find_project(start: str | os.PathLike[str]) -> ProjectFile | None:
    """The project file of `start` or of the nearest folder above it that has one.

    Args:
        start: a folder.

    Returns:
        The file's content, or None if no folder up to the root has a project file.

    Raises:
        ProjectError: the file found can't be read (P606), isn't TOML (P601), or says something wrong (P602, P603,
            P605, P607).
    """
    folder, inner = os.path.realpath(start), ""
    while folder != inner:
        own, shared = os.path.join(folder, _NAME), os.path.join(folder, _SHARED)
        has_own, has_table = os.path.isfile(own), os.path.isfile(shared) and _has_table(shared)
        if has_own and has_table:
            raise ProjectError(_two_files(shared))
        if has_own or has_table:
            return read_project(own if has_own else shared)
        folder, inner = os.path.dirname(folder), folder
    return None


def _two_files(shared: str) -> Diagnostic:
    from drawloom.project.lines import key_lines  # an error may take its time

    lines = key_lines(_read_text(shared))
    return Diagnostic(
        "P607",
        f"the folder has two project files: {_NAME}, and [tool.drawloom] in {_SHARED}",
        Span(shared, lines.get(_TABLE, 0), "tool.drawloom"),
        f"keep one of them: move what [tool.drawloom] says into {_NAME}, or the other way round",
    )


def _has_table(path: str) -> bool:
    """Whether a `pyproject.toml` has our table. One that is broken and doesn't name us is none of our business."""
    text = _read_text(path)
    if re.search(_AS_KEY, text) is None:
        return False
    document = _parse(path, text)
    tool = document.get("tool")
    return isinstance(tool, dict) and "drawloom" in tool


def read_project(path: str | os.PathLike[str]) -> ProjectFile:
    """Reads one project file.

    Args:
        path: a `drawloom.toml`, or a `pyproject.toml` whose `[tool.drawloom]` table counts.

    Raises:
        ProjectError: the file can't be read (P606), isn't TOML (P601), or has wrong keys (P602) or values (P603).
    """
    path = os.fspath(path)
    text = _read_text(path)
    document: Any = _parse(path, text)
    if os.path.basename(path) == _SHARED:
        document = document.get("tool", {}).get("drawloom", {})
    model = quickly_read(document)
    if model is None:
        from drawloom.project.schema import read_document  # imports pydantic: only where the document may be wrong

        model = read_document(document, path, _lines(path, text))
    found = ProjectFile(path, model, text)
    if model.default_profile is not None and model.default_profile not in model.profiles:
        raise ProjectError(unknown_profile(model.default_profile, found, found.span("default_profile")))
    return found


def _lines(path: str, text: str) -> Mapping[tuple[str, ...], int]:
    """Path of keys (below `[tool.drawloom]` in a `pyproject.toml`) -> line."""
    from drawloom.project.lines import key_lines  # only to point at a key

    lines = key_lines(text)
    if os.path.basename(path) == _SHARED:
        return {keys[2:]: line for keys, line in lines.items() if keys[:2] == _TABLE}
    return lines


def unknown_profile(name: str, project: ProjectFile | None, where: Span | None) -> Diagnostic:
    """The diagnostic for a profile that the project file doesn't have (P605)."""
    known = sorted(project.model.profiles) if project is not None else []
    file = os.path.basename(project.path) if project is not None else _NAME
    listed = f"it has {', '.join(known) or 'none'}" if project is not None else "there is none here or above"
    return Diagnostic(
        "P605",
        f"there is no profile {name!r}{did_you_mean(name, known)}",
        where,
        f"name a profile of {file} ({listed}), or add [profiles.{name}] to it",
    )


def _read_text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        fix = "make the file readable, or work in another folder"
        what = f"the project file can't be read: {error.strerror}"
        raise ProjectError(Diagnostic("P606", what, Span(path, 0), fix)) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        fix = "save the file as UTF-8, which TOML asks for"
        raise ProjectError(Diagnostic("P601", "the project file isn't UTF-8", Span(path, line), fix)) from error


def _parse(path: str, text: str) -> dict[str, Any]:
    import tomllib  # most folders have no project file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        position = re.search(_POSITION, message)
        line = int(position[1]) if position and position[1] else len(text.splitlines())
        reason = re.sub(_POSITION, "", message)
        what = f"the project file isn't TOML: {reason[:1].lower()}{reason[1:]}"
        fix = "mend this line (see https://toml.io/en/v1.0.0); texts stand in quotes, true and false in lower case"
        raise ProjectError(Diagnostic("P601", what, Span(path, line), fix)) from error
