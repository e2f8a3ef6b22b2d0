"""The values of two runs, node by node: which differ, why they may, and what differs in the tables among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drawloom.catalog.records import Commit, Index, ValueRef
from drawloom.ir.nodes import Call
from drawloom.ir.walk import walk

if TYPE_CHECKING:
    from drawloom.catalog.profile_compare import TableChange
    from drawloom.catalog.run import Run

__all__ = ["DataDiff", "data_differences"]

_DONE = ("succeeded", "cached")


@dataclass(frozen=True, slots=True)
class DataDiff:
    """The values of a call's port, where they differ between two runs.

    Args:
        node, port: whose.
        equal: how many instances gave an equal value in both runs.
        different: the instances that gave different ones.
        only_before, only_after: the instances that gave one in one of the runs alone.
        before, after: the values of the first instance of `different`.
        code: whether that instance ran other code.
        inputs: the inputs of that instance that differ.
        environment: whether it ran in another environment.
        runs: the two runs.
    """

    node: str
    port: str
    equal: int
    different: tuple[Index, ...]
    only_before: tuple[Index, ...]
    only_after: tuple[Index, ...]
    before: ValueRef | None
    after: ValueRef | None
    code: bool
    inputs: tuple[str, ...]
    environment: bool
    runs: tuple[Run, Run]

    @property
    def unexplained(self) -> bool:
        """Whether the same code gave another value for equal inputs: it depends on something else."""
        return bool(self.different) and not (self.code or self.inputs or self.environment)

    def tables(self) -> list[TableChange]:
        """What differs in the tables of the first instance that differs: schema, rows, distributions.

        Raises:
            StoreError: an object is missing or corrupt; S484, pandas or pyarrow isn't installed.
        """
        from drawloom.catalog.profile import compare, profiles_of_tree  # whoever has no tables needs none of it

        if self.before is None or self.after is None:
            return []
        catalogs = [run.catalog for run in self.runs]
        trees = [c.values.tree(ref) for c, ref in zip(catalogs, (self.before, self.after), strict=True)]
        old, new = (profiles_of_tree(catalog, tree) for catalog, tree in zip(catalogs, trees, strict=True))
        by_part = {table.part: table for table in old}
        changes = [compare(by_part[table.part], table) for table in new if table.part in by_part]
        return [change for change in changes if change.changed]


def data_differences(before: Run, after: Run) -> Iterator[DataDiff]:
    """The differences between the values of calls that both runs have, in the later one's program order."""
    one, other = _made(before), _made(after)
    for node in walk(after.program.pipeline.body):
        if isinstance(node, Call) and node.id in one and node.id in other:
            ports = dict.fromkeys(
                port for c in (*one[node.id].values(), *other[node.id].values()) for port, _ in c.outputs
            )
            for port in ports:
                found = _compared(node.id, port, one[node.id], other[node.id], (before, after))
                if found.different or found.only_before or found.only_after:
                    yield found


def _made(run: Run) -> dict[str, dict[Index, Commit]]:
    found: dict[str, dict[Index, Commit]] = {}
    for (node, index), commit in run.commits().items():
        if commit.outcome in _DONE:
            found.setdefault(node, {})[index] = commit
    return found


def _compared(
    node: str, port: str, one: dict[Index, Commit], other: dict[Index, Commit], runs: tuple[Run, Run]
) -> DataDiff:
    old = {index: ref for index, commit in one.items() for name, ref in commit.outputs if name == port}
    new = {index: ref for index, commit in other.items() for name, ref in commit.outputs if name == port}
    both = sorted(old.keys() & new.keys())
    different = [index for index in both if old[index].digest != new[index].digest]
    first = different[0] if different else None
    before, after = (one[first], other[first]) if first is not None else (None, None)
    return DataDiff(
        node=node,
        port=port,
        equal=len(both) - len(different),
        different=tuple(different),
        only_before=tuple(sorted(old.keys() - new.keys())),
        only_after=tuple(sorted(new.keys() - old.keys())),
        before=old[first] if first is not None else None,
        after=new[first] if first is not None else None,
        code=before is not None and after is not None and before.function != after.function,
        inputs=_other_inputs(before, after),
        environment=before is not None and after is not None and before.environment != after.environment,
        runs=runs,
    )


def _other_inputs(before: Commit | None, after: Commit | None) -> tuple[str, ...]:
    if before is None or after is None:
        return ()
    one = {name: ref.digest for name, ref in before.inputs}
    other = {name: ref.digest for name, ref in after.inputs}
    return tuple(name for name in dict.fromkeys((*other, *one)) if one.get(name) != other.get(name))
