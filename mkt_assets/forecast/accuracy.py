"""What the forecaster is worth: it and the seasonal naive on windows that neither has seen.

Uses the refits that calibrate the intervals, so a backtest costs no fit of its own. The interval of
a window is made only from errors on days up to its cutoff: what the platform would have published
on that day.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mkt_assets.forecast import calibration
from mkt_assets.forecast.history import known_days
from mkt_assets.forecast.point import MODELS, SEASONAL_NAIVE

#: windows that do not overlap; six weeks of a 14-day horizon
FOLDS = 3
LEVELS = (80, 95)


def past_windows(
    known: pd.Series[float], horizon: int, folds: int = FOLDS, late: int = 0
) -> dict[str, pd.DataFrame]:
    """For each model its rolling-origin windows, of the calibration and of the backtest.

    ``late`` are the days by which the series ends before the data do; the windows reach that much
    further.
    """
    cutoffs = calibration.origin_cutoffs(known, horizon + late)
    cutoffs += calibration.fold_cutoffs(known, horizon, folds)
    return {name: calibration.windows(known, name, cutoffs, horizon + late) for name in MODELS}


def backtest(history: pd.DataFrame, horizon: int = 14, folds: int = FOLDS) -> pd.DataFrame:
    """Score every model on the last ``folds`` windows that do not overlap.

    Args:
        history: ``ds, y`` as in ``revenue.forecast``.
        horizon: days per window.
        folds: windows; fewer where the history is short, none below 5 weeks with a 14-day horizon.

    Returns:
        One row per model and cutoff (the last day known): ``model, cutoff, days, mae, mase`` (mean
        absolute error over the mean change against the same weekday a week before, up to the
        cutoff), ``rel_mae`` (against the seasonal naive on the same window), ``coverage80,
        coverage95`` (shares of days inside; NaN where too few earlier errors existed),
        ``beats_baseline`` (of the model, over all its windows).
    """
    known = known_days(history)
    return score(known, past_windows(known, horizon, folds), horizon, folds)


def score(
    known: pd.Series[float], windows: dict[str, pd.DataFrame], horizon: int, folds: int
) -> pd.DataFrame:
    """The rows of :func:`backtest` from windows already forecast."""
    rows = []
    for model, past in windows.items():
        for cutoff in sorted(calibration.fold_cutoffs(known, horizon, folds)):
            fold = past[(past["cutoff"] == cutoff) & (past["step"] <= horizon)]
            if fold.empty:
                continue
            before = past[past["ds"] <= cutoff]
            rows.append({"model": model, "cutoff": cutoff, **_scores(known, fold, before, cutoff)})
    columns = ["model", "cutoff", "days", "mae", "mase", "coverage80", "coverage95"]
    out = pd.DataFrame(rows, columns=columns)
    naive = out[out["model"] == SEASONAL_NAIVE].set_index("cutoff")["mae"]
    base = out["cutoff"].map(naive).astype("float64")
    out.insert(5, "rel_mae", out["mae"] / base.where(base > 0))
    out["beats_baseline"] = _beats(out, base)
    return out


def summarise(
    folds: pd.DataFrame, series: str, horizon: int, made_on: pd.Timestamp
) -> pd.DataFrame:
    """The rows of ``forecast_accuracy`` for one series: means over windows, a row per model."""
    rows = []
    naive_mae = folds.loc[folds["model"] == SEASONAL_NAIVE, "mae"].mean()
    for model, part in folds.groupby("model", sort=True):
        rows.append(
            {
                "series": series,
                "model": model,
                "folds": len(part),
                "horizon": horizon,
                "mase": part["mase"].mean(),
                "rel_mae": part["mae"].mean() / naive_mae if naive_mae > 0 else np.nan,
                "coverage80": part["coverage80"].mean(),
                "coverage95": part["coverage95"].mean(),
                "beats_baseline": part["beats_baseline"].iloc[0],
                "made_on": made_on,
            }
        )
    return pd.DataFrame(rows)


def _scores(
    known: pd.Series[float], fold: pd.DataFrame, before: pd.DataFrame, cutoff: pd.Timestamp
) -> dict[str, float]:
    actual, yhat = fold["y"].to_numpy(), fold["yhat"].to_numpy(dtype="float64")
    mae = float(np.abs(actual - yhat).mean())
    out = {"days": len(fold), "mae": mae, "mase": mae / float(fold["mase_scale"].iloc[0])}
    if len(before) < calibration.MIN_ERRORS:
        return {**out, "coverage80": np.nan, "coverage95": np.nan}
    level = calibration.recent_level(known.loc[:cutoff])
    bounds = calibration.interval(before, fold["step"].to_numpy(), yhat, level, LEVELS)
    for percent in LEVELS:
        inside = (actual >= bounds[f"lo{percent}"]) & (actual <= bounds[f"hi{percent}"])
        out[f"coverage{percent}"] = float(inside.mean())
    return out


def _beats(rows: pd.DataFrame, base: pd.Series[float]) -> pd.Series[bool]:
    """Whether a model's mean error is below the baseline's; missing for the baseline."""
    own = rows.groupby("model")["mae"].transform("mean")
    verdict = (own < base.groupby(rows["model"]).transform("mean")).astype("boolean")
    return verdict.mask(rows["model"] == SEASONAL_NAIVE)
