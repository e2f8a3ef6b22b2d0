"""`drawloom compile --engine argo` and `drawloom push`: a build folder, and what of it goes into the store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

FLOW = """
from drawloom import pipeline, task

@task
def double(n: int) -> int:
    return 2 * n

@pipeline
def doubled(n: int = 3) -> int:
    return double(n)
"""


@pytest.fixture
def built(drawloom: Any, folder: Path) -> Path:
    (folder / "flow_to_push.py").write_text(FLOW)
    options = [f"store={folder / 'lake'}", "env.TZ=UTC", "env_from_secrets=keys", "env_from_secrets=more"]
    arguments = [part for option in options for part in ("--option", option)]
    said = drawloom.ok("compile", "flow_to_push.py:doubled", "--engine", "argo", "-o", "build", *arguments)
    assert said.startswith("doubled for argo: ")
    return folder / "build"


def test_what_a_build_has_goes_into_the_store_once(drawloom: Any, built: Path) -> None:
    engine = json.loads((built / "engine.json").read_text())
    lake = built.parent / "lake"
    said = drawloom.ok("push", "build")
    assert said.startswith(f"doubled: program {engine['program'][:12]}, ")
    assert said.endswith(f", in {lake}\n")
    files = {path: path.stat().st_mtime_ns for path in lake.rglob("*") if path.is_file()}
    assert any(path.name == f"{engine['bundle']}.zip" for path in files)
    document = drawloom.json("push", "build", "--store", str(lake))
    assert (document["program"], document["bundle"]) == (engine["program"], engine["bundle"])
    assert {path for path in lake.rglob("*") if path.is_file()} == set(files)


def test_options_reach_the_workflow(built: Path) -> None:
    workflow = yaml.safe_load((built / "workflow.yaml").read_text())
    container = workflow["spec"]["templates"][-1]["container"]
    assert container["env"] == [{"name": "TZ", "value": "UTC"}]
    assert container["envFrom"] == [{"secretRef": {"name": "keys"}}, {"secretRef": {"name": "more"}}]
    place = container["args"][0]
    assert place.startswith(str(built.parent / "lake"))
    names = json.loads((built / "names.json").read_text())
    assert names == {"double": "body/double"}


def test_a_folder_without_a_program_is_refused(drawloom: Any, folder: Path) -> None:
    result = drawloom("push", "nowhere")
    assert result.exit_code != 0
    assert result.stderr.startswith("error[E716] nowhere/engine.json is no program of an engine: FileNotFoundError")


def test_a_program_without_a_store_needs_one(drawloom: Any, folder: Path) -> None:
    (folder / "flow_to_push.py").write_text(FLOW)
    drawloom.ok("compile", "flow_to_push.py:doubled", "--engine", "reference", "-o", "build")
    told = "it is for reference, which has no store of its own\n"
    assert told in drawloom("push", "build").stderr
    assert drawloom.ok("push", "build", "--store", "lake").endswith(", in lake\n")


def test_an_option_that_is_none_is_refused(drawloom: Any, folder: Path) -> None:
    (folder / "flow_to_push.py").write_text(FLOW)
    result = drawloom("compile", "flow_to_push.py:doubled", "--engine", "argo", "-o", "build", "--option", "store")
    assert result.stderr == (
        "error[P643] `--option store` is no option: expected NAME=TEXT\n  fix    write `--option store=s3://lake/teams`\n"
    )
    result = drawloom("compile", "flow_to_push.py:doubled", "--engine", "argo", "-o", "build", "--option", "stor=x")
    assert result.stderr.startswith("error[E790] argo has no option `stor`, did you mean `store`?")
