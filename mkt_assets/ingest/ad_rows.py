"""The rows of an ad report judged: which are kept, which are set aside and why.

What stays out: reading the file (ad_cells) and its days (ad_files). Rules worth knowing:

- More clicks than impressions is a fault wherever both are given, 0 impressions included: where
  impressions are not measured, the cell is to be empty.
- Of rows with one key (date, channel, campaign; case aside) the first is kept.
- Each row keeps its own currency: of its column, else of the header, else of the sign beside the
  number, else the property's. Where nothing converts money later, a row in another is set aside.
- A missing channel is ``unknown``; other missing columns and cells stay missing, never 0.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mkt_assets.ingest import ad_cells, amounts, dates, headers

UNKNOWN_CHANNEL = "unknown"
COLUMNS = (
    "date", "channel", "campaign", "campaign_id", "currency", "impressions", "clicks", "leads",
    "conversions", "spend", "revenue", "source_row",
)  # fmt: skip
QUARANTINE_COLUMNS = ("source_row", "date", "column", "reason", "value", "raw")
#: platforms take 128 to 512 signs; the search for personal data takes the square of it
_LONGEST_NAME = 1000
_KEY = ["date", "channel", "campaign"]
_MONEY = ("spend", "revenue")
#: signs that only one currency uses; $, ¥ and kr are shared and prove nothing
_CURRENCY_OF_SIGN = {"€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY"}


class Report:
    """The rows of one file while faults are found; the first fault of a row counts."""

    def __init__(
        self,
        cells: ad_cells.Cells,
        mapping: headers.HeaderMap,
        currency: str,
        date_order: dates.Order | None,
        *,
        one_currency: bool,
    ) -> None:
        self._cells, self._mapping, self._currency = cells, mapping, currency
        self._one_currency = one_currency
        self._reason = np.full(len(cells.rows), None, dtype=object)
        self._column = np.full(len(cells.rows), None, dtype=object)
        self._notes: list[str] = []
        self.date_format = "none"
        self._frame = pd.DataFrame({"source_row": np.array(cells.rows, dtype=np.int64)})
        if cells.rows:
            self._read_dates(date_order)
            self._read_names()
            self._read_numbers()
            self._find_contradictions()

    def _source(self, name: str) -> Sequence[object] | None:
        header = self._mapping.columns.get(name)
        return None if header is None else self._cells.columns[header]

    def _good(self) -> NDArray[np.bool_]:
        """Which rows have no fault so far."""
        return pd.isna(self._reason)

    def _flag(self, where: NDArray[np.bool_], reason: str, name: str) -> None:
        free = where & self._good()
        self._reason[free] = reason
        self._column[free] = self._mapping.columns.get(name, name)

    def _read_dates(self, order: dates.Order | None) -> None:
        source = self._source("date") or ()
        told = dates.recognise(source, order=order, column=self._mapping.columns["date"])
        self.date_format = told.format
        self._frame["date"] = pd.to_datetime(pd.Series(told.days, dtype=object)).astype(
            "datetime64[us]"
        )
        blank = np.array([cell is None or not str(cell).strip() for cell in source])
        self._flag(blank, "missing_date", "date")
        self._flag(self._frame["date"].isna().to_numpy(), "unparseable_date", "date")

    def _read_names(self) -> None:
        for name in ("campaign", "channel", "campaign_id", "currency"):
            source = self._source(name)
            cells = [None] * len(self._cells.rows) if source is None else source
            values = [_text(cell) for cell in cells]
            self._frame[name] = pd.Series(values, dtype="str")
            too_long = [value is not None and len(value) > _LONGEST_NAME for value in values]
            self._flag(np.array(too_long), f"too_long_{name}", name)
        self._flag(self._frame["campaign"].isna().to_numpy(), "missing_campaign", "campaign")
        self._frame["channel"] = _one_spelling(self._frame["channel"].fillna(UNKNOWN_CHANNEL))
        self._frame["campaign"] = _one_spelling(self._frame["campaign"])
        stated = self._frame["currency"].str.upper()
        if self._mapping.currency:
            stated = stated.fillna(self._mapping.currency)
        self._frame["currency"] = stated
        malformed = stated.notna() & ~stated.str.fullmatch(headers.CURRENCY_CODE.pattern)
        self._flag(malformed.to_numpy(dtype=bool), "unknown_currency", "currency")

    def _read_numbers(self) -> None:
        found = {n: source for n in headers.NUMBERS if (source := self._source(n)) is not None}
        named = {self._mapping.columns[n]: source for n, source in found.items()}
        whole = frozenset(self._mapping.columns[n] for n in found if n in headers.COUNTS)
        sign = amounts.decimal_sign(named, whole)
        if sign == ",":
            self._notes.append("numbers were read with decimal commas")
        for name in headers.NUMBERS:
            if name not in found:
                self._frame[name] = np.nan
                continue
            per = 1e6 if name == "spend" and self._mapping.micros else 1.0
            told = amounts.parse(found[name], sign, whole=name in headers.COUNTS, per=per)
            for reason in sorted({fault for fault in told.fault if fault}):
                self._flag(told.fault == reason, reason, name)
            if name in _MONEY:
                self._check_currency(told, name)
            self._flag(told.numbers < 0, f"negative_{name}", name)
            self._frame[name] = told.numbers
        self._flag(self._frame["spend"].isna().to_numpy(), "missing_spend", "spend")
        self._settle_currency()

    def _check_currency(self, told: amounts.Amounts, name: str) -> None:
        """Take the currency beside the numbers where none is stated; contradictions are faults."""
        codes = [_CURRENCY_OF_SIGN.get(sign, sign) if sign else None for sign in told.currency]
        beside = pd.Series([c if c and c.isalpha() else None for c in codes], dtype="str")
        stated = self._frame["currency"]
        other = beside.notna() & stated.notna() & (beside != stated)
        reason = "other_currency" if self._one_currency else "two_currencies"
        self._flag(other.to_numpy(dtype=bool), reason, name)
        self._frame["currency"] = stated.fillna(beside)
        if self._one_currency:
            foreign = beside.notna() & (beside != self._currency)
            self._flag(foreign.to_numpy(dtype=bool), "other_currency", name)

    def _settle_currency(self) -> None:
        """What no column, header or sign says is the property's."""
        self._frame["currency"] = self._frame["currency"].fillna(self._currency)
        if self._one_currency:
            other = (self._frame["currency"] != self._currency).to_numpy(dtype=bool)
            self._flag(other, "other_currency", "currency")

    def _find_contradictions(self) -> None:
        frame = self._frame
        above = (frame["clicks"] > frame["impressions"]).to_numpy()
        self._flag(above, "clicks_above_impressions", "clicks")
        good = self._good()
        keys = pd.DataFrame({name: frame[name] for name in _KEY})[good]
        for name in ("channel", "campaign"):
            keys[name] = keys[name].str.casefold()
        repeated = np.zeros(len(frame), dtype=bool)
        repeated[good] = keys.duplicated(keep="first").to_numpy()
        self._flag(repeated, "duplicate_key", "date, channel, campaign")

    def split(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The kept and the set-aside rows."""
        bad = ~self._good()
        places = np.flatnonzero(bad)
        aside = [
            (
                self._cells.rows[place],
                self._frame["date"].iloc[place],
                self._column[place],
                self._reason[place],
                self._shown(int(place)),
                self._cells.raw(int(place)),
            )
            for place in places
        ]
        aside += [(f.row, pd.NaT, None, f.reason, None, f.raw) for f in self._cells.faults]
        quarantined = typed_quarantine(pd.DataFrame(aside, columns=list(QUARANTINE_COLUMNS)))
        quarantined = quarantined.sort_values("source_row", kind="stable", ignore_index=True)
        if not self._cells.rows:
            return pd.DataFrame(columns=list(COLUMNS)), quarantined
        rows = self._frame.loc[~bad, list(COLUMNS)].reset_index(drop=True)
        for name in headers.COUNTS:
            rows[name] = rows[name].astype("Int64")
        return rows, quarantined

    def _shown(self, place: int) -> str | None:
        """The faulty value, only of columns that hold numbers and dates."""
        header = self._column[place]
        name = next((n for n, found in self._mapping.columns.items() if found == header), None)
        if name != "date" and name not in headers.NUMBERS:
            return None
        return amounts.shown(self._cells.columns[header][place])

    def notes(self, rows: pd.DataFrame, aside: pd.DataFrame) -> tuple[str, ...]:
        """What a reader of the numbers should know about this file."""
        there = self._mapping.columns
        missing = [n for n in headers.NUMBERS if n not in there]
        if missing:
            self._notes.append(f"the file has no {', '.join(missing)}: left empty")
        if "channel" not in there:
            self._notes.append(f"the file has no channel: every row is {UNKNOWN_CHANNEL!r}")
        elif (blank := int((rows["channel"] == UNKNOWN_CHANNEL).sum())) > 0:
            self._notes.append(f"{blank} rows without a channel are {UNKNOWN_CHANNEL!r}")
        repeated = int((aside["reason"] == "duplicate_key").sum())
        if repeated:
            self._notes.append(
                f"{repeated} rows repeat a date, channel and campaign: if the report has a row for "
                "each ad or device, sum it by campaign first"
            )
        return tuple(self._notes)


def _text(cell: object) -> str | None:
    """A name without stray spaces and look-alike characters; ``None`` when nothing is left."""
    if cell is None or cell != cell:  # noqa: PLR0124 - NaN
        return None
    return " ".join(unicodedata.normalize("NFKC", str(cell)).split()) or None


def _one_spelling(names: pd.Series[Any]) -> pd.Series[Any]:
    """Spellings that differ in case only become the most frequent one (the first seen on a tie)."""
    best: dict[str, str] = {}
    for spelling, _ in Counter(names.dropna()).most_common():
        best.setdefault(spelling.casefold(), spelling)
    return names.map(lambda name: best[name.casefold()], na_action="ignore")


def typed_quarantine(aside: pd.DataFrame) -> pd.DataFrame:
    """``aside`` with the columns and types of ``QUARANTINE_COLUMNS``."""
    types = {"source_row": "int64", "date": "datetime64[us]"}
    texts = dict.fromkeys(("column", "reason", "value", "raw"), "object")
    return aside[list(QUARANTINE_COLUMNS)].astype({**types, **texts})
