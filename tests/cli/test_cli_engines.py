"""`drawloom engines`, and `drawloom check --engine`: what engines can do, and what each refuses of a pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import drawloom as library
from drawloom.compilers.base import compiler_of, engine_names
from drawloom.compilers.features import FEATURES

ENGINES = """
from drawloom.compilers.base import Bundle, Compiler, Native, Refused, refuse_unsupported
from drawloom.compilers.features import FEATURES


def compiler(name, support):
    def compile(program):
        refuse_unsupported(program, made)
        return Bundle({"program.txt": program.pipeline.name})

    made = Compiler(name, support, compile)
    return made


ROOMY = compiler("roomy", dict.fromkeys(FEATURES, Native()))
TINY = compiler("tiny", dict.fromkeys(FEATURES, Refused("it is tiny")))
"""
FLOWS = """
from drawloom import Retry, Schedule, for_each, pipeline, task


@task(retry=Retry(max_attempts=2, on=ValueError))
def double(n: int) -> int:
    return 2 * n


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@pipeline(schedule=Schedule("0 6 * * *", zone="UTC", catch_up=True, overlap="allow"))
def nightly(numbers: list[int]) -> int:
    doubled = for_each(numbers, double)
    return total(doubled)


@pipeline
def small(numbers: list[int]) -> int:
    return total(numbers)
"""
REFUSED_BY_TINY = """\
error[E701] node `doubled` uses fan-out over a list known at run time (control.map@1), which tiny can't express: it is tiny
  where  {file}:17, nightly
  graph  doubled/double = flows_of_engines:double(n=@doubled) -> int
         doubled        = map $numbers of int -> result: list[int]      <- here
  fix    compile for an engine that accepts it (airflow, argo, reference, roomy), or do it within a @task
error[E701] node `doubled/double` uses Python tasks (node.call@1), which tiny can't express: it is tiny
  where  {file}:17, nightly
  graph  doubled        = map $numbers of int -> result: list[int]
         doubled/double = flows_of_engines:double(n=@doubled) -> int    <- here
  fix    compile for an engine that accepts it (airflow, argo, reference, roomy), or put a @task in its place
error[E701] node `doubled/double` uses retries (policy.retry@1), which tiny can't express: it is tiny
  where  {file}:17, nightly
  graph  doubled        = map $numbers of int -> result: list[int]
         doubled/double = flows_of_engines:double(n=@doubled) -> int    <- here
  fix    compile for an engine that accepts it (airflow, argo, reference, roomy), or leave it out
error[E701] node `doubled/double` uses retries after certain classes of failure only (policy.retry.by_class@1), \
which tiny can't express: it is tiny
  where  {file}:17, nightly
  graph  doubled        = map $numbers of int -> result: list[int]
         doubled/double = flows_of_engines:double(n=@doubled) -> int    <- here
  fix    compile for an engine that accepts it (airflow, argo, reference, roomy), or leave it out
error[E701] node `total` uses Python tasks (node.call@1), which tiny can't express: it is tiny
  where  {file}:18, nightly
  graph  doubled = map $numbers of int -> result: list[int]
         total   = flows_of_engines:total(numbers=doubled) -> int    <- here
  fix    compile for an engine that accepts it (airflow, argo, reference, roomy), or put a @task in its place
error[E701] pipeline `nightly` uses runs that are started by a schedule (policy.schedule@1), which tiny can't express: it is tiny
  where  {file}:15, nightly
  graph  {head}
  fix    compile for an engine that accepts it (airflow, argo, reference, roomy), or leave it out
error[E701] pipeline `nightly` uses a run for each time that was missed (policy.schedule.catch_up@1), \
which tiny can't express: it is tiny
  where  {file}:15, nightly
  graph  {head}
  fix    compile for an engine that accepts it (airflow, reference, roomy), or leave it out
"""
HEAD = (
    'pipeline nightly(numbers: list[int]) -> result: int with schedule=(cron="0 6 * * *", zone="UTC", catch_up="all", '
    'overlap="allow")    <- here'
)
REASON = 'it makes one run at most for all it missed, as catch_up="latest" says'
REFUSED_BY_ARGO = """\
error[E701] pipeline `nightly` uses a run for each time that was missed (policy.schedule.catch_up@1), \
which argo can't express: {reason}
  where  {file}:15, nightly
  graph  {head}
  fix    compile for an engine that accepts it (airflow, reference, roomy), or leave it out
