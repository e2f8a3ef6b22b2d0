"""The schema of a project file as pydantic models, and what is said of a document that doesn't fit it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from drawloom.errors import Diagnostic, ProjectError, Span, did_you_mean
from drawloom.project.lines import KeyPath
from drawloom.project.model import PROJECT_NAME, TARGET, DeployTarget, Profile, ProjectModel

__all__ = ["DeployTargetSchema", "ProfileSchema", "ProjectSchema", "read_document"]

Text = Annotated[str, StringConstraints(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ProfileSchema(_Strict):
    """`model.Profile`."""

    catalog: Text | None = None
    executor: Literal["threads", "processes", "inline"] | None = None
    workers: Annotated[int, Field(ge=1)] | None = None
    cache: bool | None = None
    fail_fast: bool | None = None


class DeployTargetSchema(_Strict):
    """`model.DeployTarget`; further keys are options of the engine's compiler."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    engine: Text
    catalog: Text | None = None
    kubeconfig: Text | None = None
    context: Text | None = None
    server: Text | None = None
    token_env: Text | None = None
    ca_file: Text | None = None
    insecure_skip_verify: bool = False
    username: Text | None = None
    password_env: Text | None = None
    dags: Text | None = None
    dags_git: bool = False


class ProjectSchema(_Strict):
    """`model.ProjectModel`."""

    project: Annotated[str, StringConstraints(pattern=f"^{PROJECT_NAME}$")] = "default"
    catalog: Text = ".drawloom"
    default_profile: Text | None = None
    allow_pickle: bool = False
    profiles: dict[str, ProfileSchema] = {}
    pipelines: dict[str, Annotated[str, StringConstraints(pattern=f"^{TARGET}$")]] = {}
    targets: dict[str, DeployTargetSchema] = {}


def read_document(document: object, path: str, lines: Mapping[KeyPath, int]) -> ProjectModel:
    """What a project file says.

    Args:
        document: the file's document, as tomllib gives it.
        path: the file.
        lines: path of keys -> line.

    Raises:
        ProjectError: it has unknown keys (P602) or wrong values (P603): all of them are told.
    """
    try:
        read = ProjectSchema.model_validate(document)
    except ValidationError as error:
        raise ProjectError(_diagnostics(path, lines, error)) from None
    profiles = {name: Profile(**dict(profile)) for name, profile in read.profiles.items()}
    targets = {name: _deploy_target(target) for name, target in read.targets.items()}
    return ProjectModel(**{**dict(read), "profiles": profiles, "targets": targets})


def _deploy_target(read: DeployTargetSchema) -> DeployTarget:
    known = {name: getattr(read, name) for name in DeployTargetSchema.model_fields}
    return DeployTarget(**known, options=dict(read.model_extra or {}))


def _diagnostics(path: str, lines: Mapping[KeyPath, int], error: ValidationError) -> Iterator[Diagnostic]:
    for problem in sorted(error.errors(), key=lambda e: _line(lines, _keys(e["loc"]))):
        keys = _keys(problem["loc"])
        where = Span(path, _line(lines, keys), ".".join(keys))
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
    model: type[BaseModel] = ProfileSchema if keys[0] == "profiles" else ProjectSchema
    known = sorted(model.model_fields)
    place = f" in [profiles.{keys[1]}]" if model is ProfileSchema else ""
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
    if problem["type"] == "missing":
        what = f"`[{'.'.join(keys[:-1])}]` has no `{keys[-1]}`"
        return Diagnostic("P603", what, where, f'say it: `{keys[-1]} = "argo"`')
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
