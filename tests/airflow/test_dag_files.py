"""DAG files: what is printed, that it is Python as a formatter leaves it, and that nothing of a user's is code there."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import airflow_samples as samples
import pytest
from harness import PROGRAMS, Case, case_names
from hypothesis import given
from hypothesis import strategies as st

from drawloom.compilers.airflow.compile import compile_airflow
from drawloom.compilers.airflow.names import TaskNames, Variables, dag_key
from drawloom.compilers.airflow.own import refuse_own
from drawloom.compilers.emit.python import Source, call, literal
from drawloom.dsl.tracing import trace
from drawloom.errors import CompileError
from drawloom.ir.tasks import EngineSpec
from drawloom.runtimes.airflow_import_errors import node_of_error

GOLDEN = Path(__file__).parent / "golden"
SAMPLES = str(Path(samples.__file__).parent)
GIVEN = {"store": "s3://lake/teams", "root": SAMPLES}
OPTIONS: dict[str, dict[str, Any]] = {
    "sales": {
        "owner": "data",
        "tags": ["daily", "sales"],
        "pool": "small",
        "tasks": {"fetch": {"pool": "web", "pool_slots": 2, "priority_weight": 9, "queue": "far"}},
        "env": {"AWS_REGION": "eu-central-1"},
        "on_failure": [{"class": "airflow.providers.smtp.notifications.smtp.SmtpNotifier", "to": "team@example.com"}],
    },
    "nested": {"max_map_length": 100, "python": "/opt/steps/bin/python"},
    "parameters": {"params": {"size": 4}},
    "operated": {},
    "by_schedule": {"runner": "docker", "image": "registry.example/steps:1"},
    "trained": {
        "runner": "kubernetes",
        "image": "registry.example/steps:1",
        "namespace": "jobs",
        "env": {"AWS_REGION": "eu-central-1"},
        "secret_env": {"AWS_SECRET_ACCESS_KEY": "lake:key"},
        "tasks": {"train": {"memory": "32Gi", "pool": "large", "priority_class": "high"}},
        "spot_selector": {"cloud.example/spot": "true"},
    },
    "contained": {
        "runner": "docker",
        "image": "registry.example/steps:1",
        "memory": "1Gi",
        "env": {"AWS_REGION": "eu-central-1"},
        "tasks": {"prepare": {"cpu": "500m", "volumes": ["claim:/data"]}},
    },
    "catching_up": {"start_date": "2026-01-01T00:00:00Z", "runner": "inprocess"},
}


def compiled(name: str, **options: Any) -> str:
    files = compile_airflow(trace(getattr(samples, name), {}).program, **{**GIVEN, **OPTIONS.get(name, {}), **options})
    text = files["dag.py"]
    assert isinstance(text, str)
    return text


def without_code(text: str) -> str:
    """The file without what changes with every change of drawloom's own code."""
    text = re.sub(r'^BUNDLE = ".{64}"$', 'BUNDLE = "<sha256>"', text, flags=re.MULTILINE)
    return re.sub(r'(?s)^BOOTSTRAP = """.*"""\n', 'BOOTSTRAP = """<the stub>"""\n', text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "profile"), [(name, "3") for name in OPTIONS] + [("sales", "2.11"), ("by_schedule", "2.11")]
)
def test_a_dag_file_is_the_golden_one(name: str, profile: str) -> None:
    path = GOLDEN / f"{name}-{profile}.py.txt"
    found = without_code(compiled(name, airflow=profile))
    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(found)
    assert found == path.read_text()


def test_a_map_is_mapped_over_the_task_that_gives_its_list() -> None:
    text = compiled("behind_a_chain")
    assert "    for_each.expand(index=listed.output)\n" in text
    assert "for_each_count" not in text


