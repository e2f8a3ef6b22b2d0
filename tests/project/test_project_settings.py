"""Which setting counts: option, environment, profile, file, default."""

from __future__ import annotations

from pathlib import Path

import pytest

from drawloom.errors import ProjectError
from drawloom.project import Overrides, load_settings

FILE = """
project = "of-file"
catalog = "store"
default_profile = "usual"

[profiles.usual]
workers = 2
executor = "inline"

[profiles.team]
catalog = "s3://bucket/drawloom"
cache = false
fail_fast = false
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "drawloom.toml").write_text(FILE, encoding="utf-8")
    (tmp_path / "sub").mkdir()
    return tmp_path


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    found = load_settings(folder=tmp_path, environment={})
    assert (found.project, found.catalog) == ("default", str(tmp_path / ".drawloom"))
    assert (found.executor, found.workers, found.cache, found.fail_fast) == ("threads", None, True, True)
    assert (found.profile, found.allow_pickle, found.file, found.root) == ("", False, None, str(tmp_path))


def test_the_default_profile_counts(folder: Path) -> None:
    found = load_settings(folder=folder / "sub", environment={})
    assert (found.profile, found.executor, found.workers) == ("usual", "inline", 2)
    assert found.catalog == str(folder / "store")


def test_the_environment_counts_over_the_profile(folder: Path) -> None:
    environment = {"DRAWLOOM_EXECUTOR": "processes", "DRAWLOOM_WORKERS": "7", "DRAWLOOM_PROJECT": "of-env"}
    found = load_settings(folder=folder, environment=environment)
    assert (found.executor, found.workers, found.project) == ("processes", 7, "of-env")


def test_options_count_over_the_environment(folder: Path) -> None:
    environment = {"DRAWLOOM_PROFILE": "usual", "DRAWLOOM_EXECUTOR": "processes", "DRAWLOOM_WORKERS": "7"}
    asked = Overrides(profile="team", executor="threads", workers=3, project="of-option", cache=True)
    found = load_settings(asked, folder=folder, environment=environment)
    assert (found.profile, found.executor, found.workers) == ("team", "threads", 3)
    assert (found.project, found.cache, found.fail_fast) == ("of-option", True, False)
    assert found.catalog == "s3://bucket/drawloom"


def test_a_catalog_from_outside_is_relative_to_the_working_folder(folder: Path) -> None:
    found = load_settings(Overrides(catalog="here"), folder=folder / "sub", environment={})
    assert found.catalog == str(folder / "sub" / "here")
    found = load_settings(folder=folder / "sub", environment={"DRAWLOOM_CATALOG": "../there"})
    assert Path(found.catalog).resolve() == folder / "there"
    found = load_settings(folder=folder, environment={"DRAWLOOM_CATALOG": "s3://b/p"})
    assert found.catalog == "s3://b/p"


def test_an_empty_variable_is_no_setting(folder: Path) -> None:
    environment = {"DRAWLOOM_EXECUTOR": "", "DRAWLOOM_PROFILE": "", "DRAWLOOM_WORKERS": ""}
    assert load_settings(folder=folder, environment=environment).executor == "inline"


def test_p604_wrong_variables_are_told_all_at_once(folder: Path) -> None:
    environment = {"DRAWLOOM_EXECUTOR": "dask", "DRAWLOOM_WORKERS": "-1", "DRAWLOOM_PROJECT": "A B"}
    with pytest.raises(ProjectError) as caught:
        load_settings(folder=folder, environment=environment)
    name = "a name of lower-case letters, digits, `.`, `_` and `-` (at most 63)"
    assert str(caught.value) == (
        "error[P604] DRAWLOOM_EXECUTOR must be one of threads, processes, inline, got 'dask'\n"
        "  where  DRAWLOOM_EXECUTOR\n"
        "  fix    set it to one of threads, processes, inline, or unset it\n"
        "error[P604] DRAWLOOM_WORKERS must be a whole number, at least 1, got '-1'\n"
        "  where  DRAWLOOM_WORKERS\n"
        "  fix    set it to a whole number, at least 1, or unset it\n"
        f"error[P604] DRAWLOOM_PROJECT must be {name}, got 'A B'\n"
        "  where  DRAWLOOM_PROJECT\n"
        f"  fix    set it to {name}, or unset it"
    )


def test_p604_a_wrong_option(folder: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        load_settings(Overrides(workers=0), folder=folder, environment={})
    assert str(caught.value) == (
        "error[P604] --workers must be a whole number, at least 1, got '0'\n"
        "  where  --workers\n"
        "  fix    give a whole number, at least 1"
    )


@pytest.mark.parametrize(
    ("asked", "environment", "where"),
    [
        (Overrides(profile="taem"), {}, "--profile"),
        (Overrides(), {"DRAWLOOM_PROFILE": "taem"}, "DRAWLOOM_PROFILE"),
    ],
)
def test_p605_a_profile_that_is_not_there(
    folder: Path, asked: Overrides, environment: dict[str, str], where: str
) -> None:
    with pytest.raises(ProjectError) as caught:
        load_settings(asked, folder=folder, environment=environment)
    assert str(caught.value) == (
        "error[P605] there is no profile 'taem', did you mean `team`?\n"
        f"  where  {where}\n"
        "  fix    name a profile of drawloom.toml (it has team, usual), or add [profiles.taem] to it"
    )


def test_p605_a_profile_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as caught:
        load_settings(Overrides(profile="team"), folder=tmp_path, environment={})
    assert caught.value.diagnostics[0].fix == (
        "name a profile of drawloom.toml (there is none here or above), or add [profiles.team] to it"
    )
