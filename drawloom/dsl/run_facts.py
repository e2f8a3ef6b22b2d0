"""`run_info`: facts about the run that a pipeline can use as run-time values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drawloom.dsl.current import CURRENT
from drawloom.dsl.handles import Handle
from drawloom.dsl.place import refusal
from drawloom.ir.infer import RUN_INFO
from drawloom.ir.operands import RunInfo

__all__ = ["RunFacts", "run_info"]


class RunFacts:
    """Facts about the run, as run-time values: good inside a pipeline only."""

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return _fact("run_id")  # type: ignore[no-any-return]  # a handle, typed as what it stands for

    @property
    def logical_time(self) -> datetime:
        """The time the run is for, with its zone."""
        return _fact("logical_time")  # type: ignore[no-any-return]

    @property
    def interval_start(self) -> datetime:
        """The begin of the data the run is for, with its zone."""
        return _fact("interval_start")  # type: ignore[no-any-return]

    @property
    def interval_end(self) -> datetime:
        """The end of the data the run is for, with its zone."""
        return _fact("interval_end")  # type: ignore[no-any-return]


run_info = RunFacts()


def _fact(field: str) -> Any:
    tracer = CURRENT.get()
    if tracer is None:
        raise refusal(
            "D129",
            f"`run_info.{field}` is asked for outside a run",
            "ask for it inside a @pipeline, and give tasks the value as a parameter",
        )
    return Handle(tracer.block, RunInfo(field), RUN_INFO[field])
