"""Faults for tests of the step protocol: die, wait or fail at an exact point, asked for by one environment variable.

`DRAWLOOM_FAULTS` holds `point=action` pairs, a comma between them, and is looked at once, when a step starts; unset,
which is always so outside such tests, nothing of this module is loaded. Points: `start`, `before-run`, `before-commit`,
`after-commit`, `store` (each operation on the store). Actions: `kill` (SIGKILL to the own process), `exit:N`, `sleep:S`
(seconds), `fail:N` (the first N operations on the store raise; for the point `store` alone).
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from drawloom.storage.base import Storage
from drawloom.storage.problems import store_error

__all__ = ["VARIABLE", "FaultyStorage", "at", "parse"]

VARIABLE = "DRAWLOOM_FAULTS"


def parse(text: str) -> dict[str, str]:
    """The action for each point.

    >>> parse("before-commit=kill,store=sleep:0.02")
    {'before-commit': 'kill', 'store': 'sleep:0.02'}
    """
    return dict(part.split("=", 1) for part in text.split(",") if part)


def at(point: str, text: str) -> None:
    """Does what `text`, the variable's value, wants done at `point`."""
    action, _, number = parse(text).get(point, "").partition(":")
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "exit":
        os._exit(int(number))
    elif action == "sleep":
        time.sleep(float(number))


class FaultyStorage:
    """A storage that is slow, or fails at first; every other attribute is the real one's."""

    def __init__(self, storage: Storage, action: str) -> None:
        kind, _, number = action.partition(":")
        self._storage = storage
        self._sleep = float(number) if kind == "sleep" else 0.0
        self._failing = int(number) if kind == "fail" else 0

    def __getattr__(self, name: str) -> Any:  # any attribute of a storage
        found = getattr(self._storage, name)
        if not callable(found):
            return found

        def operation(*args: Any, **keywords: Any) -> Any:
            time.sleep(self._sleep)
            if self._failing > 0:
                self._failing -= 1
                raise store_error(
                    "S403", f"the store failed on purpose in `{name}`", self._storage.url, "unset the fault"
                )
            return found(*args, **keywords)

        return operation
