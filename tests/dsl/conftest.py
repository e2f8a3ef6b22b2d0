"""A module of the user's in a folder of its own, as most of these tests need one."""

from __future__ import annotations

import importlib.util
import itertools
import linecache
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

_NUMBERS = itertools.count()


@pytest.fixture
def user_module(tmp_path: Path) -> Iterator[Callable[..., ModuleType]]:
    """Writes a module with the given text and imports it; `name` makes it importable under that name."""
    made: list[str] = []

    def load(text: str, name: str = "") -> ModuleType:
        name = name or f"user_module_{next(_NUMBERS)}"
        path = tmp_path / f"{name}.py"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        linecache.checkcache(str(path))
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        made.append(name)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in made:
        sys.modules.pop(name, None)
