"""The catalog of a project: its runs, the versions of its artifacts, and whether its store is whole.

The store is the truth; the index (`catalog.index`) only makes questions over many runs quick, and is made again
whenever it is missing, broken or of another version.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from warnings import warn

from drawloom.catalog.keys import name_digest, project_prefix, run_key
from drawloom.catalog.programs import load_program, save_program
from drawloom.catalog.run import Run
from drawloom.errors import Diagnostic, Span, StoreError, did_you_mean
from drawloom.ir.envelope import value_digest
from drawloom.ir.program import Program
from drawloom.storage.base import Storage
from drawloom.storage.objects import Objects
from drawloom.storage.open import open_storage
from drawloom.storage.prefixed import Prefixed, local_path
from drawloom.storage.problems import is_key
from drawloom.values.store import Values

if TYPE_CHECKING:  # the index and what asks it are imported when something is asked: a run asks nothing
    import sqlite3
    from datetime import datetime

    from drawloom.catalog.artifacts import Artifact, Reader, Version
    from drawloom.catalog.gc import Collected
    from drawloom.catalog.index import Index
    from drawloom.catalog.lineage import Lineage
    from drawloom.catalog.queries import FunctionVersion, LoggedMetric, RunFilter, RunRow
    from drawloom.catalog.transfer import Transferred

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
        target: the target of the project file whose store it is, "" if it wasn't found by one.
    """

    def __init__(self, root: Storage, project: str = "default", *, allow_pickle: bool = False) -> None:
        if not is_key(project) or "/" in project:
            raise StoreError(_bad_project(project))
        self.project = project
        self.allow_pickle = allow_pickle
        self.target = ""
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

    def _repr_html_(self) -> str:
        from drawloom.display.notebook import catalog_html  # lazy: only notebooks ask

        return catalog_html(self)

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
            from drawloom.catalog.index import Index, index_path

            self._index = Index(self.storage, index_path(self.storage.url))
        return self._index

    def save_program(self, program: Program) -> str:
        """Puts a program into the store, once; returns its digest."""
        return save_program(self.storage, program)

    def load_program(self, digest: str) -> Program:
        """The program with this digest (S452 if it can't be had)."""
        return load_program(self.storage, digest)

    def runs(
        self,
        pipeline: str | None = None,
        state: str | None = None,
        limit: int | None = None,
        *,
        since: datetime | float | None = None,
        until: datetime | float | None = None,
        params: Mapping[str, Any] | None = None,
        function: str | None = None,
        artifact: str | None = None,
        version: int | str | None = None,
    ) -> list[Run]:
        """The project's runs, newest first; a run whose records can't be read is left out with a warning.

        Args:
            pipeline: only runs of the pipeline of this name.
            state: only runs in this state.
            limit: at most so many.
            since: only runs that began at this time or later; a float is seconds since the epoch.
            until: only runs that began before this time.
            params: parameter name -> value; only runs that were given equal ones. A file or a table is stored
                to be compared.
            function: only runs that used the version of a function whose digest begins so.
            artifact: only runs that made, or were given, a version of this artifact.
            version: which version of it (`load`); the latest if None.
        """
        from drawloom.catalog.queries import RunFilter

        digests = {}
        for name, value in (params or {}).items():
            digests[name] = [value_digest(self.values.encode(value, what=f"the parameter {name}"))]
        made = None if artifact is None else (artifact, self.version(artifact, version).digest)
        wanted = RunFilter(pipeline, state, _seconds(since), _seconds(until), digests, function, made)
        return [self._run(row.id) for row in self.run_rows(wanted, limit)]

    def run_rows(self, wanted: RunFilter, limit: int | None = None) -> list[RunRow]:
        """What the index has of the runs a filter lets through, newest first, without reading any of them.

        Args:
            wanted: which runs.
            limit: at most so many.
        """
        from drawloom.catalog.queries import run_rows

        found, unreadable = self.index.ask(lambda db: run_rows(db, wanted, limit))
        for row in unreadable:
            warn(f"run {row.id} is left out: {row.problem}", UnreadableRunWarning, stacklevel=3)
        return found

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

        found = self._artifacts(None)
        return found if pattern == "*" else [a for a in found if fnmatchcase(a.name, pattern)]

    def artifact(self, name: str) -> Artifact:
        """One artifact with all its versions.

        Args:
            name: `<pipeline>/<node>`, `<pipeline>/<node>.<port>`, `<pipeline>/params/<name>` or `<pipeline>`; of what a
                task logged, `<pipeline>/<node>:<name>`.

        Raises:
            StoreError: S453, there is none of this name.
        """
        found = self._artifacts(name)
        if not found:
            names = [artifact.name for artifact in self._artifacts(None)]
            raise StoreError(_no_artifact(name, names, self.storage.url))
        return found[0]

    def functions(self, pattern: str = "*") -> list[FunctionVersion]:
        """The versions of tasks' functions that runs have used, by name, the oldest first.

        Args:
            pattern: which names (`module:qualname`): `*` and `?` stand for any characters.
        """
        from fnmatch import fnmatchcase

        from drawloom.catalog.queries import function_versions

        return [f for f in self.index.ask(function_versions) if fnmatchcase(f.name, pattern)]

    def metrics(self, run: str, node: str | None = None) -> list[LoggedMetric]:
        """The last values of the metrics that a run's tasks logged.

        Args:
            run: the run's id, whole.
            node: only those of this node.
        """
        from drawloom.catalog.queries import metrics_of

        return self.index.ask(lambda db: metrics_of(db, run, node))

    def lineage(
        self, name: str, version: int | str | None = None, direction: str = "both", depth: int | None = None
    ) -> Lineage:
        """What a version of an artifact was made from, and what was made of it, across runs.

        Args:
            name: the artifact's name.
            version: which version (`load`); the latest if None.
            direction: `up` for what it was made from, `down` for what was made of it, or `both`.
            depth: how many versions away from it to go; None for all.

        Raises:
            StoreError: S453, there is no such artifact; S458, it has no such version.
            ValueError: there is no such direction, or the depth is negative.
        """
        from drawloom.catalog.lineage import DIRECTIONS, trace_lineage

        if direction not in DIRECTIONS or (depth is not None and depth < 0):
            raise ValueError(f"expected a direction among {', '.join(DIRECTIONS)} and a depth of 0 or more")
        digest = self.version(name, version).digest
        return self.index.ask(lambda db: trace_lineage(db, name, digest, direction, depth))

    def tag(self, name: str, tag: str, version: int | str | None = None) -> Version:
        """Gives a version of an artifact a name; the version that had it loses it.

        Args:
            name: the artifact's name.
            tag: the name, by which `load` finds the version from now on.
            version: which version (`load`); the latest if None.

        Returns:
            The version, with its tags.

        Raises:
            StoreError: S453, S458: there is no such version; S474: no version can have this tag.
        """
        found = self.version(name, version)
        from drawloom.catalog.tags import write_tag

        write_tag(self.storage, name, tag, found.digest)
        return self.version(name, found.number)

    def untag(self, name: str, tag: str) -> Version:
        """Takes a tag away; returns the version that had it.

        Raises:
            StoreError: S453, there is no such artifact; S475, it has no such tag.
        """
        artifact = self.artifact(name)
        tagged = {tag: version for version in artifact.versions for tag in version.tags}
        if tag not in tagged:
            raise StoreError(_no_tag(name, tag, list(tagged)))
        from drawloom.catalog.tags import write_tag

        write_tag(self.storage, name, tag, "")
        return self.version(name, tagged[tag].number)

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

    def gc(
        self,
        *,
        keep_runs: int | None = None,
        older_than_seconds: float | None = None,
        grace_seconds: float | None = None,
        dry_run: bool = False,
    ) -> Collected:
        """Removes runs nobody wants to keep, and everything in the store that nothing refers to any more.

        Never removes runs that go on, runs that made a tagged version, runs of a program that is deployed, runs that
        ended within the grace, or runs that answered nodes of a run that stays. Whatever a run that stays refers to
        stays whole. The numbers of versions count what is there, so they can change; digests and tags don't.

        Args:
            keep_runs: of each pipeline the newest so many runs stay.
            older_than_seconds: runs that ended less long ago stay. With neither of both, all runs stay; with both, only
                those go that neither keeps.
            grace_seconds: what is younger stays in any case, because a run that goes on may be about to refer to it; a
                day if None. Less than eight hours is safe only while nothing else works with the store.
            dry_run: whether to only tell what would go.

        Returns:
            What was, or would be, removed.

        Raises:
            StoreError: S485, a number is negative; S486, a run's records can't be read; or the store can't be written.
        """
        from drawloom.catalog.gc import GRACE_SECONDS, collect  # whoever looks into a catalog needs none of it

        grace = GRACE_SECONDS if grace_seconds is None else grace_seconds
        return collect(
            self, keep_runs=keep_runs, older_than_seconds=older_than_seconds, grace_seconds=grace, dry_run=dry_run
        )

    def export_to(self, path: str | os.PathLike[str], *names: str) -> Transferred:
        """Writes an archive of runs, with everything they refer to, to carry into another catalog.

        Args:
            path: the file; one that is there is replaced.
            names: runs (ids, the beginnings of them, `last`), or artifacts (`churn/winner`, `churn/winner@3`) for the
                runs that made them.

        Raises:
            StoreError: there is no such run or version; S487, a run goes on; S488, something it needs is missing or
                corrupt; S489, the file can't be written.
        """
        from drawloom.catalog.transfer import export_runs, runs_of

        return export_runs(self, [run for name in names for run in runs_of(self, name)], os.fspath(path))

    def import_from(
        self, path: str | os.PathLike[str], *, limit_bytes: int | None = None, trust_pickles: bool = False
    ) -> Transferred:
        """Brings in the runs of an archive; all of it is verified first, and what is here already stays as it is.

        Args:
            path: the archive.
            limit_bytes: how much it may unpack to; 64 GiB if None.
            trust_pickles: whether pickles may come in although this project decodes pickles.

        Raises:
            StoreError: S489 to S493, the archive can't be read, is damaged, made to do harm, or holds a run that is
                here with other records.
        """
        from drawloom.catalog.archive import LIMIT_BYTES
        from drawloom.catalog.transfer import import_archive

        limit = LIMIT_BYTES if limit_bytes is None else limit_bytes
        return import_archive(self, os.fspath(path), limit_bytes=limit, trust_pickles=trust_pickles)

    def rebuild(self) -> None:
        """Throws the index away and makes it anew from the store."""
        self.index.rebuild()

    def _run(self, id: str) -> Run:  # noqa: A002  # as above
        return Run(id, self.storage, self.objects, self.values, self)

    def _artifacts(self, name: str | None) -> list[Artifact]:
        from drawloom.catalog.queries import tags_of, unread_tags, version_rows
        from drawloom.catalog.tags import read_tags

        names = None if name is None else [name]

        def question(db: sqlite3.Connection) -> tuple[list[Artifact], set[str]]:
            found = version_rows(db, names, tags_of(db), self._readers)
            return found, unread_tags(db)

        found, unread = self.index.ask(question)
        for artifact in found if unread else ():
            if name_digest(artifact.name) in unread:
                read_tags(self.storage, artifact.name)  # raises what is wrong with the record
        return found

    def _readers(self, name: str, digest: str) -> Callable[[], tuple[Reader, ...]]:
        from drawloom.catalog.queries import readers_of

        return lambda: self.index.ask(lambda db: readers_of(db, name, digest))


def _seconds(at: datetime | float | None) -> float | None:
    return at if at is None or isinstance(at, (int, float)) else at.timestamp()


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
        fix=_inside(name, known) or "see the names there are with `drawloom catalog ls`",
    )


def _inside(name: str, known: list[str]) -> str:
    """What to do about the name of a node in a map or a loop: only what the whole gives is an artifact."""
    parts = name.partition("[")[0].split("/")
    for end in range(len(parts) - 1, 1, -1):
        whole = "/".join(parts[:end])
        if whole in known:
            node = "/".join(parts[1:])
            return (
                f"only the whole, `{whole}`, is an artifact; if `{node}` is a node in it, `drawloom show last {node}` "
                f'shows its values, and `catalog.run(RUN).load("{node}", index=(0,))` loads one'
            )
    return ""


def _no_tag(name: str, tag: str, known: list[str]) -> Diagnostic:
    return Diagnostic(
        code="S475",
        what=f"{name!r} has no tag {tag!r}{did_you_mean(tag, known)}",
        where=None,
        fix=f"its tags are {', '.join(sorted(known))}" if known else "none of its versions has a tag",
    )
