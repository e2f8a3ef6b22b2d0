"""What holds for every well-formed pipeline: it is clean, round-trips, fits its schema, means what Python means."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from ir_pipelines import FUNCTIONS, INFO, PARAMS, pipelines
from ir_python import run_as_python, to_python

from drawloom.ir.check import check_pipeline
from drawloom.ir.interpret import interpret
from drawloom.ir.layout import layout
from drawloom.ir.nodes import Pipeline
from drawloom.ir.program import Program, load_pipeline, pipeline_digest, pipeline_json
from drawloom.ir.schema import schema
from drawloom.ir.text import excerpt, format_pipeline
from drawloom.ir.walk import walk

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
VALIDATOR = jsonschema.Draft202012Validator(schema())


@few
@given(pipelines(engine_nodes=True))
def test_the_check_finds_nothing_wrong(pipeline: Pipeline) -> None:
    assert [str(d) for d in check_pipeline(Program(pipeline))] == []


@few
@given(pipelines(engine_nodes=True))
def test_json_and_back_is_the_same_pipeline_with_the_same_digest(pipeline: Pipeline) -> None:
    again = load_pipeline(json.loads(json.dumps(pipeline_json(pipeline))))
    assert again == pipeline
    assert pipeline_digest(again) == pipeline_digest(pipeline)
    assert format_pipeline(again) == format_pipeline(pipeline)


@few
@given(pipelines(engine_nodes=True))
def test_its_json_fits_the_schema(pipeline: Pipeline) -> None:
    VALIDATOR.validate(pipeline_json(pipeline))


@few
@given(pipelines(engine_nodes=True), pipelines(engine_nodes=True))
def test_two_pipelines_have_one_text_only_if_they_are_one(first: Pipeline, second: Pipeline) -> None:
    assert (format_pipeline(first) == format_pipeline(second)) == (first == second)


@few
@given(pipelines(engine_nodes=True))
def test_the_text_form_is_printable_and_shows_every_node_once(pipeline: Pipeline) -> None:
    lines = format_pipeline(pipeline).split("\n")
    assert all(line.isprintable() for line in lines)
    for node in walk(pipeline.body):
        assert sum(line.lstrip().startswith(f"{node.id} = ") for line in lines) == 1
        assert excerpt(pipeline, node.id).endswith("<- here")


@few
@given(pipelines())
def test_positions_follow_program_order(pipeline: Pipeline) -> None:
    sources = layout(pipeline)
    assert list(sources) == [node.id for node in walk(pipeline.body)]
    positions = [tuple(max(p, 0) for p in source.position) for source in sources.values()]
    assert positions == sorted(positions)


def _outcome_of_python(pipeline: Pipeline) -> tuple[Any, str]:
    try:
        return run_as_python(pipeline, FUNCTIONS, PARAMS, INFO), ""
    except Exception as error:
        return None, repr(error)


@settings(few, max_examples=250)
@given(pipelines())
def test_the_interpreter_gives_what_cpython_gives(pipeline: Pipeline) -> None:
    expected = _outcome_of_python(pipeline)
    outcome = interpret(pipeline, FUNCTIONS, PARAMS, info=INFO)
    failure = repr(outcome.failure) if outcome.failure is not None else ""
    assert (outcome.result, failure) == expected, to_python(pipeline)


@few
@given(pipelines())
def test_states_and_instances_agree(pipeline: Pipeline) -> None:
    outcome = interpret(pipeline, FUNCTIONS, PARAMS, info=INFO)
    assert set(outcome.states) == {node.id for node in walk(pipeline.body)}
    for (node, index), state in outcome.instances.items():
        assert len(index) == layout(pipeline)[node].depth
        assert state == "succeeded" or outcome.states[node] != "succeeded" or index
    if outcome.failed is not None and outcome.failed[0]:
        assert outcome.instances[outcome.failed] == "failed"


def test_the_strategy_makes_failures_and_results(record_property: Any) -> None:
    seen = {"failed": 0, "succeeded": 0}

    @settings(few, max_examples=60, derandomize=True)
    @given(pipelines())
    def run(pipeline: Pipeline) -> None:
        seen["failed" if interpret(pipeline, FUNCTIONS, PARAMS, info=INFO).failure else "succeeded"] += 1

    run()
    assert min(seen.values()) >= 5, seen
