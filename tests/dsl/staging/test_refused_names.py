"""Names that can't be read, and things that only a run would choose, are refused: the exact texts and lines.

The mark stands at the line that the refusal names.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drawloom.errors import Diagnostic

CASES = {
    "the other side of an if": (
        """
        if below(n):
            y = double(n)
        return y  # <-
        """,
        "D138",
        "`y` may be unbound here: only some ways through the statement on line 4 assign it",
        "give it a value before that, or on every way through it",
    ),
    "the other side of an else": (
        """
        if n > 3:
            pass
        else:
            y = double(n)
        return double(y)  # <-
        """,
        "D138",
        "`y` may be unbound here: only some ways through the statement on line 4 assign it",
        "give it a value before that, or on every way through it",
    ),
    "a side deletes it": (
        """
        y = 1
        if below(n):
            del y
        return double(y)  # <-
        """,
        "D138",
        "`y` may be unbound here: only some ways through the statement on line 5 assign it",
        "give it a value before that, or on every way through it",
    ),
    "a case is missing": (
        """
        match n:
            case 1:
                y = double(n)
            case 2:
                y = 3
        return y  # <-
        """,
        "D138",
        "`y` may be unbound here: only some ways through the statement on line 7 assign it",
        "give it a value before that, or on every way through it",
    ),
    "a loop without items": (
        """
        for k in numbers(n):
            y = double(k)
        return y  # <-
        """,
        "D138",
        "`y` may be unbound here: only some ways through the statement on line 4 assign it",
        "give it a value before that, or on every way through it",
    ),
    "the target of a loop": (
        """
        for k in numbers(n):
            double(k)
        return k  # <-
        """,
        "D138",
        "`k` may be unbound here: only some ways through the statement on line 4 assign it",
        "give it a value before that, or on every way through it",
    ),
    "a loop that is left at once": (
        """
        for _ in bounded(3):
            if below(n):
                break
            y = double(n)
        return y  # <-
        """,
        "D138",
        "`y` may be unbound here: only some ways through the statement on line 4 assign it",
        "give it a value before that, or on every way through it",
    ),
    "an unrolled loop that is left at once": (
        """
        for k in range(2):
            if below(n, k):
                break
            y = double(k)
        return y  # <-
        """,
        "D138",
        "`y` may be unbound here: only some ways through the statement on line 5 assign it",
        "give it a value before that, or on every way through it",
    ),
    "a function inside": (
        """
        if below(n):
            y = double(n)

        def inner():
            return y  # <-

        return inner()
        """,
        "D138",
        "`y` may be unbound here: only some ways through the statement on line 4 assign it",
        "give it a value before that, or on every way through it",
    ),
    "a try that failed": (
        """
        try:
            y = double(n)
            halve(y)
        except ValueError:
            pass
        return y  # <-
        """,
        "D138",
        "`y` may be either of two things here: it is assigned in the `try`, which may have failed before or after that",
        "give it a value in every `except`, or bind another name in the `try`",
    ),
    "a handler": (
        """
        y = 1
        try:
            y = double(n)
            halve(y)
        except ValueError:
            return y  # <-
        return y
        """,
        "D138",
        "`y` may be either of two things here: it is assigned in the `try`, which may have failed before or after that",
        "give it a value in every `except`, or bind another name in the `try`",
    ),
    "a finally": (
        """
        y = 1
        try:
            y = double(n)
            halve(y)
        finally:
            note(y)  # <-
        return y
        """,
        "D138",
        "`y` may be either of two things here: it is assigned in the `try`, which may have failed before or after that",
        "give it a value in every `except`, or bind another name in the `try`",
    ),
    "bound by finally": (
        """
        try:
            double(n)
        finally:
            y = double(n)
        return y  # <-
        """,
        "D138",
        "`y` is bound in the `finally` to the result of a task, which isn't handed on from there",
        "call the task behind the `try`",
    ),
    "a walrus in and": (
        """
        if below(n) and (y := double(n)) > 3:  # <-
            return y
        return 0
        """,
        "D138",
        "`y` would be bound by `:=` only on one side of a run-time test",
        "write an `if`, and give `y` a value in every branch",
    ),
    "a walrus in a conditional": (
        """
        return (y := double(n)) if below(n) else 0  # <-
        """,
        "D138",
        "`y` would be bound by `:=` only on one side of a run-time test",
        "write an `if`, and give `y` a value in every branch",
    ),
    "a task chosen by a conditional": (
        """
        chosen = double if below(n) else halve  # <-
        return chosen(n)
        """,
        "D146",
        "only a run would know which of several things the value is, but the value can't be kept as a constant: value is a task",
        "use each where it is made: call it in both branches",
    ),
    "a task chosen by an if": (
        """
        if below(n):
            chosen = double
        else:
            chosen = halve
        return chosen(n)  # <-
        """,
        "D146",
        "only a run would know which of several things `chosen` is, but `chosen` can't be kept as a constant: value is a task",
        "use each where it is made: call it in both branches",
    ),
    "a function chosen by an if": (
        """
        if below(n):
            chosen = lambda k: k
        else:
            chosen = lambda k: k + 1
        return chosen(n)  # <-
        """,
        "D146",
        "only a run would know which of several things `chosen` is, but `chosen` can't be kept as a constant: value is a function",
        "use each where it is made: call it in both branches",
    ),
    "a class chosen by an if": (
        """
        if below(n):
            chosen = ValueError
        else:
            chosen = KeyError
        raise chosen("late")  # <-
        """,
        "D146",
        "only a run would know which of several things `chosen` is, but `chosen` can't be kept as a constant: value is a type",
        "use each where it is made: call it in both branches",
    ),
    "a task chosen by a loop": (
        """
        chosen = double
        for k in numbers(n):
            chosen = halve
        return chosen(n)  # <-
        """,
        "D146",
        "only a run would know which of several things `chosen` is, but `chosen` can't be kept as a constant: value is a task",
        "use each where it is made: call it in both branches",
    ),
    "zip on one side": (
        """
        if below(n):
            pairs = zip(numbers(n), numbers(n))
        else:
            pairs = []
        return list(pairs)  # <-
        """,
        "D146",
        "only a run would know which of several things `pairs` is, but `pairs` can't be kept as a constant: value is an iterator, as `zip(...)` gives it",
        "use each where it is made: call it in both branches",
    ),
}


@pytest.mark.parametrize(("body", "code", "what", "fix"), CASES.values(), ids=CASES)
def test_reading_it_is_refused(
    body: str, code: str, what: str, fix: str, refused: Callable[[str], tuple[Diagnostic, str]]
) -> None:
    found, line = refused(body)
    assert (found.code, found.what, found.fix) == (code, what, fix)
    assert line.endswith("# <-")
