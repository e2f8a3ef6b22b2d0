"""Our own checker of Argo's rules finds each mistake that a compiler could make; and the YAML that is printed."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import Case, case_names
from hypothesis import given
from hypothesis import strategies as st

from drawloom import DefinitionError, File
from drawloom.compilers.argo.names import Names
from drawloom.compilers.argo.rules import problems_of
from drawloom.compilers.base import compiler_of
from drawloom.compilers.emit.yaml import yaml_text
from drawloom.compilers.pods.names import object_name
from drawloom.dsl.tracing import trace
from drawloom.errors import CompileError

Make = Callable[..., dict[str, Any]]
Break = Callable[[dict[str, Any]], object]


def _template(made: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in made["spec"]["templates"] if one["name"] == name)
    return found


def _task(made: dict[str, Any], template: str, number: int) -> dict[str, Any]:
    found: dict[str, Any] = _template(made, template)["dag"]["tasks"][number]
    return found


MISTAKES: dict[str, tuple[Break, str]] = {
    "long-name": (lambda m: m["metadata"].update(name="n" * 64), "more than 63 characters"),
    "two-templates": (
        lambda m: m["spec"]["templates"].append(deepcopy(m["spec"]["templates"][0])),
        "two templates have",
    ),
    "no-entrypoint": (lambda m: m["spec"].update(entrypoint="gone"), "the entrypoint 'gone' is no template"),
    "template-name": (lambda m: _template(m, "body").update(name="a_b"), "its name can't be one"),
    "task-name": (lambda m: _task(m, "main", 0).update(name="1st"), "`1st` can't be a task's name"),
    "two-tasks": (lambda m: _task(m, "body", 1).update(name=_task(m, "body", 0)["name"]), "two tasks have one name"),
    "no-task": (lambda m: _template(m, "body")["dag"].update(tasks=[]), "its DAG has no task"),
    "unknown-task": (
        lambda m: _task(m, "main", 1).update(depends="gone"),
        "depends on `gone`, which doesn't come before",
    ),
    "unknown-state": (lambda m: _task(m, "main", 1).update(depends="begin.Done"), "depends on the state 'Done'"),
    "no-template": (lambda m: _task(m, "main", 0).update(template="gone"), "runs `gone`, which is no template"),
    "missing-input": (lambda m: _task(m, "main", 0).pop("arguments"), "disagree on the input `run`"),
    "two-loops": (
        lambda m: _task(m, "main", 1).update(withItems=[1], withParam="[]"),
        "has withItems and withParam",
    ),
    "no-ancestor": (lambda m: _task(m, "main", 1).pop("depends"), "reads `tasks.begin.outputs.parameters.run`"),
    "no-such-item": (
        lambda m: _task(m, "main", 0)["arguments"]["parameters"][0].update(value="{{item}}"),
        "reads `item`, which nothing gives",
    ),
    "no-retries": (lambda m: _template(m, "step").pop("retryStrategy"), "it reads `retries`, which nothing gives"),
    "parameter-name": (
        lambda m: _template(m, "begin")["inputs"]["parameters"][0].update(name="a b"),
        "`a b` can't be a parameter's name",
    ),
    "two-parameters": (
        lambda m: _template(m, "begin")["inputs"]["parameters"].append({"name": "run"}),
        "two parameters have one name",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_of_the_compilers_is_found(workflow: Make, name: str) -> None:
    made = workflow(Case("mixture", next(n for m, n in case_names() if m == "mixture")).trace.program)
    assert problems_of(made) == []
    make_wrong, told = MISTAKES[name]
    made = deepcopy(made)
    make_wrong(made)
    assert [text for text in problems_of(made) if told in text]


# names


@given(st.lists(st.text(max_size=150) | st.sampled_from(["a_b", "a-b", "A/b", "é", "1", "", "-"]), max_size=20))
def test_names_are_argos_and_no_two_are_equal(texts: list[str]) -> None:
    names = Names()
    made = [names.new(text) for text in texts]
    assert len({name.lower() for name in made}) == len(made)
    for name in made:
        assert len(name) <= 110
        assert name.isascii()
        assert name[0].isalpha()
        assert name.replace("-", "").isalnum()


@given(st.text(max_size=150))
def test_an_objects_name_is_one_of_kubernetes(text: str) -> None:
    name = object_name(text)
    assert len(name) <= 50
    assert name == name.lower()
    assert name.replace("-", "a").isalnum()
    assert name[0] != "-" != name[-1]


# YAML

HOSTILE = [
    *("y", "n", "Y", "yes", "on", "null", "~", "1e3", "0o7", "0x1F", "1_000", "12:30", "2026-01-01", ".inf", "=", "<<"),
    *(
        "",
        " ",
        "- a",
        "a: b",
        "# no",
        "'",
        '"',
        "\\",
        "{{x}}",
        "${x}",
        "a\nb",
        "\t",
        "\r\n",
        "\x85",
        "\u2028",
        "\ufeff",
    ),
    *("\x7f", "é", "🙂", "%", "@", "`", "&a", "*a", "!t", "|", ">", "?", "[", "{", ","),
]
TEXTS = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
TREES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(TREES)
def test_what_is_printed_is_what_is_read(tree: Any) -> None:
    assert yaml.safe_load(yaml_text(tree)) == tree


def test_every_text_is_quoted() -> None:
    assert yaml_text({"a": ["y", {"b": "1e3", "y": []}], "c": None}) == (
        'a:\n  - "y"\n  - b: "1e3"\n    "y": []\nc: null\n'
    )


# options


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ({}, "E720", "the option `store` of the argo compiler is ''"),
        ({"store": "s3://a", "image": ""}, "E720", "the option `image` of the argo compiler is ''"),
        ({"store": "s3://{{a}}"}, "E720", "the option `store` of the argo compiler is 's3://{{a}}'"),
        ({"store": "s3://a", "env": {"A": "{{b}}"}}, "E720", "the option `env.A` of the argo compiler is '{{b}}'"),
        (
            {"store": "s3://a", "image_pull_policy": "never"},
            "E720",
            "the option `image_pull_policy` of the argo compiler is 'never'",
        ),
        ({"store": "s3://a", "params": {"nn": 1}}, "E721", "has no parameter `nn`"),
        (
            {"store": "s3://a", "params": "files"},
            "E721",
            "can't be put into a Workflow: value is a drawloom.values.files.",
        ),
        ({"store": "s3://a", "params": "large"}, "E721", "a Workflow takes 65,536"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, Any], code: str, told: str) -> None:
    program = Case("straight_line", next(n for m, n in case_names() if m == "straight_line")).trace.program
    value = {"large": "n" * 70_000, "files": File("data.csv")}.get(str(options.get("params")))
    if value is not None:
        options = {**options, "params": {port.name: value for port in program.pipeline.params}}
    with pytest.raises((CompileError, DefinitionError)) as caught:
        compiler_of("argo").compile(program, **options)
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert told in found.what


def test_a_workflow_larger_than_kubernetes_takes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flow_too_large.py").write_text(
        "from drawloom import pipeline, task\n\n@task\ndef double(n: int) -> int:\n    return 2 * n\n\n"
        "@pipeline\ndef flow(n: int) -> list[int]:\n    return [double(n + k) for k in range(5000)]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("flow_too_large")
    with pytest.raises(CompileError) as caught:
        compiler_of("argo").compile(trace(module.flow).program, store="s3://a")
    (found,) = caught.value.diagnostics
    assert found.code == "E722"
    assert re.fullmatch(r"the Workflow has \d\.\d MiB; Kubernetes takes 1 MiB", found.what)
    assert found.where is not None
    assert found.where.line == 7
