"""Removal effects of the touchpoints: for each day, of the chain of the journeys known by its end.

dbt runs this file; the arithmetic is `mkt_assets.marts.markov`, which knows no dbt.
"""

import numpy as np
import pyarrow as pa

from mkt_assets.marts.markov import Transitions, removal_effects

#: binary dust beyond this differs between machines
_DIGITS = 12


#: as macros/changes.sql asks for the days to build again
_STALE = """
    date in (
        select event_date from builds.changes
        where producer = 'int_journey_transitions' and number > coalesce((
            select max(number) from builds.readings
            where consumer = 'int_markov_effects' and producer = 'int_journey_transitions'
        ), 0)
    )
"""


def model(dbt, session):  # noqa: ARG001  the signature is dbt's
    """One row per day and touchpoint of `int_journey_transitions`."""
    steps = dbt.ref("int_journey_transitions")
    if dbt.is_incremental:
        steps = steps.filter(_STALE)
    found = steps.order("date, source_key, target_key").to_arrow_table()
    columns = [found[c].to_numpy() for c in ("source_key", "target_key", "journeys")]
    days, begins = np.unique(found["date"].to_numpy(), return_index=True)
    ends = np.append(begins, len(found))[1:]
    dates, keys, effects = [], [], []
    for day, begin, end in zip(days, begins, ends, strict=True):
        source, target, journeys = (column[begin:end] for column in columns)
        told = removal_effects(Transitions(source, target, journeys.astype(np.float64)))
        dates += [day] * len(told)
        keys += told.keys()
        effects += [round(effect, _DIGITS) for effect in told.values()]
    return pa.table(
        {
            "date": pa.array(np.array(dates, dtype="datetime64[D]")),
            "touchpoint_key": pa.array(keys, pa.string()),
            "removal_effect": pa.array(effects, pa.float64()),
        }
    )
