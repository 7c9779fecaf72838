"""A login's refusal of advertising holds on every device where it was seen, and no longer."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mkt_assets.ingest.sources import CONSENT, EVENTS, raw_whole
from mkt_assets.lake import Lake
from mkt_assets.privacy import ad_refusals, vault
from mkt_assets.privacy.guard_contacts import guard_contacts, not_granted
from mkt_assets.privacy.policy import ADVERTISING, POLICY_V1
from mkt_assets.privacy.pseudonyms import Key, KeyRing, pseudonym, stand_in

Workplace = Any  # the fixture's type lives in conftest
KEY = Key("k1", bytes(range(32)))
RING = KeyRing((KEY,))
DAY = date(2025, 3, 10)
NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)
YES, NO = "granted", "denied"
DEVICES, LOGINS = ("device-1", "device-2"), ("login-1", "ab" * 32)
#: subject, hours before noon, ad_user_data, ad_personalization
Entry = tuple[str, int, str | None, str | None]


class Place:
    """A data directory with one raw day and a consent log."""

    def __init__(self, workplace: Workplace) -> None:
        self.work = workplace
        self.lake = Lake(workplace.folder / "data")
        shutil.rmtree(self.lake.root, ignore_errors=True)
        self.lake.prepare()

    def log(self, entries: Iterable[Entry], analytics: str = YES) -> None:
        """Guard a log; ``analytics`` is what everybody says to analysis."""
        rows = [
            (who, NOON - timedelta(hours=hours), YES, analytics, *words)
            for who, hours, *words in entries
        ]
        self.work.log(rows)
        for source, target in (
            (self.work.consent, self.lake.whole(CONSENT)),
            (self.work.folder / "log.parquet", raw_whole(self.lake, CONSENT)),
        ):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    def seen(self, pairs: Iterable[tuple[str, str | None]]) -> None:
        """Land and guard an event for each device and login."""
        rows = [
            self.work.event(
                user_pseudo_id=device, user_id=login, event_timestamp=self.work.NOON + n
            )
            for n, (device, login) in enumerate(pairs)
        ]
        self.work.guard(rows)
        for source, target in (
            (self.work.landing, self.lake.landed(EVENTS, DAY)),
            (self.work.out, self.lake.partition(EVENTS, DAY)),
        ):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    def purge(self) -> None:
        """What retention does of raw events."""
        shutil.rmtree(self.lake.landing / EVENTS, ignore_errors=True)

    def update(self) -> set[str]:
        """The devices on the list."""
        asked: dict[str, Any] = {"days": [DAY], "erased": None}
        ad_refusals.update(self.work.con, self.lake, RING, POLICY_V1, **asked)
        path = self.lake.whole(ad_refusals.AD_REFUSALS)
        return {row["user_key"] for row in pq.read_table(path).to_pylist()}

    def contacts(self, *people: str, day: date = DAY) -> set[str]:
        """Guard a contact of each; whose keys are in the vault then."""
        raw = self.work.folder / "contacts.parquet"
        rows = ", ".join(f"('{who}', '{who[:9]}@example.com', null, 's')" for who in people)
        self.work.con.execute(
            f"copy (from (values {rows}) t(subject_id, email, phone, source_file)) to '{raw}' "
            "(format parquet)"
        )
        guard_contacts(
            self.work.con,
            raw=raw,
            consent=self.lake.whole(CONSENT),
            lake=self.lake,
            key=KEY,
            policy=POLICY_V1,
            day=day,
            retention_days=30,
            region=None,
        )
        stored = vault.read(self.lake, vault.MATCH_KEYS, "meta")["user_key"].to_pylist()
        return {who for who in people if pseudonym(who, KEY) in stored}


def keys(*devices: str) -> set[str]:
    return {pseudonym(device, KEY) for device in devices}


WORDS = st.sampled_from([YES, NO, None])
LOGS = st.lists(
    st.tuples(st.sampled_from([*DEVICES, *LOGINS]), st.integers(0, 3), WORDS, WORDS),
    max_size=6,
    unique_by=lambda entry: entry[:2],
)
PAIRS = st.lists(st.tuples(st.sampled_from(DEVICES), st.sampled_from([*LOGINS, None])), max_size=5)


Pair = tuple[str, str | None]


def of_case(case: int, who: str) -> str:
    """A person of a case, whose name has the form that it had: a hash stays one."""
    return f"{case:02x}{who[2:]}" if who == LOGINS[1] else f"{who}-{case}"


def refuses(who: str, log: list[Entry]) -> bool:
    """Whether the latest word of somebody on either signal is no."""
    theirs = sorted((e for e in log if e[0] == who), key=lambda entry: -entry[1])
    last = [[word for word in words if word][-1:] for words in zip(*(e[2:] for e in theirs))]  # noqa: B905
    return [NO] in last


@pytest.mark.slow
@given(cases=st.lists(st.tuples(LOGS, PAIRS), min_size=1, max_size=6), is_purged=st.booleans())
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_exactly_the_devices_of_refusing_logins_are_listed(
    workplace: Workplace, cases: list[tuple[list[Entry], list[Pair]]], is_purged: bool
) -> None:
    """Each case has people of its own: guarded side by side they cost what one does."""
    log = [
        (of_case(n, who), *said) for n, (entries, _) in enumerate(cases) for who, *said in entries
    ]
    pairs = [
        (of_case(n, device), login and of_case(n, login))
        for n, (_, seen) in enumerate(cases)
        for device, login in seen
    ]
    place = Place(workplace)
    place.log(log)
    place.seen(pairs)
    if is_purged:
        place.purge()
    logged = {entry[0] for entry in log}
    wanted = {
        device for device, login in pairs if login and refuses(login, log) and device in logged
    }
    assert place.update() == keys(*wanted)
    path = place.lake.whole(ad_refusals.AD_REFUSALS)
    once = path.read_bytes()
    assert place.update() == keys(*wanted)
    assert path.read_bytes() == once


GRANTED: Entry = ("device-1", 9, YES, YES)


@pytest.mark.slow
@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("analytics", [YES, NO])
def test_a_refusal_by_login_empties_the_vault_of_the_device(
    workplace: Workplace, login: str, analytics: str
) -> None:
    """Though all events of the device were dropped, and though their raw files are purged."""
    place = Place(workplace)
    place.log([GRANTED])
    place.seen([("device-1", None)])
    assert place.update() == set()
    assert place.contacts("device-1", "device-2") == {"device-1"}

    place.log([GRANTED, (login, 5, NO, NO)], analytics)
    place.seen([("device-1", login)])
    assert len(workplace.kept()) == (analytics == YES)
    later = {"lake": place.lake, "consent": place.lake.whole(CONSENT), "policy": POLICY_V1}
    for _ in range(2):
        assert place.update() == keys("device-1")
        assert place.contacts("device-1", "device-2") == set()
        assert not_granted(workplace.con, **later) == {}
        listed = vault.read(place.lake, vault.REMOVE_LIST, "meta").to_pylist()
        assert [(row["user_key"], row["reason"]) for row in listed] == [
            (pseudonym("device-1", KEY), vault.WITHDRAWN)
        ]
        # what is purged and dropped is known from the list alone
        place.purge()
        shutil.rmtree(place.lake.guarded / EVENTS, ignore_errors=True)

    place.log([GRANTED, (login, 5, NO, NO), (login, 1, YES, YES), ("device-1", 1, YES, YES)])
    assert place.update() == set()
    assert place.contacts("device-1", day=DAY + timedelta(days=1)) == {"device-1"}


@pytest.mark.parametrize("signal", ["ad_storage", *ADVERTISING])
def test_events_carry_a_login_s_refusal(workplace: Workplace, signal: str) -> None:
    signals = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")
    denial = [NO if name == signal else None for name in signals]
    early = NOON - timedelta(hours=1)
    workplace.log([("device-1", early, *[YES] * 4), ("login-1", NOON, *denial)])
    rows = [
        workplace.event(
            user_pseudo_id="device-1",
            user_id=login,
            event_timestamp=moment,
            event_name=login or "page_view",
        )
        for login in ("login-1", None)
        for moment in (workplace.NOON - 1, workplace.NOON)
    ]
    assert workplace.guard(rows).kept == len(rows)
    stored = {(row["login_key"], row["event_timestamp"]): row[signal] for row in workplace.kept()}
    key = stand_in("login-1", KEY)
    assert stored.pop((key, workplace.NOON)) == NO
    assert set(stored.values()) == {YES}


def test_an_unlisted_device_keeps_its_own_word(workplace: Workplace) -> None:
    place = Place(workplace)
    place.log([GRANTED, ("device-2", 9, YES, YES), ("login-1", 5, YES, NO)])
    place.seen([("device-1", "login-1"), ("device-2", None)])
    assert place.update() == keys("device-1")
    assert place.contacts("device-1", "device-2") == {"device-2"}


@pytest.mark.slow
@pytest.mark.parametrize("order", [(None, "login-1"), ("login-1", None)])
@pytest.mark.parametrize("signal", range(4))
def test_of_two_copies_the_refused_one_counts(
    workplace: Workplace, order: tuple[str | None, ...], signal: int
) -> None:
    """An event that was sent with and without its login is one event, and it was refused."""
    denial = [NO if number == signal else None for number in range(4)]
    early = NOON - timedelta(hours=1)
    workplace.log([("device-1", early, *[YES] * 4), ("login-1", early, *denial)])
    rows = [workplace.event(user_pseudo_id="device-1", user_id=login) for login in order]
    fates = workplace.guard(rows)
    assert fates.duplicates == 1
    signals = ("ad_storage", "analytics_storage", "ad_user_data", "ad_personalization")
    stored = [[row[name] for name in signals].count(NO) for row in workplace.kept()]
    assert stored == ([] if signals[signal] == "analytics_storage" else [1])
