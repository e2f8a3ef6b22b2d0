"""The tasks, parameters and types of the pipelines that `ir_programs` makes."""

from __future__ import annotations

from typing import Any

import generated_tasks
from generated_tasks import Point

from drawloom.ir.canonical import canonical_json
from drawloom.ir.nodes import FunctionRef, Port, TaskSpec
from drawloom.ir.policies import CachePolicy, Policies, RetryPolicy
from drawloom.ir.types import BOOL, FLOAT, INT, NONE, STR, Type

__all__ = [
    "FAILURE",
    "FUNCTIONS",
    "HOSTILE",
    "INTS",
    "MATRIX",
    "MAYBE",
    "PAIR",
    "PARAMS",
    "PARAM_PORTS",
    "POINT",
    "POLICIES",
    "STRS",
    "TABLE",
    "TASKS",
    "TYPES",
]

INTS, STRS = Type("list", (INT,)), Type("list", (STR,))
MATRIX = Type("list", (INTS,))
PAIR = Type("tuple", (INT, STR))
TABLE = Type("dict", (STR, INT))
MAYBE = Type("union", (INT, NONE))
POINT = Type("dataclass", ref="generated_tasks:Point", fields=(("x", INT), ("label", STR)))
FAILURE = Type("failure")
TYPES = (INT, INT, INT, STR, INTS, INTS, STRS, MATRIX, PAIR, TABLE, POINT, FLOAT, MAYBE, BOOL)
HOSTILE = ("{{a}}", "${b}", "'\"`\\", "y", "1e-7", "", "two\nlines", "\x00\x7f\x1b[31m", "☃😀\u202e", "\ud800", "-> x")
PARAMS: dict[str, Any] = {
    "n": 3,
    "numbers": [4, 5, 0],
    "text": "{{x}} ${y} '\"\n☃",
    "point": Point(2**63, "\ud800"),
    "table": {"b": 1, "": 2},
}
PARAM_PORTS = (
    Port("n", INT),
    Port("numbers", INTS, "[1,2]"),
    Port("text", STR),
    Port("point", POINT),
    Port("table", TABLE),
    Port("path", STR),
    Port("late", STR, canonical_json('a"b')),  # takes its default
)


def _spec(name: str, result: Type, *inputs: tuple[str, Type], **more: Any) -> TaskSpec:
    ports = tuple(Port(port, type_, "2" if (name, port) == ("add", "b") else None) for port, type_ in inputs)
    # a digest of a task's own: equal ones would share cache entries
    digest = name.encode().hex().ljust(64, "0")[:64]
    return TaskSpec(f"generated_tasks:{name}", FunctionRef("generated_tasks", name, digest), ports, result, **more)


_RETRIED = Policies(RetryPolicy(max_attempts=2))
TASKS = (
    _spec("add", INT, ("a", INT), ("b", INT)),
    _spec("blame", STR, ("failure", FAILURE)),
    _spec("count_up", INTS, ("n", INT)),
    _spec("fails", INT, ("n", INT)),
    _spec("flaky", INT, ("path", STR), ("name", STR), ("fails", INT), policies=Policies(RetryPolicy(3))),
    _spec("grow", INTS, ("numbers", INTS)),
    _spec("large", INT, ("n", INT)),
    _spec("maybe", MAYBE, ("n", INT)),
    _spec("not_third", INT, ("n", INT), policies=_RETRIED),
    _spec("note", NONE, ("path", STR), ("line", STR), effect=True),
    _spec("point", POINT, ("x", INT), ("label", STR)),
    _spec("ratio", FLOAT, ("a", INT), ("b", INT)),
    _spec("shift", POINT, ("point", POINT), ("by", INT)),
    _spec("special", FLOAT, ("n", INT)),
    _spec("table", TABLE, ("keys", STRS), ("value", INT)),
    _spec("twice", MATRIX, ("numbers", INTS)),
    _spec("words", STRS, ("text", STR), ("n", INT)),
)
FUNCTIONS = {task.name: getattr(generated_tasks, task.function.qualname) for task in TASKS}
POLICIES = (
    Policies(),
    Policies(RetryPolicy(2, on=("builtins:ValueError",))),
    Policies(RetryPolicy(3, 0.001, 2.0, 0.002, on=("builtins:LookupError", "builtins:ZeroDivisionError", "infra"))),
    Policies(cache=CachePolicy(False)),
    Policies(cache=CachePolicy(True, "v2")),
)
