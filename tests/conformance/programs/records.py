"""Dataclasses, named tuples and enums: fields in tests, loops and expressions; records made by tasks, items that are ones."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from drawloom import pipeline, task


class Kind(Enum):
    """What an item is."""

    BOOK = "book"
    TOY = "toy"


@dataclass(frozen=True)
class Item:
    """An item of an order."""

    name: str
    price: float
    kind: Kind


class Order(NamedTuple):
    """Some items and who wants them."""

    customer: str
    items: list[Item]


@task
def order(customer: str, names: list[str]) -> Order:
    kinds = (Kind.BOOK, Kind.TOY)
    return Order(customer, [Item(name, len(name) * 2.5, kinds[len(name) % 2]) for name in names])


@task
def taxed(item: Item, rate: float) -> Item:
    return Item(item.name, item.price * (1 + rate), item.kind)


@task
def line(name: str, price: float) -> str:
    return f"{name} {price:.2f}"


@pipeline
def receipt(customer: str, names: list[str]) -> tuple[list[str], float, Item | None]:
    made = order(customer, names)
    if made.customer == "":
        return [], 0.0, None
    lines = []
    total = 0.0
    dearest = None
    for item in made.items:
        if item.kind == Kind.BOOK:
            item = taxed(item, 0.1)
        lines.append(line(item.name, item.price))
        total += item.price
        if dearest is None or item.price > dearest.price:
            dearest = item
    return lines, total, dearest


CASES = {
    "both-kinds": (receipt, {"customer": "x", "names": ["ab", "abc", "a"]}),
    "no-items": (receipt, {"customer": "x", "names": []}),
    "nobody": (receipt, {"customer": "", "names": ["ab"]}),
}
