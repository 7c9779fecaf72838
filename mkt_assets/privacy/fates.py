"""What became of the rows of one partition: nothing is lost silently, and the sum proves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mkt_assets.errors import MktError


@dataclass(frozen=True)
class Fates:
    """Rows in, and where each of them went.

    ``redactions`` counts, by column, the stored values in which something personal was replaced;
    ``notes`` counts what was kept but is worth knowing (an identifier that came as a hash, a
    consent word that was not understood). ``folded`` counts, by kind, the rows that are part of
    another row (items of one purchase); they are in the counts of their kind.
    ``new_parameters`` counts the kept events with a parameter that is neither read nor GA4's own.
    ``per_source`` splits everything but ``redactions`` and ``notes`` by source file.
    """

    rows_in: int
    kept: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    cookieless: int = 0
    duplicates: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)
    erased: int = 0
    folded: Mapping[str, int] = field(default_factory=dict)
    redactions: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    new_parameters: Mapping[str, int] = field(default_factory=dict)
    per_source: Mapping[str, Fates] = field(default_factory=dict)

    @property
    def stored(self) -> int:
        """Rows in the lake: the rows kept, each purchase once."""
        return self.kept - self.folded.get("kept", 0)

    @property
    def rows_dropped(self) -> int:
        """Rows without the consent that the policy asks for."""
        return sum(self.dropped.values())

    @property
    def rows_quarantined(self) -> int:
        """Rows that could not be judged or stored."""
        return sum(self.quarantined.values())

    @property
    def reasons(self) -> dict[str, int]:
        """Every reason for which a row is not in the lake, in alphabetical order."""
        counted = {
            "cookieless": self.cookieless,
            "duplicate": self.duplicates,
            "erased": self.erased,
        }
        everything = {**self.dropped, **self.quarantined, **counted}
        return {reason: everything[reason] for reason in sorted(everything) if everything[reason]}

    def check(self) -> None:
        """Add up.

        Raises:
            MktError: the fates do not add up to the rows that came in, here or per source.
        """
        out = self.kept + self.rows_dropped + self.cookieless + self.duplicates
        out += self.rows_quarantined + self.erased
        if out != self.rows_in:
            raise MktError(
                f"{self.rows_in} rows came in but {out} are accounted for "
                f"(kept {self.kept}, dropped {self.rows_dropped}, cookieless {self.cookieless}, "
                f"duplicate {self.duplicates}, quarantined {self.rows_quarantined}, "
                f"erased {self.erased}): "
                "a bug, report it"
            )
        for part in self.per_source.values():
            part.check()
        if self.per_source and sum(p.rows_in for p in self.per_source.values()) != self.rows_in:
            raise MktError("the rows per source do not add up to the partition: a bug, report it")

    @staticmethod
    def counted(counts: Mapping[tuple[str, str | None], int], **extra: Any) -> Fates:
        """From (kind, reason) -> rows; kind is a field of this class, reason its detail."""

        def by_reason(kind: str) -> dict[str, int]:
            return {str(r): n for (k, r), n in sorted(counts.items(), key=str) if k == kind}

        def total(kind: str) -> int:
            return sum(n for (k, _), n in counts.items() if k == kind)

        return Fates(
            rows_in=sum(counts.values()),
            kept=total("kept"),
            dropped=by_reason("dropped"),
            cookieless=total("cookieless"),
            duplicates=total("duplicates"),
            quarantined=by_reason("quarantined"),
            erased=total("erased"),
            **extra,
        )
