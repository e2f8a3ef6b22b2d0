"""Which tracer is at work, if any.

A module of its own, so that `dsl.task` can ask without importing the tracer: a step imports `drawloom.task` and
never traces.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drawloom.dsl.tracer import Tracer

__all__ = ["CURRENT"]

CURRENT: ContextVar[Tracer | None] = ContextVar("drawloom_tracer", default=None)
