"""What a look at one thing says: how it is, what was seen, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; of ``fail`` something is wrong, of ``warn`` it is odd."""

    status: Status
    what: str
    seen: str
    remedy: str = ""

    def as_line(self) -> str:
        """For people."""
        advice = f"  -> {self.remedy}" if self.remedy else ""
        return f"{self.status:<5} {self.what:<12} {self.seen}{advice}"
