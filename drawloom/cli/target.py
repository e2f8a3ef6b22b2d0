"""TARGET on the command line: which pipeline is meant, its module imported."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import redirect_stdout
from types import ModuleType
from typing import Any

from drawloom.cli.problems import NOT_THE_USERS
from drawloom.dsl.pipeline import Pipeline
from drawloom.dsl.task import Task
from drawloom.errors import Diagnostic, DrawloomError, ProjectError, Span, did_you_mean
from drawloom.project.file import ProjectFile, absolute

__all__ = ["load_target"]


def load_target(target: str, project: ProjectFile | None) -> Pipeline[..., Any]:  # Any: whatever the pipeline returns
    """The pipeline a TARGET names.

    Args:
        target: `file.py:name`, `module:name`, or a short name of the project file's `[pipelines]`.
        project: the project file, None where there is none.

    Raises:
        ProjectError: the target has no such form (P610), its file or module isn't there (P611) or can't be imported
            under its name (P612), it has no such pipeline (P613), or importing it failed (P614).
    """
    full = _full_target(target, project)
    place, _, name = full.rpartition(":")
    module = _load_file(place) if place.endswith(".py") else _load_module(place, project)
    return _find(module, name, full)


def _full_target(target: str, project: ProjectFile | None) -> str:
    if ":" in target:
        return target
    known = project.targets if project is not None else {}
    if target in known:
        return known[target]
    if target.endswith(".py"):
        fix = f"name the pipeline in it: `{target}:name`"
    elif known:
        fix = f"give `file.py:name`, `module:name`, or one of the project file: {', '.join(sorted(known))}"
    else:
        fix = "give `file.py:name` or `module:name`, or add a short name to [pipelines] in drawloom.toml"
    raise ProjectError(Diagnostic("P610", f"{target!r} names no pipeline{did_you_mean(target, known)}", None, fix))


def _load_file(place: str) -> ModuleType:
    path = absolute(os.getcwd(), place)
    if not os.path.isfile(path):
        folder, name = os.path.split(path)
        near = sorted(n for n in os.listdir(folder) if n.endswith(".py")) if os.path.isdir(folder) else []
        hint = did_you_mean(name, near)
        raise ProjectError(
            Diagnostic("P611", f"there is no file {place!r}{hint}", None, "name a Python file that is there")
        )
    root, name = _module_name(path)
    _put_first(root)
    module = _import(name, path)
    found = getattr(module, "__file__", None)
    if found is None or not os.path.samefile(found, path):
        what = f"{place!r} can't be imported: the name `{name}` already stands for {found or 'a built-in module'}"
        raise ProjectError(Diagnostic("P612", what, Span(path, 0), "give the file another name"))
    return module


def _module_name(path: str) -> tuple[str, str]:
    """The folder to import from and the module's name there: dotted where the file lies in a package."""
    root, file = os.path.split(path)
    stem = file.removesuffix(".py")
    parts = [stem]
    while os.path.isfile(os.path.join(root, "__init__.py")):
        root, package = os.path.split(root)
        parts.insert(0, package)
    if stem == "__init__":
        parts.pop()
    wrong = [part for part in parts if "." in part]
    if wrong or not parts:
        what = f"{file!r} can't be imported: `{stem}` is no module name"
        raise ProjectError(Diagnostic("P612", what, Span(path, 0), "give the file a name without dots"))
    return root, ".".join(parts)


def _load_module(name: str, project: ProjectFile | None) -> ModuleType:
    if project is not None:
        _put_first(project.folder)
    _put_first(os.getcwd())
    return _import(name, None)


def _put_first(folder: str) -> None:
    """Puts a folder first on the path, where worker processes take it from, too."""
    if sys.path[:1] != [folder]:
        sys.path.insert(0, folder)


def _import(name: str, path: str | None) -> ModuleType:
    try:
        with redirect_stdout(sys.stderr):  # what a module prints when it is imported is no output of a command
            return importlib.import_module(name)
    except DrawloomError:  # a decorator refused something: it says where and how to fix it
        raise
    except ModuleNotFoundError as error:
        if path is None and error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            fix = (
                "check the spelling; modules are looked for in the working folder, the project's folder and on the path"
            )
            raise ProjectError(Diagnostic("P611", f"there is no module `{error.name}`", None, fix)) from error
        raise ProjectError(_broken(name, path, error)) from error
    except (Exception, SystemExit) as error:  # the user's module may raise anything
        raise ProjectError(_broken(name, path, error)) from error


def _broken(name: str, path: str | None, error: BaseException) -> Diagnostic:
    what = f"importing `{os.path.basename(path) if path else name}` failed: {type(error).__name__}: {error}"
    fix = "mend the module; `python -c 'import ...'` would fail in the same way"
    if isinstance(error, ModuleNotFoundError):
        fix = f"install the package that has `{error.name}`, or correct the import"
    return Diagnostic("P614", what, _place_of(error, path), fix)


def _place_of(error: BaseException, path: str | None) -> Span | None:
    """The innermost line of the user's files in the traceback; of a syntax error, the line itself."""
    import traceback  # an error may take its time

    if isinstance(error, SyntaxError) and error.filename:
        return Span(error.filename, error.lineno or 0)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith(NOT_THE_USERS)]
    if frames:
        return Span(frames[-1].filename, frames[-1].lineno or 0)
    return Span(path, 0) if path else None


def _find(module: ModuleType, name: str, target: str) -> Pipeline[..., Any]:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if isinstance(found, Pipeline):
        return found
    names = sorted(n for n, value in vars(module).items() if isinstance(value, Pipeline))
    where = Span(getattr(module, "__file__", None) or module.__name__, 0)
    if found is None:
        what = f"`{module.__name__}` has no pipeline `{name}`{did_you_mean(name, names)}"
        fix = f"it has {', '.join(names)}" if names else "put @pipeline above the function that composes the tasks"
        raise ProjectError(Diagnostic("P613", what, where, fix))
    kind = _kind(found)
    fix = (
        "call it in a function under @pipeline, and name that" if isinstance(found, Task) else "put @pipeline above it"
    )
    fix = f"name a pipeline: {', '.join(names)}" if names else fix
    raise ProjectError(Diagnostic("P613", f"`{name}` in {target!r} is {kind}, not a pipeline", where, fix))


def _kind(found: object) -> str:
    if isinstance(found, Task):
        return "a task"
    if isinstance(found, type):
        return "a class"
    return "a plain function" if callable(found) else f"a value of the type {type(found).__name__}"
