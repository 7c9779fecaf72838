"""Ad rows keep their numbers exactly and lose what is personal in their names."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from mkt_assets.errors import InputError, MktError
from mkt_assets.privacy.guard_ads import SCHEMA, guard_ads
from mkt_assets.privacy.pii import findings

DAY = date(2025, 3, 10)
NOW = datetime(2025, 3, 11, tzinfo=UTC)


def rows(*changes: dict[str, Any]) -> pd.DataFrame:
    row = {
        "date": DAY,
        "channel": "Search",
        "campaign": "Brand",
        "campaign_id": None,
        "currency": "USD",
        "impressions": 100,
        "clicks": 5,
        "leads": None,
        "conversions": Decimal("1.5"),
        "spend": Decimal("12.34"),
        "revenue": None,
        "source_file": "ads.csv",
    }
    return pd.DataFrame([row | change for change in changes], columns=list(row))


def guarded(*changes: dict[str, Any]) -> tuple[pa.Table, dict[str, int]]:
    return guard_ads(
        rows(*changes), day=DAY, lineage_of={"ads.csv": "ln_1", "b.csv": "ln_2"}, processed_at=NOW
    )


def test_the_table_has_the_lake_s_types_and_exact_money() -> None:
    table, redactions = guarded({}, {"campaign": "A", "spend": 0.1, "source_file": "b.csv"})
    assert table.schema.equals(SCHEMA)
    assert table["campaign"].to_pylist() == ["A", "Brand"]
    assert table["spend"].to_pylist() == [Decimal("0.1000"), Decimal("12.3400")]
    assert table["lineage_id"].to_pylist() == ["ln_2", "ln_1"]
    assert table["leads"].null_count == 2
    assert redactions == {}


def test_an_empty_day_is_an_empty_table() -> None:
    table, redactions = guarded()
    assert table.schema.equals(SCHEMA)
    assert (table.num_rows, redactions) == (0, {})


@pytest.mark.parametrize(
    "spend",
    [1, 1.5, Decimal("1.23456789"), Decimal("0.00005"), 10**10, Decimal("99999999999.9999")],
)
def test_money_of_any_kind_is_rounded_to_four_places(spend: Any) -> None:
    table, _ = guarded({"spend": spend})
    told = table["spend"].to_pylist()[0]
    assert abs(told - Decimal(str(spend))) <= Decimal("0.00005")


def test_personal_data_leaves_the_names() -> None:
    table, redactions = guarded(
        {
            "campaign": "retarget jane@example.com",
            "campaign_id": "555-123-4567",
            "channel": "10.0.0.1",
        }
    )
    assert table["campaign"].to_pylist() == ["retarget [redacted]"]
    assert redactions == {"campaign": 1, "campaign_id": 1, "channel": 1}


def test_campaigns_that_become_alike_stay_apart() -> None:
    alike = [{"campaign": f"for {name}@example.com"} for name in ("zoe", "adam")]
    table, _ = guarded(*alike, {"campaign": "for [redacted]"})
    assert table["campaign"].to_pylist() == [
        "for [redacted]",
        "for [redacted] #1",
        "for [redacted] #2",
    ]
    table, _ = guarded(alike[0] | {"campaign_id": "17"}, alike[1] | {"campaign_id": "4"})
    assert table["campaign"].to_pylist() == ["for [redacted] #17", "for [redacted] #4"]


def test_the_order_of_the_rows_does_not_matter() -> None:
    many = [{"campaign": c} for c in ("b jane@x.com", "a", "b jim@x.com")]
    assert guarded(*many)[0].equals(guarded(*many[::-1])[0])


def test_a_number_that_is_none_is_refused_without_its_value() -> None:
    with pytest.raises(InputError, match="clicks") as caught:
        guarded({"clicks": "jane@example.com"})
    assert "jane" not in str(caught.value)
    assert caught.value.__context__ is None


def test_rows_of_another_day_or_an_unknown_file_are_refused() -> None:
    with pytest.raises(InputError, match="2025-03-10"):
        guarded({"date": date(2025, 3, 9)})
    with pytest.raises(MktError, match="lineage"):
        guarded({"source_file": "elsewhere.csv"})
    with pytest.raises(InputError, match="clicks"):
        guard_ads(rows({}).drop(columns="clicks"), day=DAY, lineage_of={}, processed_at=NOW)


def test_ids_of_ad_platforms_stay_and_cards_do_not() -> None:
    ids = ["23851234567890124", "23851234567890127", "4111111111111111"]
    table, redactions = guarded(*({"campaign": f"c{i}", "campaign_id": i} for i in ids))
    assert table["campaign_id"].to_pylist() == [*ids[:2], "[redacted]"]
    assert redactions == {"campaign": 3, "campaign_id": 1}


def test_a_mark_with_a_long_id_behind_it_is_no_card() -> None:
    names = [f"mail jane{n}@example.com" for n in (1, 2)]
    ids = ["30569309025904", "30569309025912"]
    pairs = zip(names, ids, strict=True)
    table, _ = guarded(*({"campaign": name, "campaign_id": i} for name, i in pairs))
    told = table["campaign"].to_pylist()
    assert len(set(told)) == 2
    assert all(findings(name) == [] for name in told)
