"""Rewriting of statements: each body stays where it was, once; an object of `staging.ops` decides what is done with it.

```python
_dl_1 = ops.If(a > 2, ("z",), "z")             # if a > 2:
if _dl_1.staged: _dl_1.begin(locals())
if _dl_1.then():
    with _dl_1: z = ops.fn(square)(a)          #     z = square(a)
if _dl_1.staged: z = _dl_1.middle(locals())    # z is put back as it was
if _dl_1.orelse():                             # else:
    with _dl_1: z = ops.fn(halve)(a)           #     z = halve(a)
if _dl_1.staged: z = _dl_1.join(locals())      # z is what the taken side made it
```

The `with` catches the jumps (`scopes.Leave`) that can't be native, because the other side is still to be run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from drawloom.dsl.staging.expressions import Expressions, shape_of
from drawloom.dsl.staging.names import (
    appended_names,
    bound_names,
    declared_outside,
    only_extended,
    read_apart,
    read_inside,
    read_names,
)
from drawloom.dsl.staging.patterns import simple_cases
from drawloom.dsl.staging.trees import OPS, PREFIX, assigned, constant, if_, load, method, operation, test, with_

__all__ = ["rewrite_function", "rewrite_lambda"]

_CONTROL = (ast.If, ast.For, ast.While, ast.Try, ast.Match, ast.With)
_SIGNS = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.Pow: "pow",
    ast.BitAnd: "and_",
    ast.BitOr: "or_",
    ast.BitXor: "xor",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
    ast.MatMult: "matmul",
}


def rewrite_function(node: ast.FunctionDef) -> ast.FunctionDef:
    """A function's definition with its body rewritten; signature and decorators are left as they are."""
    return _Statements(node, frozenset()).function()


def rewrite_lambda(node: ast.Lambda) -> ast.Lambda:
    """A lambda with its body rewritten."""
    node.body = Expressions(frozenset(), frozenset()).expression(node.body)
    return node


