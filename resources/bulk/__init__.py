"""One small file per SQL dialect, holding all that differs between databases; this one picks it.

No schema knowledge and no checks of rows: batches arrive checked, with the table's columns and Arrow types.
"""

from __future__ import annotations

from resources.bulk.generic import Dialect
from resources.bulk.mssql import SQLServer
from resources.bulk.postgresql import PostgreSQL
from resources.bulk.sqlite import SQLite

_DIALECTS: dict[str, Dialect] = {"sqlite": SQLite(), "postgresql": PostgreSQL(), "mssql": SQLServer()}
_ANY = Dialect()


def dialect(name: str) -> Dialect:
    """The dialect by SQLAlchemy's name of the database; unknown ones get the generic executemany."""
    return _DIALECTS.get(name, _ANY)


__all__ = ["Dialect", "dialect"]
