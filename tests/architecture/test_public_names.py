"""What `import drawloom` offers: exactly the listed names, each reachable, none of them costly until used."""

from __future__ import annotations

import subprocess
import sys

import drawloom


def test_every_public_name_is_reachable_and_the_list_is_sorted() -> None:
    assert list(drawloom.__all__) == sorted(drawloom.__all__)
    for name in drawloom.__all__:
        assert getattr(drawloom, name) is not None, name


def test_dir_shows_the_public_names() -> None:
    assert set(drawloom.__all__) <= set(dir(drawloom))


def test_an_unknown_name_is_an_attribute_error_that_names_it() -> None:
    probe = subprocess.run(
        [sys.executable, "-c", "import drawloom; drawloom.pipelin"], capture_output=True, text=True, check=False
    )
    assert "AttributeError: module 'drawloom' has no attribute 'pipelin'" in probe.stderr


def test_importing_the_decorators_loads_nothing_heavy() -> None:
    code = "import sys; from drawloom import task, pipeline; print(*sorted(sys.modules))"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    heavy = {"pydantic", "click", "rich", "fsspec", "numpy", "pandas", "sqlite3", "asyncio", "networkx", "s3fs"}
    assert not loaded & heavy
    assert not {name for name in loaded if name.startswith(("drawloom.catalog", "drawloom.runtimes", "drawloom.cli"))}
