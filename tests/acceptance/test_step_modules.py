"""What a step of a compiled program has loaded when it ends: the standard library, and little of that."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from drawloom.catalog.catalog import Catalog
from drawloom.compilers.reference import compile_reference
from drawloom.dsl.tracing import trace
from drawloom.runtimes.reference import run_bundle

FLOW = """
import atexit
import os
import sys

from drawloom import pipeline, task


def tell() -> None:
    lines = [f"{name}={getattr(module, '__file__', None) or ''}" for name, module in sorted(sys.modules.items())]
    with open(os.environ["TOLD"], "w") as file:
        file.write("\\n".join(lines))


@task
def double(n: int) -> int:
    atexit.register(tell)  # when all is committed
    return 2 * n


@pipeline
def flow(n: int) -> int:
    return double(n)
"""
HEAVY = {
    "argparse", "ast", "asyncio", "click", "drawloom.api", "drawloom.catalog.catalog", "drawloom.cli", "drawloom.compilers",
    "drawloom.dsl.tracing", "drawloom.ir.check", "fsspec", "http.client", "inspect", "logging", "numpy", "pandas",
    "pathlib", "pydantic", "rich", "s3fs", "shutil", "sqlite3", "ssl", "subprocess", "tempfile", "urllib.request", "uuid",
    "zipfile",
}  # fmt: skip


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Module -> file, in a real step of a task that takes and gives an int; installed packages are there to be had."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "flow_of_step_modules.py").write_text(FLOW)
    monkeypatch.syspath_prepend(str(project))
    import flow_of_step_modules  # type: ignore[import-not-found]  # written just now

    program = trace(flow_of_step_modules.flow, {}).program
    compile_reference(program, root=str(project)).write(str(tmp_path / "build"))
    told = tmp_path / "told"
    values = Catalog.open(str(tmp_path / "store")).values
    environment = {"TOLD": str(told), "DRAWLOOM_CACHE": str(tmp_path / "cache")}
    bundle = str(tmp_path / "build")
    run_bundle(
        bundle, {"n": values.encode(1)}, str(tmp_path / "store"), environment=environment
    )  # unpacks and compiles
    told.unlink()
    run = run_bundle(bundle, {"n": values.encode(21)}, str(tmp_path / "store"), environment=environment)
    assert run.result == 42
    return dict(line.split("=", 1) for line in told.read_text().splitlines())


def test_a_step_loads_nothing_that_is_installed(loaded: dict[str, str], tmp_path: Path) -> None:
    # what an environment's own .pth files load into every interpreter isn't the step's doing
    code = "import sys; print(*sys.modules)"
    bare = set(subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True).stdout.split())
    here = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), str(tmp_path / "cache")]
    roots = tuple(os.path.realpath(path) + os.sep for path in here)
    elsewhere = {
        name: file
        for name, file in loaded.items()
        if name not in bare and file and (not os.path.realpath(file).startswith(roots) or "site-packages" in file)
    }
    assert elsewhere == {}
    top = {name.partition(".")[0] for name in loaded.keys() - bare}
    assert top - set(sys.stdlib_module_names) == {"drawloom", "flow_of_step_modules"}


def test_a_step_of_a_plain_task_loads_nothing_heavy(loaded: dict[str, str]) -> None:
    assert {"drawloom.runtimes.step", "drawloom.runtimes.attempt", "flow_of_step_modules"} <= set(loaded)
    assert HEAVY & set(loaded) == set()
