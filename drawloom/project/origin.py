"""Where a pipeline comes from, as a run's record says it: a target relative to the project, and its static parameters.

Every run asks, so this loads next to nothing; `again` finds the pipeline by it later.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from drawloom.errors import ValueRefused

if TYPE_CHECKING:
    from drawloom.dsl.pipeline import Pipeline
    from drawloom.ir.types import Type
    from drawloom.values.ref import ValueRef
    from drawloom.values.store import Values

    AnyPipeline = Pipeline[..., Any]  # Any: whatever the pipeline returns

__all__ = ["attribute", "origin", "project_root"]


def origin(pipeline: AnyPipeline, static: Mapping[str, object], values: Values) -> dict[str, Any]:
    """What a run's record says of where its pipeline came from: `target` and `static`.

    Args:
        pipeline: what is run.
        static: the values of its compile-time parameters.
        values: keeps them.
    """
    types = pipeline.signature().static if static else {}
    kept = [(name, _kept(value, types.get(name), values)) for name, value in static.items()]
    return {"target": _target_of(pipeline), "static": tuple((name, ref) for name, ref in kept if ref is not None)}


def _kept(value: object, type_: Type | None, values: Values) -> ValueRef | None:
    try:
        return values.ref(values.encode(value, type_), str(type_ or ""))
    except ValueRefused:  # it was good for this trace; the next one has to be told
        return None


def _target_of(pipeline: AnyPipeline) -> str:
    module = sys.modules.get(pipeline.__module__)
    name = _name_in(module, pipeline)
    if not name:
        return ""
    file = getattr(module, "__file__", None)
    if file is not None and file.endswith(".py"):
        path, root = os.path.realpath(file), project_root()
        if path.startswith(root.rstrip(os.sep) + os.sep):
            return f"{os.path.relpath(path, root).replace(os.sep, '/')}:{name}"
    return f"{pipeline.__module__}:{name}"


def _name_in(module: object, pipeline: AnyPipeline) -> str:
    """The name a module has for a pipeline, "" if nobody can import it: it was made in a function."""
    if attribute(module, pipeline.__qualname__) is pipeline:
        return pipeline.__qualname__
    return next((name for name, value in vars(module).items() if value is pipeline), "") if module is not None else ""


def attribute(module: object, name: str) -> object:
    found = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def project_root() -> str:
    """What targets in records are relative to: the folder of the project file, or the working folder.

    Only looked for, not read: a run may do without what reading it loads.
    """
    here = folder = os.path.realpath(os.getcwd())
    while True:
        if os.path.isfile(f"{folder}/drawloom.toml") or _names_a_project(f"{folder}/pyproject.toml"):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return here
        folder = above


def _names_a_project(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return "[tool.drawloom" in file.read()
    except OSError:
        return False