def _ruff(*command: str, text: str) -> str:
    done = subprocess.run(
        [f"{Path(sys.executable).parent}/ruff", *command, "-"], input=text, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("name", sorted(OPTIONS))
@pytest.mark.parametrize("profile", ["3", "2.11"])
def test_a_dag_file_is_as_a_formatter_leaves_it(name: str, profile: str) -> None:
    text = compiled(name, airflow=profile)
    assert _ruff("format", "--isolated", "--diff", text=text) == ""
    assert _ruff("check", "--isolated", "--select", "E4,E7,E9,F,I,B", "--target-version", "py310", text=text) == ""


SOME = [next((m, n) for m, n in case_names("small") if m == module) for module in ("mixture", "orders", "tournament")]


@pytest.mark.parametrize(("module", "name"), SOME)
def test_the_dag_file_of_a_program_is_as_a_formatter_leaves_it(module: str, name: str) -> None:
    files = compile_airflow(Case(module, name).trace.program, store="s3://lake", root=str(PROGRAMS))
    assert _ruff("format", "--isolated", "--diff", text=str(files["dag.py"])) == ""


def test_the_same_pipeline_gives_the_same_file() -> None:
    assert compiled("sales") == compiled("sales")


def test_a_dag_file_imports_airflow_and_the_standard_library_alone() -> None:
    for name in OPTIONS:
        found = set()
        for node in ast.walk(ast.parse(compiled(name))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).partition(".")[0])
        assert found - {"airflow"} <= sys.stdlib_module_names


# literals

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.integers(0, 40))
def test_a_literal_is_the_value(value: Any, used: int) -> None:
    text = literal(value, 4, used)
    assert ast.literal_eval(text) == value
    text.encode("utf-8")


@given(
    st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(str.isidentifier), JSON, max_size=5)
)
def test_a_call_has_the_values(arguments: dict[str, Any]) -> None:
    import keyword

    given_ = {name: value for name, value in arguments.items() if not keyword.iskeyword(name)}
    made = ast.parse(call("Step", given_, 4, 12), mode="eval").body
    assert isinstance(made, ast.Call)
    assert {one.arg: ast.literal_eval(one.value) for one in made.keywords} == given_


def test_source_is_no_text() -> None:
    assert literal([Source("index"), "index"]) == '[index, "index"]'


# names


@given(st.lists(st.text(min_size=1).filter(lambda text: "/" not in text), min_size=1, max_size=12))
def test_ids_are_unique_and_airflow_takes_them(texts: list[str]) -> None:
    names = TaskNames()
    path: tuple[str, ...] = ()
    found = []
    for text in texts:
        group = names.group(path)
        found.append(".".join((*group, names.task(group, text))))
        path = (*path, text)
    assert len({one.lower() for one in found}) == len(found)
    assert all(len(one) <= 250 and re.fullmatch(r"[\w.-]+", one) for one in found)
    assert all(len(".".join(names.group(path[:end]))) <= 200 for end in range(len(path) + 1))


@given(st.lists(st.text(), max_size=20))
def test_variables_are_unique_names_that_hide_nothing(texts: list[str]) -> None:
    variables = Variables(["Step"])
    found = [variables.new(text) for text in [*texts, "sum", "class", "match", "Step", "1st"]]
    assert len(set(found)) == len(found)
    assert all(one.isidentifier() for one in found)
    assert not {"sum", "class", "Step"} & set(found)


@given(st.text())
def test_a_dag_key_is_one_that_airflow_takes(text: str) -> None:
    assert re.fullmatch(r"[\w.-]{1,250}", dag_key(text))


# the batches that a DAG file makes


def _functions_of(text: str, *names: str) -> dict[str, Any]:
    wanted = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and n.name in names]
    made: dict[str, Any] = {}
    exec(compile(ast.Module(wanted, []), "dag.py", "exec"), made)  # the file's own functions, without Airflow
    return made


@given(st.lists(st.integers(0, 40), max_size=6), st.integers(1, 9), st.integers(1, 30))
def test_batches_hold_every_vector_once_and_no_more_than_airflow_maps(counts: list[int], size: int, most: int) -> None:
    from drawloom.ir.protocol import parse_indices

    made = _functions_of(BATCHES, "batches", "numbers")
    made["MAX_MAP_LENGTH"] = most
    texts = made["batches"]([[f"{outer}", count] for outer, count in reversed(list(enumerate(counts)))], size)
    assert len(texts) <= most
    found = [index for text in texts for index in parse_indices(text)]
    assert found == [(outer, number) for outer, count in enumerate(counts) for number in range(count)]
    assert all(len(parse_indices(text)) == len(parse_indices(texts[0])) for text in texts[:-1])


