"""Which keys are in force: the settings' own, or the sample source's key file.

What stays out: the keys themselves (`pseudonyms`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

from mkt_assets.errors import MktError
from mkt_assets.lake import Lake, replacing
from mkt_assets.privacy.ledger_stamps import partitions_by_key
from mkt_assets.privacy.pseudonyms import Key, KeyRing, load_or_create
from mkt_assets.settings import Settings


def key_ring(settings: Settings, *, create: bool = True) -> KeyRing | None:
    """The keys; None only with ``create=False`` where the sample has not made its own yet.

    Raises:
        MktError: a key is malformed or too short, others may read the key file, or it is gone.
    """
    if settings.pii_keys is not None:
        return KeyRing.from_json(settings.pii_keys.get_secret_value())
    lake = Lake(settings.data_dir)
    path = lake.root / "keys" / "sample.json"
    if not path.is_file():
        if partitions_by_key(lake):
            raise MktError(
                f"the key file {path} is gone, and what is stored was made with it: put it back, "
                f"or remove {lake.root} and begin again. A new key would give other pseudonyms."
            )
        if not create:
            return None
    return load_or_create(path)


def refuse_missing(ring: KeyRing, lake: Lake) -> None:
    """Every key that stored data was made with must be live: without it nobody can be found.

    Raises:
        MktError: a key of the ledger's current lines is not in the ring, or has another secret.
    """
    known = _fingerprints(lake)
    for key_id in partitions_by_key(lake):
        key = ring.key(key_id)
        if known.get(key_id, _fingerprint(key)) != _fingerprint(key):
            raise MktError(
                f"the key id {key_id!r} stands for another secret than the one that stored data "
                "was made with: put the old secret back, and give a new one an id of its own"
            )


def remember(ring: KeyRing, lake: Lake) -> None:
    """Keep a fingerprint of every live key, so that a changed secret is noticed."""
    known = _fingerprints(lake)
    now = known | {key.id: _fingerprint(key) for key in ring.keys}
    if now != known:
        lake.closed(lake.root / "keys")
        with replacing(_place(lake), mode=0o600) as writing:
            writing.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _place(lake: Lake) -> Path:
    return lake.root / "keys" / "fingerprints.json"


def _fingerprints(lake: Lake) -> dict[str, str]:
    path = _place(lake)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _fingerprint(key: Key) -> str:
    """What tells secrets apart and gives none away."""
    return hmac.new(key.secret, b"fingerprint", hashlib.sha256).hexdigest()[:16]
