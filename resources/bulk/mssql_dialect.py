"""SQLAlchemy's dialect of SQL Server, trimmed to what every compatible server takes. No statements of ours.

Loaded in place of SQLAlchemy's own `mssql+pyodbc` by `mssql.py`; without a driver it still compiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.mssql.base import MSTypeCompiler
from sqlalchemy.dialects.mssql.pyodbc import MSDialect_pyodbc

COLLATION = "Latin1_General_BIN2"
"""Of every text column: keys and names differ by case and accent as on other databases, and sort by code point.

The database's own collation is usually blind to case, so `A.mp4` and `a.mp4` would be one key. It is a collation
of single bytes and nvarchar alike, in every version of SQL Server and its relatives.
"""
INPUT_SIZES = "al_input_sizes"
"""Execution option: types of the parameters of textual SQL, as `cursor.setinputsizes` takes them."""

Reflected = Iterable[tuple[tuple[str | None, str], Any]]


class _Types(MSTypeCompiler):
    """Column types as DDL spells them."""

    def visit_double(self, type_: Any, **kw: Any) -> str:
        # DOUBLE PRECISION is the same type, but the server calls it so, and the comparison goes by name.
        return "FLOAT(53)"

    def visit_VARCHAR(self, type_: Any, **kw: Any) -> str:
        return _byte_exact(super().visit_VARCHAR(type_, **kw), type_, kw)

    def visit_NVARCHAR(self, type_: Any, **kw: Any) -> str:
        return _byte_exact(super().visit_NVARCHAR(type_, **kw), type_, kw)


def _byte_exact(spelled: str, kind: Any, options: dict[str, Any]) -> str:
    # A CAST takes no collation, and a column may have one of its own.
    is_column = isinstance(options.get("type_expression"), sa.Column)
    return f"{spelled} COLLATE {COLLATION}" if is_column and not kind.collation else spelled


class Dialect(MSDialect_pyodbc):
    """`mssql+pyodbc`."""

    supports_statement_cache = True
    type_compiler_cls = _Types

    def __init__(self, **options: Any) -> None:
        # Comments are extended properties, which some servers refuse; sql/DATA_DICTIONARY.md has the text.
        super().__init__(supports_comments=False, **options)

    def get_default_isolation_level(self, dbapi_conn: Any) -> Any:
        """SQL Server's own; asking for it takes a system view that not every server has."""
        return "READ COMMITTED"

    def set_isolation_level(self, dbapi_connection: Any, level: Any) -> None:
        """In a transaction of its own, which some servers demand and which makes it last on all."""
        # The look whether an idle connection is alive began one; the driver begins another for this statement.
        dbapi_connection.rollback()
        super().set_isolation_level(dbapi_connection, level)
        dbapi_connection.commit()

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Bind by the types given, if any."""
        self._bind(cursor, context)
        super().do_execute(cursor, statement, parameters, context)

    def do_executemany(
        self, cursor: Any, statement: str, parameters: Sequence[Any], context: Any = None
    ) -> None:
        """Bind by the types given, if any; then many rows go in one call of Microsoft's driver."""
        bound = self._bind(cursor, context)
        if bound:
            # FreeTDS ends the process with it.
            driver = cursor.connection.getinfo(self.loaded_dbapi.SQL_DRIVER_NAME)
            cursor.fast_executemany = "msodbcsql" in driver.lower()
        super().do_executemany(cursor, statement, parameters, context)
        while bound and cursor.nextset():
            pass  # an error of a later row may come with its result only (mkleehammer/pyodbc#665)

    @staticmethod
    def _bind(cursor: Any, context: Any) -> bool:
        sizes = context.execution_options.get(INPUT_SIZES) if context is not None else None
        if sizes:
            cursor.setinputsizes(sizes)
        return bool(sizes)

    def get_multi_columns(self, connection: sa.Connection, **kw: Any) -> Reflected:
        """Without identity: the comparison of schemas knows it from the primary key, which is not asked for."""
        found = list(super().get_multi_columns(connection, **kw))
        for _, columns in found:
            for column in columns:
                column.pop("identity", None)
        return found

    def get_multi_pk_constraint(self, connection: sa.Connection, **kw: Any) -> Reflected:
        """Nothing: SQLAlchemy asks with a table hint, and the comparison of schemas does not look at it."""
        return self._nothing(connection, {}, **kw)

    def get_multi_foreign_keys(self, connection: sa.Connection, **kw: Any) -> Reflected:
        """Nothing: tables.py has none, and some servers lack the views of INFORMATION_SCHEMA that tell."""
        return self._nothing(connection, [], **kw)

    def _nothing(self, connection: sa.Connection, value: Any, **kw: Any) -> Reflected:
        schema, names = kw.get("schema"), kw.get("filter_names")
        return [((schema, name), value) for name in names or self.get_table_names(connection, schema=schema)]
