"""Packages that tasks declare are looked for before a run begins."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from drawloom import api, pipeline, task
from drawloom.errors import RunRefused

HERE = Path(__file__)


@task(packages=["click>=8", "Pydantic[email]; python_version < '3'"])
def fine(n: int) -> int:
    return n


@task(packages=["click<1", "no-such-package-here", "click >>1"])
def unmet(n: int) -> int:
    return n


@pipeline
def works(n: int = 1) -> int:
    return fine(n)


@pipeline
def refused(n: int = 1) -> int:
    return unmet(unmet(n))


def _line(text: str) -> int:
    return HERE.read_text().splitlines().index(text) + 1


def test_what_is_installed_or_not_for_this_python_is_fine(tmp_path: Path) -> None:
    assert api.run(works, catalog=tmp_path).result == 1


@pytest.mark.parametrize("run", [api.run, api.run_compiled])
def test_every_unmet_requirement_is_told_once_before_the_run(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RunRefused) as error:
        run(refused, catalog=tmp_path / "store")
    where = f"  where  {HERE}:{_line('    return unmet(unmet(n))')}, refused\n"
    name = f"task `{__name__}:unmet` declares the package"
    assert str(error.value) == (
        f"error[R522] {name} `click<1`, but {version('click')} is installed\n{where}"
        "  fix    `pip install 'click<1'`, or correct `packages` of the task\n"
        f"error[R522] {name} `no-such-package-here`, which isn't installed\n{where}"
        "  fix    `pip install 'no-such-package-here'`, or correct `packages` of the task\n"
        f"error[R522] {name} `click >>1`, which isn't a requirement (`pandas>=2`)\n{where}"
        "  fix    `pip install 'click >>1'`, or correct `packages` of the task"
    )
    assert not (tmp_path / "store").exists()
