"""Every setting of the platform, typed and validated once; what stays out: acting on them.

Values come from environment variables with the prefix ``MKT_`` or from a ``.env`` file in the
current directory. An unknown ``MKT_`` variable is an error, so that a typing mistake is never
silently the default.
"""

from __future__ import annotations

import os
import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mkt_assets.errors import MktError
from mkt_assets.privacy import pii
from mkt_assets.privacy.policy import POLICY_V1, SIGNALS, Policy, UnsetMeans
from mkt_assets.privacy.pseudonyms import KeyRing
from mkt_assets.project import dbt_project_dir

_ENV_FILE = ".env"
_PREFIX = "MKT_"
#: beginnings of what this platform tells dbt; runs inherit it from the process that launched them
_TOLD_TO_DBT = ("MKT_DBT_", "MKT_LAKE_DIR", "MKT_WAREHOUSE_PATH")

#: a comma list in the environment; without NoDecode it would have to be JSON
_CommaList = Annotated[tuple[str, ...], NoDecode]

#: as `quality` words what it would accept
_ACCEPTED = re.compile(r"(?:events|ad_performance)(?:@\d{4}-\d{2}-\d{2}|\..+)")


def _default_data_dir() -> Path:
    project = dbt_project_dir()
    in_checkout = (project.parent / "pyproject.toml").is_file()
    return (project.parent if in_checkout else Path.cwd()) / "data"


