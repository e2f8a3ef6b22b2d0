"""What is printed about a deployed run can be entered as it is printed: its store isn't the project's own catalog."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from drawloom import deploying
from drawloom.cli.main import cli
from drawloom.display.failure import next_commands
from drawloom.errors import EngineError
from drawloom.project import load_settings
from drawloom.project.targets import find_target
from drawloom.runtimes.api_problems import ended_already, gone
from drawloom.runtimes.engines import EngineRun, Status
from drawloom.runtimes.watching import goes_on

REFERENCE = Path(__file__).parents[1] / "reference"
sys.path[:0] = [path for path in (str(REFERENCE / "samples"),) if path not in sys.path]

import step_samples as samples  # noqa: E402  # of the step protocol

RUN = EngineRun("argo-1", (("workflow", "w"),), "p", "prod")


class Ended:
    """An engine all of whose runs have failed."""

    def status(self, run: EngineRun) -> Status:
        return Status("Failed", ended=True)

    def name_of(self, run: EngineRun) -> str:
        return "Workflow flows/w"


@dataclass
class Command:
    """Runs commands in this process; the last one's two streams are kept."""

    capsys: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    def __call__(self, *words: str) -> int:
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            cli.main(list(words), prog_name="drawloom")
        self.out, self.err = self.capsys.readouterr()
        return int(left.value.code or 0)


@pytest.fixture
def drawloom(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run that was deployed to `prod` and failed there: a real one, whose steps were started here."""
    spec = spec_from_file_location("reference_conftest", REFERENCE / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "reference_conftest", module)
    spec.loader.exec_module(module)
    made = module.Published(samples.effect_then_failure, tmp_path)
    params = {"path": str(tmp_path / "lines"), "flag": str(tmp_path / "flag")}
    assert made.begin(params, engine="argo", ids=[["workflow", "w"]], deployed_to="prod") == 0
    for name in ("write", "add", "stop_at", "add-2", ":end"):
        made.step(name)
    targets = f'[targets.{{}}]\nengine = "argo"\nstore = "{made.store}"\nproject = "default"\n'
    (tmp_path / "drawloom.toml").write_text('project = "p"\n' + targets.format("prod") + targets.format("other"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(deploying, "connect_target", lambda *_: Ended())
    return made.run


def _next(text: str) -> list[str]:
    return re.findall(r"^ +(?:next +)?(drawloom .*)$", text, re.MULTILINE)


def test_the_end_of_a_deployed_run_that_failed(failed: Any, drawloom: Command) -> None:
    assert drawloom("watch", failed.id, "--target", "prod", "--quiet") == 1
    assert _next(drawloom.out) == [
        f"drawloom logs {failed.id} stop_at --target prod    all its output and its traceback",
        f"drawloom debug {failed.id} stop_at --target prod    that node again, here, with the same inputs",
        f"drawloom retry {failed.id} --target prod    what is left, there, once the cause is gone",
        f"drawloom resume {failed.id} --target prod    what is left, here, with your code as it is now",
    ]
    assert drawloom.out.splitlines()[-1] == f"run     {failed.id}    drawloom show {failed.id} --target prod"


def test_progress_tells_the_same_commands(failed: Any, drawloom: Command) -> None:
    assert drawloom("watch", failed.id, "--target", "prod", "--json") == 1
    assert [line.partition("    ")[0] for line in _next(drawloom.err)] == [
        f"drawloom logs {failed.id} stop_at --target prod",
        f"drawloom debug {failed.id} stop_at --target prod",
        f"drawloom retry {failed.id} --target prod",
        f"drawloom resume {failed.id} --target prod",
    ]


def test_what_is_printed_works_as_it_is_printed(
    failed: Any, drawloom: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert drawloom("show", failed.id) != 0, "it isn't in the project's own catalog"
    drawloom("watch", failed.id, "--target", "prod", "--quiet")
    logs, debug, _, resume = (shlex.split(line.partition("    ")[0])[1:] for line in _next(drawloom.out))
    show = shlex.split(drawloom.out.splitlines()[-1].partition("drawloom ")[2])
    for words in (logs, show, ["why", failed.id, "stop_at", "--target", "prod"]):
        assert drawloom(*words) == 0, drawloom.err
    assert drawloom(*debug) == 1
    assert "the run  failed: the same exception" in drawloom.out
    (tmp_path / "flag").touch()
    assert drawloom(*debug) == 0
    assert f"next     drawloom resume {failed.id} --target prod    what is left of that run" in drawloom.out
    assert drawloom(*resume, "--quiet") == 0
    ended = drawloom.out.splitlines()[-1].partition("drawloom ")[2]
    assert ended.endswith(" --target prod")
    assert drawloom(*shlex.split(ended)) == 0
    resumed = ended.split()[1]
    assert drawloom("logs", resumed, "add", "--target", "prod") == 0
    printed = f"answered from run {failed.id}, which has the output: `drawloom logs {failed.id} add --target prod`"
    assert printed in drawloom.err
    assert drawloom(*logs) == 0


def test_a_run_resumed_here_from_a_targets_store_has_no_retry_there(failed: Any, drawloom: Command) -> None:
    assert drawloom("resume", failed.id, "--target", "prod", "--quiet") == 1
    commands = [line.split()[1] for line in _next(drawloom.out)]
    assert commands == ["logs", "debug", "resume"]
    assert all("--target prod    " in line for line in _next(drawloom.out))


def test_errors_about_a_deployed_run_name_its_target(failed: Any, drawloom: Command) -> None:
    assert drawloom("debug", failed.id, "add-2", "--target", "prod") != 0
    assert f"debug that one first: `drawloom debug {failed.id} stop_at --target prod`" in drawloom.err
    found = deploying.open_target(find_target("prod", load_settings())).run(failed.id)
    with pytest.raises(Exception, match=f"`drawloom logs {failed.id} stop_at --target prod` shows what it printed"):
        _ = found.result


def test_the_target_that_found_a_run_is_the_one_that_is_named(failed: Any, drawloom: Command) -> None:
    assert drawloom("watch", failed.id, "--target", "other", "--quiet") == 1
    assert all("--target other    " in line for line in _next(drawloom.out))


def test_where_no_node_failed_there_is_a_retry_too() -> None:
    assert next_commands(RUN.address, "") == [
        ("drawloom show argo-1 --target prod", "what each node did"),
        ("drawloom retry argo-1 --target prod", "what is left, there, once the cause is gone"),
    ]


def _fix(error: EngineError) -> str:
    return f"{error.diagnostics[0].code}: {error.diagnostics[0].fix}"


@pytest.mark.parametrize(("target", "at"), [("prod", " --target prod"), ("on prem", " --target 'on prem'"), ("", "")])
def test_e747_and_e748_name_the_target(target: str, at: str) -> None:
    run = EngineRun("argo-1", (), "p", target)
    assert _fix(gone(run, "DAG run d/r")) == (
        f"E747: `drawloom show argo-1{at}` tells what the catalog has; deploy the pipeline anew to run it again"
    )
    assert _fix(ended_already(run, "DAG run d/r", "stop")) == f"E748: `drawloom show argo-1{at}` tells how it went"
    assert goes_on(run) == (
        f"the run goes on; `drawloom watch argo-1{at}` watches it again, `drawloom cancel argo-1{at}` ends it"
    )