class _Statements:
    """Rewrites the statements of one function.

    Args:
        node: the function.
        around: names of the functions around that may be unbound there.
    """

    def __init__(self, node: ast.FunctionDef, around: frozenset[str]) -> None:
        self.node = node
        inner = [s for s in ast.walk(node) if isinstance(s, _CONTROL)]
        arguments = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
        self.joined = frozenset(bound_names(inner)) | (around - arguments - set(bound_names(node.body)))
        self.outside = declared_outside(node)
        self.reads = read_names(node.body)
        self.read_inside = read_inside(node)
        self.expressions = Expressions(self.joined, self.outside)
        self.count = 0
        self.loops: list[str] = []
        self.scope = f"{PREFIX}f"

    def function(self) -> ast.FunctionDef:
        body = self.block(self.node.body)
        begin = ast.Assign([ast.Name(self.scope, ast.Store())], operation("Function"))
        end = ast.Return(method(self.scope, "result"))
        whole = with_(load(self.scope), body)
        for made, where in ((begin, self.node.body[0]), (whole, self.node.body[0]), (end, self.node.body[-1])):
            ast.copy_location(made, where)
        self.node.body = [begin, whole, end]
        return self.node

    def block(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        return [
            new if hasattr(new, "lineno") else ast.copy_location(new, statement)
            for statement in statements
            for new in self.statement(statement)
        ]

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        rewrite = getattr(self, f"_{type(node).__name__.lower()}", None)
        if rewrite is not None:
            found: list[ast.stmt] = rewrite(node)
            return found
        return [self._generic(node)]

    def _generic(self, node: ast.stmt) -> ast.stmt:
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                setattr(node, name, self.expressions.expression(value))
            elif isinstance(value, list):
                setattr(node, name, [self.expressions.visit(v) if isinstance(v, ast.expr) else v for v in value])
        return node

    def temporary(self) -> str:
        self.count += 1
        return f"{PREFIX}{self.count}"

    def names(self, parts: Iterable[ast.AST]) -> tuple[str, ...]:
        """The function's own names that are bound in `parts`."""
        return tuple(n for n in bound_names(parts) if n not in self.outside and not n.startswith(PREFIX))

    def set(self, name: str, value: ast.expr) -> ast.stmt:
        return ast.Assign([ast.Name(name, ast.Store())], value)

    def after(self, owner: str, condition: str, operation_name: str, names: Sequence[str]) -> ast.stmt:
        """`if owner.condition: names = owner.operation(locals())`."""
        return if_(test(owner, condition), assigned(names, method(owner, operation_name, _locals())))

    # assignments

    def _assign(self, node: ast.Assign) -> list[ast.stmt]:
        first = node.targets[0]
        value = self.expressions.expression(node.value, first.id if isinstance(first, ast.Name) else "")
        shapes = {shape_of(target) for target in node.targets} - {None}
        for shape in sorted(shapes, key=repr):
            value = ast.copy_location(operation("unpack", value, constant(shape)), node.value)
        if any(isinstance(target, ast.Attribute) for target in node.targets):
            value = ast.copy_location(operation("stored", value), node.value)
        node.value = value
        node.targets = [self.expressions.visit(target) for target in node.targets]
        return [*self._guard(node.targets), node]

    def _annassign(self, node: ast.AnnAssign) -> list[ast.stmt]:
        if node.value is None:
            return [node]
        hint = node.target.id if isinstance(node.target, ast.Name) else ""
        node.value = self.expressions.expression(node.value, hint)
        if isinstance(node.target, ast.Attribute):
            node.value = ast.copy_location(operation("stored", node.value), node.value)
        node.target = self.expressions.visit(node.target)
        return [*self._guard([node.target]), node]

    def _augassign(self, node: ast.AugAssign) -> list[ast.stmt]:
        value = self.expressions.expression(node.value)
        if isinstance(node.target, ast.Attribute):
            value = ast.copy_location(operation("stored", value), node.value)
        if not isinstance(node.target, ast.Name):
            node.target, node.value = self.expressions.visit(node.target), value
            return [node]
        old = self.expressions.visit(ast.copy_location(load(node.target.id), node.target))
        made = operation("inplace", constant(_SIGNS[type(node.op)]), old, value)
        return [*self._guard([node.target]), self.set(node.target.id, made)]

    def _delete(self, node: ast.Delete) -> list[ast.stmt]:
        node.targets = [self.expressions.visit(target) for target in node.targets]
        return [*self._guard(node.targets), node]

    def _guard(self, targets: Sequence[ast.expr]) -> list[ast.stmt]:
        """A look, before a name of another scope is bound, at whether that may be."""
        if not self.outside:
            return []
        outer = [name for name in bound_names(targets) if name in self.outside]
        return [ast.Expr(operation("outside", constant(name))) for name in outer]

    # jumps

    def _return(self, node: ast.Return) -> list[ast.stmt]:
        value = self.expressions.expression(node.value) if node.value is not None else constant(None)
        node.value = method(self.scope, "leave", value)
        return [node]

    def _break(self, node: ast.Break) -> list[ast.stmt]:
        return [if_(method(self.loops[-1], "breaks", _locals()), [node])]

    def _continue(self, node: ast.Continue) -> list[ast.stmt]:
        return [if_(method(self.loops[-1], "continues", _locals()), [node])]

    def _raise(self, node: ast.Raise) -> list[ast.stmt]:
        if node.exc is None:
            node.exc = operation("reraised")
            return [node]
        node.exc = operation("raised", self.expressions.expression(node.exc))
        if node.cause is not None:
            node.cause = self.expressions.expression(node.cause)
        return [node]

    def _assert(self, node: ast.Assert) -> list[ast.stmt]:
        error = ast.Name("AssertionError", ast.Load())
        failure = ast.Call(error, [node.msg] if node.msg is not None else [], [])
        raised = ast.copy_location(ast.Raise(failure, None), node)
        made = ast.If(ast.UnaryOp(ast.Not(), node.test), [raised], [])
        return self._if(ast.fix_missing_locations(ast.copy_location(made, node)))

    # branches

    def _if(self, node: ast.If) -> list[ast.stmt]:
        return self._branch(node.test, node.body, node.orelse)

    def _branch(
        self,
        condition: ast.expr,
        body: Sequence[ast.stmt],
        orelse: Sequence[ast.stmt],
        *,
        rewritten: bool = False,
        inside: ast.expr | None = None,
    ) -> list[ast.stmt]:
        names = self.names([condition, *body, *orelse])
        bound = self.names([*body, *orelse])
        hint = bound[0] if len(bound) == 1 else ""
        owner = self.temporary()
        value = condition if rewritten else self.expressions.expression(condition)
        taken = self.block(body) if inside is None else [with_(inside, self.block(body))]
        made: list[ast.stmt] = [
            self.set(owner, operation("If", value, constant(names), constant(hint))),
            if_(test(owner, "staged"), [ast.Expr(method(owner, "begin", _locals()))]),
            if_(method(owner, "then"), [with_(load(owner), taken)]),
            self.after(owner, "staged", "middle", names),
        ]
        if orelse:
            made.append(if_(method(owner, "orelse"), [with_(load(owner), self.block(orelse))]))
        return [*made, self.after(owner, "staged", "join", names)]

    def _match(self, node: ast.Match) -> list[ast.stmt]:
        subject = self.temporary()
        cases = simple_cases(node, subject)
        value = self.expressions.expression(node.subject)
        if cases is None:
            node.subject = operation("known_subject", value)
            for case in node.cases:
                if case.guard is not None:
                    guard = operation("known_test", self.expressions.expression(case.guard))
                    case.guard = ast.copy_location(guard, case.guard)
                case.body = self.block(case.body)
            return [node]
        return [self.set(subject, value), *self.block(cases)]

    # loops

    def _for(self, node: ast.For) -> list[ast.stmt]:
        owner, names = self.temporary(), self.names([node.target, *node.body, *node.orelse])
        grown = appended_names(node.body)
        hint = grown[0] if len(grown) == 1 else ""
        only_behind = set(bound_names(node.orelse)) - set(bound_names([node.target, *node.body]))
        extended = tuple(sorted(only_extended(node.body) | only_behind))
        source = self.expressions.expression(node.iter)
        inside = read_names([node.target, *node.body])
        # a loop in a loop may read, the next time, what it left
        behind = tuple(name for name in names if self.loops or self.reads[name] > inside[name])
        read = tuple(sorted(read_apart(node.body) | self.read_inside))
        about = (names, behind, read, hint, extended, shape_of(node.target), bool(node.orelse))
        made: list[ast.stmt] = [
            self.set(owner, operation("For", source, *map(constant, about))),
            self.after(owner, "staged", "begin", names),
        ]
        made += self._guard([node.target])
        target = self.expressions.visit(node.target)
        made.append(ast.For(target, load(owner), self._loop_body(owner, names, node.body), []))
        return [*made, *self._loop_end(owner, names, node.orelse)]

    def _while(self, node: ast.While) -> list[ast.stmt]:
        owner, names = self.temporary(), self.names([node.test, *node.body, *node.orelse])
        endless = isinstance(node.test, ast.Constant)
        tested = method(owner, "test", self.expressions.expression(node.test))
        made: list[ast.stmt] = [self.set(owner, operation("While", constant(names), constant(endless)))]
        made.append(ast.While(tested, self._loop_body(owner, names, node.body), []))
        return [*made, *self._loop_end(owner, names, node.orelse)]

    def _loop_body(self, owner: str, names: Sequence[str], body: Sequence[ast.stmt]) -> list[ast.stmt]:
        self.loops.append(owner)
        made = [with_(load(owner), self.block(body)), self.after(owner, "turning", "turn", names)]
        self.loops.pop()
        return [*made, if_(test(owner, "over"), [ast.Break()])]

    def _loop_end(self, owner: str, names: Sequence[str], orelse: Sequence[ast.stmt]) -> list[ast.stmt]:
        made = [self.after(owner, "staged", "end", names)]
        if orelse:
            made += self._branch(method(owner, "finished"), orelse, [], rewritten=True, inside=test(owner, "last"))
        return [*made, self.after(owner, "joining", "join", names)]

    # exceptions

    def _try(self, node: ast.Try) -> list[ast.stmt]:
        if node.orelse and node.finalbody:
            inner = ast.copy_location(ast.Try(node.body, node.handlers, node.orelse, []), node)
            node = ast.copy_location(ast.Try([inner], [], [], node.finalbody), node)
        owner = self.temporary()
        names = self.names([*node.body, *node.handlers, *node.orelse, *node.finalbody])
        bound = self.names([*node.body, *(s for h in node.handlers for s in h.body)])
        hint = bound[0] if len(bound) == 1 else ""
        about = (names, hint, *self._bound_in_body(node))
        guarded = self._guarded(node, owner, names)
        if node.finalbody:
            ended = ast.copy_location(self.after(owner, "ending", "ends_final", names), node.finalbody[-1])
            cleaned = [with_(load(owner), self.block(node.finalbody)), ended]
            guarded = [ast.Try(guarded, [], [], [if_(method(owner, "cleans_up", _locals()), cleaned)])]
        made: list[ast.stmt] = [
            self.set(owner, operation("Try", *map(constant, about))),
            ast.Expr(method(owner, "begin", _locals())),
            *guarded,
        ]
        made.append(self.after(owner, "joining", "join", names))
        if node.orelse:
            ended = self.after(owner, "ending_else", "ends_else", names)
            made.append(if_(method(owner, "elses"), [with_(load(owner), self.block(node.orelse)), ended]))
        return made

    def _bound_in_body(self, node: ast.Try) -> tuple[object, ...]:
        """What the body binds, what its last statement alone does; what handlers bind, their number; an `else`."""
        *before, last = node.body
        targets: list[ast.expr] = []
        if isinstance(last, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = last.targets if isinstance(last, ast.Assign) else [last.target]
        elsewhere = self.names(before)
        lasts = tuple(t.id for t in targets if isinstance(t, ast.Name) and t.id not in elsewhere)
        extended = tuple(sorted(only_extended([*node.body, *node.handlers, *node.orelse, *node.finalbody])))
        return self.names(node.body), lasts, self.names(node.handlers), extended, len(node.handlers), bool(node.orelse)

    def _guarded(self, node: ast.Try, owner: str, names: Sequence[str]) -> list[ast.stmt]:
        """The body, and its handlers as what they are to a staged body: blocks beside it."""
        error = f"{PREFIX}e"
        passing = ast.Attribute(load(OPS), "Passing", ast.Load())
        caught: list[ast.stmt] = [ast.Expr(method(owner, "caught", load(error)))]
        made: list[ast.stmt] = [
            ast.Try(
                [with_(load(owner), self.block(node.body))],
                [
                    ast.ExceptHandler(passing, None, [ast.Raise(None, None)]),
                    ast.ExceptHandler(load("BaseException"), error, caught),
                ],
                [],
                [],
            ),
            self.after(owner, "ending", "middle", names),
        ]
        for handler in node.handlers:
            made.append(self._handler(handler, owner))
            made.append(self.after(owner, "ending", "middle", names))
        return [*made, if_(test(owner, "unhandled"), [ast.Raise(test(owner, "error"), None)])]

    def _handler(self, handler: ast.ExceptHandler, owner: str) -> ast.stmt:
        body = self.block(handler.body)
        kinds = load("BaseException") if handler.type is None else self.expressions.expression(handler.type)
        if handler.name:
            body.insert(0, self.set(handler.name, test(owner, "exception")))
        inside: list[ast.stmt] = [with_(load(owner), body)]
        if handler.name:
            inside += [self.set(handler.name, constant(None)), ast.Delete([ast.Name(handler.name, ast.Del())])]
        wanted = ast.BoolOp(ast.And(), [method(owner, "looks"), method(owner, "handles", kinds)])
        return ast.copy_location(if_(wanted, inside), handler)

    def _with(self, node: ast.With) -> list[ast.stmt]:
        for item in node.items:
            shown = ast.unparse(item.context_expr)
            item.context_expr = operation("manager", self.expressions.expression(item.context_expr), constant(shown))
            if item.optional_vars is not None:
                item.optional_vars = self.expressions.visit(item.optional_vars)
        bound = [item.optional_vars for item in node.items if item.optional_vars is not None]
        node.body = self.block(node.body)
        return [*self._guard(bound), node]

    # definitions

    def _functiondef(self, node: ast.FunctionDef) -> list[ast.stmt]:
        arguments = node.args
        node.decorator_list = [self.expressions.visit(decorator) for decorator in node.decorator_list]
        arguments.defaults = [self.expressions.visit(default) for default in arguments.defaults]
        arguments.kw_defaults = [None if d is None else self.expressions.visit(d) for d in arguments.kw_defaults]
        return [*self._guard_name(node.name), _Statements(node, self.joined).function()]

    def _classdef(self, node: ast.ClassDef) -> list[ast.stmt]:
        node.body = [_Statements(s, self.joined).function() if isinstance(s, ast.FunctionDef) else s for s in node.body]
        return [*self._guard_name(node.name), node]

    def _guard_name(self, name: str) -> list[ast.stmt]:
        return [ast.Expr(operation("outside", constant(name)))] if name in self.outside else []

    def _import(self, node: ast.Import | ast.ImportFrom) -> list[ast.stmt]:
        return [*(guard for name in bound_names([node]) for guard in self._guard_name(name)), node]

    _importfrom = _import


def _locals() -> ast.expr:
    return ast.Call(ast.Name("locals", ast.Load()), [], [])
