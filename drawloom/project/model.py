"""What a project file may say, as pydantic models; unknown keys and values of another type are refused."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["EXECUTORS", "Executor", "Profile", "ProjectModel", "ProjectName", "Workers"]

Executor = Literal["threads", "processes", "inline"]
EXECUTORS: Final[tuple[str, ...]] = get_args(Executor)

# the name is a part of every key in the store: no storage may depend on case or on odd characters
ProjectName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
Target = Annotated[str, StringConstraints(pattern=r"^.+:[^:]+$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Workers = Annotated[int, Field(ge=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Profile(_Strict):
    """A named set of settings for one way of working (`[profiles.<name>]`).

    Args:
        catalog: path (relative to the project file) or URL of the catalog.
        executor: what runs a local run.
        workers: how many node instances run at once, at least 1.
        cache: whether earlier results may answer a node.
        fail_fast: whether the first failure cancels what has not started.
    """

    catalog: Text | None = None
    executor: Executor | None = None
    workers: Workers | None = None
    cache: bool | None = None
    fail_fast: bool | None = None


class ProjectModel(_Strict):
    """The whole of a project file.

    Args:
        project: the project's name; its part of a catalog is kept under it.
        catalog: path (relative to the project file) or URL of the catalog.
        default_profile: the profile used where none is named.
        allow_pickle: whether values without a safe format may be pickled.
        profiles: name -> profile.
        pipelines: short name -> `file.py:name` (relative to the project file) or `module:name`.
    """

    project: ProjectName = "default"
    catalog: Text = ".drawloom"
    default_profile: Text | None = None
    allow_pickle: bool = False
    profiles: dict[str, Profile] = {}
    pipelines: dict[str, Target] = {}
