"""Calls that would run while a pipeline is traced are refused: the exact texts and lines.

The mark stands at the line that the refusal names.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drawloom.errors import Diagnostic

CASES = {
    "a method by its class": (
        """
        return str.upper(word(n))  # <-
        """,
        "D141",
        "a run-time value is passed to `str.upper`, which runs while the pipeline is traced",
        "put the call in a @task",
    ),
    "a function of the standard library": (
        """
        return math.sqrt(double(n))  # <-
        """,
        "D141",
        "a run-time value is passed to `math.sqrt`, which runs while the pipeline is traced",
        "put the call in a @task",
    ),
    "a run-time value in a list": (
        """
        return zlib.crc32([double(n)])  # <-
        """,
        "D141",
        "a run-time value is passed to `zlib.crc32`, which runs while the pipeline is traced",
        "put the call in a @task",
    ),
    "a run-time value by name": (
        """
        return math.isclose(a=1.0, b=double(n))  # <-
        """,
        "D141",
        "a run-time value is passed to `math.isclose`, which runs while the pipeline is traced",
        "put the call in a @task",
    ),
    "a list that grew": (
        """
        grown = []
        for k in numbers(n):
            grown.append(k)
        return math.prod(grown)  # <-
        """,
        "D141",
        "a run-time value is passed to `math.prod`, which runs while the pipeline is traced",
        "put the call in a @task",
    ),
    "what zip gave": (
        """
        return math.prod(zip(numbers(n), numbers(n)))  # <-
        """,
        "D141",
        "a run-time value is passed to `math.prod`, which runs while the pipeline is traced",
        "put the call in a @task",
    ),
    "reduce": (
        """
        return functools.reduce(max, numbers(n))  # <-
        """,
        "D141",
        "a run-time value is passed to `functools.reduce`, which runs while the pipeline is traced",
        "put the call in a @task",
    ),
    "over several lines": (
        """
        return math.sqrt(  # <-
            double(n),
        )
        """,
        "D141",
        "a run-time value is passed to `math.sqrt`, which runs while the pipeline is traced",
        "put the call in a @task",
    ),
    "a call of a user's object": (
        """
        class Caller:
            def __call__(self, x):
                return math.sqrt(x)  # <-

        @pipeline
        def flow(n: int) -> Any:
            return Caller()(n)
        """,
        "D141",
        "a run-time value is passed to `math.sqrt`, which runs while the pipeline is traced",
        "put the call in a @task",
    ),
    "print": (
        """
        print(double(n))  # <-
        """,
        "D143",
        "`print` is given a run-time value, whose text isn't known while the pipeline is traced",
        "use an f-string or `str()`, which are part of the graph, or a @task",
    ),
    "print of an f-string": (
        """
        print(f"{n}")  # <-
        """,
        "D143",
        "`print` is given a run-time value, whose text isn't known while the pipeline is traced",
        "use an f-string or `str()`, which are part of the graph, or a @task",
    ),
    "logging": (
        """
        logging.info("%s", n)  # <-
        """,
        "D143",
        "`logging.info` is given a run-time value, whose text isn't known while the pipeline is traced",
        "use an f-string or `str()`, which are part of the graph, or a @task",
    ),
    "a logger": (
        """
        logging.getLogger("a").warning("%s", n)  # <-
        """,
        "D143",
        "`logging.Logger.warning` is given a run-time value, whose text isn't known while the pipeline is traced",
        "use an f-string or `str()`, which are part of the graph, or a @task",
    ),
    "format of a text": (
        """
        return "{}".format(double(n))  # <-
        """,
        "D143",
        "`str.format` is given a run-time value, whose text isn't known while the pipeline is traced",
        "use an f-string or `str()`, which are part of the graph, or a @task",
    ),
    "format": (
        """
        return format(double(n), ">3")  # <-
        """,
        "D143",
        "`format` is given a run-time value, whose text isn't known while the pipeline is traced",
        "use an f-string or `str()`, which are part of the graph, or a @task",
    ),
    "join": (
        """
        return ",".join([word(n), "b"])  # <-
        """,
        "D143",
        "`str.join` is given a run-time value, whose text isn't known while the pipeline is traced",
        "use an f-string or `str()`, which are part of the graph, or a @task",
    ),
    "a decoding str": (
        """
        return str(anything(n), "utf8")  # <-
        """,
        "D143",
        "`str()` decodes a run-time value",
        "decode it in a @task",
    ),
    "percent of a list": (
        """
        return word("%s" % [n])  # <-
        """,
        "D127",
        "input `n` of `word` is a text that was made of a run-time value: '[⟨run-time value the parameter `n`: int⟩]'",
        "make the text in a @task",
    ),
    "percent of a list that grew": (
        """
        grown = []
        for k in numbers(n):
            grown.append(k)
        return word("%s" % grown)  # <-
        """,
        "D127",
        "input `n` of `word` is a text that was made of a run-time value: '[⟨run-time value items of a list⟩]'",
        "make the text in a @task",
    ),
    "sorted by a function": (
        """
        return sorted(numbers(n), key=abs)  # <-
        """,
        "D148",
        "`sorted(key=...)` is used on a run-time list, but the function would run inside an expression",
        "use a comprehension that gives what is compared, or a @task",
    ),
    "max by a function": (
        """
        return max([double(n), n], key=abs)  # <-
        """,
        "D148",
        "`max(key=...)` is used on a run-time list, but the function would run inside an expression",
        "use a comprehension that gives what is compared, or a @task",
    ),
    "sum from a start": (
        """
        return sum(numbers(n), 1)  # <-
        """,
        "D148",
        "`sum()` is used on a run-time value with further arguments",
        "call it with the value alone, or in a @task",
    ),
    "min with a default": (
        """
        return min(numbers(n), default=1)  # <-
        """,
        "D148",
        "`min()` is used on a run-time value with further arguments",
        "call it with the value alone, or in a @task",
    ),
    "int with a base": (
        """
        return int(word(n), 16)  # <-
        """,
        "D148",
        "`int()` is used on a run-time value with further arguments",
        "call it with the value alone, or in a @task",
    ),
    "dict with names": (
        """
        return dict(table(n), a=1)  # <-
        """,
        "D148",
        "`dict()` is used on a run-time value with further arguments",
        "call it with the value alone, or in a @task",
    ),
    "zip that is strict": (
        """
        return list(zip(numbers(n), numbers(n), strict=True))  # <-
        """,
        "D148",
        "`zip()` is used on a run-time value with further arguments",
        "call it with the value alone, or in a @task",
    ),
    "a class that looks at its parts": (
        """
        class Config:
            def __new__(cls, depth):
                return object.__new__(cls)

        @pipeline
        def flow(n: int) -> Any:
            return Config(depth=n)  # <-
        """,
        "D152",
        "`flows.Config` is made of a run-time value, which it would hide",
        "pass the parts to a @task and make it there",
    ),
    "a class of a library": (
        """
        return frozenset(numbers(n))  # <-
        """,
        "D152",
        "`frozenset` is made of a run-time value, which it would hide",
        "pass the parts to a @task and make it there",
    ),
    "an exception class of a function": (
        """
        class Late(Exception): ...

        if below(n):
            raise Late("x")  # <-
        return 1
        """,
        "D152",
        "`flow.<locals>.Late` is raised in a run, but a class made in a function can't be found there",
        "define `Late` in the module",
    ),
    "a run-time value is raised": (
        """
        if below(n):
            raise anything(n)  # <-
        return 1
        """,
        "D117",
        "the result of `branch/anything` (Any) is raised, which is no exception",
        "raise an exception of a known class",
    ),
    "a method": (
        """
        return anything(n).lower()  # <-
        """,
        "D117",
        "the method `.lower()` of a run-time value is called, but it would run on a value that isn't known yet",
        "put the call in a @task",
    ),
    "a method the type doesn't have": (
        """
        return word(n).lower()  # <-
        """,
        "D116",
        "str has no field `lower`",
        "compute it in a @task",
    ),
    "a run-time list is appended to": (
        """
        xs = numbers(n)
        xs.append(1)  # <-
        return xs
        """,
        "D118",
        "`.append()` would change the result of `xs` (list[int]) in place",
        "write `x = x + [y]`, which makes a new value",
    ),
    "a run-time list is added to in place": (
        """
        xs = numbers(n)
        xs += [1]  # <-
        return xs
        """,
        "D118",
        "`+=` would change the result of `xs` (list[int]) in place",
        "write `x = x + y`, which makes a new value",
    ),
}


@pytest.mark.parametrize(("body", "code", "what", "fix"), CASES.values(), ids=CASES)
def test_the_call_is_refused(
    body: str, code: str, what: str, fix: str, refused: Callable[[str], tuple[Diagnostic, str]]
) -> None:
    found, line = refused(body)
    assert (found.code, found.what, found.fix) == (code, what, fix)
    assert line.endswith("# <-")
