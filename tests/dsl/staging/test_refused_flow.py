"""Loops, jumps, handlers and scopes that can't be part of a graph are refused: the exact texts and lines.

The mark stands at the line that the refusal names.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drawloom.errors import Diagnostic

CASES = {
    "while": (
        """
        while n > 3:  # <-
            n = halve(n)
        return n
        """,
        "D139",
        "this `while` tests a run-time value and has no bound",
        "write `for _ in bounded(20):` with `if not ...: break` as its first statement",
    ),
    "while not": (
        """
        while not below(n):  # <-
            n = halve(n)
        return n
        """,
        "D139",
        "this `while` tests a run-time value and has no bound",
        "write `for _ in bounded(20):` with `if not ...: break` as its first statement",
    ),
    "while over lines": (
        """
        while (  # <-
            n > 3
            and n < 9
        ):
            n = halve(n)
        return n
        """,
        "D139",
        "this `while` tests a run-time value and has no bound",
        "write `for _ in bounded(20):` with `if not ...: break` as its first statement",
    ),
    "while true, break": (
        """
        while True:  # <-
            if below(n):
                break
            n = halve(n)
        return n
        """,
        "D139",
        "this `while` is left on a run-time test only and has no bound",
        "write `for _ in bounded(20):` in its place",
    ),
    "while true, return": (
        """
        while True:  # <-
            n = halve(n)
            if below(n):
                return n
        """,
        "D139",
        "this `while` is left on a run-time test only and has no bound",
        "write `for _ in bounded(20):` in its place",
    ),
    "while true, raise": (
        """
        while 1:  # <-
            n = halve(n)
            if below(n):
                raise ValueError(n)
        """,
        "D139",
        "this `while` is left on a run-time test only and has no bound",
        "write `for _ in bounded(20):` in its place",
    ),
    "a long known while": (
        """
        k = 0
        while k < 1000:  # <-
            k += 1
            if below(n, k):
                break
        return k
        """,
        "D139",
        "this `while` is left on a run-time test only and has no bound",
        "write `for _ in bounded(20):` in its place",
    ),
    "recursion": (
        """
        def shrink(n):
            if below(n):
                return n
            return shrink(halve(n))  # <-

        @pipeline
        def flow(n: int) -> int:
            return shrink(n)
        """,
        "D140",
        "`shrink` calls itself under a run-time test; a graph must be finite",
        "write a `for _ in bounded(20):` loop, or one @task",
    ),
    "recursion in a conditional": (
        """
        def shrink(n):
            return n if below(n) else shrink(halve(n))  # <-

        @pipeline
        def flow(n: int) -> int:
            return shrink(n)
        """,
        "D140",
        "`shrink` calls itself under a run-time test; a graph must be finite",
        "write a `for _ in bounded(20):` loop, or one @task",
    ),
    "recursion in a comprehension": (
        """
        def walk(n):
            return [walk(k) for k in numbers(n)]  # <-

        @pipeline
        def flow(n: int) -> Any:
            return walk(n)
        """,
        "D140",
        "`walk` calls itself under a run-time test; a graph must be finite",
        "write a `for _ in bounded(20):` loop, or one @task",
    ),
    "recursion of a pipeline": (
        """
        @pipeline
        def flow(n: int) -> int:
            if below(n):
                return n
            return flow(halve(n))  # <-
        """,
        "D140",
        "`flow` calls itself under a run-time test; a graph must be finite",
        "write a `for _ in bounded(20):` loop, or one @task",
    ),
    "a file around tasks": (
        """
        with open(os.devnull) as file:  # <-
            x = double(n)
        return x
        """,
        "D150",
        "tasks are called inside `with open(os.devnull)`, which is left while the pipeline is traced",
        "use `try` and `finally` with tasks, or put the `with` in a @task",
    ),
    "a scope around a branch": (
        """
        import contextlib
        with contextlib.suppress(ValueError):  # <-
            if below(n):
                return double(n)
        return 1
        """,
        "D150",
        "tasks are called inside `with contextlib.suppress(ValueError)`, which is left while the pipeline is traced",
        "use `try` and `finally` with tasks, or put the `with` in a @task",
    ),
    "a type that grows": (
        """
        x = 1
        for k in numbers(n):  # <-
            x = [x]
        return x
        """,
        "D154",
        "this loop gives `x` a value of another type in each iteration",
        "keep to one type, or make the value in a @task",
    ),
    "a type that grows in bounded": (
        """
        x = 1
        for _ in bounded(4):  # <-
            if below(n):
                break
            x = {"a": x}
        return x
        """,
        "D154",
        "this loop gives `x` a value of another type in each iteration",
        "keep to one type, or make the value in a @task",
    ),
    "zip twice": (
        """
        pairs = zip(numbers(n), numbers(n))
        for a, b in pairs:
            double(a)
        for a, b in pairs:  # <-
            double(b)
        """,
        "D155",
        "what `zip(...)` gave is used up: a second loop over it finds nothing",
        "keep a list of it: `list(zip(...))`",
    ),
    "enumerate twice": (
        """
        pairs = enumerate(numbers(n))
        xs = [double(k) for _, k in pairs]
        return [k for k, _ in pairs]  # <-
        """,
        "D155",
        "what `enumerate(...)` gave is used up: a second loop over it finds nothing",
        "keep a list of it: `list(enumerate(...))`",
    ),
    "reversed twice": (
        """
        back = reversed(numbers(n))
        return list(back), sum(back)  # <-
        """,
        "D155",
        "what `reversed(...)` gave is used up: a second loop over it finds nothing",
        "keep a list of it: `list(reversed(...))`",
    ),
    "return in finally": (
        """
        try:
            double(n)
        finally:
            return 2  # <-
        """,
        "D156",
        "a `finally` is left by `return`, `break` or `continue`, which would drop the exception under way",
        "leave the function behind the `try`",
    ),
    "return in finally under a test": (
        """
        try:
            double(n)
        finally:
            if below(n):  # <-
                return 2
        return 1
        """,
        "D156",
        "a `finally` is left by `return`, `break` or `continue`, which would drop the exception under way",
        "leave the function behind the `try`",
    ),
    "break in finally": (
        """
        for k in range(3):
            try:
                double(n)
            finally:
                break  # <-
        """,
        "D156",
        "a `finally` is left by `return`, `break` or `continue`, which would drop the exception under way",
        "leave the function behind the `try`",
    ),
    "continue in finally": (
        """
        for k in numbers(n):
            try:
                double(k)
            finally:
                continue  # <-
        """,
        "D156",
        "a `finally` is left by `return`, `break` or `continue`, which would drop the exception under way",
        "leave the function behind the `try`",
    ),
    "except of a text": (
        """
        try:
            double(n)
        except "ValueError":  # <-
            pass
        """,
        "D124",
        "`except` names a value of `str`, which is no exception class",
        "name exception classes",
    ),
    "except of another class": (
        """
        try:
            double(n)
        except (ValueError, Box):  # <-
            pass
        """,
        "D124",
        "`except` names `Box`, which is no exception class",
        "name exception classes",
    ),
    "bounded by nothing": (
        """
        for _ in bounded(0):  # <-
            break
        """,
        "D124",
        "bounded(max_iterations=0) must be a known whole number of at least 1",
        "pass a known whole number of at least 1 as `max_iterations`",
    ),
    "bounded by a run-time value": (
        """
        for _ in bounded(n):  # <-
            break
        """,
        "D124",
        "bounded(max_iterations=...) must be a known whole number of at least 1",
        "pass a known whole number of at least 1 as `max_iterations`",
    ),
    "bounded with another end": (
        """
        for _ in bounded(3, on_limit="end"):  # <-
            break
        """,
        "D124",
        'bounded(on_limit=\'end\') must be "fail" or "stop"',
        'pass "fail" or "stop" as `on_limit`',
    ),
    "a loop over a number": (
        """
        for k in double(n):  # <-
            halve(k)
        """,
        "D110",
        "the result of `double` (int) is iterated over, but it has no items",
        "loop over a list",
    ),
    "zip of a number": (
        """
        return list(zip(numbers(n), double(n)))  # <-
        """,
        "D110",
        "`zip()` is called on the result of `double` (int), which has no items",
        "pass a list",
    ),
    "a dict key": (
        """
        made = {}
        made[double(n)] = 1  # <-
        return made
        """,
        "D110",
        "the result of `double` (int) is used as a dict key or a set item, but its value is known only at run time",
        "build the dict or set in a @task",
    ),
    "a set item": (
        """
        return {double(n)}  # <-
        """,
        "D110",
        "the result of `double` (int) is used as a dict key or a set item, but its value is known only at run time",
        "build the dict or set in a @task",
    ),
    "percent": (
        """
        return word("%s" % n)  # <-
        """,
        "D110",
        "the text of the parameter `n` (int) is asked for, but its value is known only at run time",
        "make the text in a @task",
    ),
}


@pytest.mark.parametrize(("body", "code", "what", "fix"), CASES.values(), ids=CASES)
def test_the_statement_is_refused(
    body: str, code: str, what: str, fix: str, refused: Callable[[str], tuple[Diagnostic, str]]
) -> None:
    found, line = refused(body)
    assert (found.code, found.what, found.fix) == (code, what, fix)
    assert line.endswith("# <-")
