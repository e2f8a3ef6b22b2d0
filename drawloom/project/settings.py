"""The settings a command works with: flag over environment over profile over project file over default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from drawloom.errors import Diagnostic, ProjectError, Span, did_you_mean
from drawloom.frozen import dataclass
from drawloom.project.file import ProjectFile, absolute, find_project, unknown_profile
from drawloom.project.model import EXECUTORS, Profile, ProjectModel, is_project_name

__all__ = ["Overrides", "Settings", "load_settings"]

_DEFAULT_EXECUTOR: Final = "threads"


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says; None where it says nothing.

    Args:
        profile: the profile's name.
        catalog: path (relative to the working folder) or URL of the catalog.
        project: the project's name in the catalog.
        executor: a name of `EXECUTORS`.
        workers: at least 1.
        cache: False to run everything anew.
        fail_fast: False to keep going after a failure.
    """

    profile: str | None = None
    catalog: str | None = None
    project: str | None = None
    executor: str | None = None
    workers: int | None = None
    cache: bool | None = None
    fail_fast: bool | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What a command works with.

    Args:
        root: the folder of the project file, or the working folder where there is none.
        file: the project file, None where there is none.
        project: the project's name.
        catalog: absolute path or URL of the catalog.
        profile: the profile in use, "" for none.
        executor: what runs a local run.
        workers: how many node instances run at once; None for what the executor thinks best.
        cache: whether earlier results may answer a node.
        fail_fast: whether the first failure cancels what has not started.
        allow_pickle: whether values without a safe format may be pickled.
    """

    root: str
    file: ProjectFile | None
    project: str
    catalog: str
    profile: str
    executor: str
    workers: int | None
    cache: bool
    fail_fast: bool
    allow_pickle: bool


def load_settings(
    overrides: Overrides | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of the project that `folder` lies in.

    Args:
        overrides: what the command line says.
        folder: where to look for the project file first, then in each folder above; default the working folder.
        environment: environment variables; default those of the process. Empty ones count as unset.

    Returns:
        The settings: each from the command line, else DRAWLOOM_*, else the profile, else the file, else its default.

    Raises:
        ProjectError: the project file (P601-P603, P606, P607), an environment variable or option (P604, P608) or the
            name of the profile (P605) is wrong.
    """
    working = os.path.realpath(folder or os.getcwd())
    asked = overrides or Overrides()
    given = _from_environment(os.environ if environment is None else environment)
    _check_options(asked)
    file = find_project(working)
    model = file.model if file is not None else ProjectModel()
    root = file.folder if file is not None else working
    name = _first(asked.profile, given.profile, model.default_profile)
    profile = _profile(name, file, _profile_source(asked, given))
    return Settings(
        root=root,
        file=file,
        project=_first(asked.project, given.project, model.project),
        catalog=_catalog(working, root, _first(asked.catalog, given.catalog), _first(profile.catalog, model.catalog)),
        profile=name or "",
        executor=_first(asked.executor, given.executor, profile.executor, _DEFAULT_EXECUTOR),
        workers=_first(asked.workers, given.workers, profile.workers),
        cache=_first(asked.cache, profile.cache, True),
        fail_fast=_first(asked.fail_fast, profile.fail_fast, True),
        allow_pickle=model.allow_pickle,
    )


def _first(*values: Any) -> Any:  # Any: each setting has a type of its own
    return next((value for value in values if value is not None), None)


def _catalog(working: str, root: str, asked: str | None, configured: str) -> str:
    """A path of the project file is relative to the file, one the user types to the working folder."""
    if asked is not None:
        return _absolute(working, asked)
    return _absolute(root, configured)


def _absolute(base: str, path_or_url: str) -> str:
    return path_or_url if "://" in path_or_url else absolute(base, os.path.expanduser(path_or_url))


def _profile(name: str | None, file: ProjectFile | None, source: Span | None) -> Profile:
    if name is None:
        return Profile()
    if file is None or name not in file.model.profiles:
        raise ProjectError(unknown_profile(name, file, source))
    return file.model.profiles[name]


def _profile_source(asked: Overrides, given: Overrides) -> Span | None:
    """Where the profile was named; a `default_profile` was checked with its file."""
    if asked.profile is not None:
        return Span("--profile", 0)
    return Span("DRAWLOOM_PROFILE", 0) if given.profile is not None else None


def _from_environment(environment: Mapping[str, str]) -> Overrides:
    def read(name: str) -> str | None:
        return environment.get(f"DRAWLOOM_{name}") or None

    problems = _unknown_variables(environment)
    executor, workers, project = read("EXECUTOR"), read("WORKERS"), read("PROJECT")
    problems += _problem("DRAWLOOM_EXECUTOR", executor, executor in (None, *EXECUTORS), _ONE_OF_EXECUTORS)
    problems += _problem("DRAWLOOM_WORKERS", workers, workers is None or _is_count(workers), _A_COUNT)
    problems += _problem("DRAWLOOM_PROJECT", project, project is None or is_project_name(project), _A_NAME)
    if problems:
        raise ProjectError(problems)
    count = int(workers) if workers is not None else None
    return Overrides(read("PROFILE"), read("CATALOG"), project, executor, count)


def _unknown_variables(environment: Mapping[str, str]) -> list[Diagnostic]:
    """A misspelt variable would be a setting dropped in silence."""
    names = [name for name in environment if name.startswith("DRAWLOOM_") and not name.startswith("DRAWLOOM_SECRET_")]
    return [
        Diagnostic(
            "P608",
            f"there is no setting {name}{did_you_mean(name, sorted(_VARIABLES))}",
            Span(name, 0),
            f"unset it, or set one of {', '.join(sorted(_VARIABLES))}, DRAWLOOM_SECRET_<NAME>",
        )
        for name in sorted(names)
        if name not in _VARIABLES
    ]


_VARIABLES: Final = frozenset(
    f"DRAWLOOM_{name}"
    for name in (
        "PROFILE",
        "CATALOG",
        "PROJECT",
        "EXECUTOR",
        "WORKERS",
        "CACHE",
        "CONTAINER_COMMAND",
        "DEBUG",
        "BUNDLE",
        "FAULTS",
        "SCRATCH",
    )
)
_ONE_OF_EXECUTORS: Final = f"one of {', '.join(EXECUTORS)}"
_A_COUNT: Final = "a whole number, at least 1"
_A_NAME: Final = "a name of lower-case letters, digits, `.`, `_` and `-` (at most 63)"


def _check_options(asked: Overrides) -> None:
    problems = [
        *_problem("--executor", asked.executor, asked.executor in (None, *EXECUTORS), _ONE_OF_EXECUTORS),
        *_problem("--workers", asked.workers, asked.workers is None or asked.workers >= 1, _A_COUNT),
        *_problem("--project", asked.project, asked.project is None or is_project_name(asked.project), _A_NAME),
    ]
    if problems:
        raise ProjectError(problems)


def _problem(source: str, value: object, fine: bool, expected: str) -> list[Diagnostic]:
    if fine:
        return []
    remedy = f"give {expected}" if source.startswith("--") else f"set it to {expected}, or unset it"
    return [Diagnostic("P604", f"{source} must be {expected}, got {str(value)!r}", Span(source, 0), remedy)]


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) >= 1
