"""`try ... except`: by class, by base class, the first that fits, several classes, none that fits, nothing raised."""

from drawloom import pipeline, task


class Trouble(Exception):
    """The base of what goes wrong here."""


class Late(Trouble):
    """It comes too late."""


class VeryLate(Late):
    """It comes much too late."""


class Lost(Trouble):
    """It doesn't come."""


@task
def deliver(days: int) -> str:
    if days < 0:
        raise Lost("lost")
    if days > 30:
        raise VeryLate(f"{days} days")
    if days > 10:
        raise Late(f"{days} days")
    return f"there after {10 // days}"


@task
def refund(amount: int) -> str:
    return f"refund {amount}"


@pipeline
def ordered(days: int) -> str:
    try:
        said = deliver(days)
    except VeryLate:
        said = refund(50)
    except Late:
        return refund(10)
    except (Lost, ZeroDivisionError):
        said = "sorry"
    return said + "."


@pipeline
def by_base(days: int) -> tuple[str, int]:
    tries = 1
    try:
        first = deliver(days)
        said = deliver(days + 5)
    except Trouble:
        said = refund(100)
    else:
        said = first + " and " + said
        tries += 1
    return said, tries


@pipeline
def everything(days: int, more: int) -> str:
    try:
        first = deliver(days)
        if first == "there after 2":
            return deliver(more)
        return first
    except Exception:
        return "anything"


CASES = {
    "nothing-raised": (ordered, {"days": 2}),
    "second-handler": (ordered, {"days": 11}),
    "first-handler": (ordered, {"days": 31}),
    "third-handler": (ordered, {"days": -1}),
    "third-handler-other-class": (ordered, {"days": 0}),
    "base-nothing": (by_base, {"days": 3}),
    "base-second-call": (by_base, {"days": 8}),
    "base-first-call": (by_base, {"days": -1}),
    "not-handled": (by_base, {"days": 0}),
    "everything": (everything, {"days": 0, "more": 0}),
    "everything-nothing": (everything, {"days": 2, "more": 1}),
    "returned-within": (everything, {"days": 4, "more": 10}),
    "raised-within-the-return": (everything, {"days": 4, "more": 11}),
}
