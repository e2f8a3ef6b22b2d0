"""Cycles in a block: which nodes wait for each other, and a shortest circle to show. Nothing here recurses."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

__all__ = ["components", "shortest_way"]

Edges = Mapping[str, Sequence[str]]


def components(edges: Edges) -> dict[str, int]:
    """The strongly connected component of each name: two names have the same number if each leads to the other.

    Args:
        edges: name -> the names it leads to, all of them keys too.

    >>> found = components({"a": ["b"], "b": ["a", "c"], "c": []})
    >>> found["a"] == found["b"] != found["c"]
    True
    """
    return _Tarjan(edges).component


class _Tarjan:
    """R. Tarjan, "Depth-first search and linear graph algorithms" (1972), with the call stack as a list."""

    def __init__(self, edges: Edges) -> None:
        self.edges = edges
        self.component: dict[str, int] = {}
        self.order: dict[str, int] = {}  # when a name was first seen
        self.lowest: dict[str, int] = {}  # the earliest name it leads back to
        self.path: list[str] = []
        self.on_path: set[str] = set()
        for name in edges:
            if name not in self.order:
                self.search(name)

    def search(self, root: str) -> None:
        self.enter(root)
        calls = [(root, iter(self.edges[root]))]
        while calls:
            name, following = calls[-1]
            step = next(following, None)
            if step is None:
                calls.pop()
                self.leave(name)
                if calls:
                    parent = calls[-1][0]
                    self.lowest[parent] = min(self.lowest[parent], self.lowest[name])
            elif step not in self.order:
                self.enter(step)
                calls.append((step, iter(self.edges[step])))
            elif step in self.on_path:
                self.lowest[name] = min(self.lowest[name], self.order[step])

    def enter(self, name: str) -> None:
        self.order[name] = self.lowest[name] = len(self.order)
        self.path.append(name)
        self.on_path.add(name)

    def leave(self, name: str) -> None:
        if self.lowest[name] != self.order[name]:
            return
        while True:
            member = self.path.pop()
            self.on_path.discard(member)
            self.component[member] = self.order[name]
            if member == name:
                return


def shortest_way(start: str, end: str, edges: Edges) -> list[str]:
    """The names on a shortest way from `start` to `end`, both included; `[end]` if there is none.

    >>> shortest_way("a", "c", {"a": ["b", "x"], "b": ["c"], "x": [], "c": []})
    ['a', 'b', 'c']
    """
    came_from: dict[str, str] = {start: ""}
    waiting = deque([start])
    while waiting and end not in came_from:
        name = waiting.popleft()
        for following in edges[name]:
            if following not in came_from:
                came_from[following] = name
                waiting.append(following)
    way = [end]
    while came_from.get(way[-1]):
        way.append(came_from[way[-1]])
    return way[::-1]
