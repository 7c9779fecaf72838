"""Removal effects of the touchpoints: for each day, of the chain of the journeys known by its end.

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
    """One row per day and touchpoint, from a frame with date, source_key, target_key, journeys."""
    steps = steps.assign(date=pd.to_datetime(steps["date"]).dt.date)
    rows = []
    for day, found in steps.sort_values(["date", "source_key", "target_key"]).groupby("date"):
        source, target = (found[c].to_numpy(dtype=object) for c in ("source_key", "target_key"))
        told = removal_effects(Transitions(source, target, found["journeys"].to_numpy(np.float64)))
        rows += [(day, key, round(effect, _DIGITS)) for key, effect in told.items()]
    return pd.DataFrame(rows, columns=["date", "touchpoint_key", "removal_effect"])


def _as_table(session, frame):
    """What the engine stores: no engine can tell the type of a column from a frame without rows."""
    if hasattr(session, "createDataFrame"):
        spark_types = "date date, touchpoint_key string, removal_effect double"
        return session.createDataFrame(frame, schema=spark_types)
    import pyarrow as pa

    types = {"date": pa.date32(), "touchpoint_key": pa.string(), "removal_effect": pa.float64()}
    return pa.Table.from_pandas(frame, schema=pa.schema(types), preserve_index=False)


def model(dbt, session):
    """One row per day and touchpoint of `int_journey_transitions`."""
    steps = dbt.ref("int_journey_transitions")
    if dbt.is_incremental:
        steps = steps.filter(_STALE)
    frame = steps.toPandas() if hasattr(steps, "toPandas") else steps.df()
    return _as_table(session, effects_by_day(frame))
