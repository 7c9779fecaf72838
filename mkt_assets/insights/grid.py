"""The daily frame as day x campaign matrices, checked once: every detector reads the same data.

A missing day stays missing (NaN), never zero; detectors, trends and charts start from here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mkt_assets.errors import InputError
from mkt_assets.marts.metrics import parts_of

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

#: without it there is nothing to judge
REQUIRED = ("spend",)
#: not every platform tells these: may be absent as columns, or NaN on some days
TOLD = ("impressions", "clicks", "conversions", "revenue")
#: from elsewhere than the ad platform, for causes only: sessions that the clicks began, and the
#: share of visitors who consented; may be absent
BESIDE = ("sessions", "consent_rate")
KEYS = ("date", "channel", "campaign")
#: what the grid calls otherwise than the metrics do
_FIELDS = {"mark_spent": "spend"}


@dataclass(frozen=True)
class Grid:
    """Every metric as a (days, campaigns) matrix over consecutive days; NaN where nothing is known.

    A negative amount (a refund or a credit booked on that day) is no observation of that day's
    demand: it is NaN here, so it is neither flagged nor part of a baseline.
    """

    dates: pd.DatetimeIndex
    campaigns: tuple[str, ...]
    channels: tuple[str, ...]
    spend: FloatArray
    impressions: FloatArray
    clicks: FloatArray
    conversions: FloatArray
    revenue: FloatArray
    sessions: FloatArray
    consent_rate: FloatArray

    def parts(self, ratio: str) -> dict[str, FloatArray]:
        """The two amounts that a ratio divides, NaN on the days that do not tell both.

        They have the names that ``kpi_value`` takes, the numerator first.
        """
        names = parts_of(ratio)
        amounts = [getattr(self, _FIELDS.get(name, name)) for name in names]
        both = np.isfinite(amounts).all(axis=0)
        return {n: np.where(both, a, np.nan) for n, a in zip(names, amounts, strict=True)}


def check_daily(daily: pd.DataFrame) -> pd.DataFrame:
    """``daily`` with typed columns, sorted by date and campaign, or an ``InputError``.

    Refused: a missing column, a date that is none, a blank name, NaN in spend, an infinite number
    anywhere, and two rows for one date and campaign. NaN in another amount is not known, never
    zero. Row numbers in the messages count from 1 in the order in which the rows came.
    """
    for column in (*KEYS, *REQUIRED):
        if column not in daily:
            raise InputError("column is missing", column=column, remedy="Add or map it.")
    out = daily.reset_index(drop=True)
    out = out.assign(date=_dates(out["date"]))
    for name in ("channel", "campaign"):
        _refuse_where(out[name].isna().to_numpy(), out[name], "name is blank", "Name it.")
        out[name] = out[name].astype(str)
    for name in (*REQUIRED, *TOLD, *BESIDE):
        out[name] = _numbers(out, name)
    above = (out["consent_rate"] > 1).to_numpy()
    _refuse_where(above, out["consent_rate"], "a share above 1", "Give a share from 0 to 1.")
    repeated = out.duplicated(["date", "campaign"]).to_numpy()
    _refuse_where(
        repeated,
        out["campaign"],
        "two rows for one date and campaign",
        "Add the rows up, or give campaigns of different channels different names.",
    )
    columns = [*KEYS, *REQUIRED, *TOLD, *BESIDE]
    return out[columns].sort_values(["date", "campaign"], kind="stable", ignore_index=True)


def build_grid(checked: pd.DataFrame) -> Grid:
    """Matrices of a frame that ``check_daily`` has returned; it must have a row."""
    days, campaign_codes = _codes(checked)
    dates = pd.date_range(checked["date"].min(), checked["date"].max(), freq="D")
    firsts = checked.drop_duplicates("campaign").sort_values("campaign", kind="stable")
    shape = (len(dates), len(firsts))

    def matrix(name: str) -> FloatArray:
        out = np.full(shape, np.nan)
        values = checked[name].to_numpy("float64")
        out[days, campaign_codes] = np.where(values < 0, np.nan, values)
        return out

    return Grid(
        dates,
        tuple(firsts["campaign"]),
        tuple(firsts["channel"]),
        *(matrix(name) for name in (*REQUIRED, *TOLD, *BESIDE)),
    )


def _codes(checked: pd.DataFrame) -> tuple[IntArray, IntArray]:
    days = (checked["date"] - checked["date"].min()).dt.days.to_numpy("int64")
    codes, _ = pd.factorize(checked["campaign"], sort=True)
    return days, codes.astype("int64")


def _dates(column: pd.Series) -> pd.Series:
    dates = pd.to_datetime(column, errors="coerce")
    _refuse_where(dates.isna().to_numpy(), column, "not a date", "Give a day such as 2025-01-31.")
    return dates.dt.normalize().astype("datetime64[ns]")


def _numbers(frame: pd.DataFrame, name: str) -> pd.Series:
    if name not in frame:
        return pd.Series(np.nan, index=frame.index, dtype="float64")
    raw = frame[name]
    numbers = pd.to_numeric(raw, errors="coerce").astype("float64")
    wrong = (numbers.isna() & raw.notna()) | np.isinf(numbers)
    if name in REQUIRED:
        wrong |= numbers.isna()
    _refuse_where(wrong.to_numpy(), raw, "not a finite number", "Correct or leave out the row.")
    return numbers


def _refuse_where(wrong: BoolArray, column: pd.Series, problem: str, remedy: str) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            problem,
            row=row + 1,
            column=str(column.name),
            value=str(column.iloc[row]),
            remedy=remedy,
        )
