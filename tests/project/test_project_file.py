"""Finding and reading the project file, and what is said about a wrong one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drawloom.errors import ProjectError
from drawloom.project import find_project, load_settings, read_project
from drawloom.project.model import ProjectModel


def written(folder: Path, text: str, name: str = "drawloom.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ProjectError) as caught:
        read_project(path)
    return str(caught.value)


def test_the_nearest_file_above_the_working_folder_counts(tmp_path: Path) -> None:
    written(tmp_path, 'project = "outer"')
    written(tmp_path / "a", 'project = "inner"')
    (tmp_path / "a" / "b").mkdir()
    found = find_project(tmp_path / "a" / "b")
    assert found is not None
    assert (found.model.project, found.path) == ("inner", str(tmp_path / "a" / "drawloom.toml"))


def test_a_table_of_pyproject_counts_and_one_without_it_is_passed_by(tmp_path: Path) -> None:
    written(tmp_path, '[project]\nname = "p"\n\n[tool.drawloom]\nproject = "shared"\n', "pyproject.toml")
    written(tmp_path / "a", '[tool.other]\nx = "drawloom"\n', "pyproject.toml")
    found = find_project(tmp_path / "a")
    assert found is not None
    assert found.model.project == "shared"
    assert found.span("project").line == 5


def test_a_broken_pyproject_that_does_not_name_drawloom_is_none_of_its_business(tmp_path: Path) -> None:
    written(tmp_path, 'project = "outer"')
    written(tmp_path / "a", "[tool.other\n", "pyproject.toml")
    found = find_project(tmp_path / "a")
    assert found is not None
    assert found.model.project == "outer"


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert read_project(written(tmp_path, "")).model == ProjectModel()


def test_p601_a_syntax_error_has_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, 'project = "x"\n\nworkers = \n')
    assert refusal(path) == (
        f"error[P601] the project file isn't TOML: invalid value\n"
        f"  where  {path}:3\n"
        "  fix    mend this line (see https://toml.io/en/v1.0.0); texts stand in quotes, true and false in lower case"
    )


def test_p601_an_error_at_the_end_has_the_last_line(tmp_path: Path) -> None:
    path = written(tmp_path, 'project = "x"\ncatalog = """\nopen')
    assert f"  where  {path}:3\n" in refusal(path)


def test_p601_a_file_that_is_not_utf_8_has_the_line_of_the_first_wrong_byte(tmp_path: Path) -> None:
    path = tmp_path / "drawloom.toml"
    path.write_bytes(b'project = "x"\ncatalog = "caf\xe9"\n')
    assert refusal(path) == (
        "error[P601] the project file isn't UTF-8\n"
        f"  where  {path}:2\n"
        "  fix    save the file as UTF-8, which TOML asks for"
    )


def test_p602_an_unknown_key_has_its_line_and_the_name_it_may_stand_for(tmp_path: Path) -> None:
    path = written(tmp_path, '# one\nproject = "x"\n\ncatalogue = "y"\n')
    assert refusal(path) == (
        "error[P602] unknown key `catalogue`, did you mean `catalog`?\n"
        f"  where  {path}:4, catalogue\n"
        "  fix    remove it, or use one of allow_pickle, catalog, default_profile, pipelines, profiles, "
        "project, targets"
    )


def test_p602_an_unknown_key_of_a_profile(tmp_path: Path) -> None:
    path = written(tmp_path, "[tool.drawloom.profiles.fast]\nworkers = 2\nexecuter = 3\n", "pyproject.toml")
    assert refusal(path) == (
        "error[P602] unknown key `executer` in [profiles.fast], did you mean `executor`?\n"
        f"  where  {path}:3, profiles.fast.executer\n"
        "  fix    remove it, or use one of cache, catalog, executor, fail_fast, workers"
    )


