"""What a Python asset shows of itself: never the key of a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mkt_assets.errors import MktError
from mkt_assets.lake import Lake
from mkt_assets.model_assets import read_model, store
from mkt_assets.resources import LakeResource
from mkt_assets.warehouse import Build, Warehouse

KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(Warehouse, "build", lambda _: Build("0123456789abcdef", {}))
    segments = pd.DataFrame(
        {
            "user_key": [KEY],
            "segment": ["Champions"],
            "features": ["{}"],
            "recency_days": [1],
            "frequency": [2],
            "monetary": [3.5],
            "ads_eligible": [True],
        }
    )
    result = store(
        LakeResource(root=str(tmp_path)),
        Warehouse(database=str(tmp_path / "w.duckdb")),
        "audiences/audience_segments",
        segments,
    )
    assert (
        KEY in pd.read_parquet(Lake(tmp_path).model("audiences/audience_segments"))["user_key"][0]
    )
    return dict(result.metadata or {})


def test_a_preview_has_no_column_of_keys(stored: dict[str, Any]) -> None:
    shown = stored["preview"].value
    assert "Champions" in shown
    assert "user_key" not in shown
    assert KEY not in str(stored)


def test_a_model_of_other_marts_is_not_read(
    tmp_path: Path, stored: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what is made from it would carry the new build's id and hold the old one's figures."""
    lake, warehouse = LakeResource(root=str(tmp_path)), Warehouse(database="none")
    path = "audiences/audience_segments"
    assert len(read_model(lake, warehouse, path)) == 1
    monkeypatch.setattr(Warehouse, "build", lambda _: Build("fedcba9876543210", {}))
    with pytest.raises(MktError, match=f"{path} .* other marts than build fedcba9876543210"):
        read_model(lake, warehouse, path)