class Settings(BaseSettings):
    """The settings; every field is an environment variable with the prefix ``MKT_``."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_file=_ENV_FILE, extra="ignore", frozen=True, validate_default=True
    )

    source: Literal["sample", "files"] = Field("sample", description="sample data, or your files")
    ga4_uri: str | None = Field(None, description="GA4 export files; may contain {date} (YYYYMMDD)")
    ads_uri: str | None = Field(None, description="ad performance files; may contain {date}")
    consent_uri: str | None = Field(None, description="consent log file; may contain {date}")
    contacts_uri: str | None = Field(
        None, description="e-mail addresses and phone numbers by subject id; may contain {date}"
    )
    phone_region: str | None = Field(
        None, description="country of phone numbers without a country code, such as DE"
    )
    experiments_uri: str | None = Field(None, description="daily A/B test counts, CSV or Parquet")
    consent_upstream: str | None = Field(
        None,
        min_length=10,
        description="statement of who collected consent for a source without it",
    )
    date_order: Literal["ymd", "dmy", "mdy"] | None = Field(
        None, description="order of ambiguous dates in ad files"
    )
    timezone: str = Field("UTC", description="the property's time zone, an IANA name")
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$", description="the property's currency")
    rates_uri: str | None = Field(
        None, description="exchange rates of other currencies, CSV: date,reference,currency,rate"
    )
    ad_sources_uri: str | None = Field(
        None, description="time zone and conversion windows of each ad channel, CSV"
    )
    start_date: date = Field(date(2025, 1, 1), description="the first daily partition")
    late_days: int = Field(3, ge=0, le=14, description="days that GA4 still rewrites")
    data_dir: Path = Field(
        default_factory=_default_data_dir, description="where everything that a run writes lies"
    )
    pii_keys: SecretStr | None = Field(
        None, description="JSON object of key id to hex secret of 32 bytes or more, first active"
    )
    policy_version: str = Field(
        POLICY_V1.version, description="name of the consent policy; other rules, another name"
    )
    analysis_needs: _CommaList = Field(
        POLICY_V1.analysis_needs, description=f"signals for analysis, of {', '.join(SIGNALS)}"
    )
    activation_needs: _CommaList = Field(
        POLICY_V1.activation_needs, description="signals for advertising, granted at time of use"
    )
    unset_means: UnsetMeans = Field(
        POLICY_V1.unset_means, description="what an unset signal is for analysis, never for ads"
    )
    quarantine_limit: float = Field(
        0.05, ge=0, le=1, description="share of quarantined rows of a day that blocks publishing"
    )
    accepted_changes: _CommaList = Field(
        (),
        description="changes of inputs that are as they should be, as a failed check words them: "
        "ad_performance.revenue, events@2025-03-04",
    )
    landing_retention_days: int = Field(30, ge=1, description="days that raw drops are kept")
    vault_retention_days: int = Field(
        180,
        ge=1,
        le=540,
        description="days after its consent that an ad-platform match key is kept",
    )
    sample_seed: int = Field(7, ge=0, description="seed of the sample source")
    sample_events_per_day: int = Field(2500, ge=100, description="size of the sample source")
    guardrail: float = Field(
        0.5, gt=0, le=1, description="largest relative change of a budget line"
    )
    daily_budget: float | None = Field(
        None, gt=0, description="daily budget to allocate; default: what is spent now"
    )
    forecast_horizon: int = Field(14, ge=1, le=90, description="days to forecast")
    refresh_cron: str = Field(
        "0 6 * * *",
        pattern=r"^\s*(?:[0-9A-Za-z*/,\-]+\s+){4}[0-9A-Za-z*/,\-]+\s*$",
        description="when daily_refresh runs, five cron fields in the property's time",
    )
    alert_url: SecretStr | None = Field(
        None, description="web hook that is told of failed runs, http or https"
    )
    log_retention_days: int = Field(90, ge=1, description="days that logs of runs are kept")
    lock_timeout_seconds: float = Field(
        3600, gt=0, description="how long a run waits for another run on the same data"
    )

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is no IANA time zone such as 'Europe/Berlin'")
        return value

    @field_validator("phone_region")
    @classmethod
    def _known_region(cls, value: str | None) -> str | None:
        if value is not None:
            from phonenumbers import SUPPORTED_REGIONS

            if value not in SUPPORTED_REGIONS:
                raise ValueError(f"{value!r} is no ISO 3166 country code such as 'DE'")
        return value

    @field_validator("data_dir", mode="before")
    @classmethod
    def _given(cls, value: object) -> object:
        if not str(value).strip():
            raise ValueError("is empty: give a folder, or leave the variable unset")
        return value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("pii_keys")
    @classmethod
    def _usable_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                KeyRing.from_json(value.get_secret_value())
            except MktError as error:
                raise ValueError(str(error)) from None
        return value

    @field_validator("alert_url")
    @classmethod
    def _usable_hook(cls, value: SecretStr | None) -> SecretStr | None:
        # the address of a hook is often its only secret, so it is not repeated
        if value is not None:
            hook = urlsplit(value.get_secret_value())
            if hook.scheme not in {"http", "https"} or not hook.hostname:
                raise ValueError("is no address such as https://hooks.example.com/...")
        return value

    @field_validator("consent_upstream")
    @classmethod
    def _impersonal(cls, value: str | None) -> str | None:
        found = pii.findings(value) if value else []
        if found:
            raise ValueError(
                f"holds personal data ({', '.join(found)}), and the ledger publishes it: name the "
                "office, not a person's address or number"
            )
        return value

    @field_validator("analysis_needs", "activation_needs", "accepted_changes", mode="before")
    @classmethod
    def _comma_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(",") if word.strip())
        return value

    @field_validator("accepted_changes")
    @classmethod
    def _worded_as_told(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        odd = [word for word in value if not _ACCEPTED.fullmatch(word)]
        if odd:
            raise ValueError(
                "give a comma list of <table>.<column> and <table>@<YYYY-MM-DD>, tables being "
                f"events and ad_performance; not so: {odd[0]!r}"
            )
        return value

    @field_validator("analysis_needs", "activation_needs")
    @classmethod
    def _known_signals(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        value = tuple(map(str.lower, value))
        unknown = sorted(set(value) - set(SIGNALS))
        if unknown or not value:
            problem = f"unknown signal {', '.join(unknown)}" if unknown else "no signal"
            raise ValueError(f"{problem}: give a comma list out of {', '.join(SIGNALS)}")
        return tuple(signal for signal in SIGNALS if signal in value)

    @model_validator(mode="after")
    def _one_policy_a_version(self) -> Settings:
        try:
            _ = self.policy
        except MktError as error:
            raise ValueError(f"MKT_POLICY_VERSION: {error}") from None
        return self

    @model_validator(mode="after")
    def _files_need_a_place(self) -> Settings:
        if self.source == "files" and not (self.ga4_uri or self.ads_uri):
            raise ValueError("MKT_SOURCE=files needs MKT_GA4_URI or MKT_ADS_URI, or both")
        if self.source == "files" and self.ga4_uri and self.pii_keys is None:
            raise ValueError(
                "MKT_SOURCE=files with MKT_GA4_URI needs MKT_PII_KEYS, a JSON object of key id to "
                'hex secret: {"k1": "<output of: openssl rand -hex 32>"}'
            )
        return self

    @model_validator(mode="after")
    def _contacts_need_consent(self) -> Settings:
        if self.contacts_uri and not (self.consent_uri and self.ga4_uri):
            raise ValueError(
                "MKT_CONTACTS_URI needs MKT_CONSENT_URI and MKT_GA4_URI: a match key exists only "
                "for a visitor whose consent log grants ad_user_data and ad_personalization"
            )
        return self

    @property
    def policy(self) -> Policy:
        """The written consent policy in force."""
        return Policy(
            self.policy_version, self.analysis_needs, self.activation_needs, self.unset_means
        )

    @property
    def tz(self) -> ZoneInfo:
        """The property's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def has_ga4(self) -> bool:
        """Whether there are events, and so sessions, purchases and audiences."""
        return self.source == "sample" or self.ga4_uri is not None

    @property
    def has_ads(self) -> bool:
        """Whether there is ad spend, and so KPIs, anomalies and budgets."""
        return self.source == "sample" or self.ads_uri is not None

    @property
    def has_consent_log(self) -> bool:
        """Whether there is a consent log beside the events' own signals."""
        return self.source == "sample" or self.consent_uri is not None

    @property
    def has_contacts(self) -> bool:
        """Whether there are contacts to make ad-platform match keys of."""
        return self.source == "sample" or self.contacts_uri is not None

    @property
    def has_experiments(self) -> bool:
        """Whether there are A/B tests to analyse."""
        return self.source == "sample" or self.experiments_uri is not None

    @property
    def identity(self) -> dict[str, str]:
        """What the rows of one data directory have in common: a day is a day of one time zone."""
        return {"source": self.source, "timezone": self.timezone}

    @property
    def absent(self) -> dict[str, str]:
        """What cannot be computed with these inputs, and why."""
        reasons = {
            "ga4": (self.has_ga4, "no GA4 events: set MKT_GA4_URI"),
            "ads": (self.has_ads, "no ad spend: set MKT_ADS_URI"),
            "experiments": (self.has_experiments, "no A/B tests: set MKT_EXPERIMENTS_URI"),
        }
        return {need: why for need, (there, why) in reasons.items() if not there}


def known_variables() -> dict[str, str]:
    """Every environment variable that the platform reads, with what it is for."""
    return {
        f"{_PREFIX}{name.upper()}": field.description or ""
        for name, field in Settings.model_fields.items()
    }


def _refuse_unknown() -> None:
    given = {*os.environ, *dotenv_values(_ENV_FILE)}
    ours = {name for name in given if name.startswith(_PREFIX)}
    unknown = sorted(n for n in ours - {*known_variables()} if not n.startswith(_TOLD_TO_DBT))
    if unknown:
        raise MktError(
            f"unknown setting {', '.join(unknown)}. Known settings: {', '.join(known_variables())}."
        )


def load_settings(**overrides: Any) -> Settings:
    """Read and validate the settings.

    Raises:
        MktError: a variable is unknown or malformed; secrets are never part of the message.
    """
    _refuse_unknown()
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = [
            f"{_PREFIX}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" if e["loc"] else e["msg"]
            for e in error.errors(include_input=False)
        ]
        # the validation error holds the inputs, secrets among them
        raise MktError("; ".join(faults)) from None


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings()
