"""A mixture: orders are checked, priced and shipped, bad ones set aside, with effects and a report."""

from dataclasses import dataclass

from drawloom import pipeline, task


class Unknown(Exception):
    """There is no such thing."""


@dataclass(frozen=True)
class Order:
    """What somebody wants."""

    thing: str
    count: int


@task
def parse(text: str) -> list[Order]:
    return [Order(part.partition("*")[0], int(part.partition("*")[2] or 1)) for part in text.split()]


@task
def price(thing: str) -> float:
    prices = {"pen": 1.5, "book": 12.0}
    if thing not in prices:
        raise Unknown(thing)
    return prices[thing]


@task
def ship(path: str, thing: str, count: int) -> None:
    with open(path, "a") as file:
        file.write(f"{count} x {thing}\n")


@task
def report(lines: list[str], total: float) -> str:
    return "; ".join([*lines, f"total {total:.2f}"])


@pipeline
def orders(path: str, text: str, most: float = 100.0) -> tuple[str, list[str]]:
    lines: list[str] = []
    aside: list[str] = []
    total = 0.0
    for order in parse(text):
        if order.count <= 0:
            aside.append(f"{order.thing}: nothing")
            continue
        try:
            cost = price(order.thing) * order.count
        except Unknown:
            aside.append(f"{order.thing}: unknown")
            continue
        if total + cost > most:
            lines.append("stopped")
            break
        ship(path, order.thing, order.count)
        total += cost
        lines.append(f"{order.thing} {cost:.1f}")
    return report(lines, total), aside


CASES = {
    "fine": (orders, {"text": "pen*2 book"}),
    "some-aside": (orders, {"text": "pen*2 car book*0 book"}),
    "too-much": (orders, {"text": "pen book*9 pen"}),
    "none": (orders, {"text": ""}),
}
