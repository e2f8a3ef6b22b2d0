"""Lists, tuples and dicts with run-time values in them: handed to tasks, nested, read again, returned."""

from drawloom import pipeline, task


@task
def inc(number: int) -> int:
    return number + 1


@task
def weigh(table: dict[str, list[int]], pair: tuple[int, str]) -> int:
    return sum(len(name) * sum(items) for name, items in table.items()) + pair[0] * len(pair[1])


@task
def depth(tree: dict[str, dict[str, int]]) -> list[str]:
    return sorted(f"{a}.{b}={n}" for a, inner in tree.items() for b, n in inner.items())


@pipeline
def composed(number: int, name: str) -> tuple[int, list[str], dict[str, tuple[int, int]]]:
    one, two = inc(number), inc(number + 1)
    table = {"a": [one, two, 3], "bb": [number]}
    table["c"] = [*table["a"], one]
    named = {"a": table["a"], "bb": table["c"], name: [two]}
    tree = {"x": {"one": one, **{"two": two}}, f"y{one}": {}}
    if two > 3:
        weight = weigh(named, (two, name))
    else:
        weight = weigh({**table, "d": [two]}, (one, "short"))
    return weight, depth(tree), {"pair": (one, table["a"][1])}


CASES = {
    "large": (composed, {"number": 5, "name": "nn"}),
    "small": (composed, {"number": 0, "name": "nn"}),
}
