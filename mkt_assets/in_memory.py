"""DuckDB without a database: small questions to files.

Limits: a process that forked after a question hangs at its next one, so nothing here forks; large
results would stay in memory and be spilled beside the process, so those open a DuckDB of their own.
"""

import duckdb


def asking() -> duckdb.DuckDBPyConnection:
    """A connection for a small question or two, to be closed; what it makes must be temporary.

    It is a cursor of the process's one DuckDB in memory, since to open another takes 30 ms.
    """
    con = duckdb.cursor()
    # files here are replaced, some within the second by which a cache would tell them apart
    con.execute("set enable_external_file_cache = false")
    return con
