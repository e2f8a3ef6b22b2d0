"""Targets of the project file: what they may say, and what is refused before anything is asked of anybody."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import drawloom
from drawloom.errors import CompileError, EngineError, ProjectError, RunRefused
from drawloom.project import Overrides, load_settings, read_project
from drawloom.project.targets import find_target


def _refused(call: Any, kind: type[Exception] = ProjectError) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


def _flow(name: str = "doubled") -> Any:
    import flow_to_deploy

    return getattr(flow_to_deploy, name)


def test_a_target_has_what_the_file_says_and_the_compiler_its_options(project: Any) -> None:
    folder = project(
        """
        [targets.prod]
        engine = "argo"
        store = "s3://lake/teams"
        catalog = "mirror"
        kubeconfig = "keys/config"
        context = "admin@{{prod}} 🎉"
        namespace = "flows"
        env_from_secrets = ["lake-keys", "other"]
        env = {LEVEL = "in'fo"}
        """
    )
    target = find_target("prod", load_settings())
    assert (target.engine, target.store, target.project) == ("argo", "s3://lake/teams", "p")
    assert target.catalog == str(folder / "mirror")
    assert target.connection.kubeconfig == str(folder / "keys/config")
    assert target.connection.context == "admin@{{prod}} 🎉"
    assert target.options == {
        "store": "s3://lake/teams",
        "namespace": "flows",
        "env_from_secrets": ("lake-keys", "other"),
        "env": {"LEVEL": "in'fo"},
        "project": "p",
    }


def test_a_catalog_with_an_address_is_the_store_of_a_target_that_names_none(project: Any) -> None:
    project('catalog = "s3://lake/teams"\n[targets.prod]\nengine = "argo"')
    target = find_target("prod", load_settings())
    assert (target.store, target.catalog) == ("s3://lake/teams", "s3://lake/teams")


def test_p670_a_target_that_is_not_there(project: Any) -> None:
    project('[targets.prod]\nengine = "argo"')
    told = _refused(lambda: find_target("prdo", load_settings()))
    assert told.startswith("error[P670] there is no target 'prdo', did you mean `prod`?")
    assert "name one of drawloom.toml: prod" in told


def test_p670_where_no_file_is(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    told = _refused(lambda: find_target("prod", load_settings()))
    assert 'add [targets.prod] with `engine = "argo"`' in told


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ('server = "https://a"\ncontext = "x"', "has `server` and `context`"),
        ('server = "argo.example:2746"', "has `server = 'argo.example:2746'`, which is no URL"),
        ('token_env = "T"', "has `token_env`, which is for a `server`, and no `server`"),
        (
            'server = "https://a"\nca_file = "x"\ninsecure_skip_verify = true',
            "has `ca_file` and `insecure_skip_verify`",
        ),
        ('server = "https://a"\nusername = "me"', "has `username` without `password_env`, or the other way round"),
        ("dags_git = true", "has `dags_git`, and no folder as `dags`"),
        ('dags = "s3://b/dags"\ndags_git = true', "has `dags_git`, and no folder as `dags`"),
        ('server = "https://a"\npassword = "hush-hush"', "has `password` in the file: a secret doesn't belong there"),
        ('server = "https://a"\ntoken = "hush-hush"', "has `token` in the file: a secret doesn't belong there"),
    ],
)
def test_p671_keys_that_contradict_each_other(project: Any, keys: str, told: str) -> None:
    folder = project(f'[targets.prod]\nengine = "argo"\nstore = "s3://b/p"\n{keys}')
    said = _refused(lambda: find_target("prod", load_settings()))
    assert f"error[P671] target `prod` {told}" in said
    assert f"where  {folder / 'drawloom.toml'}:2, targets.prod" in said
    assert "hush" not in said


def test_p671_a_target_without_a_store(project: Any) -> None:
    project('[targets.prod]\nengine = "argo"')
    assert "error[P671] target `prod` has no `store`" in _refused(lambda: find_target("prod", load_settings()))


def test_p603_a_target_without_an_engine_and_one_with_a_key_of_another_type(project: Any) -> None:
    folder = project('[targets.prod]\nstore = "s3://b/p"\n[targets.test]\nengine = "argo"\nserver = 3\n')
    told = _refused(lambda: read_project(folder / "drawloom.toml"))
    assert "error[P603] `[targets.prod]` has no `engine`" in told
    assert "error[P603] `targets.test.server` must be a text, got 3" in told
    assert f"{folder / 'drawloom.toml'}:6, targets.test.server" in told


def test_p672_a_token_whose_variable_is_not_set(project: Any, monkeypatch: Any) -> None:
    project('[targets.prod]\nengine = "argo"\nstore = "s3"\nserver = "https://127.0.0.1:1"\ntoken_env = "ARGO_TOKEN"')
    told = _refused(lambda: drawloom.deploy(_flow(), "prod"))
    assert "error[P672] the variable ARGO_TOKEN, which holds the token for target `prod`, isn't set" in told
    monkeypatch.setenv("ARGO_TOKEN", "Bearer abc")
    assert find_target("prod", load_settings(Overrides())).token() == "abc"


def test_p672_a_password_whose_variable_is_not_set(project: Any, monkeypatch: Any) -> None:
    folder = project(
        '[targets.air]\nengine = "airflow"\nstore = "/s"\nserver = "http://127.0.0.1:9"\n'
        'username = "me"\npassword_env = "AIRFLOW_PASSWORD"\ndags = "dags"'
    )
    monkeypatch.delenv("AIRFLOW_PASSWORD", raising=False)
    target = find_target("air", load_settings(Overrides()))
    told = _refused(target.password)
    assert "error[P672] the variable AIRFLOW_PASSWORD, which holds the password for target `air`, isn't set" in told
    monkeypatch.setenv("AIRFLOW_PASSWORD", "hush")
    assert target.password() == "hush"
    assert target.connection.dags == str(folder / "dags")


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("env = {A = 3}", "the option `env` of the argo compiler is {'A': 3}"),
        ("image = 3", "the option `image` of the argo compiler is 3"),
        ('env_from_secrets = "one"', "the option `env_from_secrets` of the argo compiler is 'one'"),
        ('image = "{{x}}"', "the option `image` of the argo compiler is '{{x}}'"),
    ],
)
def test_e720_an_option_that_the_compiler_does_not_take(project: Any, option: str, told: str) -> None:
    folder = project(f'[targets.prod]\nengine = "argo"\nstore = "s"\n{option}')
    assert f"error[E720] {told}" in _refused(lambda: drawloom.deploy(_flow(), "prod"), CompileError)
    assert not (folder / "s").exists()


@pytest.mark.parametrize(
    "given",
    [
        {"logical_time": datetime(2026, 1, 31, tzinfo=UTC)},
        {"interval": (datetime(2026, 1, 30, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC))},
    ],
)
def test_e732_one_time_for_all_runs_of_a_schedule(project: Any, given: Any) -> None:
    folder = project('[targets.prod]\nengine = "argo"\nstore = "lake"')
    for run in (True, False):
        said = _refused(lambda run=run: drawloom.deploy(_flow("daily"), "prod", run=run, **given), CompileError)
        assert "E732" in said
        assert "get their times of its schedule" in said
    assert not (folder / "lake").exists()


def test_e790_a_key_that_nobody_knows(project: Any) -> None:
    project('[targets.prod]\nengine = "argo"\nstore = "s"\nimgae = "x"')
    told = _refused(lambda: drawloom.deploy(_flow(), "prod"), CompileError)
    assert "error[E790] argo has no option `imgae`, did you mean `image`?" in told


def test_e745_an_engine_that_nothing_is_deployed_to(project: Any) -> None:
    project('[targets.prod]\nengine = "reference"\nstore = "s"')
    from drawloom.deploying import connect_target

    told = _refused(lambda: connect_target(find_target("prod", load_settings())), RunRefused)
    assert "error[E745] target `prod` has the engine 'reference', and nothing can be deployed to one" in told


def test_e745_a_kubeconfig_that_is_not_there_or_has_no_such_context(project: Any) -> None:
    folder = project('[targets.prod]\nengine = "argo"\nstore = "s"\nkubeconfig = "gone"\ncontext = "x"')
    told = _refused(lambda: drawloom.deploy(_flow(), "prod"), EngineError)
    assert f"error[E745] the kubeconfig {folder / 'gone'}, context 'x', of target `prod` can't be used" in told
    (folder / "gone").write_text("[not yaml: {")
    assert "error[E745]" in _refused(lambda: drawloom.deploy(_flow(), "prod"), EngineError)
    assert not (folder / "s").exists()


def test_a_parameter_of_a_wrong_type_is_refused_before_anything_is_stored(project: Any) -> None:
    folder = project('[targets.prod]\nengine = "argo"\nstore = "s"\nserver = "https://127.0.0.1:1"')
    assert "R543" in _refused(lambda: drawloom.deploy(_flow(), "prod", {"n": "three"}), RunRefused)
    assert "R541" in _refused(lambda: drawloom.deploy(_flow("sized"), "prod"), RunRefused)
    assert not (folder / "s").exists()


def test_compile_takes_engine_and_options_from_a_target(project: Any, drawloom_command: Any) -> None:
    folder = project('[targets.prod]\nengine = "argo"\nstore = "s3://b/p"\nnamespace = "flows"\nimage = "i:1"')
    given = ["--target", "prod", "-o", "build", "--option", "image=j:2"]
    assert drawloom_command("compile", "flow_to_deploy.py:doubled", *given)[0] == 0
    text = (folder / "build" / "workflow.yaml").read_text()
    assert 'namespace: "flows"' in text
    assert 'image: "j:2"' in text


def test_p674_options_that_exclude_each_other(project: Any, drawloom_command: Any) -> None:
    project('[targets.prod]\nengine = "argo"\nstore = "s3://b/p"')
    command = ["compile", "flow_to_deploy.py:doubled", "-o", "build"]
    assert "error[P674] neither --engine nor --target is given" in drawloom_command(*command)[2]
    code, _, told = drawloom_command(*command, "--engine", "argo", "--target", "prod")
    assert (code, "error[P674] --engine can't go with --target" in told) == (2, True)
    assert "error[P674] --json can't go with --follow" in drawloom_command("logs", "last", "n", "-f", "--json")[2]


def test_p673_a_local_run_can_not_be_operated(project: Any, drawloom_command: Any) -> None:
    project('[targets.prod]\nengine = "argo"\nstore = "s3://b/p"\n[targets.test]\nengine = "argo"\nstore = "s"')
    assert drawloom_command("run", "flow_to_deploy.py:doubled", "-q")[0] == 0
    for command in ("watch", "cancel", "retry", "suspend", "unsuspend"):
        code, _, told = drawloom_command(command, "last")
        assert code == 2
        assert "is a run of this machine (local): no target has it" in told
        assert "error[P673]" in told
