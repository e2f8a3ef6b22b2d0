"""A list that a loop extends and reads: each iteration reads what those before it have put there."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from drawloom import DefinitionError
from drawloom.dsl.tracing import Trace

Load = Callable[..., ModuleType]
Same = Callable[..., Trace]

HEAD = """
from __future__ import annotations
from typing import Any
from drawloom import *

@task
def numbers(n: int) -> list[int]: return list(range(n))
@task
def text(value: Any) -> str: return str(value)
@task
def find(n: int) -> int | None: return n if n > 2 else None

def more(out, n):
    out += [n]
def copy(out):
    return [*out]
def whole(out):
    return out
def get(held):
    return held.found

class Held:
    def __init__(self, value): self._value = value
    @property
    def found(self): return 0 if self._value is None else 1
"""
READ = [
    "out and 1", "1 if out else 2", "not out", "len(out)", "out[-1]", "out[0]", "out[x]", "out[1:]", "max(out)",
    "sum(out)", "any(out)", "min(out, [5])", "sorted(out)", "list(zip(out, out))", "list(enumerate(out))",
    "list(reversed(out))", "tuple(out)", "set(out)", "list(out)", "0 in out", "1 not in out", "[*out, 1]", "copy(out)",
    "[x, out]", "{'a': out}['a']", "whole(out)", "[o for o in out if o]", "out is None", "bool(out)",
]  # fmt: skip
OTHERWISE = [
    "out + [1]", "[1] + out", "out * 2", "whole(out) + [1]", "(lambda q: q + [2])(out)", "[o for o in out + [1]]",
    "out.copy()",
]  # fmt: skip
OTHERWISE_BEFORE = ["dict(a=out)", "out == [0]", "out != [0, 1]", "out < [0, 2]"]
REFUSED = ["out.index(0)", "(*out,)", "out.count(0)", "{*out}", "list(map(str, out))"]


def _read(user_module: Load, same: Same, body: str) -> None:
    module = user_module(
        f"{HEAD}\n@pipeline\ndef p(n: int) -> str:\n    out, made = [0], ''\n    for x in numbers(n):\n{body}    return made\n"
    )
    same(module, {"n": 0}, {"n": 1}, {"n": 3})


@pytest.mark.parametrize("read", [*READ, *OTHERWISE])
def test_a_list_is_read_behind_the_append(user_module: Load, same: Same, read: str) -> None:
    _read(user_module, same, f"        out.append(x)\n        made = text({read})\n")


@pytest.mark.parametrize("read", [*READ, *OTHERWISE, *OTHERWISE_BEFORE])
def test_a_list_is_read_before_the_append(user_module: Load, same: Same, read: str) -> None:
    _read(user_module, same, f"        made = text({read})\n        out.append(x)\n")


@pytest.mark.parametrize("read", REFUSED)
def test_what_looks_into_a_list_that_grows_is_refused(user_module: Load, same: Same, read: str) -> None:
    for first, second in ((f"made = text({read})", "out.append(x)"), ("out.append(x)", f"made = text({read})")):
        with pytest.raises(DefinitionError):
            _read(user_module, same, f"        {first}\n        {second}\n")


GROWN = {
    "append-continue": ("continue", "out.append(text(x))"),
    "append-break": ("break", "out.append(text(x))"),
    "known-item-continue": ("continue", "out += ['a']"),
    "run-time-item-continue": ("continue", "out += [text(x)]"),
    "run-time-item-break": ("break", "out += [text(x)]"),
}


@pytest.mark.parametrize(
    ("jump", "grown"),
    [pytest.param(*given, id=name) for name, given in GROWN.items()],
)
def test_a_list_grows_in_a_loop_with_a_jump(user_module: Load, same: Same, jump: str, grown: str) -> None:
    module = user_module(
        f"{HEAD}\n@pipeline\ndef p(n: int) -> list[str]:\n    out: list[str] = []\n    for x in numbers(n):\n"
        f"        if x == 2:\n            {jump}\n        {grown}\n    return out\n"
    )
    same(module, {"n": 0}, {"n": 2}, {"n": 5})


MADE_INSIDE = """
@pipeline
def inner(n: int) -> int:
    try:
        raise KeyError(n)
    except KeyError:
        made = [3]
    made.append(n if text(n) < "2" else 7)
    return len(made) + n

@pipeline
def p(n: int) -> list[int]:
    out = []
    for x in numbers(n):
        if x == 1:
            out.append(x)
        else:
            more = [y for y, z in [(inner(x), n), (1, 2)] for _ in numbers(z)]
            if x == 4:
                break
            out.append(len(more))
    return out
"""


def test_a_list_that_was_made_in_a_handler_and_comes_out_of_it_is_nobodys_outside(
    user_module: Load, same: Same
) -> None:
    same(user_module(HEAD + MADE_INSIDE), *({"n": n} for n in (0, 1, 2, 3, 6)))


# helpers that call nothing are staged as well


@pytest.mark.parametrize(
    "body",
    [
        "if n > 2:\n        more(out, 5)",
        "if n > 2:\n        pass\n    else:\n        more(out, n)",
        "for x in numbers(n):\n        more(out, x)",
        "if n > 2:\n        out = copy(out)\n        more(out, 5)",
        "held = Held(find(n))\n    more(out, get(held))",
        "held = Held(find(n))\n    more(out, held.found)",
    ],
)
def test_a_helper_without_calls_changes_and_looks_as_staged_code_does(user_module: Load, same: Same, body: str) -> None:
    module = user_module(f"{HEAD}\n@pipeline\ndef p(n: int) -> list[int]:\n    out = [0]\n    {body}\n    return out\n")
    same(module, {"n": 0}, {"n": 3})


def test_an_object_made_in_a_loop_may_be_filled_by_its_init(user_module: Load, same: Same) -> None:
    module = user_module(
        f"{HEAD}\n@pipeline\ndef p(n: int) -> list[int]:\n    out = []\n    for x in numbers(n):\n"
        "        held = Held(x)\n        out.append(held.found)\n    return out\n"
    )
    same(module, {"n": 0}, {"n": 3})
