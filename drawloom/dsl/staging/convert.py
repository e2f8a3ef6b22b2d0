"""A function as a function that can be staged: its source rewritten, compiled in its place, run on its own variables.

The file is parsed as a whole, so that lines and columns are the user's. The rewritten definition is compiled inside a
function that binds its free variables, which never runs: its code object is taken out of it and made a function with
the original's globals and cells. So names, closures, defaults and `super()` are what they were.
"""

from __future__ import annotations

import ast
import linecache
import sys
from functools import lru_cache
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any, Final

from drawloom.dsl.place import function_span, refusal
from drawloom.dsl.source import is_users
from drawloom.dsl.staging.rewrite import rewrite_function, rewrite_lambda
from drawloom.dsl.staging.straight import is_straight
from drawloom.dsl.staging.trees import OPS
from drawloom.errors import DefinitionError, Diagnostic, Span

__all__ = ["converted", "converted_code"]

# Any: functions of any signature

_LAMBDA: Final = "<lambda>"
_INNER: Final = "_dl_function"
_refused: Final = (ast.Yield, ast.YieldFrom, ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.TryStar)

# by identity: equal text on equal lines of two files gives equal code objects
_codes: dict[int, tuple[CodeType, CodeType | None]] = {}
_made: set[int] = set()  # the ids of codes that were made here, functions inside functions too
_kept: list[CodeType] = []


def converted(function: Any) -> Any:
    """A function that can be staged; the same one if nothing in it has to be, or if it isn't a function of the user's.

    Raises:
        DefinitionError: it is a generator or a coroutine (D149), or its source isn't there or isn't its own (D153).
    """
    if type(function) is MethodType:
        return MethodType(converted(function.__func__), function.__self__)
    code = getattr(function, "__code__", None)
    if type(function) is not FunctionType or code is None or id(code) in _made or not is_users(code.co_filename):
        return function
    known = _codes.get(id(code))
    if known is None:
        known = _codes[id(code)] = (code, None if is_straight(function) else converted_code(function))
    if known[1] is None:
        return function
    return _with_code(function, known[1])


def _with_code(function: FunctionType, code: CodeType) -> FunctionType:
    from drawloom.dsl.staging import ops  # it imports this module

    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    cells[OPS] = CellType(ops)
    closure = tuple(cells[name] for name in code.co_freevars)
    made = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, closure)
    made.__kwdefaults__ = function.__kwdefaults__
    made.__qualname__ = function.__qualname__
    made.__module__ = function.__module__
    made.__dict__.update(function.__dict__)
    return made


def converted_code(function: FunctionType) -> CodeType:
    """The code of a function, rewritten.

    Raises:
        DefinitionError: as `converted`.
    """
    code = function.__code__
    if code.co_flags & 0x2A0:  # generator, coroutine, asynchronous generator
        is_generator = code.co_flags & 0x20
        raise refusal(
            "D149",
            f"`{function.__qualname__}` is a {'generator' if is_generator else 'coroutine'}, "
            "but a pipeline is traced in one go",
            "return a list" if is_generator else _PLAIN_CALL,
            function_span(function),
        )
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, function.__globals__)  # its loader has the text of a zip file
    node = _definition(_parsed(function, lines), code)
    if not lines:
        raise _no_source(function, "it has no source")
    if node is None or not _is_made_of(code, "".join(lines)):
        raise _no_source(function, _CHANGED)
    _refuse_inside(node, code)
    rewritten = rewrite_lambda(node) if isinstance(node, ast.Lambda) else rewrite_function(node)
    made = _compiled(function, rewritten)
    _remember(made)
    return made


def _parsed(function: FunctionType, lines: list[str]) -> ast.Module:
    """The tree of a file; parsed anew each time, since rewriting changes it."""
    try:
        return ast.parse("".join(lines))
    except SyntaxError:
        raise _no_source(function, _CHANGED) from None


_CHANGED: Final = "its source has changed since it was imported"


