"""`match` on literals, `None`, `True`, `False`, alternatives, captures and `_`, as a chain of `if`."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from drawloom.dsl.staging.trees import load

__all__ = ["simple_cases"]


def simple_cases(node: ast.Match, subject: str) -> list[ast.stmt] | None:
    """The statements a `match` is equal to, before they are rewritten; None if a case looks into a shape.

    Args:
        node: the statement.
        subject: the name its subject is held under.
    """
    made: list[ast.stmt] = []
    for case in reversed(node.cases):
        found = _case(case, subject, made)
        if found is None:
            return None
        made = [
            s if hasattr(s, "lineno") else ast.fix_missing_locations(ast.copy_location(s, case.pattern)) for s in found
        ]
    return made


def _case(case: ast.match_case, subject: str, otherwise: Sequence[ast.stmt]) -> list[ast.stmt] | None:
    pattern: ast.pattern = case.pattern
    name = None
    if isinstance(pattern, ast.MatchAs) and (pattern.pattern is None or case.guard is None):
        name = pattern.name
        pattern = pattern.pattern or pattern
    bound: list[ast.stmt] = [] if name is None else [ast.Assign([ast.Name(name, ast.Store())], load(subject))]
    if isinstance(pattern, ast.MatchAs):
        if pattern.pattern is not None:
            return None
        if case.guard is None:
            return [*bound, *case.body]
        return [*bound, ast.If(case.guard, case.body, list(otherwise))]
    test = _test(pattern, subject)
    if test is None:
        return None
    if case.guard is not None:
        test = ast.BoolOp(ast.And(), [test, case.guard])
    return [ast.If(test, [*bound, *case.body], list(otherwise))]


def _test(pattern: ast.pattern, subject: str) -> ast.expr | None:
    match pattern:
        case ast.MatchValue(value):
            return ast.Compare(load(subject), [ast.Eq()], [value])
        case ast.MatchSingleton(value):
            return ast.Compare(load(subject), [ast.Is()], [ast.Constant(value)])
        case ast.MatchOr(patterns):
            tests = [_test(inner, subject) for inner in patterns]
            found = [test for test in tests if test is not None]
            return ast.BoolOp(ast.Or(), found) if len(found) == len(tests) else None
    return None
