"""Values of many types over every edge: dates, decimals, bytes, sets, nested optionals, as parameters, items and results."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from drawloom import pipeline, task


@task
def later(day: date, days: int) -> date:
    return day + timedelta(days=days)


@task
def moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


@task
def price(text: str) -> Decimal:
    return Decimal(text)


@task
def coded(text: str) -> bytes:
    return text.encode()


@task
def optional(number: int) -> list[int | None] | None:
    return None if number < 0 else [number, None]


@pipeline
def typed(day: date, number: int, text: str) -> tuple[list[date], datetime, Decimal, bytes, list[int | None] | None]:
    days = [later(day, n) for n in (0, 1) if n != number]
    when = moment(days[-1])
    if day < date(2024, 3, 1):
        when = moment(later(day, 60))
    cost = price(text)
    if cost > price("1.00"):
        cost = cost * 2
    made = optional(number)
    if made is not None and made[1] is None:
        made = optional(number + 1)
    return days, when, cost, coded(text), made


CASES = {
    "early": (typed, {"day": date(2024, 2, 29), "number": 1, "text": "1.10"}),
    "late": (typed, {"day": date(2024, 12, 31), "number": -1, "text": "0.10"}),
}
