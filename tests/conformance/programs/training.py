"""A training pipeline on a real table: models of several depths are fitted in parallel, the best one is kept if it is
good enough, a plain one otherwise."""

import numpy as np
from sklearn.datasets import load_wine
from sklearn.dummy import DummyClassifier
from sklearn.tree import DecisionTreeClassifier

from drawloom import pipeline, task

TAGS = {"scale"}
PACKAGES = True  # steps need the installed packages


@task
def load(least: float) -> tuple[np.ndarray, np.ndarray]:
    wine = load_wine()
    kept = wine.data[:, 0] >= least
    return wine.data[kept], wine.target[kept]


@task
def part(rows: np.ndarray, odd: bool) -> np.ndarray:
    return rows[1::2] if odd else rows[::2]


@task
def train(rows: np.ndarray, labels: np.ndarray, depth: int) -> DecisionTreeClassifier:
    return DecisionTreeClassifier(max_depth=depth, random_state=0).fit(rows, labels)


@task
def guess(rows: np.ndarray, labels: np.ndarray) -> DummyClassifier:
    return DummyClassifier().fit(rows, labels)


@task
def score(model: DecisionTreeClassifier, rows: np.ndarray, labels: np.ndarray) -> float:
    return float(model.score(rows, labels))


@task
def publish(path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(f"{line}\n")


@pipeline
def training(path: str, depths: list[int], minimum: float, least: float = 11.0) -> tuple[list[float], int, float]:
    rows, labels = load(least)
    seen, seen_labels = part(rows, False), part(labels, False)
    kept, kept_labels = part(rows, True), part(labels, True)
    models = [train(seen, seen_labels, depth) for depth in depths]
    scores = [score(model, kept, kept_labels) for model in models]
    best, reached = 0, 0.0
    for depth, found in zip(depths, scores):
        if found > reached:
            best, reached = depth, found
    if reached >= minimum:
        publish(path, f"depth {best}")
        return scores, best, reached
    guess(seen, seen_labels)
    publish(path, "a guess")
    return scores, 0, reached


CASES = {
    "good": (training, {"depths": [1, 2, 4], "minimum": 0.8}),
    "not-good-enough": (training, {"depths": [1], "minimum": 0.99}),
    "no-depths": (training, {"depths": [], "minimum": 0.5}),
}
