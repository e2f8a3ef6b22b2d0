"""A run's records, read for the index: cheaply where a map has many items.

A map is one artifact, its items are none; what is kept of them is how many there were and who was answered from the
cache. So of the records of instances in maps and loops only what that takes is read out of their text. Where nothing
in a run failed, the items of a simple map stand for each other, and the run's state and edges follow from one of them.
In any other case every record is read after all, and the outcome is the same.

Which text can be read so is told by its beginning: a record is canonical JSON, so its keys come in order, and what
stands before its index holds no text of a user's. A record of any other form is read as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from drawloom.catalog.edges import OK
from drawloom.catalog.facts import Facts
from drawloom.catalog.records import Commit, Record, record_from_json
from drawloom.catalog.runlog import read_records
from drawloom.ir.nodes import Block, Branch, Call, Map, Node, Pipeline, PipelineCall, Try
from drawloom.ir.walk import walk
from drawloom.storage.base import Storage

__all__ = ["Sifted", "Tally"]

_NUMBER: Final = rb"[-+.\deE]+"
_ATTEMPT: Final = re.compile(
    rb'\{"at":' + _NUMBER + rb',(?:"attempt":\d+,)?(?:"index":\[[\d,]*\],)?"kind":"attempt-(?:started|finished)",'
)
_ITEM: Final = re.compile(
    rb'\{"at":(' + _NUMBER + rb'),(?:"attempt":\d+,)?(?:"cache_key":"\w*",)?(?:"environment":"\w*",)?'
    rb'(?:"function":"(\w*)",)?"index":\[([\d,]+)(?=\],"(?:inputs|kind)":)'
)
# `kind` follows the inputs, a list, or the index, another one; no envelope has a key `kind` with this value
_NODE: Final = re.compile(
    rb'\],"kind":"commit",(?:"log":"\w*",)?"node":("(?:[^"\\]|\\.)*"),(?:"outcome":"(succeeded|cached)",)?"outputs":'
)
_END: Final = re.compile(
    rb',"run":"[^"\\]*"(?:,"seconds":(' + _NUMBER + rb"))?"
    rb'(?:,"source":\["([^"\\]*)",("(?:[^"\\]|\\.)*"),"[^"\\]*"\])?\}\Z'
)
_ALIKE: Final = (Call, PipelineCall)


class _Item(NamedTuple):
    """What is read of the commit of an instance in a map or a loop."""

    node: str
    place: bytes
    cached: bool
    function: str
    seconds: float
    at: float
    source: tuple[str, str]


@dataclass(slots=True)
class Tally:
    """What the instances of one node have done, taken together.

    Args:
        instances: how many have an outcome.
        cached: how many of them were answered from earlier commits.
        seconds: the time of the attempts that settled them, added up.
        at: when the last one was committed, in seconds since the epoch.
        function: the digest of the task's function, "" where there is none.
        origins: (run, node) of the commits that the cached ones were answered from.
    """

    instances: int = 0
    cached: int = 0
    seconds: float = 0.0
    at: float = 0.0
    function: str = ""
    origins: set[tuple[str, str]] = field(default_factory=set)

    def add(self, cached: bool, function: str, source: tuple[str, str], seconds: float, at: float) -> None:
        """Counts one instance."""
        self.instances += 1
        self.seconds += seconds
        self.at = max(self.at, at)
        self.function = self.function or function
        if cached:
            self.cached += 1
            self.origins.add(source)


class Sifted:
    """The records of a run, those of instances in maps and loops still as text.

    Args:
        storage: the project's storage.
        run: the run.

    Raises:
        StoreError: a record can't be read (`runlog.read_records`).

    Attributes:
        base: what all other records say.
    """

    def __init__(self, storage: Storage, run: str) -> None:
        self._run = run
        self._items: list[_Item] = []
        self._texts: list[bytes] = []
        self._names: dict[bytes, str] = {}
        self._records: list[Record] = read_records(storage, run, self._take)
        self.base = Facts(self._records)

    @property
    def empty(self) -> bool:
        """Whether the run has no records at all."""
        return not self._records and not self._texts

    def _take(self, text: bytes) -> bool:
        if b'"must_understand"' in text:
            return False
        if not _ATTEMPT.match(text):
            head = _ITEM.match(text)
            middle = _NODE.search(text, head.end()) if head is not None else None
            end = _END.search(text, middle.end()) if middle is not None else None
            if head is None or middle is None or end is None:
                return False
            self._items.append(self._item(head, middle, end))
        self._texts.append(text)
        return True

    def _item(self, head: re.Match[bytes], middle: re.Match[bytes], end: re.Match[bytes]) -> _Item:
        at, function, index = head.groups()
        seconds, source_run, source_node = end.groups()
        return _Item(
            node=self._name(middle[1]),
            place=index,
            cached=middle[2] == b"cached",
            function=function.decode() if function is not None else "",
            seconds=float(seconds or 0),
            at=float(at),
            source=(source_run.decode(), self._name(source_node)) if source_run is not None else ("", ""),
        )

    def _name(self, quoted: bytes) -> str:
        if quoted not in self._names:
            self._names[quoted] = json.loads(quoted)
        return self._names[quoted]

    def facts(self, pipeline: Pipeline) -> Facts:
        """What the records say, by node instance; items that stand for each other are one.

        Args:
            pipeline: what was run.
        """
        if not self._texts:
            return self.base
        alike = self._alike(pipeline)
        if alike and all(item.node in alike for item in self._items):
            return self._with_one_item(alike)
        if not self._items and self.base.finished is not None and self._all_committed():
            return self.base
        return Facts([*self._records, *(record_from_json(json.loads(text)) for text in self._texts)])

    def _all_committed(self) -> bool:
        """Whether what began has an outcome as well, so that the attempts have nothing to add."""
        return all(_place(text) in self.base.commits for text in self._texts)

    def _alike(self, pipeline: Pipeline) -> dict[str, str]:
        """The nodes in maps whose items all went well and so stand for each other: node -> its map."""
        facts = self.base
        started, finished = facts.started, facts.finished
        if started is None or finished is None or finished.outcome != "succeeded" or facts.events or facts.generation:
            return {}
        if any(commit.outcome not in OK for commit in facts.commits.values()):
            return {}
        seen: dict[str, set[bytes]] = {}
        for item in self._items:
            seen.setdefault(item.node, set()).add(item.place)
        for node, index in facts.commits:
            if index:
                seen.setdefault(node, set()).add(",".join(map(str, index)).encode())
        found: dict[str, str] = {}
        for mapped in _simple_maps(pipeline.body):
            decision = facts.decisions.get((mapped.id, ()))
            calls = [node.id for node in walk(mapped.body) if not isinstance(node, PipelineCall)]
            if decision is not None and all(len(seen.get(call, ())) == decision.value for call in calls):
                found |= dict.fromkeys(calls, mapped.id)
        return found

    def _with_one_item(self, alike: Mapping[str, str]) -> Facts:
        facts = Facts(self._records)
        executed = {item.node for item in self._items if not item.cached}
        for place in [place for place in facts.commits if place[0] in alike]:
            if facts.commits.pop(place).outcome == "succeeded":
                executed.add(place[0])
        for node, mapped in alike.items():
            decision = facts.decisions[mapped, ()]
            if decision.value:
                facts.decisions[mapped, ()] = replace(decision, value=1)
                outcome = "succeeded" if node in executed else "cached"
                facts.commits[node, (0,)] = Commit(self._run, node, (0,), outcome=outcome)
        return facts

    def tallies(self) -> dict[str, Tally]:
        """What was done by each node that has commits, failed ones included, skipped ones not."""
        found: dict[str, Tally] = {}
        seen: set[tuple[str, bytes]] = set()
        for (node, index), commit in self.base.commits.items():
            seen.add((node, ",".join(map(str, index)).encode()))
            if commit.outcome != "skipped" and ":" not in node:
                source = (commit.source[0], commit.source[1]) if len(commit.source) > 1 else ("", "")
                tally = found.setdefault(node, Tally())
                tally.add(commit.outcome == "cached", commit.function, source, commit.seconds, commit.at)
        for item in self._items if self.base.generation == 0 else ():
            if (item.node, item.place) not in seen:
                seen.add((item.node, item.place))
                tally = found.setdefault(item.node, Tally())
                tally.add(item.cached, item.function, item.source, item.seconds, item.at)
        return found


def _place(text: bytes) -> tuple[str, tuple[int, ...]]:
    tree = json.loads(text)
    return tree["node"], tuple(tree.get("index", ()))


def _simple_maps(block: Block) -> Iterator[Map]:
    """The maps outside other maps and loops whose items do the same whatever their values are."""
    waiting: list[Node] = list(block.nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Map):
            inside = list(walk(node.body))
            if inside and all(isinstance(n, _ALIKE) and not _is_empty(n) for n in inside):
                yield node
        elif isinstance(node, PipelineCall):
            waiting += node.body.nodes
        elif isinstance(node, Branch):
            waiting += [n for b in (*(case.block for case in node.cases), node.otherwise) for n in b.nodes]
        elif isinstance(node, Try):
            final = node.final.nodes if node.final is not None else ()
            waiting += [*node.body.nodes, *(n for h in node.handlers for n in h.block.nodes), *final]


def _is_empty(node: Node) -> bool:
    return isinstance(node, PipelineCall) and not node.body.nodes
