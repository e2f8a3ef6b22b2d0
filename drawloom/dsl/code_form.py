"""Our own canonical form of Python code: equal for equal code in Python 3.11 to 3.13.

`ast.dump` and `ast.unparse` change between versions. Here a node is its class name and the fields that hold something;
comments, formatting, docstrings, `pass` and type comments leave no trace. Fields that a newer Python adds are empty
where the older one could parse the code, so they leave none either.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator
from typing import Any

from drawloom.frozen import dataclass
from drawloom.ir.canonical import Json, digest_json

__all__ = ["CodeForm", "code_form", "module_digest"]

_SKIPPED = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_DYNAMIC = frozenset({"__import__", "eval", "exec", "globals", "import_module", "locals", "vars"})


@dataclass(frozen=True, slots=True)
class CodeForm:
    """A function's or a class's code, apart from what its names stand for.

    Args:
        digest: of the canonical form.
        names: the global and free names it reads, sorted.
        chains: the dotted names in it that begin with one of `names`: `np.random.rand`.
        optional: those of `names` that stand in the annotations of class bodies only, and may not exist at run time.
        imports: the absolute names of modules imported inside it; a relative import is one that begins with a dot.
        dynamic: whether it looks names up while it runs (`eval`, `import_module`, ...).
        defaults: whether a default of its parameters is more than a literal, so that the code doesn't tell its value.
    """

    digest: str
    names: tuple[str, ...]
    chains: tuple[tuple[str, ...], ...]
    optional: frozenset[str]
    imports: tuple[str, ...]
    dynamic: bool
    defaults: bool


def code_form(text: str, node: ast.AST, ours: frozenset[str] = frozenset()) -> CodeForm:
    """The form of a function, a lambda or a class.

    Args:
        text: source that can be parsed and holds `node`; its scopes are analysed.
        node: the definition; it is changed.
        ours: the decorators to leave out, as dotted names: `task`, `drawloom.task`.
    """
    if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
        node.decorator_list = [d for d in node.decorator_list if _dotted(d) not in ours]
    read = set(_read_names(node))
    optional = {name.id for field in _field_annotations(node) for name in ast.walk(field) if isinstance(name, ast.Name)}
    free = set(_free_names(symtable.symtable(text, "<source>", "exec")))
    names = (read | optional) & free
    only_annotated = {(name,) for name in optional - read if name in names}
    chains = sorted({chain for chain in _chains(node) if chain[0] in names} | only_annotated)
    dynamic = any(c[-1] in _DYNAMIC for c in chains) or bool(names & _DYNAMIC)
    return CodeForm(
        digest=digest_json(canonical(node)),
        names=tuple(sorted(names)),
        chains=tuple(chains),
        optional=frozenset(optional - read),
        imports=tuple(sorted(set(_imports(node)))),
        dynamic=dynamic,
        defaults=not all(isinstance(default, ast.Constant) for default in _defaults(node)),
    )


def module_digest(text: str) -> str:
    """The digest of the canonical form of a whole module."""
    return digest_json(canonical(ast.parse(text)))


def canonical(node: Any) -> Json:
    """The canonical form of a syntax tree as a JSON tree."""
    if isinstance(node, list):
        return [canonical(n) for n in node]
    if isinstance(node, ast.Constant):
        return ["Constant", type(node.value).__name__, repr(node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["JoinedStr", [canonical(part) for part in _merged(node.values)]]
    if not isinstance(node, ast.AST):
        return node
    form: list[Json] = [type(node).__name__]
    for field in node._fields:
        value = getattr(node, field, None)
        if field == "body" and isinstance(value, list):
            value = [statement for statement in value if not _is_idle(statement)]
        if field == "format_spec" and isinstance(value, ast.JoinedStr) and not _merged(value.values):
            continue
        if field not in _SKIPPED and value is not None and value != []:
            form.append([field, canonical(value)])
    return form


def _is_idle(statement: ast.stmt) -> bool:
    """`pass`, a docstring, or a constant that stands alone."""
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def _merged(parts: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string with neighbouring texts joined: versions split them differently."""
    made: list[ast.expr] = []
    for part in parts:
        last = made[-1] if made else None
        if isinstance(part, ast.Constant) and isinstance(last, ast.Constant):
            made[-1] = ast.Constant(str(last.value) + str(part.value))
        elif not (isinstance(part, ast.Constant) and part.value == ""):
            made.append(part)
    return made


def _defaults(node: ast.AST) -> Iterator[ast.expr]:
    """The defaults of a function's own parameters."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        yield from node.args.defaults
        yield from (default for default in node.args.kw_defaults if default is not None)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a node that run: annotations left out."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield child


def _running(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in _children(node):
        yield from _running(child)


def _read_names(node: ast.AST) -> Iterator[str]:
    return (n.id for n in _running(node) if isinstance(n, ast.Name))


def _field_annotations(node: ast.AST) -> Iterator[ast.AST]:
    """The annotations in class bodies: pydantic and others read them."""
    for inner in _running(node):
        if isinstance(inner, ast.ClassDef):
            yield from (s.annotation for s in inner.body if isinstance(s, ast.AnnAssign))


def _free_names(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_referenced() and symbol.is_global():  # what is free in the text is bound in the text
            yield symbol.get_name()
    for child in table.get_children():
        yield from _free_names(child)


def _dotted(node: ast.AST) -> str:
    """`a.b` for the expressions `a.b` and `a.b(...)`, "" for others."""
    if isinstance(node, ast.Call):
        node = node.func
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _chains(node: ast.AST) -> Iterator[tuple[str, ...]]:
    """The longest dotted names, `a.b.c`, and single names."""
    inner: set[int] = set()
    for part in _running(node):
        if isinstance(part, ast.Attribute):
            inner.add(id(part.value))
        if isinstance(part, (ast.Attribute, ast.Name)) and id(part) not in inner:
            text = _dotted(part)
            if text:
                yield tuple(text.split("."))


def _imports(node: ast.AST) -> Iterator[str]:
    for part in _running(node):
        if isinstance(part, ast.Import):
            yield from (alias.name for alias in part.names)
        elif isinstance(part, ast.ImportFrom):
            yield "." * part.level + (part.module or "")
