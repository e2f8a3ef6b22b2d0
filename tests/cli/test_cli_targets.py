"""TARGET: which pipeline is meant, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_a_module_of_the_working_folder(drawloom: Any) -> None:
    assert drawloom.ok("check", "flows_of_cli:twice") == "twice: no problems\n"


def test_a_file_in_another_folder(drawloom: Any, folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "flows_of_cli.py").rename(folder / "deep" / "flows_deep.py")
    assert drawloom.ok("check", "deep/flows_deep.py:twice") == "twice: no problems\n"


def test_a_file_of_a_package_is_imported_as_its_module(drawloom: Any, folder: Path) -> None:
    package = folder / "package_of_cli"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text("from drawloom import task\n\n@task\ndef one() -> int:\n    return 1\n")
    (package / "flow.py").write_text(
        "from drawloom import pipeline\nfrom .parts import one\n\n@pipeline\ndef flow() -> int:\n    return one()\n"
    )
    document = drawloom.json("run", "package_of_cli/flow.py:flow")
    assert document["nodes"][0]["task"] == "package_of_cli.parts:one"


def test_a_short_name_works_from_any_folder_of_the_project(
    drawloom: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "drawloom.toml").write_text('[pipelines]\nquick = "flows_of_cli.py:twice"\n')
    (folder / "sub").mkdir()
    monkeypatch.chdir(folder / "sub")
    assert drawloom.ok("check", "quick") == "twice: no problems\n"


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (
            "flows_of_cli.py",
            (
                "error[P610] 'flows_of_cli.py' names no pipeline\n"
                "  fix    name the pipeline in it: `flows_of_cli.py:name`\n"
            ),
        ),
        (
            "quick",
            (
                "error[P610] 'quick' names no pipeline\n"
                "  fix    give `file.py:name` or `module:name`, or add a short name to [pipelines] in drawloom.toml\n"
            ),
        ),
        (
            "flows_of_clu.py:twice",
            (
                "error[P611] there is no file 'flows_of_clu.py', did you mean `flows_of_cli.py`?\n"
                "  fix    name a Python file that is there\n"
            ),
        ),
        (
            "nowhere_to_be_found:twice",
            (
                "error[P611] there is no module `nowhere_to_be_found`\n"
                "  fix    check the spelling; modules are looked for in the working folder, the project's folder "
                "and on the path\n"
            ),
        ),
        (
            "flows_of_cli.py:twise",
            (
                "error[P613] `flows_of_cli` has no pipeline `twise`, did you mean `twice`?\n"
                "  where  {folder}/flows_of_cli.py\n"
                "  fix    it has described, each, failing, measured, raw, twice\n"
            ),
        ),
        (
            "flows_of_cli.py:double",
            (
                "error[P613] `double` in 'flows_of_cli.py:double' is a task, not a pipeline\n"
                "  where  {folder}/flows_of_cli.py\n"
                "  fix    name a pipeline: described, each, failing, measured, raw, twice\n"
            ),
        ),
        (
            "flows_of_cli.py:plain",
            (
                "error[P613] `plain` in 'flows_of_cli.py:plain' is a plain function, not a pipeline\n"
                "  where  {folder}/flows_of_cli.py\n"
                "  fix    name a pipeline: described, each, failing, measured, raw, twice\n"
            ),
        ),
    ],
)
def test_a_target_that_is_no_pipeline(drawloom: Any, folder: Path, target: str, text: str) -> None:
    result = drawloom("run", target)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == text.replace("{folder}", str(folder))


def test_p610_names_the_short_names_there_are(drawloom: Any, folder: Path) -> None:
    (folder / "drawloom.toml").write_text('[pipelines]\nnightly = "flows_of_cli.py:twice"\n')
    assert drawloom("check", "nigthly").stderr == (
        "error[P610] 'nigthly' names no pipeline, did you mean `nightly`?\n"
        "  fix    give `file.py:name`, `module:name`, or one of the project file: nightly\n"
    )


def test_p612_a_file_whose_name_is_taken(drawloom: Any, folder: Path) -> None:
    import json

    (folder / "json.py").write_text("")
    assert drawloom("check", "json.py:flow").stderr == (
        f"error[P612] 'json.py' can't be imported: the name `json` already stands for {json.__file__}\n"
        f"  where  {folder}/json.py\n"
        "  fix    give the file another name\n"
    )


def test_p612_a_file_whose_name_is_no_module_name(drawloom: Any, folder: Path) -> None:
    (folder / "a.b.py").write_text("")
    assert drawloom("check", "a.b.py:flow").stderr == (
        "error[P612] 'a.b.py' can't be imported: `a.b` is no module name\n"
        f"  where  {folder}/a.b.py\n"
        "  fix    give the file a name without dots\n"
    )


def test_p614_an_exception_of_the_module_has_its_traceback_without_ours(drawloom: Any, folder: Path) -> None:
    (folder / "raising_of_cli.py").write_text('def start():\n    raise ValueError("not today")\n\nstart()\n')
    result = drawloom("check", "raising_of_cli.py:flow")
    file = folder / "raising_of_cli.py"
    assert result.exit_code == 2
    assert result.stderr == (
        "Traceback (most recent call last):\n"
        f'  File "{file}", line 4, in <module>\n    start()\n'
        f'  File "{file}", line 2, in start\n    raise ValueError("not today")\n'
        "ValueError: not today\n"
        "error[P614] importing `raising_of_cli.py` failed: ValueError: not today\n"
        f"  where  {file}:2\n"
        "  fix    mend the module; `python -c 'import ...'` would fail in the same way\n"
    )


def test_p614_a_package_that_is_not_installed(drawloom: Any, folder: Path) -> None:
    (folder / "needing_of_cli.py").write_text("\nimport nowhere_to_be_found\n")
    assert drawloom("check", "needing_of_cli.py:flow").stderr.endswith(
        "error[P614] importing `needing_of_cli.py` failed: ModuleNotFoundError: No module named 'nowhere_to_be_found'\n"
        f"  where  {folder}/needing_of_cli.py:2\n"
        "  fix    install the package that has `nowhere_to_be_found`, or correct the import\n"
    )


def test_p614_a_syntax_error_has_its_line(drawloom: Any, folder: Path) -> None:
    (folder / "wrong_of_cli.py").write_text("x = 1\ndef f(:\n")
    assert f"  where  {folder}/wrong_of_cli.py:2\n" in drawloom("check", "wrong_of_cli.py:flow").stderr


def test_what_a_decorator_refuses_is_told_as_it_says(drawloom: Any, folder: Path) -> None:
    (folder / "refused_of_cli.py").write_text(
        "from drawloom import task\n\n@task(retry=3)\ndef f() -> int:\n    return 1\n"
    )
    result = drawloom("check", "refused_of_cli.py:flow")
    assert result.exit_code == 2
    assert result.stderr.startswith("error[D")
    assert f"{folder}/refused_of_cli.py:3" in result.stderr
    assert "Traceback" not in result.stderr


def test_p615_an_exception_while_the_pipeline_is_traced_is_the_users(drawloom: Any, folder: Path) -> None:
    (folder / "tracing_of_cli.py").write_text(
        "from drawloom import pipeline, task\n\n@task\ndef one(n: int) -> int:\n    return 1\n\n"
        "@pipeline\ndef flow(n: int) -> int:\n    return one({}['key'])\n"
    )
    file = folder / "tracing_of_cli.py"
    for command in (["check"], ["run", "--quiet"], ["compile", "--engine", "reference", "-o", "build"]):
        result = drawloom(*command, "tracing_of_cli.py:flow", *(["--n", "1"] if command[0] == "run" else []))
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == (
            "Traceback (most recent call last):\n"
            f'  File "{file}", line 9, in flow\n'
            "    return one({}['key'])\n"
            "               ~~^^^^^^^\n"
            "KeyError: 'key'\n"
            "error[P615] the pipeline's function raised KeyError while it was traced: 'key'\n"
            f"  where  {file}:9, flow\n"
            "  fix    mend the function; when it is traced it runs once, with handles in place of the values\n"
        )
