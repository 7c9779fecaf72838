"""DuckDB without a database: questions to files and frames."""

import duckdb


def asking() -> duckdb.DuckDBPyConnection:
    """A connection for a question or two, to be closed; its tables and views are its own.

    It is a cursor of the process's one DuckDB in memory, since to open another takes 30 ms.
    """
    con = duckdb.cursor()
    # files here are replaced, some within the second by which a cache would tell them apart
    con.execute("set enable_external_file_cache = false")
    return con
