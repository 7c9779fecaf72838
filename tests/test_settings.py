"""Settings are validated once, name what is wrong and never show a secret."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mkt_assets.errors import MktError
from mkt_assets.marts.dbt import export_environment
from mkt_assets.privacy.policy import POLICY_V1, SIGNALS, Policy
from mkt_assets.settings import load_settings

SECRET = "ab" * 32


def test_defaults_run_the_sample_offline() -> None:
    found = load_settings()
    assert (found.source, found.has_ga4, found.has_ads) == ("sample", True, True)
    assert found.data_dir.is_absolute()


def test_an_unknown_variable_is_refused_with_the_known_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MKT_SORCE", "files")
    with pytest.raises(MktError, match=r"MKT_SORCE.*MKT_SOURCE"):
        load_settings()


def test_an_unknown_variable_in_the_env_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("MKT_TIMEZON=Europe/Berlin\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MktError, match="MKT_TIMEZON"):
        load_settings()


def test_a_run_that_inherits_what_dbt_was_told_loads_its_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A code server tells dbt by its own environment, which the runs that it launches inherit."""
    monkeypatch.setenv("MKT_DATA_DIR", str(tmp_path))
    with monkeypatch.context() as told:
        # restored when the context ends, whatever else was told
        told.setattr(os, "environ", os.environ.copy())
        export_environment(load_settings())
        assert load_settings().data_dir == tmp_path


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MKT_SOURCE", "bigquery"),
        ("MKT_TIMEZONE", "Mars/Olympus"),
        ("MKT_CURRENCY", "dollars"),
        ("MKT_GUARDRAIL", "7"),
        ("MKT_PHONE_REGION", "Germany"),
        ("MKT_PHONE_REGION", "de"),
        ("MKT_VAULT_RETENTION_DAYS", "0"),
        ("MKT_START_DATE", "yesterday"),
    ],
)
def test_a_malformed_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(MktError, match=name):
        load_settings()


@pytest.mark.parametrize("keys", [SECRET, json.dumps({"k1": "abcd"}), json.dumps([SECRET]), "{"])
def test_malformed_keys_are_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    monkeypatch.setenv("MKT_PII_KEYS", keys)
    with pytest.raises(MktError, match="MKT_PII_KEYS") as refused:
        load_settings()
    assert SECRET not in str(refused.value)
    assert "abcd" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_files_need_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKT_SOURCE", "files")
    with pytest.raises(MktError, match="MKT_GA4_URI or MKT_ADS_URI"):
        load_settings()


@pytest.mark.parametrize("given", [(), ("MKT_CONSENT_URI",), ("MKT_GA4_URI",)])
def test_contacts_need_a_consent_log_and_its_visitors(
    monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...]
) -> None:
    monkeypatch.setenv("MKT_CONTACTS_URI", "contacts.csv")
    for name in given:
        monkeypatch.setenv(name, "some.csv")
    with pytest.raises(MktError, match=r"MKT_CONTACTS_URI needs MKT_CONSENT_URI and MKT_GA4_URI"):
        load_settings()


def test_contacts_with_all_they_need_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKT_SOURCE", "files")
    for name in ("MKT_CONTACTS_URI", "MKT_CONSENT_URI", "MKT_GA4_URI"):
        monkeypatch.setenv(name, "some.csv")
    monkeypatch.setenv("MKT_PII_KEYS", json.dumps({"k1": SECRET}))
    monkeypatch.setenv("MKT_PHONE_REGION", "DE")
    assert load_settings().has_contacts
    monkeypatch.delenv("MKT_CONTACTS_URI")
    assert not load_settings().has_contacts


def test_ads_alone_say_what_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKT_SOURCE", "files")
    monkeypatch.setenv("MKT_ADS_URI", "ads.csv")
    found = load_settings()
    assert set(found.absent) == {"ga4", "experiments"}


def test_a_secret_is_not_in_the_printed_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKT_PII_KEYS", json.dumps({"k1": SECRET}))
    assert SECRET not in repr(load_settings())


def test_the_policy_is_version_1_unless_settings_say_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings().policy == POLICY_V1
    monkeypatch.setenv("MKT_POLICY_VERSION", "2")
    monkeypatch.setenv("MKT_ANALYSIS_NEEDS", " AD_STORAGE, analytics_storage,")
    monkeypatch.setenv("MKT_ACTIVATION_NEEDS", "ad_user_data,ad_personalization,ad_storage")
    monkeypatch.setenv("MKT_UNSET_MEANS", "granted")
    found = load_settings().policy
    ads = ("ad_storage", "ad_user_data", "ad_personalization")
    assert found == Policy("2", ("analytics_storage", "ad_storage"), ads, "granted")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MKT_ANALYSIS_NEEDS", "ad_storage"),
        ("MKT_ACTIVATION_NEEDS", "ad_user_data,ad_personalization,ad_storage"),
        ("MKT_UNSET_MEANS", "granted"),
    ],
)
def test_other_rules_need_another_version(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(MktError, match="MKT_POLICY_VERSION=2"):
        load_settings()
    monkeypatch.setenv("MKT_POLICY_VERSION", "2")
    assert load_settings().policy.stamp != POLICY_V1.stamp


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MKT_ANALYSIS_NEEDS", "analytics_storage,marketing", "unknown signal marketing"),
        ("MKT_ACTIVATION_NEEDS", " , ", "no signal"),
        ("MKT_POLICY_VERSION", "1.0.0.2", "1 to 32"),
        ("MKT_CONSENT_UPSTREAM", "our banner, ask dpo@example.com", "holds personal data"),
        ("MKT_UNSET_MEANS", "perhaps", "not_granted"),
        ("MKT_POLICY_VERSION", "", "1 to 32"),
        ("MKT_POLICY_VERSION", "a b", "1 to 32"),
    ],
)
def test_a_malformed_policy_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(MktError, match=name) as refused:
        load_settings()
    assert words in str(refused.value)
    if name.endswith("NEEDS"):
        assert ", ".join(SIGNALS) in str(refused.value)
