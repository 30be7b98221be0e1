"""Errors of the outside world, each one readable line that says the next action. No logic, no row data, no secrets."""

from __future__ import annotations

OTHER_TABLES = "`al db check` says how the tables differ from what this version expects"
"""Advice where a statement and the database disagree about tables."""


class DatabaseError(RuntimeError):
    """The database refused or could not be reached; the message never holds row data or a password."""


class BusyDatabaseError(DatabaseError):
    """The database was busy, restarting or out of reach; the same transaction may succeed a moment later."""


class CommitInDoubtError(DatabaseError):
    """The connection broke while a transaction was being committed, so nobody knows whether it stands."""


class SchemaMismatchError(DatabaseError):
    """Rows do not fit their table; raised before anything is deleted and names the columns."""


class SliceMismatchError(DatabaseError):
    """Rows lie outside the slice they are written to, or a slice does not fit its table."""


class StorageError(RuntimeError):
    """Storage could not be listed, read or written."""


class FileMissingError(StorageError, FileNotFoundError):
    """There is no file at this path in storage."""


class UnsafePathError(StorageError, ValueError):
    """A path would leave the storage root, or could not be written on every kind of storage."""


class OneMachineError(RuntimeError):
    """Something that only one machine can write is to be written by several; the message says what to set."""
