"""The ledger of label exports, what they brought, and the classes. No parsing, no consensus."""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from resources import bulk
from resources.database import Database
from resources.queries import ledger_counts
from resources.queries.chunks import in_chunks
from resources.spool import Spool
from resources.tables import annotation_labels, annotations, classes, label_exports, label_rejects

UNCLAIMED = ("seen", "claimed")
"""Statuses of exports that are still to be imported: a claim of a run that died is open again."""


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


class LedgerConflictError(RuntimeError):
    """Another run took the export; nothing was written."""


@dataclass(frozen=True)
class Export:
    """A row of `label_exports`, as far as the assets need it."""

    export_id: int
    uri: str
    etag: str
    sha256: str
    status: str
    claimed_by: str | None
    imported: int | None
    rejected: int | None
    error: str | None
    imported_at: datetime | None


@dataclass(frozen=True)
class LabelLedger:
    """Reads and changes of `label_exports`, `annotations`, `annotation_labels`, `label_rejects`, `classes`."""

    database: Database

    def exports(self, *statuses: str) -> list[Export]:
        """Versions of exports in order of arrival, optionally of some statuses only."""
        query = sa.select(*(label_exports.c[name] for name in Export.__dataclass_fields__))
        if statuses:
            query = query.where(label_exports.c.status.in_(statuses))
        with self.database.read() as connection:
            return [Export(*row) for row in connection.execute(query.order_by(label_exports.c.export_id))]

    def register(
        self, found: Sequence[Mapping[str, Any]], now: datetime, *, after: Mapping[str, Export]
    ) -> list[int]:
        """Register versions (uri, etag, size_bytes, sha256); returns the export_ids to be imported.

        The content that a file had last is no news, but one set aside is tried again when its file is touched.
        An older content put back is news: without times in it, it is the latest word.
        after: uri -> its latest version when the files were listed. Where the ledger has gone on since, by another
        daemon's hand, the listing may be older than what that one saw, and the file is left to the next look.
        """
        due: list[int] = []
        with self.database.write() as connection:
            last = connection.scalar(sa.select(sa.func.coalesce(sa.func.max(label_exports.c.export_id), 0)))
            for version in found:
                latest = connection.execute(
                    sa.select(*(label_exports.c[name] for name in ("export_id", "etag", "sha256", "status")))
                    .where(label_exports.c.uri == version["uri"])
                    .order_by(label_exports.c.export_id.desc())
                    .limit(1)
                ).one_or_none()
                seen = after.get(version["uri"])
                if (latest and (latest.export_id, latest.etag)) != (seen and (seen.export_id, seen.etag)):
                    continue
                if latest is None or latest.sha256 != version["sha256"]:
                    last = int(last or 0) + 1
                    row = {**version, "export_id": last, "status": "seen", "registered_at": now}
                    connection.execute(sa.insert(label_exports).values(row))
                    due.append(last)
                    continue
                again = {"status": "seen", "claimed_by": None} if latest.status == "quarantined" else {}
                self._update(connection, latest.export_id, etag=version["etag"], **again)
                due += [latest.export_id] if again else []
        return due

    def _update(self, connection: sa.Connection, export_id: int, **values: Any) -> None:
        connection.execute(
            sa.update(label_exports).where(label_exports.c.export_id == export_id).values(**values)
        )

    def claim(self, run_id: str) -> list[Export]:
        """Claim everything unimported for a run; returns it in order of arrival."""
        with self.database.write() as connection:
            connection.execute(
                sa.update(label_exports)
                .where(label_exports.c.status.in_(UNCLAIMED))
                .values(status="claimed", claimed_by=run_id)
            )
        return [export for export in self.exports("claimed") if export.claimed_by == run_id]

    def set_aside(
        self, export: Export, run_id: str, error: str, now: datetime, *, file_is_gone: bool = False
    ) -> None:
        """Set an unreadable version aside with its error; a changed file is a new version and is tried again.

        One that had been imported before, and was only to be read again, keeps what it brought. A version whose
        file is gone is looked at anew when the file is back. Raises LedgerConflictError.
        """
        values: dict[str, Any] = {"status": "quarantined", "error": error, "imported_at": now}
        if export.imported is not None:
            values |= {"status": "imported", "error": f"not read again after an undo: {error}"}
        if file_is_gone:
            values["etag"] = ""
        with self.database.write() as connection:
            self._take(connection, export, run_id, values)

    def _take(
        self, connection: sa.Connection, export: Export, run_id: str, values: Mapping[str, Any]
    ) -> None:
        """End a claim, if this run still holds it."""
        held = (label_exports.c.status == "claimed", label_exports.c.claimed_by == run_id)
        taken = connection.execute(
            sa.update(label_exports)
            .where(label_exports.c.export_id == export.export_id, *held)
            .values(**values)
        )
        if taken.rowcount != 1:
            raise LedgerConflictError(f"export {export.export_id} ({export.uri}) was taken by another run")

    def store(
        self,
        export: Export,
        run_id: str,
        *,
        brought: Spool,
        new_classes: Mapping[str, int],
        counts: Mapping[str, Any],
        now: datetime,
    ) -> None:
        """Everything an export brought, in place of what it had brought, and its status, in one transaction.

        brought: rows of `annotations`, `annotation_labels` and `label_rejects`. Raises LedgerConflictError.
        """
        dialect = bulk.dialect(self.database.dialect_name)
        first = export.export_id << 32
        own = (first, first + 2**32 - 1)
        values = {"status": "imported", "error": None, "imported_at": now, **counts}
        with ExitStack() as stack:
            staged = {
                rows.table: stack.enter_context(dialect.stage(rows)) for rows in brought.tables if rows.rows
            }
            connection = stack.enter_context(self.database.write())
            self._take(connection, export, run_id, values)
            self._insert_classes(connection, new_classes, now)
            for column in (annotation_labels.c.annotation_id, annotations.c.annotation_id):
                connection.execute(sa.delete(column.table).where(column.between(*own)))
            connection.execute(sa.delete(label_rejects).where(label_rejects.c.export_id == export.export_id))
            for table, rows in staged.items():
                dialect.insert(connection, table, rows)

    def undo(self, export_id: int) -> int:
        """Take an export's annotations out of effect; returns how many. History stays.

        Exports that came later and had repeated earlier judgements are read again by the next `learn` run, so
        that what they say still holds.
        """
        with self.database.write() as connection:
            status = connection.scalar(
                sa.select(label_exports.c.status).where(label_exports.c.export_id == export_id)
            )
            if status != "imported":
                raise LookupError(
                    f"export {export_id} is {status or 'unknown'}, only an imported one can be undone;"
                    " `al labels list` shows them"
                )
            self._update(connection, export_id, status="undone")
            later = sa.update(label_exports).where(
                label_exports.c.status == "imported",
                label_exports.c.export_id > export_id,
                label_exports.c.unchanged > 0,
            )
            connection.execute(later.values(status="seen", claimed_by=None))
            query = sa.select(sa.func.count()).where(annotations.c.export_id == export_id)
            return int(connection.scalar(query) or 0)

    def neighbours(self, keys: Sequence[str]) -> pd.DataFrame:
        """All annotations of imported exports on the frames that annotations with these content keys judge."""
        live = sa.select(label_exports.c.export_id).where(label_exports.c.status == "imported")
        of_frames = sa.select(annotations).where(annotations.c.export_id.in_(live))
        with self.database.read() as connection:
            judged = {
                frame
                for part in in_chunks(sorted(set(keys)))
                for frame in connection.scalars(
                    sa.select(annotations.c.frame_id).where(annotations.c.content_key.in_(part))
                )
            }
        parts = [
            self.database.fetch(of_frames.where(annotations.c.frame_id.in_(part))).to_pandas()
            for part in in_chunks(sorted(judged))
        ]
        columns = [column.name for column in annotations.c]
        found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
        return found.drop_duplicates("annotation_id")

    def live_annotations(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Annotations of imported exports, and their marks."""
        live = sa.select(label_exports.c.export_id).where(label_exports.c.status == "imported")
        rows = (
            sa.select(annotations)
            .where(annotations.c.export_id.in_(live))
            .order_by(annotations.c.annotation_id)
        )
        marks = (
            sa.select(annotation_labels)
            .join(annotations, annotations.c.annotation_id == annotation_labels.c.annotation_id)
            .where(annotations.c.export_id.in_(live))
        )
        return self.database.fetch(rows).to_pandas(), self.database.fetch(marks).to_pandas()

    def classes(self) -> pd.DataFrame:
        """All classes: class_id, name, aliases (list), active, merged_into."""
        table = self.database.fetch(sa.select(classes).order_by(classes.c.class_id)).to_pandas()
        return table.assign(aliases=[json.loads(text) for text in table["aliases"]])

    def sync_classes(self, names: Iterable[str], aliases: Mapping[str, Sequence[str]], now: datetime) -> None:
        """Add the classes that the settings name, and their aliases; nothing is taken away.

        A name that differs from a known one in case only means that one.
        """
        known = self.classes()
        # A class that was renamed keeps its old name as an alias, and the settings may still name that.
        spelled = {
            _folded(spelling): name
            for name, spellings in zip(known["name"], known["aliases"], strict=True)
            for spelling in spellings
        }
        spelled |= {_folded(name): name for name in known["name"]}
        fresh: list[str] = []
        for name in [*names, *aliases]:
            if _folded(name) not in spelled:
                spelled[_folded(name)] = name
                fresh.append(name)
        start = int(known["class_id"].max() or 0) if len(known) else 0
        stored = dict(zip(known["name"], known["aliases"], strict=True))
        changed = {}
        for name, spellings in aliases.items():
            own = spelled[_folded(name)]
            merged = list(dict.fromkeys([*stored.get(own, []), *spellings]))
            if merged != stored.get(own):
                changed[own] = json.dumps(merged, ensure_ascii=False)
        if not fresh and not changed:
            return
        with self.database.write() as connection:
            self._insert_classes(connection, {name: start + i for i, name in enumerate(fresh, 1)}, now)
            for name, text in changed.items():
                connection.execute(sa.update(classes).where(classes.c.name == name).values(aliases=text))

    def _insert_classes(self, connection: sa.Connection, names: Mapping[str, int], now: datetime) -> None:
        rows = [
            {"class_id": class_id, "name": name, "aliases": "[]", "active": 1, "created_at": now}
            for name, class_id in names.items()
        ]
        if rows:
            connection.execute(sa.insert(classes), rows)

    def totals(self) -> dict[str, int]:
        """Counts for `al status` and the checks: exports by status, records imported and rejected, labels."""
        with self.database.read() as connection:
            return ledger_counts.totals(connection)

    def books(self) -> list[tuple[int, str, int, int, int, int, int]]:
        """Per imported export: id, uri, imported, rejected, unchanged, annotation rows, reject rows as stored."""
        with self.database.read() as connection:
            return ledger_counts.books(connection)
