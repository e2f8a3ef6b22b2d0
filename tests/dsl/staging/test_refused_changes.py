"""Questions for the value itself, and changes that a run decides on, are refused: the exact texts and lines.

The mark stands at the line that the refusal names.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drawloom.errors import Diagnostic

CASES = {
    "bounded in a comprehension": (
        """
        return [double(k) for k in bounded(3)]  # <-
        """,
        "D142",
        "`bounded(...)` is used in a comprehension",
        "use it in a `for` statement, or `range(...)` here",
    ),
    "isinstance": (
        """
        return isinstance(n, int)  # <-
        """,
        "D142",
        "`isinstance()` needs the value itself, known only at run time",
        "test it in a @task, or use `is None`",
    ),
    "type": (
        """
        return type(double(n)) is int  # <-
        """,
        "D142",
        "`type()` needs the value itself, known only at run time",
        "test it in a @task, or use `is None`",
    ),
    "id": (
        """
        return id(n)  # <-
        """,
        "D142",
        "`id()` needs the value itself, known only at run time",
        "test it in a @task, or use `is None`",
    ),
    "hash": (
        """
        return hash(n)  # <-
        """,
        "D142",
        "`hash()` needs the value itself, known only at run time",
        "test it in a @task, or use `is None`",
    ),
    "callable": (
        """
        return callable(n)  # <-
        """,
        "D142",
        "`callable()` needs the value itself, known only at run time",
        "test it in a @task, or use `is None`",
    ),
    "isinstance of a list that grew": (
        """
        grown = []
        for k in numbers(n):
            grown.append(k)
        return isinstance(grown, list)  # <-
        """,
        "D142",
        "`isinstance()` needs the value itself, known only at run time",
        "test it in a @task, or use `is None`",
    ),
    "is": (
        """
        x = double(n)
        return x is n  # <-
        """,
        "D142",
        "`is` asks whether the result of `x` (int) is a certain object, known only at run time",
        "use `==`, or test it in a @task",
    ),
    "is not": (
        """
        return double(n) is not n  # <-
        """,
        "D142",
        "`is` asks whether the result of `double` (int) is a certain object, known only at run time",
        "use `==`, or test it in a @task",
    ),
    "is True, of a number": (
        """
        return n is True  # <-
        """,
        "D142",
        "`is` asks whether the parameter `n` (int) is a certain object, known only at run time",
        "use `==`, or test it in a @task",
    ),
    "an item of a list that grew is assigned": (
        """
        grown = [1]
        if below(n):
            grown.append(2)
        grown[0] = 4  # <-
        return grown
        """,
        "D142",
        "a list is looked into that holds as many items as a run will have put there",
        "loop over it, pass it to a @task, or take `len()` of it",
    ),
    "an item of a list that grew is deleted": (
        """
        grown = [1]
        if below(n):
            grown.append(2)
        del grown[0]  # <-
        return grown
        """,
        "D142",
        "a list is looked into that holds as many items as a run will have put there",
        "loop over it, pass it to a @task, or take `len()` of it",
    ),
    "a list that grew is sorted": (
        """
        grown = [1]
        if below(n):
            grown.append(2)
        grown.sort()  # <-
        return grown
        """,
        "D142",
        "`.sort()` looks into a list that holds as many items as a run will have put there",
        "loop over it, or pass it to a @task",
    ),
    "an attribute is assigned": (
        """
        box = Box()
        if below(n):
            box.value = 1  # <-
        return box.value
        """,
        "D144",
        "`box.value = ...` stands under a run-time test or loop, but would change the Box in any case",
        "assign a local name, or return the changed value from a @task",
    ),
    "an attribute is added to": (
        """
        box = Box()
        for k in numbers(n):
            box.value += 1  # <-
        return box.value
        """,
        "D144",
        "`box.value = ...` stands under a run-time test or loop, but would change the Box in any case",
        "assign a local name, or return the changed value from a @task",
    ),
    "an attribute is assigned in a helper": (
        """
        def put(box):
            box.value = 1  # <-

        @pipeline
        def flow(n: int) -> Any:
            box = Box()
            if below(n):
                put(box)
            return box.value
        """,
        "D144",
        "`box.value = ...` stands under a run-time test or loop, but would change the Box in any case",
        "assign a local name, or return the changed value from a @task",
    ),
    "an item is assigned": (
        """
        made = {}
        if below(n):
            pass
        else:
            made["a"] = 1  # <-
        return made
        """,
        "D144",
        "`made['a'] = ...` stands under a run-time test or loop, but would change the dict in any case",
        "assign a local name, or return the changed value from a @task",
    ),
    "an item is deleted": (
        """
        made = {"a": 1}
        if below(n):
            del made["a"]  # <-
        return made
        """,
        "D144",
        "`del made['a']` stands under a run-time test or loop, but would change the dict in any case",
        "assign a local name, or return the changed value from a @task",
    ),
    "an item is assigned in a try": (
        """
        made = {}
        try:
            double(n)
            made["a"] = 1  # <-
        except ValueError:
            pass
        return made
        """,
        "D144",
        "`made['a'] = ...` stands under a run-time test or loop, but would change the dict in any case",
        "assign a local name, or return the changed value from a @task",
    ),
    "a dict is merged into": (
        """
        made = {"a": 1}
        if below(n):
            made |= {"b": 1}  # <-
        return made
        """,
        "D144",
        "`|=` stands under a run-time test or loop, but would change the dict in any case",
        "assign a local name, or return the changed value from a @task",
    ),
    "a dict is updated": (
        """
        made = {"a": 1}
        if below(n):
            made.update(b=1)  # <-
        return made
        """,
        "D144",
        "`.update()` stands under a run-time test or loop, but would change the dict in any case",
        "assign a local name, or return the changed value from a @task",
    ),
    "a dict is changed in an operand": (
        """
        made = {}
        return below(n) and made.setdefault("a", 1)  # <-
        """,
        "D144",
        "`.setdefault()` stands under a run-time test or loop, but would change the dict in any case",
        "assign a local name, or return the changed value from a @task",
    ),
    "a dict is changed in a comprehension": (
        """
        made = {}
        return [made.setdefault("a", k) for k in numbers(n)]  # <-
        """,
        "D144",
        "`.setdefault()` stands under a run-time test or loop, but would change the dict in any case",
        "assign a local name, or return the changed value from a @task",
    ),
    "a set is added to": (
        """
        made = {1}
        if below(n):
            made.add(2)  # <-
        return made
        """,
        "D144",
        "`.add()` stands under a run-time test or loop, but would change the set in any case",
        "assign a local name, or return the changed value from a @task",
    ),
    "a list is popped from": (
        """
        made = [1]
        if below(n):
            made.pop()  # <-
        return made
        """,
        "D144",
        "`.pop()` stands under a run-time test or loop, but would change the list in any case",
        "assign a local name, or return the changed value from a @task",
    ),
    "a list is sorted": (
        """
        made = [2, 1]
        if below(n):
            made.sort()  # <-
        return made
        """,
        "D144",
        "`.sort()` stands under a run-time test or loop, but would change the list in any case",
        "assign a local name, or return the changed value from a @task",
    ),
    "a list is inserted into": (
        """
        made = [2, 1]
        for k in numbers(n):
            made.insert(0, k)  # <-
        return made
        """,
        "D144",
        "`.insert()` stands under a run-time test or loop, but would change the list in any case",
        "assign a local name, or return the changed value from a @task",
    ),
    "a global is assigned": (
        """
        TOTAL = 0

        @pipeline
        def flow(n: int) -> Any:
            global TOTAL
            if below(n):
                TOTAL = 1  # <-
            return 1
        """,
        "D144",
        "`TOTAL` is bound under a run-time test or loop, but a `nonlocal` or `global` name would be in any case",
        "assign a local name and return it",
    ),
    "a nonlocal is added to": (
        """
        total = 0

        def bump():
            nonlocal total
            total += 1  # <-

        for k in numbers(n):
            bump()
        return total
        """,
        "D144",
        "`total` is bound under a run-time test or loop, but a `nonlocal` or `global` name would be in any case",
        "assign a local name and return it",
    ),
    "a global is deleted": (
        """
        TOTAL = 0

        @pipeline
        def flow(n: int) -> Any:
            global TOTAL
            if below(n):
                del TOTAL  # <-
            return 1
        """,
        "D144",
        "`TOTAL` is bound under a run-time test or loop, but a `nonlocal` or `global` name would be in any case",
        "assign a local name and return it",
    ),
}


@pytest.mark.parametrize(("body", "code", "what", "fix"), CASES.values(), ids=CASES)
def test_it_is_refused(
    body: str, code: str, what: str, fix: str, refused: Callable[[str], tuple[Diagnostic, str]]
) -> None:
    found, line = refused(body)
    assert (found.code, found.what, found.fix) == (code, what, fix)
    assert line.endswith("# <-")
