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

    __slots__ = ("_names", "_types", "_whose", "run")

    def __init__(self, run: str, node: str) -> None:
        self.run = run
        self._whose = (canonical_json(node), canonical_json(run))
        self._names: dict[str, str] = {}
        self._types: dict[str, str] = {}

    def text(self, made: Any) -> str:
        """The canonical JSON of the commit that `made`, a `JobResult`, stands for."""
        node, run = self._whose
        index = made.job.index
        parts = [
            f'{{"at":{made.at!r}',
            "" if made.attempt == 1 else f',"attempt":{made.attempt}',
            made.cache_key and f',"cache_key":"{made.cache_key}"',
            made.environment and f',"environment":"{made.environment}"',
            made.function and f',"function":"{made.function}"',
            f',"index":[{",".join(map(str, index))}]' if index else "",
            f',"inputs":[{",".join(map(self._input, made.input_refs))}]' if made.input_refs else "",
            ',"kind":"commit"',
            made.log_object and f',"log":"{made.log_object}"',
            f',"node":{node}',
            "" if made.outcome == "succeeded" else f',"outcome":"{made.outcome}"',
            f',"outputs":[["result",{self._ref(made.ref)}]],"run":{run}',
            f',"seconds":{made.seconds!r}' if made.seconds else "",
            f',"source":{canonical_json(made.source)}' if made.source else "",
            "}",
        ]
        return "".join(parts)

    def _input(self, pair: tuple[str, ValueRef]) -> str:
        name, ref = pair
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = canonical_json(name)
        size = f',"size_bytes":{ref.size_bytes}' if ref.size_bytes else ""
        return f'[{known},{{"digest":"{ref.digest}"{size}}}]'

    def _ref(self, ref: ValueRef) -> str:
        kind = ref.type
        if kind:
            known = self._types.get(kind)
            if known is None:
                known = self._types[kind] = f',"type":{canonical_json(kind)}'
            kind = known
        stored = f',"object":"{ref.object}"' if ref.object else ""
        size = f',"size_bytes":{ref.size_bytes}' if ref.size_bytes else ""
        tree = "" if ref.tree is None else f',"tree":{canonical_json(ref.tree)}'
        return f'{{"digest":"{ref.digest}"{stored}{size}{tree}{kind}}}'