def _is_made_of(code: CodeType, text: str) -> bool:
    """Whether a function was compiled of the text of its file that is there now.

    Where pytest has rewritten an `assert`, which its names with `@` tell, it need only have all that the text has.
    """
    flags = _future_flags(code)
    if any(code in _functions_of(text, flags, apart) for apart in (False, True)):
        return True
    names, constants = _parts(code)
    if not any("@" in name for name in names):
        return False
    place = (code.co_name, code.co_firstlineno)
    found = [_parts(f) for f in _functions_of(text, flags, False) if (f.co_name, f.co_firstlineno) == place]
    return any(n <= names and c <= constants for n, c in found)


@lru_cache(maxsize=32)
def _functions_of(text: str, flags: int, apart: bool) -> tuple[CodeType, ...]:
    """The functions of a file, compiled as an import does, or each statement by itself, as a notebook does."""
    tree = ast.parse(text)
    modules = [ast.Module([statement], []) for statement in tree.body] if apart else [tree]
    wholes = [compile(module, "", "exec", flags=flags, dont_inherit=True) for module in modules]
    return tuple(code for whole in wholes for code in _codes_in(whole))


def _codes_in(code: CodeType) -> list[CodeType]:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return [*inner, *(found for one in inner for found in _codes_in(one))]


def _parts(code: CodeType) -> tuple[set[str], set[tuple[str, str]]]:
    every = [code, *_codes_in(code)]
    names = {name for c in every for name in (*c.co_names, *c.co_varnames, *c.co_freevars)}
    return names, {(type(v).__name__, repr(v)) for c in every for v in c.co_consts if not isinstance(v, CodeType)}


