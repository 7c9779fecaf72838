"""Removal effects of the channels: for each day, of the chain of the journeys known by its end.

dbt runs this file; the arithmetic is `mkt_assets.marts.markov`, which knows no dbt. It is given a
DuckDB relation or a Spark DataFrame, and its answer has its types even where it has no rows.
"""

import numpy as np
import pandas as pd

from mkt_assets.marts.markov import Transitions, removal_effects

#: binary dust beyond this differs between machines
_DIGITS = 12


#: as macros/changes.sql asks for the days to build again; other engines build all days
_STALE = """
    date in (
        select event_date from builds.changes
        where producer = 'int_journey_transitions' and number > coalesce((
            select max(number) from builds.readings
            where consumer = 'int_markov_effects' and producer = 'int_journey_transitions'
        ), 0)
    )
"""


def effects_by_day(steps):
    """One row per day and channel, from a frame with date, from_channel, to_channel, journeys."""
    steps = steps.assign(date=pd.to_datetime(steps["date"]).dt.date)
    rows = []
    for day, found in steps.sort_values(["date", "from_channel", "to_channel"]).groupby("date"):
        source, target = (found[c].to_numpy(dtype=object) for c in ("from_channel", "to_channel"))
        told = removal_effects(Transitions(source, target, found["journeys"].to_numpy(np.float64)))
        rows += [(day, channel, round(effect, _DIGITS)) for channel, effect in told.items()]
    return pd.DataFrame(rows, columns=["date", "channel_group", "removal_effect"])


def _as_table(session, frame):
    """What the engine stores: no engine can tell the type of a column from a frame without rows."""
    if hasattr(session, "createDataFrame"):
        spark_types = "date date, channel_group string, removal_effect double"
        return session.createDataFrame(frame, schema=spark_types)
    import pyarrow as pa

    types = {"date": pa.date32(), "channel_group": pa.string(), "removal_effect": pa.float64()}
    return pa.Table.from_pandas(frame, schema=pa.schema(types), preserve_index=False)


def model(dbt, session):
    """One row per day and channel of `int_journey_transitions`."""
    steps = dbt.ref("int_journey_transitions")
    if dbt.is_incremental:
        steps = steps.filter(_STALE)
    frame = steps.toPandas() if hasattr(steps, "toPandas") else steps.df()
    return _as_table(session, effects_by_day(frame))
