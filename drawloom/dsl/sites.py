"""Call sites: the name a node gets from the user's assignment, and its place, found when somebody asks.

A node is named by the variable its call is assigned to. That name stands in the bytecode right after the call, so
nothing needs to be parsed. Lines are looked up only when a span is printed: `frame.f_lineno` walks the whole line
table each time, which would make tracing quadratic.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from opcode import EXTENDED_ARG, opname
from types import CodeType
from typing import Final

from drawloom.dsl.place import symbol_of
from drawloom.errors import Span

__all__ = ["Site", "Spans", "Targets"]

Site = tuple[CodeType, int]  # a code object and the byte offset of an instruction of it

_BY_NAME: Final = {"STORE_NAME", "STORE_GLOBAL"}
_BY_LOCAL: Final = {"STORE_FAST", "STORE_DEREF"}
_TWO_LOCALS: Final = {"STORE_FAST_LOAD_FAST", "STORE_FAST_STORE_FAST"}  # Python 3.13: two indexes of 4 bits
_PASSED_OVER: Final = {"CACHE", "COPY", "NOP"}  # COPY: of `x = y = f()` and `(x := f())`


class Targets:
    """What the calls of one code object are assigned to."""

    __slots__ = ("_bytes", "_known", "_locals", "code")

    def __init__(self, code: CodeType) -> None:
        self.code = code  # kept alive: the tracer finds this object by the code's id
        self._bytes = code.co_code
        self._known: dict[int, str] = {}
        # one numbering for locals, cells and free variables; a parameter that is a cell is counted once
        cells = [name for name in code.co_cellvars if name not in code.co_varnames]
        self._locals = (*code.co_varnames, *cells, *code.co_freevars)

    def name(self, offset: int) -> str:
        """The variable that the call at the byte `offset` is assigned to, "" if there is none."""
        found = self._known.get(offset)
        if found is None:
            found = self._known[offset] = self._read(offset + 2)
        return found

    def _read(self, offset: int) -> str:
        extended = 0
        for i in range(offset, len(self._bytes), 2):
            op, arg = self._bytes[i], self._bytes[i + 1] | extended
            if op == EXTENDED_ARG:
                extended = arg << 8
                continue
            extended = 0
            name = opname[op]
            if name in _PASSED_OVER:
                continue
            found = self._stored(name, arg)
            return "" if found == "_" else found
        return ""

    def _stored(self, name: str, arg: int) -> str:
        if name in _BY_NAME:
            return self.code.co_names[arg]
        if name in _TWO_LOCALS:
            return self._locals[arg >> 4]
        return self._locals[arg] if name in _BY_LOCAL else ""


class Spans(Mapping[str, Span]):
    """Node id -> place, each made when it is asked for.

    Args:
        sites: node id -> call site.
        fixed: places that are known already.
    """

    def __init__(self, sites: Mapping[str, Site], fixed: Mapping[str, Span]) -> None:
        self._sites = sites
        self._found = dict(fixed)
        self._lines: dict[int, tuple[list[int], list[int]]] = {}

    def __getitem__(self, node: str) -> Span:
        found = self._found.get(node)
        if found is None:
            code, offset = self._sites[node]
            found = self._found[node] = Span(code.co_filename, self._line(code, offset), symbol_of(code))
        return found

    def _line(self, code: CodeType, offset: int) -> int:
        if id(code) not in self._lines:
            rows = [(start, line) for start, _, line in code.co_lines() if line is not None]
            self._lines[id(code)] = ([start for start, _ in rows], [line for _, line in rows])
        starts, lines = self._lines[id(code)]
        return lines[bisect_right(starts, offset) - 1]

    def __iter__(self) -> Iterator[str]:
        yield from (node for node in self._found if node not in self._sites)
        yield from self._sites

    def __len__(self) -> int:
        return len(self._found.keys() | self._sites.keys())
