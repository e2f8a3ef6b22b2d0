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

__all__ = [
    "EXECUTORS",
    "PROJECT_NAME",
    "TARGET",
    "DeployTarget",
    "Profile",
    "ProjectModel",
    "is_project_name",
    "quickly_read",
]

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
class DeployTarget:
    """A configured place that pipelines are deployed to (`[targets.<name>]`).

    Args:
        engine: the kind of engine that is there: `argo`, `airflow`.
        catalog: the store that the engine's steps reach, as it is reached from here; None for the same URL.
        kubeconfig: the file that says how a Kubernetes is reached, relative to the project file.
        context: which context of it.
        server: the URL of the engine's own server; None to go by Kubernetes alone.
        token_env: the name of the variable that holds the token for `server`.
        ca_file: the certificates that `server` is held against, relative to the project file.
        insecure_skip_verify: whether `server` isn't held against any.
        username, password_env: who logs in to `server`, and the name of the variable that holds the password.
        dags: where Airflow finds DAG files, as it is reached from here: a folder (relative to the project file), a URL.
        dags_git: whether that is a checkout of git, whose changes are committed and pushed.
        options: what the engine's compiler is given.
    """

    engine: str
    catalog: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    server: str | None = None
    token_env: str | None = None
    ca_file: str | None = None
    insecure_skip_verify: bool = False
    username: str | None = None
    password_env: str | None = None
    dags: str | None = None
    dags_git: bool = False
    options: Mapping[str, Any] = MappingProxyType({})  # whatever TOML can say


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
        targets: name -> where pipelines are deployed to.
    """

    project: str = "default"
    catalog: str = ".drawloom"
    default_profile: str | None = None
    allow_pickle: bool = False
    profiles: Mapping[str, Profile] = MappingProxyType({})
    pipelines: Mapping[str, str] = MappingProxyType({})
    targets: Mapping[str, DeployTarget] = MappingProxyType({})


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
    targets = {name: _deploy_target(target) for name, target in given.pop("targets", {}).items()}
    return ProjectModel(**given, profiles=profiles, targets=targets)


def _deploy_target(table: Mapping[str, Any]) -> DeployTarget:
    known = {key: value for key, value in table.items() if key in _DEPLOY_TARGET}
    return DeployTarget(**known, options={key: value for key, value in table.items() if key not in _DEPLOY_TARGET})


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


def _are_deploy_targets(value: object) -> bool:
    return type(value) is dict and all(type(name) is str and _is_deploy_target(part) for name, part in value.items())


def _is_deploy_target(value: object) -> bool:
    """Keys that aren't known belong to the engine's compiler, which has its own say."""
    if type(value) is not dict or "engine" not in value or not all(type(key) is str for key in value):
        return False
    return all(_DEPLOY_TARGET[key](part) for key, part in value.items() if key in _DEPLOY_TARGET)


_DEPLOY_TARGET: Final[Mapping[str, Any]] = {
    "engine": _is_text,
    "catalog": _is_text,
    "kubeconfig": _is_text,
    "context": _is_text,
    "server": _is_text,
    "token_env": _is_text,
    "ca_file": _is_text,
    "insecure_skip_verify": _is_bool,
    "username": _is_text,
    "password_env": _is_text,
    "dags": _is_text,
    "dags_git": _is_bool,
}
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
    "targets": _are_deploy_targets,
}
