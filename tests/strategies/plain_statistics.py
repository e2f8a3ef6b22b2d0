"""How often each construct appears in generated plain modules: `python tests/strategies/plain_statistics.py 1000`."""

from __future__ import annotations

import ast
import sys
import time
from collections import Counter
from random import Random

from plain_sources import plain_source

BUILTINS = (
    "len",
    "sum",
    "min",
    "max",
    "any",
    "all",
    "sorted",
    "reversed",
    "zip",
    "enumerate",
    "range",
    "bounded",
    "list",
    "str",
)


def constructs(tree: ast.AST) -> set[str]:
    """What a module is made of: node classes, and the forms that share one."""
    found = set()
    for node in ast.walk(tree):
        name = type(node).__name__
        found.add(name)
        match node:
            case ast.Compare() if len(node.ops) > 1:
                found.add("Compare, chained")
            case ast.For() if node.orelse:
                found.add("For with else")
            case ast.Try():
                found |= {f"Try with {part}" for part in ("handlers", "orelse", "finalbody") if getattr(node, part)}
            case ast.Call(func=ast.Name(id=name)) if name in BUILTINS:
                found.add(f"{name}()")
                if node.args and isinstance(node.args[0], ast.GeneratorExp):
                    found.add(f"{name}() of a generator")
            case ast.ListComp() if len(node.generators) > 1 or any(
                isinstance(n, ast.ListComp) for n in ast.walk(node.elt)
            ):
                found.add("ListComp, nested")
            case ast.For() | ast.If():
                inside = [type(n).__name__ for part in node.body for n in ast.walk(part)]
                found |= {f"{name} with {jump}" for jump in ("Break", "Continue", "Return", name) if jump in inside}
    return found


def main(programs: int) -> None:
    """Print the share of programs that hold each construct."""
    counts: Counter[str] = Counter()
    seconds, lines = 0.0, 0
    for i in range(programs):
        began = time.perf_counter()
        text = plain_source(Random(i)).text  # nothing secret
        seconds += time.perf_counter() - began
        lines += text.count("\n")
        counts.update(constructs(ast.parse(text)))
    print(f"{programs / seconds:.0f} programs/s, {lines / programs:.0f} lines each")
    for name, count in counts.most_common():
        print(f"{100 * count / programs:6.1f} %  {name}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
