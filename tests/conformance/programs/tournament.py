"""A mixture: rounds of games until one is left, with byes, a bound, a helper and a record of it all."""

from drawloom import bounded, pipeline, task


@task
def strength(player: str) -> int:
    return sum(ord(letter) for letter in player) % 17


@task
def play(one: str, other: str, first: int, second: int) -> str:
    return one if first >= second else other


@task
def pair_up(players: list[str]) -> list[tuple[str, str]]:
    return list(zip(players[::2], players[1::2]))


@task
def left_over(players: list[str]) -> str | None:
    return players[-1] if len(players) % 2 else None


def winner(one: str, other: str) -> str:
    if one == other:
        return one
    return play(one, other, strength(one), strength(other))


@pipeline
def tournament(players: list[str]) -> tuple[str, int, list[int]]:
    if not players:
        raise ValueError("nobody plays")
    rounds = 0
    sizes: list[int] = []
    for _ in bounded(5):
        if len(players) == 1:
            break
        rest = left_over(players)
        players = [winner(one, other) for one, other in pair_up(players)]
        if rest is not None:
            players = [*players, rest]
        rounds += 1
        sizes = sizes + [len(players)]
    return players[0], rounds, sizes


CASES = {
    "five": (tournament, {"players": ["ann", "bob", "cy", "dee", "eve"]}),
    "one": (tournament, {"players": ["ann"]}),
    "none": (tournament, {"players": []}),
}
