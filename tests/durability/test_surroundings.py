"""Odd places and odd times: paths, names, clocks, missing folders, a store that is copied while a run writes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import load_tasks
import pytest
from durable_checks import ITEMS, SAMPLES, command, next_run, problems_of

from drawloom import api
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.index import index_path
from drawloom.runtimes.progress import SilentProgress


def shell(folder: Path, *arguments: str, **variables: str | None) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own; a variable that is None is not set."""
    environment = {key: value for key, value in {**os.environ, **variables}.items() if value is not None}
    return subprocess.run(
        [sys.executable, "-m", "drawloom", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def runs_well(store: str, executor: str = "processes") -> None:
    """A run, a second one that is answered from the cache, and what the catalog says of them."""
    params = {"items": [0.001, 0.002]}
    for _ in range(2):
        run = api.run(load_tasks.waiting, params, catalog=store, executor=executor, progress=SilentProgress())
        assert run.result == [0.001, 0.002]
    assert run.details.nodes["for_each/slow"].state == "cached"
    for words in ("runs", "show last", "catalog ls", "catalog verify"):
        assert command(*words.split(), "--catalog", store)


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "new\nline",
        "ünïcode-日本-🙂",
        "quote'\"$(x)",
        "{{ x }}",
        "%41&?#",
        "-dash",
        "e" * 250,
        "a\tb",
        "~",
    ],
    ids=range(10),
)
def test_a_store_may_lie_anywhere(name: str, tmp_path: Path) -> None:
    runs_well(str(tmp_path / name / "store"))


def test_a_deep_store_is_used_or_refused_in_words(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d" * 200] * 25)
    done = shell(tmp_path, "run", f"{SAMPLES}/load_tasks.py:waiting", "--items", "[0]", "--catalog", str(deep))
    assert done.returncode == 3
    assert "error[S404]" in done.stderr
    assert "File name too long" in done.stderr


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_without_a_home_and_a_temporary_folder_runs_go_on(executor: str, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    variables = {"HOME": None, "TMPDIR": nowhere, "DRAWLOOM_CACHE": None, "XDG_CACHE_HOME": nowhere}
    run = ["run", f"{SAMPLES}/load_tasks.py:waiting", "--items", "[0.001]", "--executor", executor, "--quiet"]
    for words in (run, ["catalog", "verify"]):
        done = shell(tmp_path, *words, **variables)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_a_user_without_a_home_gets_no_folder_in_the_working_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "DRAWLOOM_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)  # as in a container that is run with a user id of the host's
    assert index_path("u") is None


_CLOCK = """
import sys, time
real, began, back = time.time, time.time(), float(sys.argv[1])
time.time = lambda: began - 3 * (real() - began) - back
sys.argv[:2] = ["drawloom"]
from drawloom.cli.main import main
main()
"""


def test_a_clock_that_goes_backwards_does_no_harm(tmp_path: Path) -> None:
    store = tmp_path / "store"
    next_run(store, 0, tmp_path / "journal")
    run = [
        "run",
        "load_tasks.py:work",
        "--n",
        "30",
        "--salt",
        "0",
        "--path",
        f"{tmp_path}/journal",
        "--json",
        "--quiet",
    ]
    for back in ("0", "86400"):
        done = subprocess.run(
            [sys.executable, "-c", _CLOCK, back, *run, "--catalog", str(store)],
            cwd=SAMPLES,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["state"] == "succeeded"
        shown = command("show", json.loads(done.stdout)["run"], "--catalog", str(store))
        assert "-" not in shown.partition("state ")[2].partition("\n")[0], shown
    catalog = Catalog.open(store)
    assert [run.state for run in catalog.runs()] == ["succeeded"] * 3
    assert problems_of(catalog) == []


def test_names_of_three_hundred_characters_are_names(tmp_path: Path) -> None:
    name = "n" * 300
    (tmp_path / "long.py").write_text(
        f"from drawloom import pipeline, task\n\n\n@task\ndef {name}(x: int) -> int:\n    return x + 1\n\n\n"
        f"@pipeline\ndef p{name}(x: int = 1) -> int:\n    {name}_2 = {name}(x)\n    return {name}({name}_2)\n"
    )
    done = shell(tmp_path, "run", f"long.py:p{name}", "--executor", "processes", "--quiet")
    assert done.returncode == 0, done.stderr
    store = str(tmp_path / ".drawloom")
    for words in (["runs"], ["show", "last", f"{name}_2"], ["logs", "last", name], ["catalog", "verify"]):
        command(*words, "--catalog", store)
    assert Catalog.open(tmp_path / ".drawloom").load(f"p{name}/{name}") == 3


def test_a_copy_made_while_a_run_writes_is_a_store(tmp_path: Path) -> None:
    """The copy lacks what came later; runs in it are lost or whole, and the next run there goes on."""
    driver = [sys.executable, str(SAMPLES / "load_driver.py"), str(tmp_path), "threads", str(ITEMS), "0,1,2,3,4", "0"]
    process = subprocess.Popen(driver, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    copies = []
    while process.stdout.readline() and len(copies) < 2:
        time.sleep(0.15)
        copies.append(tmp_path / f"copy{len(copies)}")
        shutil.copytree(tmp_path / "store", copies[-1], copy_function=_copied, dirs_exist_ok=True)
    process.kill()
    process.communicate()
    for copy in copies:
        catalog = Catalog.open(copy)
        assert {run.state for run in catalog.runs()} <= {"failed", "succeeded"}
        assert next_run(copy, 0, tmp_path / "journal").result == load_tasks.expected(ITEMS, 0)
        assert {problem[6:10] for problem in problems_of(catalog)} <= {"S461"}


def _copied(source: str, target: str) -> None:
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        assert "/.tmp/" in source or source.endswith(".lock")  # what a living writer has put into its place meanwhile


def test_a_stopped_run_is_running_and_goes_on(tmp_path: Path) -> None:
    store = tmp_path / "store"
    driver = [sys.executable, str(SAMPLES / "load_driver.py"), str(tmp_path), "threads", str(ITEMS), "0", "0"]
    process = subprocess.Popen(driver, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGSTOP)
    state = Catalog.open(store).runs()[0].state
    other = next_run(store, 0, tmp_path / "journal")
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, state) == (0, "running"), err
    assert other.result == load_tasks.expected(ITEMS, 0)
    assert [run.state for run in Catalog.open(store).runs()] == ["succeeded", "succeeded"]
