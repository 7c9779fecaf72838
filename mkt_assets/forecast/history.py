"""A daily history as it is handed in: checked, sorted, known days only."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mkt_assets.errors import InputError


def known_days(history: pd.DataFrame) -> pd.Series[float]:
    """The known days of ``history``, sorted and checked (``revenue.forecast`` lists the errors)."""
    missing = [name for name in ("ds", "y") if name not in history]
    if missing:
        raise InputError(
            "a column is missing", column=missing[0], remedy="The history needs ds and y."
        )
    days = pd.to_datetime(history["ds"], errors="coerce")
    values = pd.to_numeric(history["y"], errors="coerce").astype("float64")
    _refuse(history["ds"], days.isna(), "ds", "not a date")
    _refuse(history["y"], values.isna() & history["y"].notna(), "y", "not a number")
    _refuse(history["y"], values.abs() == np.inf, "y", "not a finite number")
    index = pd.DatetimeIndex(days)
    index = (index.tz_localize(None) if index.tz is not None else index).normalize()
    _refuse(
        history["ds"],
        pd.Series(index.duplicated()),
        "ds",
        "a day given twice",
        "Sum to one row a day.",
    )
    return pd.Series(values.to_numpy(), index=index, name="y").sort_index().dropna()


def _refuse(
    given: pd.Series[float], bad: pd.Series[bool], column: str, problem: str, remedy: str = ""
) -> None:
    where = np.flatnonzero(bad.to_numpy())
    if len(where):
        row = int(where[0])
        raise InputError(problem, row=row + 1, column=column, value=given.iloc[row], remedy=remedy)
