"""`drawloom catalog show`: an artifact's versions, and all that is known of one of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import click

from drawloom.catalog.artifacts import Artifact, Version, choose_version
from drawloom.catalog.catalog import Catalog
from drawloom.catalog.keys import object_key
from drawloom.catalog.lineage import Execution, Lineage, VersionNode
from drawloom.catalog.media import StoredObject, stored_objects
from drawloom.catalog.queries import LoggedMetric
from drawloom.cli.documents import version_document
from drawloom.cli.options import catalog_options, json_option, open_catalog, settings_from
from drawloom.cli.output import Column, format_bytes, format_time, table, write, write_json
from drawloom.cli.values import value_text
from drawloom.storage.prefixed import local_path

__all__ = ["show"]

_MOST = 20  # readers, objects and metrics that are listed; --json has all of them
_MOST_VERSIONS = 50


@click.command()
@click.argument("name")
@click.option("--version", metavar="VERSION", help="Whose details: a number, a tag, the start of a digest.")
@catalog_options
@json_option
def show(name: str, version: str | None, as_json: bool, **values: Any) -> None:
    """Show an artifact's versions, and all about one.

    What made it and what of, what read it, its objects and metrics: of the latest, unless --version names another.
    """
    opened = open_catalog(settings_from(values), create=False)
    artifact = opened.artifact(name)
    chosen = choose_version(artifact, version)
    above = opened.lineage(name, chosen.number, "up", 1)
    objects = _objects(opened, chosen)
    metrics = opened.metrics(chosen.made.run, chosen.made.node) if chosen.made.node else []
    if as_json:
        write_json(
            {
                "name": artifact.name,
                "versions": [version_document(v) for v in artifact.versions],
                "version": chosen.number,
                "made_by": [node.id for node in _makers(above)],
                "made_from": [{"name": node.name, "version": node.number} for node in _sources(above)],
                "objects": [_object_document(opened, one) for one in objects],
                "metrics": [_metric_document(metric) for metric in metrics],
            }
        )
        return
    write(f"{artifact.name}  {artifact.latest.type}")
    _write_versions(opened, artifact)
    tags = f" ({', '.join(chosen.tags)})" if chosen.tags else ""
    write(f"\nversion   {chosen.number}{tags}  {chosen.digest}")
    for line in _about(chosen, above):
        write(line)
    for one in objects[:_MOST]:
        write(_object_line(opened, artifact, chosen, one))
    for metric in metrics[:_MOST]:
        at = f"{list(metric.index)} " if metric.index else ""
        write(f"metric    {at}{metric.name} = {metric.value:g}")
    for what, found in (("objects", objects), ("metrics", metrics)):
        if len(found) > _MOST:
            write(f"and {len(found) - _MOST} {what} more; --json shows all of them")


def _write_versions(opened: Catalog, artifact: Artifact) -> None:
    columns = [Column("version", right=True), Column("digest", whole=True), Column("size", right=True), Column("made")]
    columns += [Column("run", whole=True), Column("tags"), Column("value")]
    shown = artifact.versions[-_MOST_VERSIONS:]
    table(columns, [[*_version_cells(version), value_text(version.ref, opened.values, 60)] for version in shown])
    if len(shown) < len(artifact.versions):
        write(f"and {len(artifact.versions) - len(shown)} older versions; --json shows all of them")


def _version_cells(version: Version) -> list[str]:
    made = version.made
    facts = [version.digest[:12], format_bytes(version.size_bytes), format_time(made.at), made.run]
    return [str(version.number), *facts, ", ".join(version.tags)]


def _makers(above: Lineage) -> list[Execution]:
    makers = {edge.source for edge in above.edges if edge.target == above.root and edge.kind == "made"}
    return [node for node in above.nodes if isinstance(node, Execution) and node.id in makers]


def _sources(above: Lineage) -> list[VersionNode]:
    return [node for node in above.nodes if isinstance(node, VersionNode) and node.id != above.root]


def _about(version: Version, above: Lineage) -> Iterator[str]:
    """What made a version, what of, and what read it."""
    if version.made.role == "param":
        yield f"given to  run {version.made.run}"
    for maker in _makers(above):
        what = f"{maker.function} @{maker.function_digest[:8]}" if maker.function else maker.kind
        yield f"made by   {what}{f', node {maker.node}' if maker.node else ''}, in run {maker.run}"
    sources = _sources(above)
    if sources:
        more = f" and {len(sources) - _MOST} more" if len(sources) > _MOST else ""
        yield f"made from {', '.join(f'{s.name} version {s.number}' for s in sources[:_MOST])}{more}"
    by_node: dict[str, list[str]] = {}
    for reader in version.read_by:
        by_node.setdefault(f"{reader.node}.{reader.port}", []).append(reader.run)
    for place, runs in list(by_node.items())[:_MOST]:
        where = f"run {runs[0]}" if len(runs) == 1 else f"{len(runs)} runs, the last {runs[-1]}"
        yield f"read by   {place}, in {where}"
    if len(by_node) > _MOST:
        yield f"and by {len(by_node) - _MOST} inputs more; --json shows all of them"


def _objects(opened: Catalog, version: Version) -> list[StoredObject]:
    ref = version.ref
    found = list(dict.fromkeys(stored_objects(opened.values.tree(ref))))
    if not ref.object:
        return found
    envelope = version.size_bytes - sum(one.size_bytes for one in found)
    return [StoredObject(ref.object, max(envelope, 0), "application/json"), *found]


def _metric_document(metric: LoggedMetric) -> dict[str, Any]:
    value = metric.value if math.isfinite(metric.value) else str(metric.value)  # JSON has no NaN
    return {"index": list(metric.index), "name": metric.name, "value": value}


def _object_document(opened: Catalog, one: StoredObject) -> dict[str, Any]:
    return {
        "sha256": one.sha256,
        "size_bytes": one.size_bytes,
        "media_type": one.media_type,
        "codec": one.codec,
        "name": one.name,
        "path": local_path(opened.storage, object_key(one.sha256)),
    }


def _object_line(opened: Catalog, artifact: Artifact, version: Version, one: StoredObject) -> str:
    what = "picture" if one.media_type.startswith("image/") else "object"
    path = local_path(opened.storage, object_key(one.sha256))
    if path is None:
        number = f" --version {version.number}" if version is not artifact.latest else ""
        path = f"(in {opened.url}; `drawloom catalog load {artifact.name}{number} -o FILE` fetches the value)"
    name = f"  {one.name}" if one.name else ""
    return f"{what:<9} {format_bytes(one.size_bytes)}  {one.media_type}{name}  {path}"