"""


@pytest.fixture
def engines(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two more engines, installed as any other package would bring them: one accepts everything, one nothing."""
    (folder / "engines_of_tests.py").write_text(ENGINES)
    (folder / "flows_of_engines.py").write_text(FLOWS)
    facts = folder / "engines_of_tests-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: engines-of-tests\nVersion: 1.0\n")
    points = "[drawloom.engines]\nroomy = engines_of_tests:ROOMY\ntiny = engines_of_tests:TINY\n"
    (facts / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_the_matrix_is_what_the_compilers_declare(drawloom: Any) -> None:
    document = drawloom.json("engines")
    assert document["engines"] == engine_names()
    assert [(row["feature"], row["what"]) for row in document["features"]] == list(FEATURES.items())
    for row in document["features"]:
        for engine, support in row["support"].items():
            declared = compiler_of(engine).support[row["feature"]]
            assert support["support"] == type(declared).__name__.lower()
            assert (support["reason"] is None) == (support["support"] == "native")
    head, *lines = drawloom.ok("engines").splitlines()
    assert head.split() == ["feature", "what", *engine_names()]
    assert len(lines) == len(FEATURES)
    assert lines[1].split() == ["node.container@1", "containers", *["lowered"] * len(engine_names())]


def test_an_installed_engine_has_a_column(drawloom: Any, engines: Path) -> None:
    head, first, *_ = drawloom.ok("engines").splitlines()
    assert head.split() == ["feature", "what", "airflow", "argo", "reference", "roomy", "tiny"]
    assert first.split() == ["node.call@1", "Python", "tasks", *["native"] * 4, "refused"]
    support = drawloom.json("engines", "tiny")["features"][0]["support"]
    assert support == {"tiny": {"support": "refused", "reason": "it is tiny"}}


def test_a_broken_engine_is_told_of_and_is_in_nobodys_way(drawloom: Any, engines: Path) -> None:
    points = engines / "engines_of_tests-1.0.dist-info" / "entry_points.txt"
    points.write_text(points.read_text() + "broken = engine_that_is_gone:COMPILER\n")
    told = (
        "error[E702] the engine 'broken' can't be loaded: `engine_that_is_gone:COMPILER` raises ModuleNotFoundError: "
        "No module named 'engine_that_is_gone'\n  fix    mend or uninstall the package that brings it, engines-of-tests\n"
    )
    compiling = ["compile", "flows_of_engines.py:nightly", "--engine", "broken", "-o", "out"]
    for arguments in (["engines"], ["engines", "broken"], compiling):
        result = drawloom(*arguments)
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", told)
    result = drawloom("check", "flows_of_engines.py:nightly", "--engine", "argo")
    assert result.stderr.startswith(
        REFUSED_BY_ARGO.format(file=engines / "flows_of_engines.py", head=HEAD, reason=REASON)
    )
    checks = {check["check"]: check for check in json.loads(drawloom("doctor", "--json").stdout)["checks"]}
    assert checks["engine broken"]["state"] == "problem"


def test_one_engine_also_tells_why(drawloom: Any) -> None:
    text = drawloom.ok("engines", "reference")
    assert "  node.engine@1: refused, because it has no nodes of its own\n" in text
    assert "  policy.cache@1: lowered: the step looks it up\n" in text
    assert drawloom("engines", "refrence").stderr.startswith("error[E702]")
    assert json.loads(drawloom.ok("engines", "reference", "--json"))["engines"] == ["reference"]


def test_check_lists_every_refusal_at_once(drawloom: Any, engines: Path) -> None:
    result = drawloom("check", "flows_of_engines.py:nightly", "--engine", "tiny")
    told = REFUSED_BY_TINY.format(file=engines / "flows_of_engines.py", head=HEAD)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{told}7 problems in nightly\n")


def test_one_refusal_and_none(drawloom: Any, engines: Path) -> None:
    result = drawloom("check", "flows_of_engines.py:nightly", "--engine", "argo")
    told = REFUSED_BY_ARGO.format(file=engines / "flows_of_engines.py", head=HEAD, reason=REASON)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{told}1 problem in nightly\n")
    for target, engine in (("nightly", "roomy"), ("small", "reference")):
        text = drawloom.ok("check", f"flows_of_engines.py:{target}", "--engine", engine)
        assert text == f"{target}: no problems for {engine}\n"


def test_refusals_as_json(drawloom: Any, engines: Path) -> None:
    result = drawloom("check", "flows_of_engines.py:nightly", "--engine", "argo", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {
        "target": "flows_of_engines.py:nightly",
        "pipeline": "nightly",
        "engine": "argo",
        "problems": [
            {
                "code": "E701",
                "what": (
                    "pipeline `nightly` uses a run for each time that was missed (policy.schedule.catch_up@1), "
                    f"which argo can't express: {REASON}"
                ),
                "where": {"file": str(engines / "flows_of_engines.py"), "line": 15, "symbol": "nightly"},
                "fix": "compile for an engine that accepts it (airflow, reference, roomy), or leave it out",
                "excerpt": HEAD,
                "feature": "policy.schedule.catch_up@1",
                "engines": ["airflow", "reference", "roomy"],
            }
        ],
    }
    document = json.loads(drawloom("check", "flows_of_engines.py:small", "--engine", "tiny", "--json").stdout)
    assert [(d["feature"], d["engines"]) for d in document["problems"]] == [
        ("node.call@1", ["airflow", "argo", "reference", "roomy"])
    ]


def test_compile_refuses_what_check_tells(drawloom: Any, engines: Path) -> None:
    result = drawloom("compile", "flows_of_engines.py:nightly", "--engine", "tiny", "-o", "built")
    assert (result.exit_code, result.stdout, (engines / "built").exists()) == (2, "", False)
    told = REFUSED_BY_TINY.format(file=engines / "flows_of_engines.py", head=HEAD)
    assert result.stderr == f"{told}7 problems\n"
    from flows_of_engines import nightly

    assert "".join(f"{problem}\n" for problem in library.check(nightly, "tiny")) == told
    assert library.check(nightly, "roomy") == []