def _definition(tree: ast.Module, code: CodeType) -> Any:
    names = list(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    found = [node for node in ast.walk(tree) if _is_of(node, code) and _arguments(node) == names]
    if len(found) > 1:
        positions = {p[:2] + p[2:] for p in code.co_positions() if None not in p}
        found = [node for node in found if _covers(node, positions)]
    return found[0] if len(found) == 1 else None


def _is_of(node: ast.AST, code: CodeType) -> bool:
    if isinstance(node, ast.Lambda):
        return code.co_name == _LAMBDA and node.lineno == code.co_firstlineno
    if not isinstance(node, ast.FunctionDef) or node.name != code.co_name:
        return False
    return min([node.lineno, *(d.lineno for d in node.decorator_list)]) == code.co_firstlineno


def _arguments(node: Any) -> list[str]:
    arguments = node.args
    return [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def _covers(node: Any, positions: set[Any]) -> bool:
    """Whether a lambda's body is where its code says."""
    body = node.body
    return any(p[0] == body.lineno and p[2] == body.col_offset for p in positions)


def _no_source(function: FunctionType, why: str) -> Exception:
    return refusal(
        "D153",
        f"`{function.__qualname__}` can't be read: {why}, and it does more than call tasks one after the other",
        "put it in a file and import it anew, or use `branch`, `for_each`, `while_loop` and `try_`",
        function_span(function),
    )


def _refuse_inside(node: ast.AST, code: CodeType) -> None:
    for inner in ast.walk(node):
        if isinstance(inner, _refused) or (isinstance(inner, ast.comprehension) and inner.is_async):
            what, fix = _refused_form(inner)
            line = getattr(inner, "lineno", code.co_firstlineno)
            raise DefinitionError(
                Diagnostic(
                    "D149",
                    f"`{code.co_name}` has {what} in it, but a pipeline is traced in one go",
                    Span(code.co_filename, line, code.co_qualname),
                    fix,
                )
            )


def _refused_form(node: ast.AST) -> tuple[str, str]:
    """What a part of a function is that can't be staged, and what to write in its place."""
    if isinstance(node, (ast.Yield, ast.YieldFrom)):
        return "a `yield`", "return a list"
    if isinstance(node, ast.TryStar):
        return "an `except*`", "use `except`"
    return "an `async` or `await`", _PLAIN_CALL


_PLAIN_CALL: Final = "write a plain `def` and plain calls; tasks run beside each other anyway"


# compiling


def _compiled(function: FunctionType, node: Any) -> CodeType:
    code = function.__code__
    is_lambda = isinstance(node, ast.Lambda)
    name = code.co_name
    if is_lambda:
        inner: ast.stmt = ast.copy_location(ast.Expr(node), node)
    else:
        # a constant for each decorator keeps the first line where it was; it never runs
        node.decorator_list = [ast.copy_location(ast.Constant(None), d) for d in node.decorator_list]
        node.name = name = _INNER
        node.returns = None
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg):
                argument.annotation = None
        node.args.defaults = [ast.copy_location(ast.Constant(None), d) for d in node.args.defaults]
        node.args.kw_defaults = [
            None if d is None else ast.copy_location(ast.Constant(None), d) for d in node.args.kw_defaults
        ]
        if hasattr(node, "type_params"):
            node.type_params = []
        inner = node
    factory = _factory(function, inner)
    module = ast.Module([factory], [])
    _place(module, 1, 0)
    whole = compile(module, code.co_filename, "exec", flags=_future_flags(code), dont_inherit=True)
    found = _code_named(whole, _LAMBDA if is_lambda else name)
    assert found is not None
    return _renamed(found, found.co_qualname, code.co_qualname).replace(co_name=code.co_name)


def _place(node: ast.AST, line: int, column: int) -> None:
    """Put what was added where the user's code around it begins, without a width: of an attribute that goes over lines,
    CPython takes the last one.
    """
    if "lineno" in node._attributes:
        made: Any = node
        if not hasattr(node, "lineno"):
            made.lineno, made.col_offset = line, column
            made.end_lineno, made.end_col_offset = line, column
        line, column = made.lineno, made.col_offset
    for child in ast.iter_child_nodes(node):
        _place(child, line, column)


def _factory(function: FunctionType, inner: ast.stmt) -> ast.stmt:
    """A function around, which binds the free variables; in a class of the owner's name, for private names."""
    free = [name for name in function.__code__.co_freevars if name != "__class__"]
    names = function.__code__.co_qualname.split(".")
    owner = next((name for name, part in zip(names[-2::-1], names[::-1]) if "<locals>" not in (name, part)), "")
    body: ast.stmt = inner
    before: list[ast.stmt] = []
    if owner:
        body = ast.ClassDef(owner, [], [], [inner], [])
        if sys.version_info >= (3, 12):
            body.type_params = []
        before = [] if owner in free else [ast.Global([owner])]  # the name is the user's class, not this one
    arguments = ast.arguments([], [ast.arg(name) for name in (*free, OPS)], None, [], [], None, [])
    made = ast.FunctionDef("_dl_factory", arguments, [*before, body], [], None)
    if sys.version_info >= (3, 12):
        made.type_params = []
    for outer in (made, body):
        if not hasattr(outer, "lineno"):
            ast.copy_location(outer, inner)
    return made


def _future_flags(code: CodeType) -> int:
    import __future__  # lazy: only here

    flags = 0
    for name in __future__.all_feature_names:
        flag = getattr(__future__, name).compiler_flag
        if code.co_flags & flag:
            flags |= flag
    return flags


def _code_named(code: CodeType, name: str) -> CodeType | None:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_name == name:
                return constant
            found = _code_named(constant, name)
            if found is not None:
                return found
    return None


def _renamed(code: CodeType, old: str, new: str) -> CodeType:
    """A code with the qualified name that the user gave it, functions inside it too."""
    inner = tuple(_renamed_constant(c, old, new) for c in code.co_consts)
    return code.replace(co_qualname=new + code.co_qualname.removeprefix(old), co_consts=inner)


def _renamed_constant(constant: Any, old: str, new: str) -> Any:
    if isinstance(constant, CodeType):
        return _renamed(constant, old, new)
    if isinstance(constant, str) and constant.startswith(f"{old}.<locals>."):  # the name of a class inside
        return new + constant.removeprefix(old)
    return constant


def _remember(code: CodeType) -> None:
    for made in (code, *_codes_in(code)):
        _kept.append(made)
        _made.add(id(made))
