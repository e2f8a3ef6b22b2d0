"""The first example of all: load, train in parallel, choose, and publish only what is good enough."""

from pathlib import Path

import pandas as pd
from sklearn.ensemble import RandomForestClassifier

from drawloom import File, Retry, pipeline, task

PACKAGES = True  # steps need the installed packages


@task(packages=["pandas", "pyarrow"])
def load(csv: File) -> pd.DataFrame:
    return pd.read_csv(csv.path)


@task(retry=Retry(max_attempts=3), attempt_timeout_seconds=600)
def train(table: pd.DataFrame, depth: int) -> RandomForestClassifier:
    model = RandomForestClassifier(n_estimators=5, max_depth=depth, random_state=0)
    return model.fit(table.drop(columns="left"), table["left"])


@task
def score(model: RandomForestClassifier, table: pd.DataFrame) -> float:
    return float(model.score(table.drop(columns="left"), table["left"]))


@task
def best(models: list[RandomForestClassifier], scores: list[float]) -> RandomForestClassifier:
    return models[scores.index(max(scores))]


@task
def publish(model: RandomForestClassifier) -> None:
    print(f"published a forest of depth {model.max_depth}")


@pipeline
def churn(csv: File, depths: list[int] = [2, 4, 8], minimum: float = 0.8) -> RandomForestClassifier | None:  # noqa: B006  # as users write it
    table = load(csv)
    models = [train(table, depth) for depth in depths]  # a fan-out whose width is known only at run time
    winner = best(models, [score(model, table) for model in models])
    if score(winner, table) > minimum:  # a branch on a run-time value
        publish(winner)
        return winner
    return None


CSV = File(str(Path(__file__).with_name("churn.csv")))
CASES = {
    "published": (churn, {"csv": CSV}),
    "not-good-enough": (churn, {"csv": CSV, "depths": [1], "minimum": 0.999}),
    "no-depths": (churn, {"csv": CSV, "depths": []}),
}
