"""Which keys are in force: the settings' own, or the sample source's key file.

What stays out: the keys themselves (`pseudonyms`).
"""

from __future__ import annotations

from mkt_assets.errors import MktError
from mkt_assets.lake import Lake
from mkt_assets.privacy.ledger import partitions_by_key
from mkt_assets.privacy.pseudonyms import KeyRing, load_or_create
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
    """Every key that stored data was made with must be live: without it nobody can be erased.

    Raises:
        MktError: a key of the ledger's current lines is not in the ring.
    """
    for key_id in partitions_by_key(lake):
        ring.key(key_id)
