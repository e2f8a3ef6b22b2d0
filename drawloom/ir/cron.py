"""Cron expressions of five fields: what they say, and when they say it in a zone.

    minute hour day-of-month month day-of-week       "30 6 * * MON-FRI"

Only what every engine's cron reads alike is taken: `*`, numbers, ranges, lists, steps of `*` or of a range, and English
names of months and days. An expression means the minutes at which a clock on the wall of the zone shows a time that
fits: none where the clock is put forward past it, two where it is put back over it (robfig/cron does so, which Argo
and Kubernetes use). Where day of month and day of week are both restricted, one of them is enough.

Of our own because a step computes the interval its run is for, and a step has the standard library alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime, tzinfo

__all__ = ["BadCron", "Cron", "UnknownZone", "zone_of"]

_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# name, first and last number, names of the numbers from the first on
_FIELDS: Final[tuple[tuple[str, int, int, tuple[str, ...]], ...]] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 6, _DAYS),
)
_LONGEST: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAYS_BACK: Final = 366 * 9  # 29 February is rarest: from 1896 to 1904 there was none


class BadCron(ValueError):
    """A text is no cron expression that every engine reads alike.

    Attributes:
        what, fix: as in a diagnostic.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


class UnknownZone(ValueError):
    """There is no such time zone, or no data on it where this runs."""


class Cron:
    """A cron expression.

    Args:
        text: the five fields.

    Raises:
        BadCron: it isn't one, or its time never comes.

    >>> Cron("*/20 6 * * *").minutes
    [0, 20, 40]
    """

    __slots__ = ("_any_day", "_days", "_months", "_weekdays", "hours", "minutes")

    def __init__(self, text: str) -> None:
        parts = text.split()
        if len(parts) != len(_FIELDS):
            fix = "write `minute hour day-of-month month day-of-week`: `0 6 * * *` is each day at six"
            raise BadCron(f"it has {len(parts)} fields, and cron has 5", fix)
        found = [_numbers(part, *field) for part, field in zip(parts, _FIELDS, strict=True)]
        self.minutes, self.hours = sorted(found[0]), sorted(found[1])
        self._days, self._months, self._weekdays = found[2], found[3], found[4]
        stars = "*" in parts[2], "*" in parts[4]
        self._any_day = not any(stars)
        for star, part, other, field in ((stars[0], parts[2], parts[4], 2), (stars[1], parts[4], parts[2], 4)):
            if star and part != "*" and other != "*":
                name, first, last, _ = _FIELDS[field]
                what = f"crons disagree on `{part}` as the {name} beside a restricted other one"
                raise BadCron(what, f"write the range: `{part.replace('*', f'{first}-{last}')}`")
        if stars[1] and not any(day <= _LONGEST[month - 1] for day in self._days for month in self._months):
            raise BadCron("it names days that no such month has", "name another day of the month")

    def before(self, moment: datetime, zone: tzinfo) -> datetime:
        """The last time before a moment, in the zone."""
        return self._last(moment, zone, including=False)

    def latest(self, moment: datetime, zone: tzinfo) -> datetime:
        """The last time before a moment, or the moment itself, in the zone."""
        return self._last(moment, zone, including=True)

    def _last(self, moment: datetime, zone: tzinfo, *, including: bool) -> datetime:
        from datetime import UTC, timedelta

        limit = moment.astimezone(UTC)
        day = moment.astimezone(zone).date() + timedelta(days=1)
        for _ in range(_DAYS_BACK):
            # the day before has later times only where the clock was put back over midnight
            times = [*self._times(day, zone), *self._times(day - timedelta(days=1), zone)]
            found = [time for time in times if time < limit or (including and time == limit)]
            if found:
                return max(found).astimezone(zone)
            day -= timedelta(days=1)
        raise AssertionError("a time that comes comes within nine years")

    def _times(self, day: date, zone: tzinfo) -> Iterator[datetime]:
        """The times of a day, in UTC."""
        from datetime import UTC, datetime

        if not self._has(day):
            return
        for hour in self.hours:
            for minute in self.minutes:
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                other = local.replace(fold=1)
                if local.utcoffset() == other.utcoffset():
                    yield local.astimezone(UTC)
                elif local.astimezone(UTC) < other.astimezone(UTC):  # the clock shows it twice; else, never
                    yield local.astimezone(UTC)
                    yield other.astimezone(UTC)

    def _has(self, day: date) -> bool:
        if day.month not in self._months:
            return False
        by_day, by_weekday = day.day in self._days, day.isoweekday() % 7 in self._weekdays
        return by_day or by_weekday if self._any_day else by_day and by_weekday


def zone_of(name: str) -> tzinfo:
    """The time zone of an IANA name.

    Raises:
        UnknownZone: there is none, or no data on it here.
    """
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:  # KeyError: ZoneInfoNotFoundError; OSError: `Europe`, a folder
        raise UnknownZone(name) from error


def _numbers(part: str, name: str, first: int, last: int, names: tuple[str, ...]) -> set[int]:
    found: set[int] = set()
    for piece in part.split(","):
        span, slash, step = piece.partition("/")
        start, end = first, last
        if span != "*":
            low, dash, high = span.partition("-")
            start = _number(low, part, name, first, last, names)
            end = _number(high, part, name, first, last, names) if dash else start
            if slash and not dash:
                raise BadCron(
                    f"`{part}` as the {name}: crons disagree on a step behind one number",
                    f"write `{span}-{last}/{step}`",
                )
        if end < start:
            raise BadCron(
                f"`{part}` as the {name} has a range that ends before it begins", "write two ranges: `FRI-SAT,SUN-MON`"
            )
        if slash and not (step.isascii() and step.isdigit() and 0 < int(step) <= last):
            raise BadCron(f"`{part}` as the {name} has the step {step!r}", f"use a step from 1 to {last}")
        found.update(range(start, end + 1, int(step) if slash else 1))
    return found


def _number(text: str, part: str, name: str, first: int, last: int, names: tuple[str, ...]) -> int:
    if text.upper() in names:
        return names.index(text.upper()) + first
    if text.isascii() and text.isdigit() and len(text) <= 2 and first <= int(text) <= last:
        return int(text)
    also = f", or {names[0]} to {names[-1]}" if names else ""
    fix = f"use numbers from {first} to {last}{also}" + ("; Sunday is 0" if name == "day of week" else "")
    raise BadCron(f"`{part}` as the {name} has {text!r}", fix)
