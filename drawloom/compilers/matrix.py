"""The capability matrix of docs/capabilities.md, computed from what the compilers declare.

`python -m drawloom.compilers.matrix > docs/capabilities.md` writes it; a test keeps the page in step.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from drawloom.compilers.base import Compiler, Lowered, Native, Support, compiler_of, engine_names
from drawloom.compilers.features import FEATURES

__all__ = ["matrix_page", "support_word"]

_HEAD = """# Capabilities

Which engine can do what. Generated from the compilers' declarations (`make docs`); don't edit.

- **native**: the engine has it itself.
- **lowered**: expressed by what the engine has, with the same results.
- **refused**: `drawloom compile` says so, with the node and its line; nothing is dropped in silence.

A feature is found in a pipeline's graph, and named by an id with a version: `control.map.nested@1` is used beside
`control.map@1`. `drawloom check --engine NAME` lists each use that the engine refuses, and the engines that accept it.
"""


def matrix_page(compilers: Iterable[Compiler]) -> str:
    """The page as Markdown: the table, then how and why.

    Args:
        compilers: the engines' compilers, in the order of the columns.
    """
    columns = list(compilers)
    head = ["feature", "what", *(c.engine for c in columns)]
    lines = [_HEAD, _row(head), _row(["---"] * len(head))]
    for feature, what in FEATURES.items():
        lines.append(_row([f"`{feature}`", what, *(support_word(c.support[feature]) for c in columns)]))
    for compiler in columns:
        lines += ["", f"## {compiler.engine}", ""]
        lines += [f"- `{name}`: {told}" for name in FEATURES if (told := _told(compiler.support[name]))]
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def support_word(support: Support) -> str:
    """`native`, `lowered` or `refused`."""
    return type(support).__name__.lower()


def _told(support: Support) -> str:
    if isinstance(support, Native):
        return ""
    return f"lowered: {support.how}" if isinstance(support, Lowered) else f"refused, because {support.reason}"


if __name__ == "__main__":
    sys.stdout.write(matrix_page(map(compiler_of, engine_names())))
