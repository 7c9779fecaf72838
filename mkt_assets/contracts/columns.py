"""What a contract is made of: tables, columns, units, bounds and owners; the tables are beside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Privacy = Literal["none", "pseudonym", "personal"]
#: an input without which a table cannot be computed
Need = Literal["ads", "ga4", "experiments"]

ANALYTICS = "team:marketing-analytics"
PRIVACY_OFFICE = "team:privacy"
ACTIVATION = "team:activation"


@dataclass(frozen=True)
class Column:
    """One column of a published table.

    ``type`` is a DuckDB type name; ``unit`` is what one step of the number means
    (``currency``, ``ratio``, ``count``, ``days``, ...); ``low`` and ``high`` are inclusive bounds;
    ``form`` is what its values look like where they are no prose (see ``forms``).
    """

    name: str
    type: str
    description: str
    unit: str = ""
    nullable: bool = False
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    privacy: Privacy = "none"
    form: str = ""


@dataclass(frozen=True)
class Table:
    """The contract of one table; ``key`` columns identify a row."""

    stage: str
    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    owner: str = ANALYTICS
    needs: frozenset[Need] = field(default_factory=frozenset)

    @property
    def path(self) -> str:
        """``stage/name``: the asset key and the folder under ``lake/models``."""
        return f"{self.stage}/{self.name}"


ADS: frozenset[Need] = frozenset({"ads"})
GA4: frozenset[Need] = frozenset({"ga4"})
