"""Whether the packages that tasks declare are installed: asked before a run begins, not found out in the middle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from drawloom.errors import Diagnostic, RunRefused
from drawloom.ir.nodes import Call
from drawloom.ir.program import Program
from drawloom.ir.walk import walk

__all__ = ["refuse_unmet"]

_NAME: Final = "[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
_MISSING: Final = "which isn't installed"


def refuse_unmet(program: Program) -> None:
    """Refuses a program whose tasks declare packages that this environment doesn't have.

    Raises:
        RunRefused: R522, for each requirement of each task that is malformed (PEP 508), missing or of another version.
    """
    problems = list(_problems(program))
    if problems:
        raise RunRefused(problems)


def _problems(program: Program) -> Iterator[Diagnostic]:
    tasks = {task.name: task.policies for task in program.pipeline.tasks}
    told: set[tuple[str, str]] = set()
    found: dict[str, str] = {}  # a look at the disk for each package, not for each node
    for node in walk(program.pipeline.body):
        if not isinstance(node, Call):
            continue
        for text in (node.policies or tasks[node.task]).packages:
            if text not in found:
                found[text] = _problem(text)
            problem = found[text]
            if problem and (node.task, text) not in told:
                told.add((node.task, text))
                what = f"task `{node.task}` declares the package `{text}`, {problem}"
                fix = f"`pip install '{text}'`, or correct `packages` of the task"
                yield Diagnostic("R522", what, program.spans.get(node.id), fix)


def _problem(text: str) -> str:
    from importlib import metadata  # lazy, with `packaging` 30 ms: most tasks declare no packages

    if re.fullmatch(_NAME, text):  # of any version: whether it is there is all there is to know
        try:
            metadata.distribution(text)
        except metadata.PackageNotFoundError:
            return _MISSING
        return ""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        needed = Requirement(text)
    except InvalidRequirement:
        return "which isn't a requirement (`pandas>=2`)"
    if needed.marker is not None and not needed.marker.evaluate():
        return ""
    try:
        found = metadata.version(needed.name)
    except metadata.PackageNotFoundError:
        return _MISSING
    return "" if needed.specifier.contains(found, prereleases=True) else f"but {found} is installed"