BATCHES = compiled("nested")


# what is refused


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"store": ""}, "the option `store` of the airflow compiler is ''"),
        ({"store": "lake"}, "the option `store` of the airflow compiler is 'lake'"),
        ({"airflow": "1.10"}, "the option `airflow` of the airflow compiler is '1.10'"),
        ({"runner": "podman"}, "the option `runner` of the airflow compiler is 'podman'"),
        ({"runner": "docker"}, "the option `image` of the airflow compiler is ''"),
        ({"runner": "kubernetes", "image": "x", "cpu": "much"}, "the option `cpu` of the airflow compiler is 'much'"),
        ({"memory": "1Gi"}, "the option `memory` of the airflow compiler means nothing to the runner `python`"),
        (
            {"runner": "docker", "image": "x", "namespace": "jobs"},
            "the option `namespace` of the airflow compiler means nothing to the runner `docker`",
        ),
        (
            {"runner": "docker", "image": "x", "tasks": {"fetch": {"labels": {}}}},
            "the airflow compiler has no option `tasks.fetch.labels`",
        ),
        ({"tasks": {"fetch": {"memory": "1Gi"}}}, "the airflow compiler has no option `tasks.fetch.memory`"),
        ({"runner": "kubernetes", "image": "x", "startup_timeout_seconds": 0}, "the option `startup_timeout_seconds`"),
        (
            {"runner": "kubernetes", "image": "x", "labels": {"dag_id": "y"}},
            "an option of the airflow compiler: the label 'dag_id' is one of Airflow's own",
        ),
        (
            {"runner": "kubernetes", "image": "x", "volumes": ["claim:/tmp/x"]},
            "an option of the airflow compiler: a volume is mounted at /tmp/x",
        ),
        ({"dag_id": "a b"}, "the option `dag_id` of the airflow compiler is 'a b'"),
        ({"max_map_length": 0}, "the option `max_map_length` of the airflow compiler is 0"),
        ({"env": {"A-B": "x"}}, "the option `env` of the airflow compiler is 'A-B'"),
        ({"tags": [""]}, "the option `tags` of the airflow compiler is ''"),
        ({"pool": 3}, "the option `pool` of the airflow compiler is 3"),
        ({"start_date": "2026-01-01"}, "the option `start_date` of the airflow compiler is '2026-01-01'"),
        ({"on_failure": [{"to": "x"}]}, "the option `on_failure` of the airflow compiler is {'to': 'x'}"),
        ({"tasks": {"fetsh": {}}}, "the option `tasks` of the airflow compiler names `fetsh`"),
        ({"tasks": {"fetch": {"poool": "x"}}}, "the airflow compiler has no option `tasks.fetch.poool`"),
        (
            {"tasks": {"fetch": {"pool_slots": "2"}}},
            "the option `tasks.fetch.pool_slots` of the airflow compiler is '2'",
        ),
        ({"tasks": {"fetch": 3}}, "the option `tasks.fetch` of the airflow compiler is 3"),
    ],
)
def test_e720_an_option_that_airflow_could_not_take(options: dict[str, Any], told: str) -> None:
    with pytest.raises(CompileError) as caught:
        compile_airflow(trace(samples.sales, {}).program, **{**GIVEN, **options})
    (found,) = caught.value.diagnostics
    assert found.code == "E720"
    assert found.what.startswith(told)
    assert found.fix


@pytest.mark.parametrize(
    ("name", "options", "code", "told"),
    [
        ("trained", {"runner": "kubernetes", "spot_selector": None}, "E724", "node `for_each/train` is to run on spot"),
        ("trained", {"runner": "docker"}, "E727", "node `for_each/convert` runs a container"),
        (
            "contained",
            {
                "runner": "docker",
                "tasks": {"len_of": {"volumes": [{"mount_path": "/x", "empty_dir": True, "size": "1Gi"}]}},
            },
            "E727",
            "node `len_of`: the folder /x may hold 1Gi, and docker keeps such a limit in memory alone",
        ),
    ],
)
def test_e724_e727_what_a_pod_or_a_container_can_not_have(
    name: str, options: dict[str, Any], code: str, told: str
) -> None:
    given = {**GIVEN, "image": "registry.example/steps:1", **options}
    program = trace(getattr(samples, name), {}).program
    with pytest.raises(CompileError) as caught:
        compile_airflow(program, **given)
    assert (caught.value.diagnostics[0].code, caught.value.diagnostics[0].what[: len(told)]) == (code, told)


