"""Rows into a new SQLite file by ADBC alone: what our own writing is held against. Measures only.

No checks, no hash, no ledger and no delete; the tables and indexes are those of the archive.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from resources.io_bench import new_database


def bare_ingest(file: Path, rows: Mapping[str, pa.Table]) -> int:
    """Write tables by name in one transaction; returns the rows of the first. The file must not be there yet."""
    # ADBC has a SQLite library of its own: the first one must have let go of the file.
    new_database(f"sqlite:///{file}").close()
    from adbc_driver_sqlite import dbapi

    with dbapi.connect(str(file)) as connection, connection.cursor() as cursor:
        connection.adbc_connection.set_autocommit(True)
        cursor.execute("PRAGMA synchronous=NORMAL")
        connection.adbc_connection.set_autocommit(False)
        for name, table in rows.items():
            cursor.adbc_ingest(name, table, mode="append")
        connection.commit()
    return int(next(iter(rows.values())).num_rows)
