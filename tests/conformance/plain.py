"""What the plain function of a program does in CPython: its result or exception, its effects, the calls it makes."""

from __future__ import annotations

import math
import pickle
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from reprlib import repr  # noqa: A004  # values may be large
from types import FrameType
from typing import Any

from harness import Case, take_lines

from drawloom.ir.envelope import class_ref


@dataclass(frozen=True)
class Ended:
    """How a run of a program ended.

    Args:
        result: what it returned, None if it raised.
        failure: the class and the text of the exception, None if it returned.
        lines: what its effects wrote.
        calls: task -> how often it was called.
    """

    result: Any
    failure: tuple[str, str] | None
    lines: tuple[str, ...]
    calls: Counter[str]


def run_plainly(case: Case, folder: Path) -> Ended:
    """Calls the plain function of a pipeline."""
    calls: Counter[str] = Counter()
    result, failure = None, None
    with _counted(case, calls):
        try:
            result = case.pipeline.function(**case.arguments(folder))
        except Exception as error:  # whatever the program raises is what is compared
            failure = (class_ref(type(error)), str(error))
    return Ended(result, failure, take_lines(folder), calls)


@contextmanager
def _counted(case: Case, calls: Counter[str]) -> Iterator[None]:
    """Counts the calls of tasks, without those that a task makes itself."""
    names = {task.function.__code__: task.name for task in case.tasks}
    inside: list[FrameType] = []

    def see(frame: FrameType, event: str, arg: object) -> None:
        if event == "call" and not inside and frame.f_code in names:
            calls[names[frame.f_code]] += 1
            inside.append(frame)
        elif event == "return" and inside and inside[-1] is frame:
            inside.pop()

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        yield
    finally:
        sys.setprofile(before)


def assert_equal(found: Any, expected: Any, where: str = "result") -> None:
    """Equal and of equal types, all the way down; dicts in the same order, floats to the last bit.

    >>> assert_equal([1, float("nan")], [1, float("nan")])
    """
    assert type(found) is type(expected), f"{where}: {type(found)} is not {type(expected)}"
    if isinstance(expected, float):
        same = math.isnan(found) if math.isnan(expected) else found.hex() == expected.hex()
        assert same, f"{where}: {repr(found)} is not {repr(expected)}"
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected), f"{where}: {repr(found)} is not {repr(expected)}"
        for at, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_equal(one, other, f"{where}[{at}]")
    elif isinstance(expected, dict):
        assert_equal(list(found), list(expected), f"{where}: keys")
        for key in expected:
            assert_equal(found[key], expected[key], f"{where}[{key!r}]")
    elif is_dataclass(expected):
        for part in fields(expected):
            assert_equal(getattr(found, part.name), getattr(expected, part.name), f"{where}.{part.name}")
    else:
        same = pickle.dumps(found) == pickle.dumps(expected) if hasattr(expected, "get_params") else found == expected
        assert same, f"{where}: {repr(found)} is not {repr(expected)}"


def is_subsequence(some: tuple[str, ...], all_: tuple[str, ...]) -> bool:
    """Whether `some` are among `all_`, in the same order.

    >>> is_subsequence(("a", "c"), ("a", "b", "c")), is_subsequence(("c", "a"), ("a", "b", "c"))
    (True, False)
    """
    rest = iter(all_)
    return all(line in rest for line in some)
