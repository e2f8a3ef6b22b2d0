"""Generators, coroutines, stars and patterns over run-time values are refused, and errors told: the exact texts and lines.

The mark stands at the line that the refusal names.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drawloom.errors import Diagnostic

CASES = {
    "an error in a branch": (
        """
        if below(n):
            return {}["missing"]  # <-
        return 1
        """,
        "D147",
        "this line raises KeyError ('missing') whenever this branch is reached",
        "mend it, or `raise` the exception there yourself",
    ),
    "an error of a helper": (
        """
        def fail():
            return 1 / 0  # <-

        @pipeline
        def flow(n: int) -> Any:
            return fail() if below(n) else 1
        """,
        "D147",
        "this line raises ZeroDivisionError (division by zero) whenever this operand is reached",
        "mend it, or `raise` the exception there yourself",
    ),
    "an error in a loop": (
        """
        for k in numbers(n):
            [][0]  # <-
        return 1
        """,
        "D147",
        "this line raises IndexError (list index out of range) whenever this loop's body is reached",
        "mend it, or `raise` the exception there yourself",
    ),
    "an error in an operand": (
        """
        return below(n) and {}["missing"]  # <-
        """,
        "D147",
        "this line raises KeyError ('missing') whenever this operand is reached",
        "mend it, or `raise` the exception there yourself",
    ),
    "an error in a comprehension": (
        """
        return [[][0] for k in numbers(n)]  # <-
        """,
        "D147",
        "this line raises IndexError (list index out of range) whenever this operand is reached",
        "mend it, or `raise` the exception there yourself",
    ),
    "an error in a handler": (
        """
        try:
            double(n)
        except ValueError:
            [][0]  # <-
        return 1
        """,
        "D147",
        "this line raises IndexError (list index out of range) whenever this `except` is reached",
        "mend it, or `raise` the exception there yourself",
    ),
    "an error in a finally": (
        """
        try:
            double(n)
        finally:
            [][0]  # <-
        return 1
        """,
        "D147",
        "this line raises IndexError (list index out of range) whenever this `finally` is reached",
        "mend it, or `raise` the exception there yourself",
    ),
    "an error behind an early return": (
        """
        if below(n):
            return 1
        return {}["missing"]  # <-
        """,
        "D147",
        "this line raises KeyError ('missing') whenever this way through the function is reached",
        "mend it, or `raise` the exception there yourself",
    ),
    "a name that isn't there": (
        """
        if below(n):
            return missing  # <-
        return 1
        """,
        "D147",
        "this line raises NameError (name 'missing' is not defined) whenever this branch is reached",
        "mend it, or `raise` the exception there yourself",
    ),
    "raise of no exception": (
        """
        if below(n):
            raise "late"  # <-
        return 1
        """,
        "D147",
        "this line raises TypeError (exceptions must derive from BaseException) whenever this branch is reached",
        "mend it, or `raise` the exception there yourself",
    ),
    "a generator": (
        """
        def many(n):  # <-
            yield double(n)

        @pipeline
        def flow(n: int) -> Any:
            return list(many(n))
        """,
        "D149",
        "`many` is a generator, but a pipeline is traced in one go",
        "return a list",
    ),
    "a coroutine": (
        """
        async def many(n):  # <-
            return double(n)

        @pipeline
        def flow(n: int) -> Any:
            return many(n)
        """,
        "D149",
        "`many` is a coroutine, but a pipeline is traced in one go",
        "write a plain `def` and plain calls; tasks run beside each other anyway",
    ),
    "a generator inside": (
        """
        def inner():
            yield double(n)  # <-

        return list(inner())
        """,
        "D149",
        "`flow` has a `yield` in it, but a pipeline is traced in one go",
        "return a list",
    ),
    "a coroutine inside": (
        """
        async def inner():  # <-
            return double(n)

        return inner()
        """,
        "D149",
        "`flow` has an `async` or `await` in it, but a pipeline is traced in one go",
        "write a plain `def` and plain calls; tasks run beside each other anyway",
    ),
    "except*": (
        """
        try:  # <-
            double(n)
        except* ValueError:
            pass
        return 1
        """,
        "D149",
        "`flow` has an `except*` in it, but a pipeline is traced in one go",
        "use `except`",
    ),
    "a generator expression": (
        """
        made = (double(k) for k in numbers(n))  # <-
        return list(made)
        """,
        "D149",
        "a generator runs over a run-time value, but its items would be made one by one while a run goes on",
        "write a list: `[... for ...]`",
    ),
    "a generator for join": (
        """
        return "-".join(word(k) for k in numbers(n))  # <-
        """,
        "D149",
        "a generator runs over a run-time value, but its items would be made one by one while a run goes on",
        "write a list: `[... for ...]`",
    ),
    "any with if": (
        """
        return any(below(k) for k in numbers(n) if k > 2)  # <-
        """,
        "D149",
        "`any` is given a generator with an `if` on a run-time value",
        "make the test part of the item: `any(p and q for ...)`",
    ),
    "all with if": (
        """
        return all(below(k) for k in range(3) if double(k) > n)  # <-
        """,
        "D149",
        "`all` is given a generator with an `if` on a run-time value",
        "make the test part of the item: `all(p and q for ...)`",
    ),
    "any of two loops": (
        """
        return any(below(j) for k in range(2) for j in numbers(n))  # <-
        """,
        "D149",
        "`any` is given a generator that runs over a run-time list inside another loop",
        "write the loop with `for` and `break`",
    ),
    "any of a loop in one over a list": (
        """
        return any(below(j + k) for j in numbers(n) for k in (3, 0))  # <-
        """,
        "D149",
        "`any` is given a generator with a loop inside one over a run-time list",
        "write the loops with `for` and `break`",
    ),
    "a star target": (
        """
        a, *b = numbers(n)  # <-
        return b
        """,
        "D151",
        "a `*` takes a run-time value apart, but how many parts it has is known only at run time",
        "pass the list itself, or take it apart in a @task",
    ),
    "a star target of a loop": (
        """
        for a, *b in [numbers(n)]:  # <-
            double(a)
        """,
        "D151",
        "a `*` takes a run-time value apart, but how many parts it has is known only at run time",
        "pass the list itself, or take it apart in a @task",
    ),
    "a star in a call": (
        """
        return double(*numbers(n))  # <-
        """,
        "D151",
        "a `*` takes a run-time value apart, but how many parts it has is known only at run time",
        "pass the list itself, or take it apart in a @task",
    ),
    "a star in a set": (
        """
        return {1, *numbers(n)}  # <-
        """,
        "D151",
        "a `*` takes a run-time value apart, but how many parts it has is known only at run time",
        "pass the list itself, or take it apart in a @task",
    ),
    "a star over a list that grew": (
        """
        grown = [1]
        for k in numbers(n):
            grown.append(k)
        return double(*grown)  # <-
        """,
        "D151",
        "a `*` takes a run-time value apart, but how many parts it has is known only at run time",
        "pass the list itself, or take it apart in a @task",
    ),
    "two stars in a call": (
        """
        return double(**table(n))  # <-
        """,
        "D151",
        "`**` takes a run-time dict apart, but which keys it has is known only at run time",
        "pass the dict itself, or its items one by one",
    ),
    "two stars in a dict": (
        """
        return {**table(n)}  # <-
        """,
        "D151",
        "`**` takes a run-time dict apart, but which keys it has is known only at run time",
        "put the dicts together in a @task",
    ),
    "two stars beside a run-time key": (
        """
        return {word(n): 1, **{"a": 1}}  # <-
        """,
        "D151",
        "`**` takes a run-time dict apart, but which keys it has is known only at run time",
        "put the dicts together in a @task",
    ),
    "a sequence pattern": (
        """
        match numbers(n):  # <-
            case [a, b]:
                return a
        return 1
        """,
        "D151",
        "a `match` looks into the shape of a run-time value",
        "match literals, or take it apart in a @task",
    ),
    "a class pattern": (
        """
        match anything(n):  # <-
            case int():
                return 1
        return 2
        """,
        "D151",
        "a `match` looks into the shape of a run-time value",
        "match literals, or take it apart in a @task",
    ),
    "a mapping pattern": (
        """
        match table(n):  # <-
            case {"a": a}:
                return a
        return 2
        """,
        "D151",
        "a `match` looks into the shape of a run-time value",
        "match literals, or take it apart in a @task",
    ),
    "a guard beside shapes": (
        """
        match [1, 2]:
            case [a, b] if below(n):  # <-
                return a
        return 2
        """,
        "D151",
        "the guard of a `match` on shapes is known only at run time",
        "write an `if` in the case",
    ),
    "map": (
        """
        return list(map(double, numbers(n)))  # <-
        """,
        "D149",
        "`map()` is given a run-time value, whose items are known only at run time",
        "write a comprehension, or a `for` loop with `break`",
    ),
    "filter": (
        """
        return list(filter(below, numbers(n)))  # <-
        """,
        "D149",
        "`filter()` is given a run-time value, whose items are known only at run time",
        "write a comprehension, or a `for` loop with `break`",
    ),
    "next": (
        """
        return next(numbers(n))  # <-
        """,
        "D149",
        "`next()` is given a run-time value, whose items are known only at run time",
        "write a comprehension, or a `for` loop with `break`",
    ),
    "iter": (
        """
        return iter(numbers(n))  # <-
        """,
        "D149",
        "`iter()` is given a run-time value, whose items are known only at run time",
        "write a comprehension, or a `for` loop with `break`",
    ),
}


@pytest.mark.parametrize(("body", "code", "what", "fix"), CASES.values(), ids=CASES)
def test_the_form_is_refused(
    body: str, code: str, what: str, fix: str, refused: Callable[[str], tuple[Diagnostic, str]]
) -> None:
    found, line = refused(body)
    assert (found.code, found.what, found.fix) == (code, what, fix)
    assert line.endswith("# <-")
