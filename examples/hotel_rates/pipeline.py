"""What will a room cost? Three kinds of model, trained in parallel on real hotel bookings; the best one is reported."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.base import RegressorMixin

from drawloom import Cache, File, pipeline, task

TARGET = "avg_price_per_room"
CATEGORIES = ["meal", "market_segment", "customer_type", "reserved_room_type"]


class Split(NamedTuple):
    train: pd.DataFrame
    test: pd.DataFrame


class Score(NamedTuple):
    model: str
    error_euros: float  # mean absolute error per room and night
    explained: float  # share of the variance, R2


@task(packages=["pandas"])
def load(bookings: File) -> pd.DataFrame:
    return pd.read_csv(bookings.path, parse_dates=["arrival_date"])


@task(packages=["pandas"])
def validate(table: pd.DataFrame) -> pd.DataFrame:
    """Refuses a table that would give a silently wrong model."""
    if table.isna().any().any():
        raise ValueError(f"{int(table.isna().sum().sum())} values are missing")
    wrong = table[(table[TARGET] <= 0) | (table["adults"] < 1)]
    if len(wrong):
        raise ValueError(f"{len(wrong)} bookings have no price or no adult, the first in row {wrong.index[0]}")
    return table


@task(packages=["pandas"])
def build_features(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers only: the season as a point on a circle, nights and guests in all, categories as 0/1 columns."""
    angle = table["arrival_date"].dt.day_of_year * 2 * np.pi / 365.25
    nights = table["stays_in_weekend_nights"] + table["stays_in_week_nights"]
    features = table.drop(columns=["arrival_date"]).assign(
        season_sin=np.sin(angle),
        season_cos=np.cos(angle),
        weekday=table["arrival_date"].dt.day_of_week,
        nights=nights,
        guests=table["adults"] + table["children"],
    )
    return pd.get_dummies(features, columns=CATEGORIES, dtype=float)


@task(packages=["pandas", "scikit-learn"])
def split(features: pd.DataFrame, test_share: float) -> Split:
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(features, test_size=test_share, random_state=7)
    return Split(train, test)


@task(packages=["scikit-learn"])
def train_ridge(train: pd.DataFrame, strength: float) -> RegressorMixin:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), Ridge(alpha=strength)).fit(train.drop(columns=[TARGET]), train[TARGET])


@task(packages=["scikit-learn"])
def train_forest(train: pd.DataFrame, trees: int) -> RegressorMixin:
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(n_estimators=trees, min_samples_leaf=3, random_state=7)
    return forest.fit(train.drop(columns=[TARGET]), train[TARGET])


@task(packages=["scikit-learn"])
def train_boosting(train: pd.DataFrame, rounds: int) -> RegressorMixin:
    from sklearn.ensemble import GradientBoostingRegressor

    boosting = GradientBoostingRegressor(n_estimators=rounds, max_depth=5, learning_rate=0.08, random_state=7)
    return boosting.fit(train.drop(columns=[TARGET]), train[TARGET])


@task(packages=["scikit-learn"])
def evaluate(model: RegressorMixin, test: pd.DataFrame, name: str) -> Score:
    from sklearn.metrics import mean_absolute_error, r2_score

    guess = model.predict(test.drop(columns=[TARGET]))
    return Score(name, float(mean_absolute_error(test[TARGET], guess)), float(r2_score(test[TARGET], guess)))


@task
def choose(scores: list[Score]) -> Score:
    return min(scores, key=lambda score: score.error_euros)


@task(packages=["matplotlib", "pandas"])
def report(scores: list[Score], best: Score, test: pd.DataFrame) -> Figure:
    """The models' errors beside that of always guessing the mean, and what is to be predicted."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    errors, prices = figure.subplots(1, 2)
    baseline = float((test[TARGET] - test[TARGET].mean()).abs().mean())
    names = ["always the mean", *[score.model for score in scores]]
    values = [baseline, *[score.error_euros for score in scores]]
    colours = ["tab:orange" if name == best.model else "tab:grey" for name in names]
    bars = errors.barh(names, values, color=colours)
    errors.bar_label(bars, fmt="%.1f €", padding=3)
    errors.set(title="Mean error per room and night", xlim=(0, max(values) * 1.25))
    errors.invert_yaxis()
    prices.hist(test[TARGET], bins=40, color="tab:grey")
    prices.set(title=f"Prices in the {len(test):,} test bookings", xlabel="euros")
    return figure


@task(cache=Cache(enabled=False))
def announce(best: Score) -> None:
    print(f"best model: {best.model}, off by {best.error_euros:.1f} euros a night, R2 {best.explained:.2f}")


@pipeline
def hotel_rates(bookings: File, test_share: float = 0.25, trees: int = 200, rounds: int = 200) -> Score:
    table = validate(load(bookings))
    features = build_features(table)
    train, test = split(features, test_share)
    models = {
        "ridge": train_ridge(train, 1.0),
        "forest": train_forest(train, trees),
        "boosting": train_boosting(train, rounds),
    }
    scores = [evaluate(model, test, name) for name, model in models.items()]
    best = choose(scores)
    report(scores, best, test)
    announce(best)
    return best