@pytest.mark.parametrize(
    ("line", "what", "fix"),
    [
        (
            'workers = "4"',
            '`profiles.p.workers` must be a whole number, got "4"',
            "write it without quotes: `workers = 4`",
        ),
        (
            "workers = 0",
            "`profiles.p.workers` must be a whole number, at least 1, got 0",
            "write a whole number, at least 1",
        ),
        ("workers = true", "`profiles.p.workers` must be a whole number, got true", "write a whole number"),
        (
            'cache = "true"',
            '`profiles.p.cache` must be true or false, got "true"',
            "write it without quotes: `cache = true`",
        ),
        (
            'executor = "dask"',
            "`profiles.p.executor` must be one of 'threads', 'processes', 'inline', got \"dask\"",
            "write one of 'threads', 'processes', 'inline'",
        ),
        ("catalog = 3", "`profiles.p.catalog` must be a text, got 3", "write a text"),
        (
            'catalog = ""',
            '`profiles.p.catalog` must be a text that isn\'t empty, got ""',
            "write a text that isn't empty",
        ),
    ],
)
def test_p603_a_wrong_value_in_a_profile(tmp_path: Path, line: str, what: str, fix: str) -> None:
    path = written(tmp_path, f"[profiles.p]\n{line}\n")
    key = line.partition(" ")[0]
    assert refusal(path) == f"error[P603] {what}\n  where  {path}:2, profiles.p.{key}\n  fix    {fix}"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            'project = "Big Name"',
            "`project` must be a name of lower-case letters, digits, `.`, `_` and `-` (at most 63), got",
        ),
        ('profiles = "fast"', '`profiles` must be a table, got "fast"'),
        ('profiles.fast = "x"', '`profiles.fast` must be a table, got "x"'),
        ('pipelines = {a = "flow"}', '`pipelines.a` must be "file.py:name" or "module:name", got "flow"'),
        ("allow_pickle = 1", "`allow_pickle` must be true or false, got 1"),
    ],
)
def test_p603_a_wrong_value_at_the_top(tmp_path: Path, text: str, what: str) -> None:
    assert f"error[P603] {what}" in refusal(written(tmp_path, text))


def test_every_problem_of_a_file_is_told_in_the_order_of_its_lines(tmp_path: Path) -> None:
    path = written(tmp_path, 'wrong = 1\n[profiles.a]\nworkers = "x"\nalso = 2\n[pipelines]\nq = 1\n')
    with pytest.raises(ProjectError) as caught:
        read_project(path)
    places = [(d.code, d.where.line if d.where else 0) for d in caught.value.diagnostics]
    assert places == [("P602", 1), ("P603", 3), ("P602", 4), ("P603", 6)]


def test_p605_a_default_profile_that_is_not_there_has_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, 'default_profile = "fats"\n[profiles.fast]\nworkers = 2\n[profiles.slow]\n')
    assert refusal(path) == (
        "error[P605] there is no profile 'fats', did you mean `fast`?\n"
        f"  where  {path}:1, default_profile\n"
        "  fix    name a profile of drawloom.toml (it has fast, slow), or add [profiles.fats] to it"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_p606_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = written(tmp_path, "")
    path.chmod(0)
    assert refusal(path) == (
        "error[P606] the project file can't be read: Permission denied\n"
        f"  where  {path}\n"
        "  fix    make the file readable, or work in another folder"
    )


def test_p606_a_file_that_can_not_be_read(tmp_path: Path) -> None:
    assert refusal(tmp_path) == (  # a folder in its place
        "error[P606] the project file can't be read: Is a directory\n"
        f"  where  {tmp_path}\n"
        "  fix    make the file readable, or work in another folder"
    )


def test_p607_two_files_in_one_folder(tmp_path: Path) -> None:
    written(tmp_path, 'project = "x"')
    shared = written(tmp_path, '[project]\nname = "p"\n[tool.drawloom]\nproject = "y"\n', "pyproject.toml")
    with pytest.raises(ProjectError) as caught:
        load_settings(folder=tmp_path, environment={})
    assert str(caught.value) == (
        "error[P607] the folder has two project files: drawloom.toml, and [tool.drawloom] in pyproject.toml\n"
        f"  where  {shared}:3, tool.drawloom\n"
        "  fix    keep one of them: move what [tool.drawloom] says into drawloom.toml, or the other way round"
    )


def test_short_names_are_relative_to_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, '[pipelines]\nnightly = "flows/night.py:nightly"\nother = "pkg.flows:other"\n')
    assert read_project(path).targets == {
        "nightly": f"{tmp_path}/flows/night.py:nightly",
        "other": "pkg.flows:other",
    }
