"""Artifacts: what a run made, by name, and its versions.

An artifact's name is where its value comes from: `churn/winner` for the node `winner` of the pipeline `churn`,
`churn/split.test` for a port other than `result`, `churn/params/depth` for a parameter, `churn` for what the pipeline
itself returned, `churn/train:roc` for what the task of a node logged as `roc`, in a map's item `churn/fits[3]:roc`.
The values of instances inside maps and loops are none: the map's list is, as a whole. Versions count the distinct
values in the order in which they were first committed, so the number of a version is the same from any index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from drawloom.catalog.facts import Facts
from drawloom.catalog.records import Index, RunStarted, ValueRef
from drawloom.errors import Diagnostic, StoreError

__all__ = ["Artifact", "Made", "Reader", "Version", "artifact_name", "choose_version", "logged_name", "made_by"]

_MIN_PREFIX: Final = 4  # characters of a digest that may stand for all of it
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Made:
    """One value a run made, or was given.

    Args:
        name: the artifact's name.
        run: the run.
        node: the node; "" for a parameter, and for the pipeline's own result.
        port: the result's, or the parameter's, name.
        ref: the value.
        function: the digest of the task's function, "" where no task made it.
        at: when it was committed, in seconds since the epoch.
        cached: whether it was answered from an earlier commit.
        role: `param`, `output`, or `logged` for what a task logged beside its result.
        source: (run, node) of the commit a cached one was answered from.
    """

    name: str
    run: str
    node: str
    port: str
    ref: ValueRef
    function: str = ""
    at: float = 0.0
    cached: bool = False
    role: str = "output"
    source: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """A node of a run that a value was handed to: `port` is the parameter, or `test` or `items` of a control node."""

    run: str
    node: str
    port: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an artifact.

    Args:
        number: counts from 1.
        made: the first commit of this value.
        latest_at: when it was last committed, in seconds since the epoch.
        latest_run: the run that did.
        tags: the names people gave it.
        readers: looks up `read_by`.
        media_type: what its bytes are, "" where only reading it would tell.
    """

    number: int
    made: Made
    latest_at: float = 0.0
    latest_run: str = ""
    tags: tuple[str, ...] = ()
    readers: Callable[[], tuple[Reader, ...]] = field(default=tuple, repr=False, compare=False)
    media_type: str = ""

    @property
    def read_by(self) -> tuple[Reader, ...]:
        """The nodes that this artifact's value was handed to, of any run; an equal value of another one isn't it."""
        return self.readers()

    def _repr_html_(self) -> str:
        from drawloom.display.notebook import version_html  # lazy: only notebooks ask

        return version_html(self)

    @property
    def digest(self) -> str:
        """The value digest, 64 hex characters."""
        return self.made.ref.digest

    @property
    def size_bytes(self) -> int:
        """Bytes of the value and of all it refers to."""
        return self.made.ref.size_bytes

    @property
    def type(self) -> str:
        """The type of the port, as text."""
        return self.made.ref.type

    @property
    def ref(self) -> ValueRef:
        """The value, for `values.store.Values.tree`."""
        return self.made.ref


@dataclass(frozen=True, slots=True)
class Artifact:
    """A name and its versions, oldest first."""

    name: str
    versions: tuple[Version, ...]

    def _repr_html_(self) -> str:
        from drawloom.display.notebook import artifact_html  # lazy: only notebooks ask

        return artifact_html(self)

    @property
    def latest(self) -> Version:
        """The version that was committed last (not the highest number, where an old value came back)."""
        return max(self.versions, key=lambda v: (v.latest_at, v.latest_run))


def artifact_name(pipeline: str, node: str, port: str = "result") -> str:
    """The name of what a port of a node makes.

    >>> artifact_name("churn", "split", "test"), artifact_name("churn", "")
    ('churn/split.test', 'churn')
    """
    name = f"{pipeline}/{node}" if node else pipeline
    return name if port == "result" else f"{name}.{port}"


def logged_name(pipeline: str, node: str, index: Index, name: str) -> str:
    """The name of what a node's task logged.

    >>> logged_name("churn", "train", (), "roc"), logged_name("churn", "fits", (3, 0), "roc")
    ('churn/train:roc', 'churn/fits[3,0]:roc')
    """
    at = f"[{','.join(map(str, index))}]" if index else ""
    return f"{pipeline}/{node}{at}:{name}"


def made_by(started: RunStarted, facts: Facts) -> Iterator[Made]:
    """What a run was given and made, as versions of artifacts."""
    for name, ref in started.params:
        yield Made(f"{started.pipeline}/params/{name}", started.run, "", name, ref, at=started.at, role="param")
    for (node, index), commit in sorted(facts.commits.items()):
        if index or ":" in node or commit.outcome not in ("succeeded", "cached"):
            continue
        for port, ref in commit.outputs:
            if ref.type == "None":  # an effect: it was run for what it did, and made nothing to keep
                continue
            name = artifact_name(started.pipeline, node, port)
            cached = commit.outcome == "cached"
            source = commit.source[:2] if cached else ()
            yield Made(name, started.run, node, port, ref, commit.function, commit.at, cached, source=source)


def choose_version(artifact: Artifact, wanted: int | str | None) -> Version:
    """One version of an artifact.

    Args:
        artifact: the artifact.
        wanted: a number, `"latest"` or None, a tag, or the first characters of a digest. Text is tried as a tag, then
            as a number, then as a digest.

    Raises:
        StoreError: S458, there is no such version, or the digest's start fits several.
    """
    if wanted is None or wanted == "latest":
        return artifact.latest
    if isinstance(wanted, str):
        found = _by_text(artifact, wanted)
    else:
        found = [v for v in artifact.versions if v.number == wanted]
    if len(found) != 1:
        raise StoreError(_no_version(artifact, wanted, found))
    return found[0]


def _by_text(artifact: Artifact, wanted: str) -> list[Version]:
    tagged = [v for v in artifact.versions if wanted in v.tags]
    if tagged:
        return tagged
    if wanted.isdecimal() and len(wanted) < 10:
        numbered = [v for v in artifact.versions if v.number == int(wanted)]
        if numbered:
            return numbered
    return [v for v in artifact.versions if len(wanted) >= _MIN_PREFIX and v.digest.startswith(wanted)]


def _no_version(artifact: Artifact, wanted: int | str, found: list[Version]) -> Diagnostic:
    if found:
        what = f"the digests of {len(found)} versions of {artifact.name!r} begin with {wanted!r}"
        return Diagnostic("S458", what, None, "give more of the digest")
    numbers = ", ".join(str(v.number) for v in artifact.versions[-_SHOWN:])
    tags = sorted(tag for v in artifact.versions for tag in v.tags)
    return Diagnostic(
        code="S458",
        what=f"{artifact.name!r} has no version {wanted!r}",
        where=None,
        fix=f"give a number ({'..., ' if len(artifact.versions) > _SHOWN else ''}{numbers}), "
        + (f"a tag ({', '.join(tags)}), " if tags else "")
        + "`latest`, or the start of a digest",
    )
