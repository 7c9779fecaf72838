"""Builds repeated key/value columns of the sample's events without a loop over events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from mkt_assets.ingest.sample_draws import Floats, Ints


@dataclass(frozen=True)
class Param:
    """One key on the rows that have it; exactly one of the three kinds of values is given."""

    key: str
    rows: Ints
    string: pa.Array | None = None
    whole: Ints | None = None
    real: Floats | None = None


def key_values(size: int, params: Sequence[Param], kind: pa.ListType) -> pa.Array:
    """A list of key/value records for each of ``size`` rows, keys in the order of ``params``."""
    rows = np.concatenate([param.rows for param in params])
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=size))])
    filled, total = offsets[:-1].copy(), int(offsets[-1])
    keys = np.zeros(total, dtype=np.int32)
    strings, wholes = np.full(total, -1, dtype=np.int64), np.zeros(total, dtype=np.int64)
    reals, is_whole = np.full(total, np.nan), np.zeros(total, dtype=np.bool_)
    pool: list[pa.Array] = [pa.array([], pa.string())]
    pooled = 0
    for number, param in enumerate(params):
        at = filled[param.rows]
        filled[param.rows] += 1
        keys[at] = number
        if param.string is not None:
            strings[at] = pooled + np.arange(len(at))
            pool.append(param.string)
            pooled += len(at)
        elif param.whole is not None:
            wholes[at], is_whole[at] = param.whole, True
        elif param.real is not None:
            reals[at] = param.real
    pair = kind.value_type
    value = pa.StructArray.from_arrays(
        [
            pa.concat_arrays(pool).take(pa.array(strings, mask=strings < 0)),
            pa.array(wholes, mask=~is_whole),
            pa.nulls(total, pa.float64()),
            pa.array(reals, mask=np.isnan(reals)),
        ],
        fields=list(pair.field("value").type),
    )
    names = pa.array([param.key for param in params], pa.string()).take(pa.array(keys))
    entries = pa.StructArray.from_arrays([names, value], fields=list(pair))
    return listed(offsets, entries, kind)


def listed(offsets: Ints, entries: pa.Array, kind: pa.ListType) -> pa.Array:
    """Lists from their boundaries and their entries."""
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), entries, type=kind)
