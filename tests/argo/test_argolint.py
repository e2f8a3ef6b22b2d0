"""Argo's own validator, built from its Go module, accepts the Workflow of every program: `make test-argo-lint`.

`TEST_ARGOLINT` is the path of what `tests/engines/argo/build-argolint` has built, `TEST_ARGOLINT_37` that for Argo 3.7;
without them there is nothing to run.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import boxes
import owned
import pytest
import schedule_samples as samples
from harness import Case, case_names
from kinds_of_programs import every_object

from drawloom import Pipeline, Schedule, pipeline
from drawloom.compilers.emit.yaml import yaml_text
from drawloom.dsl.tracing import trace
from drawloom.ir.cron import Cron, zone_of

Make = Callable[..., dict[str, Any]]
ARGOLINT = os.environ.get("TEST_ARGOLINT", "")
LINTS = {"4.0": ARGOLINT, "3.7": os.environ.get("TEST_ARGOLINT_37", "")}
pytestmark = pytest.mark.skipif(not ARGOLINT, reason="`make test-argo-lint` builds Argo's validator first")


def _linted(paths: list[Path], version: str = "4.0") -> tuple[int, list[str]]:
    done = subprocess.run([LINTS[version], *map(str, paths)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines() + done.stderr.splitlines()


@pytest.mark.parametrize("version", LINTS)
def test_every_programs_workflow_is_accepted(workflow: Make, tmp_path: Path, version: str) -> None:
    paths, seen = [], set()
    for module, name in case_names():
        case = Case(module, name)
        if case.pipeline not in seen:
            seen.add(case.pipeline)
            paths.append(tmp_path / f"{module}-{name}.yaml")
            paths[-1].write_text(yaml_text(workflow(case.trace.program)), "utf-8")
    assert len(paths) > 100
    assert _linted(paths, version) == (0, [])


@pytest.mark.parametrize("version", LINTS)
def test_containers_are_accepted(workflow: Make, tmp_path: Path, version: str) -> None:
    paths = [tmp_path / f"{name}.yaml" for name in boxes.CASES]
    for path in paths:
        path.write_text(yaml_text(workflow(Case("boxes", path.stem).trace.program)), "utf-8")
    assert _linted(paths, version) == (0, [])


@pytest.mark.parametrize("version", LINTS)
def test_templates_of_other_objects_are_accepted(workflow: Make, tmp_path: Path, version: str) -> None:
    paths = [tmp_path / "templates.yaml"]
    paths[0].write_text(yaml_text(owned.templates("python:3.11-slim")), "utf-8")
    for name, value in vars(owned).items():
        if isinstance(value, Pipeline) and name != "nowhere":
            paths.append(tmp_path / f"{name}.yaml")
            paths[-1].write_text(yaml_text(workflow(trace(value, {}).program)), "utf-8")
    assert _linted(paths, version) == (0, [])


@pytest.mark.parametrize("version", LINTS)
def test_the_goldens_are_accepted(version: str) -> None:
    assert _linted(sorted((Path(__file__).parent / "golden").glob("*.yaml")), version) == (0, [])


@pytest.mark.parametrize("version", LINTS)
@pytest.mark.parametrize("zone", ["UTC", "America/Argentina/ComodRivadavia", "Etc/GMT+12"])
def test_schedules_are_accepted(tmp_path: Path, version: str, zone: str) -> None:
    for number, cron in enumerate(("* * * * *", "*/7 0-23/2 1,2,31 JAN-dec *", "59 23 31 12 6", "0 0 * * sun,MON-FRI")):
        flow = pipeline(schedule=Schedule(cron, zone=zone))(samples.plain_function)
        (one,) = every_object(trace(flow, {}).program, "cron").values()
        (tmp_path / f"{number}.yaml").write_text(yaml_text(one), "utf-8")
    assert _linted(sorted(tmp_path.iterdir()), version) == (0, [])


@pytest.mark.parametrize("version", LINTS)
@pytest.mark.parametrize(
    ("golden", "old", "new", "told"),
    [
        ("cron", '"30 6 * * MON-FRI"', '"30 6 * * 7"', "end of range (7) above maximum (6)"),
        ("cron", '"Europe/Berlin"', '"Europe/Atlantis"', "Atlantis"),
        ("cron", '"Forbid"', '"Never"', "Never"),
        ("template", 'workflowTemplateRef:\n    name: "nightly"', 'workflowTemplateRef:\n    name: "daily"', "daily"),
    ],
)
def test_a_mistake_in_another_kind_is_found(
    tmp_path: Path, version: str, golden: str, old: str, new: str, told: str
) -> None:
    text = (Path(__file__).parent / "golden" / f"{golden}.yaml").read_text("utf-8")
    assert old in text
    (tmp_path / "wrong.yaml").write_text(text.replace(old, new), "utf-8")
    code, lines = _linted([tmp_path / "wrong.yaml"], version)
    if told == "Atlantis" and version == "3.7":
        assert code == 0  # it looks at a zone only when it is time: drawloom has looked before (G235)
        return
    assert code == 1
    assert told in "\n".join(lines)


@pytest.mark.parametrize(
    ("cron", "zone", "after"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-27T00:00:00Z"),  # 02:30 isn't there on 29 March
        ("*/30 1-3 * * *", "Europe/Berlin", "2026-03-29T00:00:00+01:00"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-23T00:00:00Z"),  # 02:30 is there twice on 25 October
        ("0 * * * *", "Europe/Berlin", "2026-10-24T23:00:00Z"),
        ("15 2 * * SUN", "America/New_York", "2026-10-20T00:00:00Z"),
        ("0 0 * * *", "America/Sao_Paulo", "2018-11-01T00:00:00Z"),  # midnight isn't there on 4 November
        ("0 0 1,15 * MON", "Asia/Kolkata", "2026-01-01T00:00:00Z"),
        ("0 6 29 2 *", "UTC", "2023-01-01T00:00:00Z"),
        ("5-59/20 6,18 1-31/2 JAN-JUN *", "Asia/Kathmandu", "2026-06-29T00:00:00Z"),
    ],
)
def test_the_times_of_a_schedule_are_argos(cron: str, zone: str, after: str) -> None:
    """The ten times after a moment, as the cron of Argo's controller finds them, backwards by ours."""
    done = subprocess.run([LINTS["3.7"], "-next", cron, zone, after, "10"], capture_output=True, text=True, check=True)
    # in UTC: times in zones are never equal to others' where a clock is put back (PEP 495)
    times = [datetime.fromisoformat(line).astimezone(UTC) for line in done.stdout.split()]
    assert len(times) == 10
    made, here = Cron(cron), zone_of(zone)
    for earlier, later in pairwise(times):
        assert made.latest(later, here).astimezone(UTC) == later
        assert made.before(later, here).astimezone(UTC) == earlier


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('depends: "begin"', 'depends: "gone"', "gone"),
        ("{{tasks.begin.outputs.parameters.run}}", "{{tasks.begin.outputs.parameters.ran}}", "ran"),
        ('entrypoint: "main"', 'entrypoint: "many"', "many"),
        ("failFast: false", "failsFast: false", "failsFast"),
    ],
)
def test_a_mistake_is_found(workflow: Make, tmp_path: Path, old: str, new: str, told: str) -> None:
    text = yaml_text(workflow(Case("mixture", next(n for m, n in case_names() if m == "mixture")).trace.program))
    path = tmp_path / "wrong.yaml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    code, lines = _linted([path])
    assert code == 1
    assert told in "\n".join(lines)
