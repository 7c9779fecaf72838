"""Shared fixtures: settings that never leak from the developer's shell into a test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from mkt_assets.settings import settings

# nothing is timed in a test: a busy machine must not fail one
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first: a worker that begins a whole run last would keep the others waiting."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _clean_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [n for n in os.environ if n.startswith(("MKT_", "DAGSTER_"))]:
        monkeypatch.delenv(name)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The measuring sticks beside a developer's checkout; the project never needs them."""
    place = REPOSITORY.parent / "shared"
    if not place.is_dir():
        pytest.skip("the shared folder with bench and real data is not beside this checkout")
    return place
