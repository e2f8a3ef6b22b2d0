"""Loops over known things with run-time values in them: ranges, lists, dicts' items, nested, with a carried value."""

from drawloom import pipeline, task

RATES = {"low": 0.5, "high": 2.0}


@task
def scale(number: float, rate: float) -> float:
    return number * rate


@task
def label(name: str, number: float) -> str:
    return f"{name}={number}"


@task
def join(items: list[str]) -> str:
    return ",".join(items)


@pipeline
def rated(number: float) -> str:
    made = []
    for name, rate in RATES.items():
        scaled = scale(number, rate)
        made.append(label(name, scaled))
    for a in (1, 2):
        for b in range(a):
            number = scale(number, 10.0)
            if a == 2 and b == 1:
                made.append(label("last", number))
    return join(made)


@pipeline
def folded(number: float) -> list[float]:
    kept = [number]
    for rate in [2.0, 3.0]:
        kept.append(scale(kept[-1], rate))
        if kept[-1] > 100:
            kept.append(-1.0)
    counted = 0
    while counted < 2:
        kept.append(float(counted))
        counted += 1
    return kept


CASES = {
    "rated": (rated, {"number": 3.0}),
    "folded": (folded, {"number": 1.5}),
    "folded-above": (folded, {"number": 60.0}),
}
