"""Lineage: what a version of an artifact was made from, and what was made of it, across runs.

The graph has two kinds of nodes: versions of artifacts, and executions of nodes (a task's call, a map, the pipeline
itself). It follows the edges of each run (`catalog.edges`), and from run to run

- by versions: an execution read version 3 of `churn/train`, whichever run that was made in;
- by the cache: what was answered from an earlier commit was made by that commit's execution;
- by what was handed over outside: a parameter that is a file, a table or another stored object equal to one that a run
  made before. Two equal numbers are no lineage.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Execution", "Lineage", "LineageEdge", "VersionNode", "trace_lineage"]

DIRECTIONS: Final = ("up", "down", "both")


@dataclass(frozen=True, slots=True)
class VersionNode:
    """A version of an artifact.

    Args:
        name: the artifact's name.
        number: the version's number.
        digest: its value digest.
        type: the type of the port, as text.
        size_bytes: bytes of the value and of all it refers to.
        media_type: what its bytes are.
        run: the run that first made it, or was given it.
        role: `param`, `output` or `logged`.
    """

    name: str
    number: int
    digest: str
    type: str = ""
    size_bytes: int = 0
    media_type: str = ""
    run: str = ""
    role: str = "output"

    @property
    def id(self) -> str:
        """What edges call it."""
        return f"{self.name}@{self.number}"


@dataclass(frozen=True, slots=True)
class Execution:
    """A node of a run that made or read values.

    Args:
        run: the run.
        node: the node; "" for the pipeline, which returned its results.
        kind: `call`, `map`, `branch`, `loop` or `pipeline`.
        pipeline: the pipeline's name.
        function: `module:qualname` of a call's function.
        function_digest: the digest of its code.
        instances: how many instances it has in maps and loops.
        cached: whether it was answered from a commit that isn't in the catalog any more.
    """

    run: str
    node: str
    kind: str = "call"
    pipeline: str = ""
    function: str = ""
    function_digest: str = ""
    instances: int = 1
    cached: bool = False

    @property
    def id(self) -> str:
        """What edges call it."""
        return f"{self.run}/{self.node}"


@dataclass(frozen=True, slots=True)
class LineageEdge:
    """`source` went into `target`, both ids of nodes.

    Args:
        source: what came first.
        target: what was made of it, or read it.
        port: the parameter it was read as, or the port it was made at.
        kind: `read`, `made`, `passed` (from execution to execution, of what has no name: an item of a map), or `same`
            (a parameter that is equal to what a run made).
    """

    source: str
    target: str
    port: str = ""
    kind: str = "read"


@dataclass(frozen=True, slots=True)
class Lineage:
    """The graph around one version.

    Args:
        root: the version's id.
        nodes: versions and executions, in the order in which they were found.
        edges: in the direction in which data went.
        direction: `up`, `down` or `both`.
        truncated: whether `depth` left something out.
    """

    root: str
    nodes: tuple[VersionNode | Execution, ...]
    edges: tuple[LineageEdge, ...]
    direction: str = "both"
    truncated: bool = False

    def to_json(self) -> dict[str, Any]:
        """The graph as plain JSON."""
        return {
            "root": self.root,
            "direction": self.direction,
            "truncated": self.truncated,
            "nodes": [_node_json(node) for node in self.nodes],
            "edges": [{"from": e.source, "to": e.target, "kind": e.kind, "port": e.port} for e in self.edges],
        }

    def to_text(self, *, ascii_only: bool = False) -> str:
        """The graph as trees below the version: what it was made from, and what was made of it."""
        from drawloom.catalog.lineage_text import lineage_text

        return lineage_text(self, ascii_only=ascii_only)

    def to_mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        from drawloom.catalog.lineage_text import lineage_mermaid

        return lineage_mermaid(self)

    def __str__(self) -> str:
        return self.to_text()


def _node_json(node: VersionNode | Execution) -> dict[str, Any]:
    kind = "version" if isinstance(node, VersionNode) else "execution"
    names = [name for name in type(node).__slots__ if name != "kind"]
    document = {"id": node.id, "kind": kind} | {name: getattr(node, name) for name in names}
    return document if isinstance(node, VersionNode) else {**document, "node_kind": node.kind}


def trace_lineage(
    db: sqlite3.Connection, name: str, digest: str, direction: str = "both", depth: int | None = None
) -> Lineage:
    """The lineage of a version.

    Args:
        db: the index.
        name: the artifact's name.
        digest: the version's value digest.
        direction: `up`, `down` or `both`.
        depth: how many versions away from this one to go; None for all.
    """
    walk = _Walk(db, depth)
    root = walk.version(name, digest)
    if direction in ("up", "both"):
        walk.go(root, walk.above, walk.above_execution)
    if direction in ("down", "both"):
        walk.go(root, walk.below, walk.below_execution)
    return Lineage(root, tuple(walk.nodes.values()), tuple(walk.edges), direction, walk.truncated)


class _Walk:
    """Goes through the index, breadth first."""

    def __init__(self, db: sqlite3.Connection, depth: int | None) -> None:
        self._db = db
        self._depth = depth
        self._digests: dict[str, tuple[str, str]] = {}  # id of a version -> (name, digest)
        self._ids: dict[tuple[str, str], str] = {}
        self._versions: dict[str, VersionNode] = {}
        self._found: dict[str, Execution] = {}
        self._executions: dict[tuple[str, str], str] = {}  # (run, node) -> id of the execution it goes back to
        self._places: dict[str, list[tuple[str, str]]] = {}  # id of an execution -> (run, node) that went back to it
        self.nodes: dict[str, VersionNode | Execution] = {}
        self.edges: dict[LineageEdge, None] = {}
        self.truncated = False

    def go(self, root: str, of_version: Any, of_execution: Any) -> None:
        """Follows one direction to its end, or to the depth: each method gives the ids next to one."""
        seen = {root}
        waiting = deque([(root, 0)])
        while waiting:
            node, distance = waiting.popleft()
            is_version = isinstance(self.nodes[node], VersionNode)
            if is_version and self._depth is not None and distance >= self._depth:
                self.truncated = self.truncated or self._goes_on(node, of_version)
                continue
            for found in (of_version if is_version else of_execution)(node):
                if found not in seen:
                    seen.add(found)
                    waiting.append((found, distance + isinstance(self.nodes[found], VersionNode)))

    def _goes_on(self, node: str, of_version: Any) -> bool:
        nodes, edges = dict(self.nodes), dict(self.edges)
        found = bool(of_version(node))
        self.nodes, self.edges = nodes, edges
        return found

    # nodes

    def version(self, name: str, digest: str) -> str:
        """The id of a version, which becomes a node."""
        if (name, digest) not in self._ids:
            sql = "SELECT digest, MIN(moment), run, role, ref FROM made WHERE name = ? GROUP BY digest ORDER BY 2"
            for number, (found, _, run, role, ref) in enumerate(self._db.execute(sql, (name,)).fetchall(), 1):
                kept = self._db.execute("SELECT type, size_bytes, media_type FROM refs WHERE key = ?", (ref,))
                type_, size_bytes, media_type = kept.fetchone()
                node = VersionNode(name, number, found, type_, size_bytes, media_type, run, role)
                self._ids[name, found] = node.id
                self._digests[node.id] = (name, found)
                self._versions[node.id] = node
        made = self._ids[name, digest]
        self.nodes.setdefault(made, self._versions[made])
        return made

    def execution(self, run: str, node: str) -> str:
        """The id of the execution that a node of a run goes back to: its own, or the one it was answered from."""
        if (run, node) not in self._executions:
            origin = self._origin(run, node)
            made = self._execution(*origin)
            self._executions[run, node] = made.id
            self._places.setdefault(made.id, [origin])
            if (run, node) not in self._places[made.id]:
                self._places[made.id].append((run, node))
            self._found[made.id] = made
        found = self._executions[run, node]
        self.nodes.setdefault(found, self._found[found])
        return found

    def _origin(self, run: str, node: str) -> tuple[str, str]:
        seen = set()
        while (run, node) not in seen:
            seen.add((run, node))
            sql = "SELECT source_run, source_node FROM executed WHERE run = ? AND node = ? AND source_run != ''"
            found = self._db.execute(sql, (run, node)).fetchone()
            if found is None or not self._is_executed(*found):
                break
            run, node = found
        return run, node

    def _is_executed(self, run: str, node: str) -> bool:
        sql = "SELECT 1 FROM executed WHERE run = ? AND node = ?"
        return self._db.execute(sql, (run, node)).fetchone() is not None

    def _execution(self, run: str, node: str) -> Execution:
        sql = (
            "SELECT e.kind, r.pipeline, e.name, e.function, e.instances, e.cached FROM executed e "
            "JOIN runs r ON r.id = e.run WHERE e.run = ? AND e.node = ?"
        )
        found = self._db.execute(sql, (run, node)).fetchone()
        if found is None:
            return Execution(run, node)
        kind, pipeline, name, function, instances, cached = found
        return Execution(run, node, kind, pipeline, name, function, instances, bool(cached) and kind == "call")

    def _edge(self, source: str, target: str, port: str, kind: str) -> None:
        self.edges.setdefault(LineageEdge(source, target, port, kind))

    # upwards

    def above(self, version: str) -> list[str]:
        """What made a version: the execution that did first, or for a parameter what made an equal thing before."""
        name, digest = self._digests[version]
        sql = "SELECT run, node, port, role, MIN(moment), ref FROM made WHERE name = ? AND digest = ?"
        run, node, port, role, moment, ref = self._db.execute(sql, (name, digest)).fetchone()
        if role == "param":
            return self._same(version, digest, ref, "made before", moment)
        made = self.execution(run, node)
        self._edge(made, version, port, "made")
        return [made]

    def above_execution(self, execution: str) -> list[str]:
        """What an execution read, in the run it was executed in."""
        run, node = self._places[execution][0]
        sql = (
            "SELECT source, source_port, port FROM edges WHERE run = ? AND node = ? ORDER BY port, source, source_port"
        )
        found: list[str] = []
        for source, source_port, port in self._db.execute(sql, (run, node)).fetchall():
            given = self._given(run, source, source_port)
            if given is None:
                given = self.execution(run, source)
                self._edge(given, execution, port, "passed")
            else:
                self._edge(given, execution, port, "read")
            found.append(given)
        return found

    def _given(self, run: str, node: str, port: str) -> str | None:
        sql = "SELECT name, digest FROM made WHERE run = ? AND node = ? AND port = ? AND (role = 'param') = ?"
        found = self._db.execute(sql, (run, node, port, node == "")).fetchone()
        return self.version(*found) if found is not None else None

    # downwards

    def below(self, version: str) -> list[str]:
        """What was handed a version, in any run; and parameters equal to it."""
        name, digest = self._digests[version]
        sql = (
            "SELECT DISTINCT e.run, e.node, e.port FROM made m JOIN edges e ON e.run = m.run AND e.source = m.node "
            "AND e.source_port = m.port WHERE m.name = ? AND m.digest = ? AND (m.node != '' OR m.role = 'param') "
            "ORDER BY e.run, e.node, e.port"
        )
        found: list[str] = []
        for run, node, port in self._db.execute(sql, (name, digest)).fetchall():
            reader = self.execution(run, node)
            self._edge(version, reader, port, "read")
            found.append(reader)
        sql = "SELECT role, MIN(moment), ref FROM made WHERE name = ? AND digest = ?"
        role, moment, ref = self._db.execute(sql, (name, digest)).fetchone()
        return found if role == "param" else found + self._same(version, digest, ref, "given later", moment)

    def below_execution(self, execution: str) -> list[str]:
        """What an execution made, and what read of it what has no name."""
        found: list[str] = []
        for run, node in list(self._places[execution]):
            sql = "SELECT name, digest, port FROM made WHERE run = ? AND node = ? AND role != 'param' ORDER BY name"
            named = self._db.execute(sql, (run, node)).fetchall()
            for name, digest, port in named:
                made = self.version(name, digest)
                self._edge(execution, made, port, "made")
                found.append(made)
            ports = {port for _, _, port in named}
            sql = "SELECT node, source_port, port FROM edges WHERE run = ? AND source = ? ORDER BY node, port"
            for reader, source_port, port in self._db.execute(sql, (run, node)).fetchall() if node else ():
                if source_port not in ports:
                    read = self.execution(run, reader)
                    self._edge(execution, read, port, "passed")
                    found.append(read)
        return found

    # from outside

    def _same(self, version: str, digest: str, ref: str, which: str, moment: str) -> list[str]:
        """Versions that are the same thing as this one: a parameter, and what was made before it was given."""
        (codec,) = self._db.execute("SELECT codec FROM refs WHERE key = ?", (ref,)).fetchone()
        if not codec:
            return []  # two equal numbers are no lineage
        before = which == "made before"
        role, test = ("!=", "<") if before else ("=", ">")
        sql = (
            f"SELECT name, MIN(moment) FROM made WHERE digest = ? AND role {role} 'param' "  # noqa: S608  # constants
            f"AND moment {test} ? GROUP BY name ORDER BY 2"
        )
        found: list[str] = []
        for name, _ in self._db.execute(sql, (digest, moment)).fetchall():
            other = self.version(name, digest)
            source, target = (other, version) if before else (version, other)
            self._edge(source, target, "", "same")
            found.append(other)
        return found
