"""`Schedule`: when an engine starts runs of a pipeline by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drawloom.dsl.place import refusal

if TYPE_CHECKING:
    from typing import Literal

    from drawloom.ir.policies import SchedulePolicy

__all__ = ["Schedule"]

_CATCH_UP: dict[object, str] = {False: "none", "latest": "latest", True: "all"}
_OVERLAP = ("skip", "replace", "allow")


class Schedule:
    """When an engine starts runs of a pipeline: `@pipeline(schedule=Schedule("0 6 * * *", zone="Europe/Berlin"))`.

    Args:
        cron: five fields: minute, hour, day of month, month, day of week.
        zone: the IANA name of the time zone the fields are in.
        catch_up: what is made of the times that the engine missed: False for none, `"latest"` for the last one, True
            for each of them.
        overlap: what happens at a time where the run before still goes on: `"skip"` the new one, `"replace"` the old
            one, `"allow"` both.

    Raises:
        DefinitionError: the cron expression is wrong (D165), or another argument is (D108).
    """

    __slots__ = ("catch_up", "cron", "overlap", "zone")

    def __init__(
        self,
        cron: str,
        *,
        zone: str,
        catch_up: bool | Literal["latest"] = False,
        overlap: Literal["skip", "replace", "allow"] = "skip",
    ) -> None:
        self.cron = cron
        self.zone = zone
        self.catch_up = catch_up
        self.overlap = overlap
        if type(cron) is not str:
            raise _bad("cron", cron, "a text of five fields")
        if type(zone) is not str or not zone:
            raise _bad("zone", zone, 'the IANA name of a time zone ("Europe/Berlin")')
        if type(catch_up) is not bool and catch_up != "latest":
            raise _bad("catch_up", catch_up, 'True, False or "latest"')
        if overlap not in _OVERLAP:
            raise _bad("overlap", overlap, '"skip", "replace" or "allow"')
        from drawloom.ir.cron import BadCron, Cron  # lazy: only modules with schedules pay for it

        try:
            Cron(cron)
        except BadCron as problem:
            raise refusal("D165", f"the schedule {cron!r} is wrong: {problem.what}", problem.fix) from None

    def policy(self) -> SchedulePolicy:
        """The same in the IR."""
        from drawloom.ir.policies import SchedulePolicy  # lazy: a step constructs schedules, and never asks

        return SchedulePolicy(" ".join(self.cron.split()), self.zone, _CATCH_UP[self.catch_up], self.overlap)

    def __repr__(self) -> str:
        return f"Schedule({self.cron!r}, zone={self.zone!r}, catch_up={self.catch_up!r}, overlap={self.overlap!r})"


def _bad(name: str, value: Any, expected: str) -> Exception:
    return refusal("D108", f"Schedule({name}={value!r}) must be {expected}", f"pass {expected} as `{name}`")
