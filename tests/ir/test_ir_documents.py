"""The written form: digests are the same everywhere, documents of another form are refused, the schema is in step."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ir_samples import SAMPLES

from drawloom.ir.canonical import canonical_json
from drawloom.ir.check import check_pipeline
from drawloom.ir.nodes import Pipeline
from drawloom.ir.policies import RetryPolicy
from drawloom.ir.program import Program, load_pipeline, pipeline_digest, pipeline_json
from drawloom.ir.schema import schema
from drawloom.ir.serialize import MalformedDocument, from_json, kind_of, to_json
from drawloom.ir.text import excerpt, format_pipeline

ROOT = Path(__file__).parents[2]
VALIDATOR = jsonschema.Draft202012Validator(schema())

# A change here makes every cache and every stored program stale: it needs a new `ir_version` or a good reason.
PINNED = {
    "churn": "57d420d9a848e471b88260eb3b5bd1b8822bf05607c594077290210af6eb0a5e",
    "control": "c05ade375e89dbe95d74204cac3437c8ede9f0867a9eece72d8818eb232458fc",
    "empty": "201e9009aae6b05c1e5f57c4228228992090f99391953728e6ee2c7c471d0840",
    "values": "041c28fce7af591c28e20638ab91eb20f245564df84971cb7523127b68272d49",
}

PRINT_DIGESTS = """
import sys
sys.path[:0] = sys.argv[1:]
from drawloom.ir.program import pipeline_digest
from ir_samples import SAMPLES
print(*(f"{name} {pipeline_digest(p)}" for name, p in SAMPLES.items()), sep="\\n")
"""


def _digests(python: list[str], **environment: str) -> dict[str, str]:
    paths = [str(ROOT), str(ROOT / "tests" / "strategies")]
    made = subprocess.run(
        [*python, "-c", PRINT_DIGESTS, *paths],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return dict(line.split() for line in made.stdout.splitlines())


@pytest.mark.parametrize("name", SAMPLES)
def test_a_digest_is_what_it_was(name: str) -> None:
    assert pipeline_digest(SAMPLES[name]) == PINNED[name]


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_digests_do_not_depend_on_the_process(seed: str) -> None:
    assert _digests([sys.executable], PYTHONHASHSEED=seed) == PINNED


def _other_python(version: str) -> str:
    """A Python of that version on this machine; pyenv's shims need to be told which one, so those are asked first."""
    installed = sorted(
        Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{version}.*/bin/python")
    )
    found = str(installed[-1]) if installed else shutil.which(f"python{version}")
    if found is None or subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no Python {version} on this machine")
    return found


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_digests_do_not_depend_on_the_python_version(version: str) -> None:
    assert _digests([_other_python(version)]) == PINNED


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_clean_and_round_trips_and_fits_the_schema(name: str) -> None:
    sample = SAMPLES[name]
    assert [str(d) for d in check_pipeline(Program(sample))] == []
    tree = json.loads(canonical_json(pipeline_json(sample)))
    assert load_pipeline(tree) == sample
    VALIDATOR.validate(tree)


def test_the_text_form_of_the_samples_is_the_reviewed_one() -> None:
    text = "\n\n".join(format_pipeline(sample) for sample in SAMPLES.values()) + "\n"
    assert text == (Path(__file__).parent / "golden" / "samples.txt").read_text(encoding="utf-8")


def test_an_excerpt_is_short_and_the_full_form_cuts_nothing() -> None:
    sample = SAMPLES["churn"]
    assert excerpt(sample, "score").splitlines() == [
        "table  = ml:load(csv=$csv) -> DataFrame",
        "models = map $depths of int -> result: list[Model]",
        "score  = ml:score(model=models[-1], table=table) -> float after models    <- here",
    ]
    long = Pipeline("p", body=sample.body, params=sample.params)
    assert "..." not in format_pipeline(long)


# documents of another form


def _tree(**changes: Any) -> Any:
    return json.loads(canonical_json(pipeline_json(SAMPLES["churn"]))) | changes


def _without(tree: Any, name: str) -> Any:
    return {key: value for key, value in tree.items() if key != name}


