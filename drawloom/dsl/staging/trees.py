"""Small pieces of syntax trees, for the rewriting; without places, which `ast.fix_missing_locations` fills in."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["OPS", "PREFIX", "assigned", "call", "constant", "if_", "load", "method", "operation", "test", "with_"]

PREFIX: Final = "_dl_"  # of every name that staging puts into a user's function
OPS: Final = "_dl_ops"  # what `drawloom.dsl.staging.ops` is called there


def load(name: str) -> ast.expr:
    """The value of a name."""
    return ast.Name(name, ast.Load())


def constant(value: object) -> ast.expr:
    """A constant; tuples of constants too."""
    if isinstance(value, tuple):
        return ast.Tuple([constant(item) for item in value], ast.Load())
    return ast.Constant(value)  # type: ignore[arg-type]  # the callers give str, int, bool and None


def call(function: ast.expr, *args: ast.expr) -> ast.expr:
    """`function(args)`."""
    return ast.Call(function, list(args), [])


def operation(name: str, *args: ast.expr) -> ast.expr:
    """`ops.name(args)`."""
    return call(ast.Attribute(load(OPS), name, ast.Load()), *args)


def method(owner: str, name: str, *args: ast.expr) -> ast.expr:
    """`owner.name(args)`."""
    return call(ast.Attribute(load(owner), name, ast.Load()), *args)


def test(owner: str, name: str) -> ast.expr:
    """`owner.name`."""
    return ast.Attribute(load(owner), name, ast.Load())


def if_(condition: ast.expr, body: Sequence[ast.stmt]) -> ast.stmt:
    """`if condition: body`."""
    return ast.If(condition, list(body), [])


def with_(context: ast.expr, body: Sequence[ast.stmt]) -> ast.stmt:
    """`with context: body`."""
    return ast.With([ast.withitem(context, None)], list(body) or [ast.Pass()])


def assigned(names: Iterable[str], value: ast.expr) -> list[ast.stmt]:
    """`a, b = value`, and `del` of those that are given back as unbound."""
    known = list(names)
    if not known:
        return [ast.Expr(value)]
    targets = ast.Tuple([ast.Name(name, ast.Store()) for name in known], ast.Store())
    made: list[ast.stmt] = [ast.Assign([targets], value)]
    for name in known:
        unbound = ast.Compare(load(name), [ast.Is()], [ast.Attribute(load(OPS), "UNBOUND", ast.Load())])
        made.append(if_(unbound, [ast.Delete([ast.Name(name, ast.Del())])]))
    return made
