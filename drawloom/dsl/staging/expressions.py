"""Rewriting of expressions: whatever Python doesn't let a value overload is handed to `staging.ops`.

| source | becomes |
|---|---|
| `f(x)` | `ops.fn(f)(x)`: only the callee is mapped, the call stays where it was |
| `a if t else b` | `ops.chosen(ops.choice(t), ops.first(a if ops.enter() else None), b if ops.other() else None)` |
| `a and b` | `ops.both(ops.left("and", a), b if ops.go_on() else None)` |
| `a < f() < c` | the same with `a < ops.keep(f())` and `ops.kept() < c` |
| `not x`, `x is None`, `x in y`, `x[k]`, `x.a`, f-strings | a function of `ops` |
| `[e for x in it if p]` | `ops.done(ops.comp("list"), [ops.elem(e) for x in ops.each(it) if ops.where(p)])` |
"""

from __future__ import annotations

import ast
from typing import Any, Final

from drawloom.dsl.staging.trees import OPS, constant, load, operation

__all__ = ["Expressions", "shape_of"]


def load_unset() -> ast.expr:
    """What stands for the key of `**table` in a dict display."""
    return ast.Attribute(load(OPS), "UNBOUND", ast.Load())


_LISTED: Final = ("sum", "min", "max", "sorted", "list", "tuple", "set", "dict")
_QUANTIFIED: Final = ("any", "all")
_OF_DICTS: Final = ("items", "keys", "values", "get")
_LEFT_ALONE: Final = ("super", "locals", "globals", "vars")
_NAMED: Final[dict[type, str]] = {  # expressions whose nodes may be named after a variable
    ast.Call: "_called",
    ast.IfExp: "_ifexp",
    ast.BoolOp: "_boolop",
    ast.ListComp: "_listcomp",
    ast.SetComp: "_setcomp",
    ast.DictComp: "_dictcomp",
}
_COMPARED: Final = {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
_CONVERSIONS: Final = {-1: "", 115: "s", 114: "r", 97: "a"}


def shape_of(target: ast.expr) -> object:
    """How a target takes a value apart: None for a name, a tuple of shapes for a tuple, "*" for a starred one."""
    if isinstance(target, (ast.Tuple, ast.List)):
        return tuple(shape_of(item) for item in target.elts)
    return "*" if isinstance(target, ast.Starred) else None


def _shown_change(node: ast.expr, context: ast.expr_context) -> str:
    """An assignment to an attribute or item, or its deletion, as the user wrote it; "" for a value."""
    if isinstance(context, ast.Load):
        return ""
    return f"del {ast.unparse(node)}" if isinstance(context, ast.Del) else f"{ast.unparse(node)} = ..."


class Expressions(ast.NodeTransformer):
    """Rewrites the expressions of one function.

    Args:
        joined: names that may be unbound after a join, whose reads are looked at.
        outside: names of scopes around that the function binds.

    Attributes:
        hint: what the node of the next expression is named after, the variable it is assigned to.
    """

    def __init__(self, joined: frozenset[str], outside: frozenset[str]) -> None:
        self.joined = joined
        self.outside = outside
        self.hint = ""

    def expression(self, node: ast.expr, hint: str = "") -> ast.expr:
        """A rewritten expression."""
        self.hint = hint
        made: ast.expr = self.visit(node)
        return made

    def visit(self, node: ast.AST) -> Any:
        hint = self.hint
        self.hint = ""
        name = _NAMED.get(type(node))
        made = super().visit(node) if name is None else getattr(self, name)(node, hint)
        return ast.copy_location(made, node) if made is not node and isinstance(made, ast.expr) else made

    # names and parts

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Load) and node.id in self.joined:
            return operation("read", node, constant(node.id))
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        shown = _shown_change(node, node.ctx)
        value = self.visit(node.value)
        if not isinstance(node.ctx, ast.Load):
            node.value = operation("storable", value, constant(shown))
            return node
        if node.attr.startswith("__"):  # private to a class: only the compiler knows its name
            node.value = value
            return node
        return operation("attribute", value, constant(node.attr))

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        shown = _shown_change(node, node.ctx)
        value = self.visit(node.value)
        if isinstance(node.ctx, ast.Load):
            return operation("item", value, self._key(node.slice))
        node.value = operation("storable", value, constant(shown))
        node.slice = self.visit(node.slice)
        return node

    def _key(self, node: ast.expr) -> ast.expr:
        if not isinstance(node, ast.Slice):
            made: ast.expr = self.visit(node)
            return made
        parts = [
            self.visit(part) if part is not None else constant(None) for part in (node.lower, node.upper, node.step)
        ]
        return ast.copy_location(operation("slice", *parts), node)

    def visit_Starred(self, node: ast.Starred) -> ast.expr:
        value = self.visit(node.value)
        node.value = operation("star", value) if isinstance(node.ctx, ast.Load) else value
        return node

    def visit_List(self, node: ast.List) -> ast.expr:
        if isinstance(node.ctx, ast.Load) and any(isinstance(item, ast.Starred) for item in node.elts):
            starred = constant(tuple(isinstance(item, ast.Starred) for item in node.elts))
            items = [self.visit(item.value if isinstance(item, ast.Starred) else item) for item in node.elts]
            return operation("listed", starred, *items)
        self.generic_visit(node)
        return operation("new", node) if isinstance(node.ctx, ast.Load) else node

    def visit_Dict(self, node: ast.Dict) -> ast.expr:
        parts = []
        for key, value in zip(node.keys, node.values, strict=True):
            parts += [load_unset() if key is None else self.visit(key), self.visit(value)]
        return operation("table", *parts)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        node.value = self.expression(node.value, node.target.id)
        return operation("named", node, constant(node.target.id), constant(node.target.id in self.outside))

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        arguments = node.args
        arguments.defaults = [self.visit(default) for default in arguments.defaults]
        arguments.kw_defaults = [None if d is None else self.visit(d) for d in arguments.kw_defaults]
        node.body = self.visit(node.body)
        return node

    # calls

    def _called(self, node: ast.Call, hint: str) -> ast.expr:
        function = node.func
        named = function.id if isinstance(function, ast.Name) else ""
        if named in _LEFT_ALONE and named not in self.joined:
            return node
        if (
            len(node.args) == 1
            and isinstance(node.args[0], ast.GeneratorExp)
            and (named in _QUANTIFIED or named in _LISTED)
        ):
            kind = named if named in _QUANTIFIED and not node.keywords else "list"
            node.args = [self._comprehension(node.args[0], kind, [node.args[0].elt], hint)]
        else:
            node.args = [self.visit(arg) for arg in node.args]
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
            if keyword.arg is None:
                keyword.value = operation("keys", keyword.value)
        node.func = ast.copy_location(self._callee(function), function)
        return node

    def _callee(self, function: ast.expr) -> ast.expr:
        if not isinstance(function, ast.Attribute):
            return operation("fn", self.visit(function))
        function.value = self.visit(function.value)
        if function.attr in _OF_DICTS:
            return operation("fn", operation("dict_method", function.value, constant(function.attr)))
        return operation("fn", function)

    # choices

    def _ifexp(self, node: ast.IfExp, hint: str) -> ast.expr:
        test = operation("choice", self.visit(node.test), constant(hint))
        first = operation("first", ast.IfExp(operation("enter"), self.visit(node.body), constant(None)))
        return operation("chosen", test, first, ast.IfExp(operation("other"), self.visit(node.orelse), constant(None)))

    def _boolop(self, node: ast.BoolOp, hint: str) -> ast.expr:
        op = "and" if isinstance(node.op, ast.And) else "or"
        return self._lazy(op, [self.visit(value) for value in node.values], hint)

    def _lazy(self, op: str, operands: list[ast.expr], hint: str) -> ast.expr:
        """`a op (b op c)`, which is `a op b op c`."""
        *before, made = operands
        for operand in reversed(before):
            left = operation("left", constant(op), operand, constant(hint))
            made = operation("both", left, ast.IfExp(operation("go_on"), made, constant(None)))
        return made

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        node.operand = self.visit(node.operand)
        return operation("not_", node.operand) if isinstance(node.op, ast.Not) else node

    # comparisons

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        operands = [self.visit(operand) for operand in (node.left, *node.comparators)]
        if len(node.ops) == 1:
            return self._compared(node, operands[0], node.ops[0], operands[1])
        tests = []
        left = operands[0]
        for i, (op, right) in enumerate(zip(node.ops, operands[1:], strict=True)):
            last = i == len(node.ops) - 1
            tests.append(self._compared(node, left, op, right if last else operation("keep", right)))
            left = operation("kept")
        return self._lazy("chain", tests, "")

    def _compared(self, node: ast.Compare, left: ast.expr, op: ast.cmpop, right: ast.expr) -> ast.expr:
        match op:
            case ast.Is() | ast.IsNot():
                return operation("same" if isinstance(op, ast.Is) else "not_same", left, right)
            case ast.In() | ast.NotIn():
                return operation("in_" if isinstance(op, ast.In) else "not_in", left, right)
        return ast.copy_location(operation("compared", constant(_COMPARED[type(op)]), left, right), node)

    # texts

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        parts: list[ast.expr] = [constant("")]
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                spec = self.visit(value.format_spec) if value.format_spec is not None else constant("")
                parts += [self.visit(value.value), constant(_CONVERSIONS[value.conversion]), spec, constant("")]
            else:
                parts[-1] = value
        return operation("fstr", *parts)

    # comprehensions

    def _listcomp(self, node: ast.ListComp, hint: str) -> ast.expr:
        return self._comprehension(node, "list", [node.elt], hint)

    def _setcomp(self, node: ast.SetComp, hint: str) -> ast.expr:
        return self._comprehension(node, "set", [node.elt], hint)

    def _dictcomp(self, node: ast.DictComp, hint: str) -> ast.expr:
        return self._comprehension(node, "dict", [node.key, node.value], hint)

    def _comprehension(self, node: Any, kind: str, parts: list[ast.expr], hint: str) -> ast.expr:
        generators = []
        for generator in node.generators:
            source = self.visit(generator.iter)
            tests = [operation("where", self.visit(test)) for test in generator.ifs]
            shape = constant(shape_of(generator.target))
            generators.append(
                ast.comprehension(generator.target, operation("each", source, shape), tests, generator.is_async)
            )
        values = [self.visit(part) for part in parts]
        element = values[0] if len(values) == 1 else ast.Tuple(values, ast.Load())
        listed = ast.copy_location(ast.ListComp(operation("elem", element), generators), node)
        return operation("done", operation("comp", constant(kind), constant(hint)), listed)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.expr:
        self.generic_visit(node)
        for generator in node.generators:
            generator.iter = operation("known_items", generator.iter)
        return operation("new", node)
