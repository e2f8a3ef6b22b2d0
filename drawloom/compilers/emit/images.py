"""Dockerfiles for those who build images: one for each distinct environment that the tasks of a program declare.

An environment is what a call's policies name: an image and packages. The lock pins the versions that are installed
here, with all they need, because these are what the tasks were tried with; no index is asked.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from drawloom.compilers.emit.templates import template
from drawloom.errors import CompileError, Diagnostic, Span
from drawloom.ir.nodes import Call
from drawloom.ir.pods import Misfit, image_text
from drawloom.ir.program import Program
from drawloom.ir.walk import walk

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from packaging.requirements import Requirement

__all__ = ["Environment", "Pin", "default_base", "environments_of", "image_files"]

_LINUX: Final = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}  # what images are
_DOCKERFILE: Final = """\
# For {{ tasks | join(", ") }}
# Made by `drawloom image`; the versions are those that were installed where it ran, on Python {{ python }}.
FROM {{ base }}
COPY requirements.txt /opt/requirements.txt
RUN python3 -m pip install --no-cache-dir --no-deps -r /opt/requirements.txt
"""
_LOCK: Final = """\
# For {{ declared | join(", ") }}: Python {{ python }}, Linux
{% for pin in pins -%}
{{ pin.name }}=={{ pin.version }}{% if pin.needed_by %}  # for {{ pin.needed_by | join(", ") }}{% endif %}
{% endfor -%}
"""


@dataclass(frozen=True, slots=True)
class Pin:
    """A version of a distribution.

    Args:
        name: its normalised name.
        version: the version that is installed here.
        needed_by: the distributions that need it; empty for what a task declares alone.
    """

    name: str
    version: str
    needed_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """What some tasks declare.

    Args:
        folder: the name of its folder.
        image: the image that they name, "" for none.
        packages: the requirements they declare.
        tasks: their names.
        pins: all that is to be installed, sorted.
    """

    folder: str
    image: str
    packages: tuple[str, ...]
    tasks: tuple[str, ...]
    pins: tuple[Pin, ...]


def default_base() -> str:
    """The image that is built upon: the stock one of this Python."""
    return f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"


def environments_of(program: Program) -> list[Environment]:
    """The distinct environments of a program, in the order in which they are first used.

    A task that declares no packages needs none: any image with Python will do. Tasks that name one image share one
    environment, with the packages of all of them.

    Raises:
        CompileError: E728, a package isn't installed here, in such a version or at all; E729, what is installed has
            come from no index.
    """
    policies = {task.name: task.policies for task in program.pipeline.tasks}
    found: dict[object, list[Call]] = {}  # by the image they name, or else by what they declare
    declared: dict[object, tuple[str, set[str]]] = {}
    for node in walk(program.pipeline.body):
        if isinstance(node, Call):
            own = node.policies or policies[node.task]
            if own.packages:
                key = own.image or frozenset(own.packages)
                found.setdefault(key, []).append(node)
                declared.setdefault(key, (own.image, set()))[1].update(own.packages)
    made: list[Environment] = []
    problems: list[Diagnostic] = []
    for same, calls in found.items():
        image, packages = declared[same][0], tuple(sorted(declared[same][1]))
        tasks = tuple(dict.fromkeys(call.task for call in calls))
        lock = _Lock(calls[0].task, program.spans.get(calls[0].id))
        pins = lock.pins(packages)
        problems += lock.problems
        folder = _folder(tasks[0], [one.folder for one in made])
        made.append(Environment(folder, image, packages, tasks, pins))
    if problems:
        raise CompileError(problems)
    return made


def _folder(task: str, taken: Sequence[str]) -> str:
    """A folder named after a task, which no other one has."""
    name = re.sub(r"[^A-Za-z0-9_]+", "-", task.rpartition(":")[2]).strip("-")
    found, ordinal = name, 1
    while found.lower() in map(str.lower, taken):
        ordinal += 1
        found = f"{name}-{ordinal}"
    return found


def image_files(environments: Sequence[Environment], base: str) -> dict[str, str]:
    """A Dockerfile and a lock for each environment: relative path -> text.

    Args:
        environments: of `environments_of`.
        base: the image that is built upon.

    Raises:
        CompileError: E726, jinja2 isn't installed, or `base` can't be the name of an image.
    """
    try:
        image_text(base)
    except Misfit as misfit:
        fix = f"give {default_base()}, or one made of it"
        raise CompileError(Diagnostic("E726", f"the base {misfit}", None, fix)) from None
    dockerfile, lock = _templates()
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    files = {}
    for one in environments:
        files[f"{one.folder}/Dockerfile"] = dockerfile.render(tasks=one.tasks, python=python, base=base)
        files[f"{one.folder}/requirements.txt"] = lock.render(declared=one.packages, python=python, pins=one.pins)
    return files


def _templates() -> tuple[Any, Any]:
    missing = Diagnostic("E726", "writing Dockerfiles needs jinja2", None, "`pip install 'drawloom[argo]'`")
    return template(_DOCKERFILE, missing), template(_LOCK, missing)


class _Lock:
    """All that some requirements need, as it is installed here.

    Args:
        task: who declares them.
        where: its first call.

    Attributes:
        problems: what can't be pinned.
    """

    def __init__(self, task: str, where: Span | None) -> None:
        self.problems: list[Diagnostic] = []
        self._task = task
        self._where = where
        self._versions: dict[str, str] = {}
        self._needed: dict[str, set[str]] = {}

    def pins(self, packages: Sequence[str]) -> tuple[Pin, ...]:
        """The versions of the packages and of all they need, sorted by name."""
        from packaging.utils import canonicalize_name

        waiting = [(text, "") for text in packages]
        seen: set[tuple[str, tuple[str, ...]]] = set()
        while waiting:
            text, by = waiting.pop()
            requirement = self._read(text)
            if requirement is None:
                continue
            name = canonicalize_name(requirement.name)
            if by:
                self._needed.setdefault(name, set()).add(by)
            key = (name, tuple(sorted(requirement.extras)))
            installed = None if key in seen else self._installed(requirement, by)
            seen.add(key)
            if installed is not None:
                self._versions[name] = installed.version
                waiting += [(needed, name) for needed in _needs(installed, requirement.extras)]
        return tuple(
            Pin(name, version, tuple(sorted(self._needed.get(name, ()))))
            for name, version in sorted(self._versions.items())
        )

    def _read(self, text: str) -> Requirement | None:
        from packaging.requirements import InvalidRequirement, Requirement  # 30 ms: only where images are made

        try:
            made = Requirement(text)
        except InvalidRequirement:
            self._report("E728", f"the package `{text}`, which isn't a requirement (`pandas>=2`)", "correct `packages`")
            return None
        return made if made.marker is None or made.marker.evaluate(_LINUX) else None

    def _installed(self, requirement: Requirement, by: str) -> Distribution | None:
        from importlib import metadata

        text = f"the package `{requirement}`" + (f" (by way of {by})" if by else "")
        try:
            found = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            self._report("E728", f"{text}, which isn't installed here", f"`pip install '{requirement}'`")
            return None
        if not requirement.specifier.contains(found.version, prereleases=True):
            fix = f"`pip install '{requirement}'`, or correct `packages`"
            self._report("E728", f"{text}, but {found.version} is installed here", fix)
            return None
        if found.read_text("direct_url.json") is not None:
            what = f"{text}, which is installed from a folder, an archive or a repository"
            self._report("E729", what, "install a version of it from an index, or write its Dockerfile yourself")
            return None
        return found

    def _report(self, code: str, what: str, fix: str) -> None:
        self.problems.append(Diagnostic(code, f"task `{self._task}` needs {what}", self._where, fix))


def _needs(installed: Distribution, extras: set[str]) -> Iterator[str]:
    """The requirements of a distribution, those of its extras too, without their markers."""
    from packaging.requirements import Requirement

    for text in installed.requires or ():
        needed = Requirement(text)
        wanted = needed.marker is None or any(
            needed.marker.evaluate({**_LINUX, "extra": extra}) for extra in ("", *sorted(extras))
        )
        if wanted:
            needed.marker = None
            yield str(needed)
