"""The sample's contacts: what visitors with an account typed into a form, with its dirt.

Nobody can be reached: example domains (RFC 2606), Gmail names too odd to be taken, phone numbers of
the ranges that are kept for fiction. What stays out: who consents to what (sample_visitors).
"""

from __future__ import annotations

import hashlib
from datetime import date

import numpy as np
import pyarrow as pa

from mkt_assets.ingest.sample_draws import day_bounds, pick
from mkt_assets.ingest.sample_visitors import LIFE, Visitors, night_slots, slots, visitors_at

#: this visitor and the one before it in the same slot: a shop keeps contacts for a while
_GENERATIONS = 2
#: how addresses are given, and how often
_EMAILS = {
    "{name}@example.com": 40.0,
    "{name}@example.org": 22.0,
    "{dotted}@gmail.com": 12.0,
    "{dotted}+Shop@GMail.com": 8.0,
    "{dotted}@googlemail.com": 4.0,
    " {name}@Example.com ": 5.0,
    "{hash}": 2.0,
    "{name}.example.com": 2.0,
    "{name}@@example.com": 1.0,
    "": 4.0,
}
#: 555-0100 to 555-0199 is fiction in every area of North America, 07700 900000 to 900999 in Britain
_PHONES = {
    "+1{area}55501{last:02}": 30.0,
    "+1 ({area}) 555-01{last:02}": 12.0,
    "({area}) 555-01{last:02}": 6.0,
    "+44 7700 900{last3:03}": 3.0,
    "on request": 1.0,
    "": 48.0,
}
#: North American area codes begin with 2 to 9
_FIRST_AREA, _AREAS = 201, 780


def contacts(upto: date, *, seed: int, events_per_day: int, timezone: str) -> pa.Table:
    """The contacts known at the end of ``upto``, in the order of their subjects."""
    _, end = day_bounds(upto, timezone)
    slot = np.concatenate(
        [np.arange(slots(events_per_day), dtype=np.int64), night_slots(events_per_day)]
    )
    now = visitors_at(slot, end - 1, seed)
    known = Visitors(
        np.tile(slot, _GENERATIONS),
        np.concatenate([now.generation - back for back in range(_GENERATIONS)]),
        np.concatenate([now.born - back * LIFE for back in range(_GENERATIONS)]),
        seed,
    )
    is_member = np.asarray(known.member_id.is_valid())
    members = Visitors(
        known.slot[is_member], known.generation[is_member], known.born[is_member], seed
    )
    return pa.table(
        {
            "subject_id": members.pseudo_id,
            "email": pa.array(_addresses(members), pa.string()),
            "phone": pa.array(_numbers(members), pa.string()),
        }
    ).sort_by("subject_id")


def _addresses(members: Visitors) -> list[str | None]:
    forms = list(_EMAILS)
    chosen = pick(members.unit("contact email"), list(_EMAILS.values()))
    numbers = (members.unit("contact name") * 1e9).astype(np.int64)
    found = []
    for form, number in zip(chosen, numbers, strict=True):
        name = f"sample.member.{number:09}"
        digest = hashlib.sha256(f"{name}@example.com".encode()).hexdigest().upper()
        typed = forms[form].format(name=name, dotted=f"S.ample.Member.{number:09}", hash=digest)
        found.append(typed or None)
    return found


def _numbers(members: Visitors) -> list[str | None]:
    forms = list(_PHONES)
    chosen = pick(members.unit("contact phone"), list(_PHONES.values()))
    areas = (members.unit("contact area") * _AREAS).astype(np.int64) + _FIRST_AREA
    lasts = (members.unit("contact number") * 1000).astype(np.int64)
    return [
        forms[form].format(area=area, last=last % 100, last3=last) or None
        for form, area, last in zip(chosen, areas, lasts, strict=True)
    ]
