"""The names that a piece of a function's source binds, without those of the functions and classes in it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

__all__ = [
    "appended_names",
    "bound_names",
    "declared_outside",
    "only_extended",
    "read_apart",
    "read_inside",
    "read_names",
]

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def bound_names(nodes: Iterable[ast.AST]) -> tuple[str, ...]:
    """The names bound in `nodes`, in the order of their first binding in the source."""
    return tuple(dict.fromkeys(name for node in nodes for name in _bound(node)))


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, _SCOPES):
        if not isinstance(node, ast.Lambda):
            yield node.name
        return
    if isinstance(node, ast.comprehension):  # its target is the comprehension's own
        for part in (node.iter, *node.ifs):
            yield from _bound(part)
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
        yield node.id
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(node, (ast.MatchAs, ast.MatchStar, ast.ExceptHandler)) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest
    for child in ast.iter_child_nodes(node):
        yield from _bound(child)


def declared_outside(function: ast.AST) -> frozenset[str]:
    """The names a function declares `global` or `nonlocal`."""
    return frozenset(
        name for node in _own(function) if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names
    )


def read_names(nodes: Iterable[ast.AST]) -> Counter[str]:
    """How often each name is read in `nodes`, inner functions and classes too."""
    found: Counter[str] = Counter()
    for node in nodes:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
                found[inner.id] += 1
            elif isinstance(inner, ast.AugAssign) and isinstance(inner.target, ast.Name):
                found[inner.target.id] += 1
    return found


def read_apart(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """The names that are read in `nodes` other than to make a list grow."""
    grown = Counter(name for node in nodes for name in _grown(node))
    return frozenset(name for name, count in read_names(nodes).items() if count > grown[name])


def read_inside(function: ast.AST) -> frozenset[str]:
    """The names that functions in a function read, whenever they are called."""
    inner = [node for node in ast.walk(function) if isinstance(node, _SCOPES) and node is not function]
    return frozenset(read_names(inner))


def _grown(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        match inner:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append" | "extend")):
                yield name
            case ast.AugAssign(target=ast.Name(id=name), op=ast.Add()):
                yield name


def only_extended(nodes: Iterable[ast.AST]) -> frozenset[str]:
    """The names that are bound in `nodes` by `name += ...` alone: a list under such a name stays the same list."""
    extended: set[str] = set()
    otherwise: set[str] = set()
    for node in nodes:
        for inner in _own(node):
            if isinstance(inner, ast.AugAssign) and isinstance(inner.target, ast.Name):
                extended.add(inner.target.id)
    targets = {id(n.target) for node in nodes for n in _own(node) if isinstance(n, ast.AugAssign)}
    for node in nodes:
        for inner in _own(node):
            if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load) and id(inner) not in targets:
                otherwise.add(inner.id)
    return frozenset(extended - otherwise)


def appended_names(nodes: Iterable[ast.AST]) -> tuple[str, ...]:
    """The names of the lists that grow in `nodes`, by `append`, `extend` or `+=`."""
    return tuple(dict.fromkeys(name for node in nodes for name in _grown(node)))


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what is in it, inner functions and classes left out."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _SCOPES):
            yield from _own(child)
