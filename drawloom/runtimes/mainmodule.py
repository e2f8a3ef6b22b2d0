"""The script a run was started from, in a worker process: `__main__` there too, without running what it guards.

Functions and classes of a script are known as `__main__:name`, in the run's records too. A worker loads the script's
file under another name, so that `if __name__ == "__main__":` is false, then lets it stand for `__main__`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from drawloom.ir.canonical import Json

__all__ = ["describe_main", "stand_in_for_main"]

_NAME: Final = "__drawloom_main__"


def describe_main() -> Json:
    """What a worker needs to load this process's `__main__`: its file and package; None if it has no Python file."""
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    if not path or not path.endswith(".py") or not os.path.isfile(path):
        return None
    return {"path": os.path.abspath(path), "package": getattr(main, "__package__", None) or ""}


def stand_in_for_main(description: Json, loading: Callable[[bool], None]) -> None:
    """Puts a module in place of `__main__` that loads the script when something in it is asked for.

    Args:
        description: of `describe_main` in the parent.
        loading: called with True before the script is loaded and with False after.
    """
    if description is not None:
        sys.modules["__main__"] = _StandIn(description, loading)


class _StandIn(ModuleType):
    def __init__(self, description: Json, loading: Callable[[bool], None]) -> None:
        super().__init__("__main__")
        self._description = description
        self._loading = loading

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import system looks for these
            raise AttributeError(name)
        self._loading(True)
        try:
            module = _load(self._description)
        finally:
            self._loading(False)
        return getattr(module, name)


def _load(description: Json) -> ModuleType:
    import importlib.util

    package = description["package"]
    name = f"{package}.{_NAME}" if package else _NAME
    if package:
        importlib.import_module(package)
    spec = importlib.util.spec_from_file_location(name, description["path"])
    assert spec is not None, "a .py file has a loader"
    assert spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    _rename(vars(module), name)
    sys.modules["__main__"] = module
    return module


def _rename(names: Any, module: str) -> None:
    """What was defined in the script belongs to `__main__`, as in the parent: a class's name is part of a value."""
    for item in list(names.values()):
        if getattr(item, "__module__", None) != module:
            continue
        item.__module__ = "__main__"
        if isinstance(item, type):
            _rename(vars(item), module)
