"""What daily revenue goes with: a regression on spend and calendar, beside a baseline.

Explains and is checked on unseen days; it does not forecast (``revenue``) and its coefficients are
associations, not the effect of spending more (``response`` models diminishing returns for that).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mkt_assets.contracts import REGISTRY
from mkt_assets.forecast.response import daily_matrices

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: three weeks to learn from and one to be tested on
MIN_DAYS = 28
TRAIN_MIN_DAYS = 21
TEST_DAYS = 7
MAX_FOLDS = 6
BASELINE_WEEKS = 4
#: strength of the ridge, on standardised columns: a few days' worth of doubt
ALPHA = 3.0
SHUFFLES = 10
SEED = 7


@dataclass(frozen=True)
class _Scores:
    """Errors on unseen days, pooled over the windows."""

    folds: int
    mae: float
    baseline_mae: float
    r2: float
    baseline_r2: float
    importance: np.ndarray


def fit_revenue_model(daily: pd.DataFrame) -> pd.DataFrame:
    """Fit revenue of a day on its spend by channel, weekday and trend, and score it on later weeks.

    Args:
        daily: ``date, channel, spend, revenue`` as for ``response.fit``. A channel without a row on
            a reported day spent nothing; a day without any known revenue is left out.

    Returns:
        The table ``revenue_model``: one row per term, the scores of the whole model repeated on
        each. Empty below 28 known days: no model is better than one that nothing could test.
    """
    columns = [column.name for column in REGISTRY["forecast/revenue_model"].columns]
    spend, revenue = daily_matrices(daily)
    total = revenue.sum(axis=1, min_count=1).dropna()
    if len(total) < MIN_DAYS:
        return pd.DataFrame(columns=columns)
    features = _features(spend.fillna(0.0).loc[total.index])
    scores = _cross_validate(features, total)
    coefficients = _coefficients(features, total)
    out = pd.DataFrame(
        {
            "term": features.columns,
            "kind": [str(name).partition(":")[0] for name in features.columns],
            "coefficient": coefficients,
            "importance": scores.importance,
            "mae": scores.mae,
            "baseline_mae": scores.baseline_mae,
            "r2": scores.r2,
            "baseline_r2": scores.baseline_r2,
            "beats_baseline": scores.mae < scores.baseline_mae,
            "folds": scores.folds,
            "days": len(total),
            "made_on": total.index[-1],
        }
    )
    return out[columns]


def _features(spend: pd.DataFrame) -> pd.DataFrame:
    """Spend by channel that varies, weekday flags, and days since the start."""
    days = pd.DatetimeIndex(spend.index)
    out = {f"spend:{name}": spend[name].to_numpy() for name in spend.columns}
    for number, name in enumerate(WEEKDAYS):
        out[f"weekday:{name}"] = (days.day_of_week == number).astype("float64")
    out["trend"] = np.asarray((days - days[0]).days, dtype="float64")
    return pd.DataFrame(out, index=days)


def _model() -> Pipeline:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), Ridge(alpha=ALPHA))


def _coefficients(features: pd.DataFrame, total: pd.Series[float]) -> np.ndarray:
    """Coefficients in currency per unit of each term; weekdays against the mean weekday."""
    model = _model().fit(features.to_numpy(), total.to_numpy())
    raw = np.asarray(model[-1].coef_ / model[0].scale_, dtype="float64")
    weekday = np.array([str(name).startswith("weekday:") for name in features.columns])
    raw[weekday] -= raw[weekday].mean()
    return raw


def _cross_validate(features: pd.DataFrame, total: pd.Series[float]) -> _Scores:
    """Weekly windows at the end, each forecast from the days before it only."""
    x, y = features.to_numpy(), total.to_numpy(dtype="float64")
    rng = np.random.default_rng(SEED)
    folds = min(MAX_FOLDS, (len(y) - TRAIN_MIN_DAYS) // TEST_DAYS)
    truth, own, base = [], [], []
    harm = np.zeros(x.shape[1])
    for fold in range(folds, 0, -1):
        start = len(y) - fold * TEST_DAYS
        test = slice(start, start + TEST_DAYS)
        model = _model().fit(x[:start], y[:start])
        own.append(np.maximum(model.predict(x[test]), 0.0))
        base.append(_baseline(total.iloc[:start], pd.DatetimeIndex(total.index[test])))
        truth.append(y[test])
        harm += _harm_of_shuffling(model, x[test], y[test], rng)
    actual, predicted, naive = (np.concatenate(parts) for parts in (truth, own, base))
    return _Scores(
        folds=folds,
        mae=float(np.abs(actual - predicted).mean()),
        baseline_mae=float(np.abs(actual - naive).mean()),
        r2=_r2(actual, predicted),
        baseline_r2=_r2(actual, naive),
        importance=np.round(harm / folds, 6) + 0.0,  # below that it is rounding, not importance
    )


def _harm_of_shuffling(
    model: Pipeline, x: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """How much the absolute error grows when one column of the unseen window is shuffled."""
    plain = np.abs(y - model.predict(x)).mean()
    harm = np.zeros(x.shape[1])
    for column in range(x.shape[1]):
        for _ in range(SHUFFLES):
            mixed = x.copy()
            mixed[:, column] = rng.permutation(mixed[:, column])
            harm[column] += np.abs(y - model.predict(mixed)).mean() - plain
    return harm / SHUFFLES


def _baseline(known: pd.Series[float], days: pd.DatetimeIndex) -> np.ndarray:
    """Mean of the same weekday over the last four weeks known; else the mean of all of them."""
    recent = known.iloc[-7 * BASELINE_WEEKS :]
    by_weekday = recent.groupby(pd.DatetimeIndex(recent.index).day_of_week).mean()
    return by_weekday.reindex(days.day_of_week).fillna(recent.mean()).to_numpy(dtype="float64")


def _r2(actual: np.ndarray, predicted: np.ndarray) -> float:
    around_mean = float(((actual - actual.mean()) ** 2).sum())
    if around_mean == 0:
        return float("nan")
    return 1 - float(((actual - predicted) ** 2).sum()) / around_mean