def test_e721_a_parameter_that_the_pipeline_has_not() -> None:
    with pytest.raises(CompileError, match=r"E721\] pipeline `sales` has no parameter `cuont`, did you mean `count`"):
        compiled("sales", params={"cuont": 3})


def test_e731_a_schedule_without_a_value_for_a_parameter() -> None:
    with pytest.raises(CompileError, match=r"E731\] the scheduled pipeline `needing` needs the parameter `size`"):
        compiled("needing")
    assert "Param(3, " in compiled("needing", params={"size": 3})


def test_e751_a_schedule_that_catches_up_from_nowhere() -> None:
    with pytest.raises(CompileError, match=r"E751\] the schedule of `catching_up` has catch_up=True"):
        compiled("catching_up", start_date="")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"bash_command": "true"}, "it names the operator None"),
        ({"operator": "BashOperator"}, "it names the operator 'BashOperator'"),
        ({"operator": "a.B", "task_id": "x"}, "it has the argument `task_id`, which is drawloom's to give"),
        ({"operator": "a.B", "a b": "x"}, "no operator has an argument 'a b'"),
        ({"operator": "a.B"}, "nothing takes its input `day`"),
        ({"operator": "a.B", "sql": "{{ inputs.day }} {{ inputs.night }}"}, "it asks for an input `night`"),
    ],
)
def test_e737_an_operator_that_airflow_could_not_run(spec: dict[str, Any], told: str) -> None:
    program = trace(samples.operated, {}).program
    (task,) = program.pipeline.tasks
    ports = tuple(port for port in task.inputs if port.name == "day")
    changed = replace(task, engine=EngineSpec("airflow", json.dumps(spec)), inputs=ports)
    with pytest.raises(CompileError) as caught:
        refuse_own(replace(program, pipeline=replace(program.pipeline, tasks=(changed,))))
    assert any(told in one.what for one in caught.value.diagnostics)
    assert {one.code for one in caught.value.diagnostics} == {"E737"}


def test_e737_an_operator_in_a_loop_that_one_task_follows() -> None:
    with pytest.raises(
        CompileError, match=r"E737\] node `.*` can't be run by Airflow: it lies in a loop that one task"
    ):
        compiled("operated_twice")


def test_a_run_can_not_end_another_one() -> None:
    with pytest.raises(CompileError, match=r"policy\.schedule\.overlap_replace@1\), which airflow can't express"):
        compiled("replacing")


def test_e750_jinja2_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    from drawloom.compilers.airflow import dag_file

    dag_file._template.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(
        CompileError, match=r"E750\] writing a DAG file needs jinja2\n  fix    `pip install 'drawloom\[airflow\]'`"
    ):
        compiled("sales")


def test_an_import_error_is_of_the_node_whose_line_it_has() -> None:
    text = compiled("operated")
    lines = text.splitlines()
    imported = next(n for n, line in enumerate(lines, 1) if "import HttpOperator" in line)
    inside = next(n for n, line in enumerate(lines, 1) if "http_conn_id" in line)
    step = next(n for n, line in enumerate(lines, 1) if line.strip().startswith("begin = "))
    for number, node in ((imported, "refreshed"), (inside, "refreshed"), (step, "begin"), (1, "")):
        trace = f'Traceback:\n  File "/opt/airflow/dags/operated.py", line {number}, in <module>\nImportError: no'
        assert node_of_error(trace, "operated.py", text) == node
    assert node_of_error("ImportError: no", "operated.py", text) == ""
    assert node_of_error('File "operated.py", line 1', "operated.py", "no Python (") == ""


def test_a_folder_in_memory_has_its_limit_in_a_container() -> None:
    volume = {"mount_path": "/x", "empty_dir": True, "in_memory": True, "size": "1Gi"}
    text = compiled("contained", tasks={"len_of": {"volumes": [volume]}})
    assert f'"--tmpfs",\n        "/x:size={1 << 30}",' in text
