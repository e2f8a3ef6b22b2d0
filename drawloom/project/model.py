"""What a project file may say, and the quick check of a document that is right.

A command reads the project file each time it starts, and pydantic takes longer to import than many a run takes: so a
document is checked here first. The check accepts nothing that `project.schema` wouldn't (a test holds the two against
each other); what it doesn't accept is the schema's to judge, and to tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from drawloom.frozen import dataclass

__all__ = ["EXECUTORS", "PROJECT_NAME", "TARGET", "Profile", "ProjectModel", "is_project_name", "quickly_read"]

EXECUTORS: Final = ("threads", "processes", "inline")

# the name is a part of every key in the store: no storage may depend on case or on odd characters
PROJECT_NAME: Final = "[a-z0-9][a-z0-9._-]{0,62}"
TARGET: Final = ".+:[^:]+"
_LARGEST: Final = 2**31


@dataclass(frozen=True, slots=True)
class Profile:
    """A named set of settings for one way of working (`[profiles.<name>]`).

    Args:
        catalog: path (relative to the project file) or URL of the catalog.
        executor: what runs a local run.
        workers: how many node instances run at once, at least 1.
        cache: whether earlier results may answer a node.
        fail_fast: whether the first failure cancels what has not started.
    """

    catalog: str | None = None
    executor: str | None = None
    workers: int | None = None
    cache: bool | None = None
    fail_fast: bool | None = None


@dataclass(frozen=True, slots=True)
class ProjectModel:
    """The whole of a project file.

    Args:
        project: the project's name; its part of a catalog is kept under it.
        catalog: path (relative to the project file) or URL of the catalog.
        default_profile: the profile used where none is named.
        allow_pickle: whether values without a safe format may be pickled.
        profiles: name -> profile.
        pipelines: short name -> `file.py:name` (relative to the project file) or `module:name`.
    """

    project: str = "default"
    catalog: str = ".drawloom"
    default_profile: str | None = None
    allow_pickle: bool = False
    profiles: Mapping[str, Profile] = MappingProxyType({})
    pipelines: Mapping[str, str] = MappingProxyType({})


def is_project_name(text: str) -> bool:
    """Whether a project may have this name."""
    return re.fullmatch(PROJECT_NAME, text) is not None


def quickly_read(document: object) -> ProjectModel | None:
    """What a project file says.

    Args:
        document: the file's document, as tomllib gives it.

    Returns:
        The model; None if something may be wrong with the document.
    """
    if not _fits(document, _FILE):
        return None
    given: dict[str, Any] = dict(document)  # type: ignore[call-overload]  # it fits, so it is a table
    profiles = {name: Profile(**profile) for name, profile in given.pop("profiles", {}).items()}
    return ProjectModel(**given, profiles=profiles)


def _fits(value: object, checks: Mapping[str, Any]) -> bool:  # Any: functions of one value, whatever its type
    """Whether a value is a table of known keys with fitting values."""
    return type(value) is dict and all(key in checks and checks[key](part) for key, part in value.items())


def _is_bool(value: object) -> bool:
    return type(value) is bool


def _is_text(value: object) -> bool:
    return type(value) is str and value != ""


def _is_executor(value: object) -> bool:
    return type(value) is str and value in EXECUTORS


def _is_count(value: object) -> bool:
    return type(value) is int and 1 <= value <= _LARGEST


def _is_name(value: object) -> bool:
    return type(value) is str and is_project_name(value)


def _are_profiles(value: object) -> bool:
    return type(value) is dict and all(type(name) is str and _fits(part, _PROFILE) for name, part in value.items())


def _are_targets(value: object) -> bool:
    return type(value) is dict and all(
        type(name) is str and type(target) is str and re.fullmatch(TARGET, target) for name, target in value.items()
    )


_PROFILE: Final = {
    "catalog": _is_text,
    "executor": _is_executor,
    "workers": _is_count,
    "cache": _is_bool,
    "fail_fast": _is_bool,
}
_FILE: Final = {
    "project": _is_name,
    "catalog": _is_text,
    "default_profile": _is_text,
    "allow_pickle": _is_bool,
    "profiles": _are_profiles,
    "pipelines": _are_targets,
}
