"""The JSON text of a call's commit, of which most is the same for all its instances: written once, filled in for each.

The generic way (`catalog.records.record_to_json`) takes longer than a small task does. The text is the same to the
byte; a test holds one against the other.
"""

from __future__ import annotations

from typing import Any

from drawloom.catalog.records import ValueRef
from drawloom.ir.canonical import canonical_json

__all__ = ["CommitForm"]


class CommitForm:
    """Writes the commits of one call of one run.

    Args:
        run: the run's id.
        node: the call's id.
    """

    __slots__ = ("_node", "_run", "_texts", "run")

    def __init__(self, run: str, node: str) -> None:
        self.run = run
        self._node = f',"node":{canonical_json(node)}'
        self._run = f'"run":{canonical_json(run)}'
        self._texts: dict[str, str] = {}  # names and types met so far -> their JSON

    def text(self, made: Any) -> str:
        """The canonical JSON of the commit that `made`, a `JobResult`, stands for."""
        text = f'{{"at":{made.at!r}'
        if made.attempt != 1:
            text += f',"attempt":{made.attempt}'
        if made.cache_key:
            text += f',"cache_key":"{made.cache_key}"'
        if made.environment:
            text += f',"environment":"{made.environment}"'
        if made.function:
            text += f',"function":"{made.function}"'
        index = made.job.index
        if index:
            text += f',"index":[{",".join(map(str, index))}]'
        if made.input_refs:
            text += f',"inputs":[{",".join([self._input(name, ref) for name, ref in made.input_refs])}]'
        text += ',"kind":"commit"'
        if made.log_object:
            text += f',"log":"{made.log_object}"'
        text += self._node
        if made.outcome != "succeeded":
            text += f',"outcome":"{made.outcome}"'
        text += f',"outputs":[["result",{self._output(made.ref)}]],{self._run}'
        if made.seconds:
            text += f',"seconds":{made.seconds!r}'
        if made.source:
            text += f',"source":{canonical_json(made.source)}'
        return text + "}"

    def _input(self, name: str, ref: ValueRef) -> str:
        known = self._texts.get(name) or self._learn(name)
        if not ref.size_bytes:
            return f'[{known},{{"digest":"{ref.digest}"}}]'
        return f'[{known},{{"digest":"{ref.digest}","size_bytes":{ref.size_bytes}}}]'

    def _output(self, ref: ValueRef) -> str:
        text = f'{{"digest":"{ref.digest}"'
        if ref.object:
            text += f',"object":"{ref.object}"'
        if ref.size_bytes:
            text += f',"size_bytes":{ref.size_bytes}'
        if ref.tree is not None:
            text += f',"tree":{canonical_json(ref.tree)}'
        if ref.type:
            text += f',"type":{self._texts.get(ref.type) or self._learn(ref.type)}'
        return text + "}"

    def _learn(self, text: str) -> str:
        made = self._texts[text] = canonical_json(text)
        return made
