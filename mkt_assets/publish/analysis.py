"""What was found in one campaign file, for people and for programs; computing it is elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from mkt_assets.marts.metrics import kpi_frame


@dataclass(frozen=True)
class Analysis:
    """What was computed from one file; every table is a frame that was also written as CSV."""

    source: Path
    out: Path
    currency: str
    tables: dict[str, pd.DataFrame]
    rows_in: int
    quarantined: dict[str, int]
    mapping: dict[str, str]
    date_format: str
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def totals(self) -> dict[str, float | None]:
        """Sums and KPIs over the whole file."""
        whole = kpi_frame(self.tables["marketing_kpi"].assign(all="all"), ["all"])
        row = whole.drop(columns="all").iloc[0]
        return {str(k): None if pd.isna(value) else float(value) for k, value in row.items()}

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "success": True,
            "file": str(self.source),
            "out": str(self.out),
            "rows_in": self.rows_in,
            "rows_kept": len(self.tables["marketing_kpi"]),
            "quarantined": self.quarantined,
            "columns": self.mapping,
            "date_format": self.date_format,
            "notes": list(self.notes),
            "totals": self.totals,
            "tables": {name: len(frame) for name, frame in self.tables.items()},
        }

    def as_text(self) -> str:
        """For people."""
        kpi = self.tables["marketing_kpi"]
        totals = self.totals
        facts = [
            ("Rows", f"{self.rows_in:,} read, {len(kpi):,} kept"),
            ("Days", f"{kpi['date'].min():%Y-%m-%d} to {kpi['date'].max():%Y-%m-%d}"),
            ("Spend", self._money(totals["mark_spent"])),
            ("Revenue", self._money(totals["revenue"])),
            ("ROAS", self._roas()),
        ]
        facts += [("Set aside", f"{n:,} rows: {why}") for why, n in self.quarantined.items()]
        facts += [("Note", note) for note in self.notes]
        lines = [f"  {label:<10} {words}" for label, words in facts]
        said = [f"  {i}. {row.headline}" for i, row in enumerate(self._insights(), start=1)]
        nothing = "  Nothing stands out."
        return "\n".join(
            [*lines, "", *(said or [nothing]), "", f"  Report: {self.out}/report.html"]
        )

    def _money(self, amount: float | None) -> str:
        return "not given" if amount is None else f"{self.currency} {amount:,.2f}"

    def _roas(self) -> str:
        totals = self.totals
        if totals["revenue"] is None:
            return "no revenue given"
        return "no spend" if totals["roas"] is None else f"{totals['roas']:.2f}"

    def _insights(self) -> Any:
        return self.tables["insights"].head(5).itertuples()
