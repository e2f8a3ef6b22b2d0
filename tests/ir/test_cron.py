"""What cron expressions mean: held to croniter where no clock is put forward or back, and to a table where one is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from drawloom.ir.cron import BadCron, Cron, UnknownZone, zone_of

BERLIN = ZoneInfo("Europe/Berlin")


def _field(first: int, last: int, *, star: bool = True) -> st.SearchStrategy[str]:
    number = st.integers(first, last)
    pair = st.lists(number, min_size=2, max_size=2, unique=True).map(sorted)
    pieces = [number.map(str), pair.map(lambda p: f"{p[0]}-{p[1]}")]
    pieces += [st.tuples(pair, st.integers(1, last)).map(lambda p: f"{p[0][0]}-{p[0][1]}/{p[1]}")]
    lists = st.lists(st.one_of(pieces), min_size=1, max_size=3, unique=True).map(",".join)
    if not star:
        return lists
    return st.one_of(st.just("*"), st.integers(1, last).map(lambda step: f"*/{step}"), lists)


EXPRESSIONS = st.one_of(
    st.tuples(_field(0, 59), _field(0, 23), _field(1, 31), _field(1, 12), st.just("*")),
    st.tuples(_field(0, 59), _field(0, 23), st.just("*"), _field(1, 12), _field(0, 6)),
    st.tuples(_field(0, 59), _field(0, 23), _field(1, 31, star=False), _field(1, 12), _field(0, 6, star=False)),
).map(" ".join)
MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))


@settings(deadline=None, max_examples=60)
@given(EXPRESSIONS, MOMENTS)
def test_the_time_before_a_moment_is_croniters(text: str, moment: datetime) -> None:
    try:
        cron = Cron(text)
    except BadCron:
        assume(False)
    found = cron.before(moment, UTC)
    assert found == croniter(text, moment, max_years_between_matches=20).get_prev(datetime)
    assert found < moment
    assert cron.latest(found, UTC) == found


@settings(deadline=None, max_examples=60)
@given(
    EXPRESSIONS, MOMENTS, st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
)
def test_each_time_fits_the_clock_on_the_wall(text: str, moment: datetime, zone: str) -> None:
    """Between a time and the one before it no minute fits: told by looking at the last of them."""
    try:
        cron = Cron(text)
    except BadCron:
        assume(False)
    here = ZoneInfo(zone)
    tick = cron.latest(moment, here)
    assert tick <= moment
    minute = moment.replace(second=0, microsecond=0)
    for _ in range(30):
        if minute < tick:
            break
        assert croniter.match(text, minute.astimezone(here).replace(tzinfo=None)) is (minute == tick)
        if minute == tick:
            break
        minute -= timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "times"),
    [
        # forward at 02:00 on 29 March 2026: 02:30 never is
        ("30 2 * * *", ["2026-03-30T02:30:00+02:00", "2026-03-28T02:30:00+01:00"]),
        ("30 1-3 * * *", ["2026-03-29T03:30:00+02:00", "2026-03-29T01:30:00+01:00", "2026-03-28T03:30:00+01:00"]),
    ],
)
def test_a_time_that_the_clock_leaves_out_never_comes(text: str, times: list[str]) -> None:
    moment = datetime.fromisoformat(times[0])
    assert [moment := Cron(text).before(moment, BERLIN) for _ in times[1:]] == [
        datetime.fromisoformat(time) for time in times[1:]
    ]


def test_a_time_that_the_clock_shows_twice_comes_twice() -> None:
    moment, found = datetime.fromisoformat("2026-10-26T00:00:00+01:00"), []
    for _ in range(3):
        moment = Cron("30 2 * * *").before(moment, BERLIN)
        found.append(moment.isoformat())
    assert found == ["2026-10-25T02:30:00+01:00", "2026-10-25T02:30:00+02:00", "2026-10-24T02:30:00+02:00"]


def test_the_rarest_day_is_found() -> None:
    assert Cron("0 0 29 2 *").before(datetime(1904, 1, 1, tzinfo=UTC), UTC).year == 1896


def test_names_are_numbers() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert Cron("0 0 * jan-MAR sun,TUE").before(moment, UTC) == Cron("0 0 * 1-3 0,2").before(moment, UTC)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "it has 0 fields, and cron has 5"),
        ("@daily", "it has 1 fields, and cron has 5"),
        ("0 0 6 * * *", "it has 6 fields, and cron has 5"),
        ("60 * * * *", "`60` as the minute has '60'"),
        ("-1 * * * *", "`-1` as the minute has ''"),
        ("0 24 * * *", "`24` as the hour has '24'"),
        ("0 0 0 * *", "`0` as the day of month has '0'"),
        ("0 0 * 13 *", "`13` as the month has '13'"),
        ("0 0 * * 7", "`7` as the day of week has '7'"),
        ("0 0 * * FRI-MON", "`FRI-MON` as the day of week has a range that ends before it begins"),
        ("5/10 * * * *", "`5/10` as the minute: crons disagree on a step behind one number"),
        ("*/0 * * * *", "`*/0` as the minute has the step '0'"),
        ("*/ * * * *", "`*/` as the minute has the step ''"),
        ("1,,2 * * * *", "`1,,2` as the minute has ''"),
        ("٣ * * * *", "`٣` as the minute has '٣'"),
        ("007 * * * *", "`007` as the minute has '007'"),
        ("0 0 L * *", "`L` as the day of month has 'L'"),
        ("0 0 ? * MON", "`?` as the day of month has '?'"),
        ("0 0 30 2 *", "it names days that no such month has"),
        ("0 0 */2 * MON", "crons disagree on `*/2` as the day of month beside a restricted other one"),
        ("0 0 1 * 1,*", "crons disagree on `1,*` as the day of week beside a restricted other one"),
        ("{{x}} * * * *", "`{{x}}` as the minute has '{{x}}'"),
        ("0 6 * *\n", "it has 4 fields, and cron has 5"),
    ],
)
def test_what_crons_do_not_read_alike_is_refused(text: str, what: str) -> None:
    with pytest.raises(BadCron) as caught:
        Cron(text)
    assert (caught.value.what, bool(caught.value.fix)) == (what, True)


@pytest.mark.parametrize(
    "name", ["Europe", "Europe/Atlantis", "", "../../etc/passwd", "/etc/localtime", "{{x}}", "a\0b", "é" * 300]
)
def test_a_zone_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(UnknownZone):
        zone_of(name)