BAD = {
    "$.ir_version is 1; this drawloom reads 0": _tree(ir_version=1),
    "$.ir_version is '0'; this drawloom reads 0": _tree(ir_version="0"),
    "$ lacks the field 'ir_version'": _without(_tree(), "ir_version"),
    "$ lacks the field 'kind'": _without(_tree(), "kind"),
    "$ lacks the field 'name'": _without(_tree(), "name"),
    "$.requires names features this drawloom doesn't know: spot, zeal": _tree(requires=["zeal", "spot"]),
    "$ has the unknown field 'colour'; known: "
    "body, ir_version, kind, name, params, policies, requires, results, tasks": _tree(colour="red"),
    "$.name must be str, got int": _tree(name=3),
    "$.params must be a list, got str": _tree(params="x"),
    "$.params[0] must be a port, got 'type'": _tree(params=[{"kind": "type", "name": "int"}]),
    "$.params[0].default must be one of NoneType, str, got int": _tree(
        params=[{"kind": "port", "name": "n", "default": 1}]
    ),
    "$.body.nodes[0] has the unknown kind 'teleport'; known: branch, call, loop, map, pipeline_call, try": _tree(
        body={"kind": "block", "nodes": [{"kind": "teleport"}]}
    ),
    "$.body.results[0] must be a list of 2": _tree(body={"kind": "block", "results": [["a"]]}),
    "$.body.results[0][1].path[0] has the unknown kind 'slice'; known: field, key": _tree(
        body={"kind": "block", "results": [["a", {"kind": "param", "name": "n", "path": [{"kind": "slice"}]}]]}
    ),
    "$ must be a pipeline, got 'list'": [],
    "$.policies.run_timeout_seconds must be one of NoneType, float, got str": _tree(
        policies={"kind": "pipeline_policies", "run_timeout_seconds": "1h"}
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_a_document_of_another_form_is_refused_with_the_place(message: str) -> None:
    with pytest.raises(MalformedDocument) as refused:
        load_pipeline(BAD[message])
    assert str(refused.value) == message


@pytest.mark.parametrize("message", [m for m in BAD if "requires" not in m])
def test_the_schema_refuses_it_too(message: str) -> None:
    assert not VALIDATOR.is_valid(BAD[message])


def test_a_document_nested_deeper_than_the_stack_is_refused() -> None:
    operand: Any = {"kind": "const", "json": "1"}
    for _ in range(5_000):
        operand = {"kind": "apply", "op": "neg", "args": [operand]}
    with pytest.raises(MalformedDocument, match="nested deeper than Python's stack"):
        load_pipeline(
            {"kind": "batch", "ir_version": 0, "name": "p", "body": {"kind": "block", "results": [["r", operand]]}}
        )


def test_every_class_of_the_ir_has_a_kind_of_its_own() -> None:
    kinds = {kind_of(cls) for cls in _classes(Pipeline, set())}
    assert len(kinds) == len(_classes(Pipeline, set()))
    assert kinds == set(schema()["$defs"])


def _classes(cls: Any, found: set[Any]) -> set[Any]:
    import dataclasses
    import typing

    def visit(hint: Any) -> None:
        if dataclasses.is_dataclass(hint) and hint not in found:
            _classes(hint, found)
        for arg in typing.get_args(hint):
            visit(arg)

    found.add(cls)
    for hint in typing.get_type_hints(cls).values():
        visit(hint)
    return found


def test_fields_at_their_defaults_are_left_out_and_a_bool_is_no_int() -> None:
    assert to_json(RetryPolicy()) == {"kind": "retry_policy"}
    assert from_json(RetryPolicy, {"kind": "retry_policy", "delay_seconds": 1}) == RetryPolicy(delay_seconds=1)
    with pytest.raises(MalformedDocument, match="max_attempts must be int, got bool"):
        from_json(RetryPolicy, {"kind": "retry_policy", "max_attempts": True})


def test_a_reserved_kind_can_be_read_and_is_told_by_the_check() -> None:
    stream = Pipeline("p", kind="stream")
    assert load_pipeline(pipeline_json(stream)) == stream
    assert [d.code for d in check_pipeline(Program(stream))] == ["G227"]


# the schema


def test_the_published_schema_is_the_generated_one() -> None:
    published = (ROOT / "docs" / "ir.schema.json").read_text(encoding="utf-8")
    assert published == json.dumps(schema(), indent=2) + "\n", "run: python -m drawloom.ir.schema > docs/ir.schema.json"


def test_the_schema_is_a_schema_with_closed_objects() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert all(definition["additionalProperties"] is False for definition in schema()["$defs"].values())
