"""Which keys are in force: the settings' own, or the sample source's key file."""

from __future__ import annotations

from mkt_assets.lake import Lake
from mkt_assets.privacy.pseudonyms import KeyRing, load_or_create
from mkt_assets.settings import Settings


def key_ring(settings: Settings, *, create: bool = True) -> KeyRing | None:
    """The keys; None only with ``create=False`` where the sample has not made its own yet.

    Raises:
        MktError: a key is malformed or too short, or others may read the key file.
    """
    if settings.pii_keys is not None:
        return KeyRing.from_json(settings.pii_keys.get_secret_value())
    path = Lake(settings.data_dir).root / "keys" / "sample.json"
    if not create and not path.is_file():
        return None
    return load_or_create(path)
