"""The catalog of a project: its runs, the versions of its artifacts, and whether its store is whole.

The store is the truth; the index (`catalog.index`) only makes questions over many runs quick, and is made again
whenever it is missing, broken or of another version.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from warnings import warn

from drawloom.catalog.keys import project_prefix, run_key
from drawloom.catalog.programs import load_program, save_program
from drawloom.catalog.run import Run
from drawloom.errors import Diagnostic, Span, StoreError, did_you_mean
from drawloom.ir.program import Program
from drawloom.storage.base import Storage
from drawloom.storage.objects import Objects
from drawloom.storage.open import open_storage
from drawloom.storage.prefixed import Prefixed, local_path
from drawloom.storage.problems import is_key
from drawloom.values.store import Values

if TYPE_CHECKING:
    from drawloom.catalog.artifacts import Artifact, Version
    from drawloom.catalog.index import Index

__all__ = ["Catalog", "UnreadableRunWarning"]

_SHOWN = 5


class UnreadableRunWarning(UserWarning):
    """A run was left out of a list because its records can't be read; the text says why."""


class Catalog:  # over 150 lines by its documentation: it is the whole of what a user asks a catalog
    """One project in one store; `Catalog.open` makes one.

    Args:
        root: the store.
        project: the project's id.
        allow_pickle: whether values of the pickle codec are decoded.

    Attributes:
        storage: the project's part of the store.
        objects: its objects.
        values: its values.
        project: the project's id.
        allow_pickle: as given.
    """

    def __init__(self, root: Storage, project: str = "default", *, allow_pickle: bool = False) -> None:
        if not is_key(project) or "/" in project:
            raise StoreError(_bad_project(project))
        self.project = project
        self.allow_pickle = allow_pickle
        self._root = root
        self.storage: Storage = Prefixed(root, project_prefix(project))
        self.objects = Objects(self.storage)
        self.values = Values(self.objects, allow_pickle=allow_pickle)
        self._index: Index | None = None

    @classmethod
    def open(
        cls,
        url: str | os.PathLike[str] = ".drawloom",
        project: str = "default",
        *,
        create: bool = True,
        allow_pickle: bool = False,
    ) -> Catalog:
        """The catalog of a project.

        Args:
            url: the store: a folder's path, or a URL (`s3://bucket/prefix`).
            project: the project's id: lower-case letters, digits, `-`, `_` and `.`.
            create: whether an empty place becomes a store; without it a missing store is refused.
            allow_pickle: whether values of the pickle codec are decoded: only for a project whose writers you trust.

        Raises:
            StoreError: there is no such store, it is of a newer version, or S450: the project id can't be one.
        """
        return cls(open_storage(os.fspath(url).strip(), create=create), project.strip(), allow_pickle=allow_pickle)

    def __repr__(self) -> str:
        return f"Catalog({self.storage.url!r})"

    @property
    def url(self) -> str:
        """Where the project is."""
        return self.storage.url

    @property
    def store_url(self) -> str:
        """Where the whole store is; opening it with `project` gives this catalog again."""
        return self._root.url

    @property
    def index(self) -> Index:
        """The index over the project's runs; opened on first use."""
        if self._index is None:
            from drawloom.catalog.index import Index, index_path  # lazy: a run asks nothing of it

            self._index = Index(self.storage, index_path(self.storage.url))
        return self._index

    def save_program(self, program: Program) -> str:
        """Puts a program into the store, once; returns its digest."""
        return save_program(self.storage, program)

    def load_program(self, digest: str) -> Program:
        """The program with this digest (S452 if it can't be had)."""
        return load_program(self.storage, digest)

    def runs(self, pipeline: str | None = None, state: str | None = None, limit: int | None = None) -> list[Run]:
        """The project's runs, newest first; a run whose records can't be read is left out with a warning.

        Args:
            pipeline: only runs of the pipeline of this name.
            state: only runs in this state.
            limit: at most so many.
        """
        rows = []
        for row in self.index.runs():
            if row.problem:
                warn(f"run {row.id} is left out: {row.problem}", UnreadableRunWarning, stacklevel=2)
            elif pipeline in (None, row.pipeline) and state in (None, row.state):
                rows.append(row)
        return [self._run(row.id) for row in rows[:limit]]

    def run(self, id: str) -> Run:  # noqa: A002  # the word of the design
        """One run.

        Args:
            id: its id, or the beginning of it, if no other run's id begins so.

        Raises:
            StoreError: S451, there is no such run, or there are several.
        """
        if is_key(id) and "/" not in id and self.storage.exists(run_key(id)):
            return self._run(id)
        known = list(self.storage.folders("runs/"))
        found = [run for run in known if id and run.startswith(id)]
        if len(found) == 1:
            return self._run(found[0])
        raise StoreError(_no_run(id, known, found, self.storage.url))

    def artifacts(self, pattern: str = "*") -> list[Artifact]:
        """The artifacts of the project, sorted by name.

        Args:
            pattern: which names: `*` and `?` stand for any characters (`churn/*`).
        """
        from fnmatch import fnmatchcase

        return self._artifacts([name for name in self.index.names() if fnmatchcase(name, pattern)])

    def artifact(self, name: str) -> Artifact:
        """One artifact with all its versions.

        Args:
            name: `<pipeline>/<node>`, `<pipeline>/<node>.<port>`, `<pipeline>/params/<name>` or `<pipeline>`.

        Raises:
            StoreError: S453, there is none of this name.
        """
        found = self._artifacts([name])
        if not found:
            raise StoreError(_no_artifact(name, self.index.names(), self.storage.url))
        return found[0]

    def load(self, name: str, version: int | str | None = None) -> Any:
        """The value of a version of an artifact.

        Args:
            name: the artifact's name.
            version: a number, `"latest"` (that of the newest run; also None), the start of a digest, or a tag.

        Raises:
            StoreError: S453, there is no such artifact; S458, it has no such version.
        """
        found = self.version(name, version)
        return self.values.decode(self.values.tree(found.ref))

    def version(self, name: str, version: int | str | None = None) -> Version:
        """A version of an artifact, chosen as `load` chooses it."""
        from drawloom.catalog.artifacts import choose_version

        return choose_version(self.artifact(name), version)

    def verify(self, *, quarantine: bool = True) -> list[Diagnostic]:
        """Everything that is wrong with the project's part of the store.

        Reads every object and every record.

        Args:
            quarantine: whether corrupt objects are set aside, so that the next run can make them anew.

        Returns:
            One diagnostic for each problem; an empty list if all is well.
        """
        from drawloom.catalog.verify import verify

        inside = local_path(self._root, "x")
        temporary = None if inside is None else os.path.join(os.path.dirname(inside), ".tmp")
        return verify(self.storage, self.objects, quarantine=quarantine, temporary=temporary)

    def rebuild(self) -> None:
        """Throws the index away and makes it anew from the store."""
        self.index.rebuild()

    def _run(self, id: str) -> Run:  # noqa: A002  # as above
        return Run(id, self.storage, self.objects, self.values)

    def _artifacts(self, names: list[str]) -> list[Artifact]:
        from drawloom.catalog.tags import read_tags

        return self.index.artifacts(names, lambda name: read_tags(self.storage, name))


def _bad_project(project: str) -> Diagnostic:
    return Diagnostic(
        code="S450",
        what=f"{project[:80]!r} can't be a project's id: expected lower-case letters, digits, `-`, `_` and `.`",
        where=None,
        fix="choose another id, such as `churn-2024`; it becomes a folder's name in the store",
    )


def _no_run(run: str, known: list[str], found: list[str], url: str) -> Diagnostic:
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        what = f"{len(found)} runs have an id that begins with `{run}`: {', '.join(found[:_SHOWN])}{more}"
        fix = "give more of the id"
    else:
        what = f"there is no run `{run}` among {len(known)}{did_you_mean(run, known)}"
        fix = "see the runs there are with `drawloom runs`"
    return Diagnostic("S451", what, Span(url, 0), fix)


def _no_artifact(name: str, known: list[str], url: str) -> Diagnostic:
    return Diagnostic(
        code="S453",
        what=f"there is no artifact `{name}` among {len(known)}{did_you_mean(name, known)}",
        where=Span(url, 0),
        fix="see the names there are with `drawloom catalog ls`",
    )
