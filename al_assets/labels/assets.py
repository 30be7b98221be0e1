"""The assets `label_exports` and `labels`: what people said becomes current labels. Parsing and votes live beside."""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa

from al_assets.automation import RETRY, SQL_WRITE
from al_assets.keys import Task
from al_assets.labels.annotations import AnnotationRow, Resolved, resolve
from al_assets.labels.class_book import ClassBook
from al_assets.labels.consensus import consensus
from al_assets.labels.formats import open_blocks
from al_assets.labels.formats.records import ExportUnreadableError
from al_assets.labels.standing import Standing, said_last, standing_of
from al_assets.settings import ClassesSettings, Settings
from resources import tables
from resources.archive import Archive
from resources.errors import DatabaseError, FileMissingError, SchemaMismatchError, StorageError
from resources.kept_exports import path_of
from resources.memory import few_collections
from resources.queries.labels import Export, LedgerConflictError
from resources.rows import rows_of
from resources.spool import Spool
from resources.table_metadata import column_schema

label_exports = dg.AssetSpec(
    "label_exports",
    group_name="labelling",
    kinds={"file"},
    description="Exports of the labelling tool under `label_exports/` in storage. A person drops them there; the "
    "sensor `label_exports` registers each version once it stands still.",
    metadata={"dagster/table_name": "label_exports", "dagster/column_schema": column_schema("label_exports")},
)

OUTSIDE = (DatabaseError, StorageError)
"""Errors of database and storage fail the run, to be tried again; any other is the file's."""


@dataclass(frozen=True)
class SqlLedger:
    """What earlier exports said, for the importer."""

    archive: Archive

    def find(self, content_keys: Sequence[str]) -> Mapping[str, bool]:
        """Keys that live exports carry; True where one of their annotations still stands."""
        rows = self.archive.labels.neighbours(content_keys)
        if rows.empty:
            return {}
        last = said_last(rows)
        return {key: key in last for key in set(rows["content_key"]) & set(content_keys)}


@dataclass
class Import:
    """What one export came to. Its rows wait in the spool, since an export may have millions."""

    spool: Spool
    reasons: Counter[str] = field(default_factory=Counter)
    new_classes: dict[str, int] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=lambda: {"imported": 0, "rejected": 0, "unchanged": 0})

    def add(self, part: Resolved) -> None:
        """Take in a block of the export."""
        through = max(part.classes.names.values(), default=0)
        rejects = [
            {"export_id": r.export_id, "position": r.position, "reason": r.reason, "record": r.record}
            for r in part.rejects
        ]
        marks = [mark for row in part.annotations for mark in _marks(row)]
        self.spool.append(tables.annotations, [_annotation(row, through) for row in part.annotations])
        self.spool.append(tables.annotation_labels, marks)
        if part.plain is not None:
            self.spool.append_columns(tables.annotations, part.plain.annotations(through))
            self.spool.append_columns(tables.annotation_labels, part.plain.marks())
        self.spool.append(tables.label_rejects, rejects)
        self.reasons.update(reject.reason for reject in part.rejects)
        self.new_classes.update({name: part.classes.names[name] for name in part.new_classes})
        self.counts["imported"] += part.imported
        self.counts["rejected"] += len(part.rejects)
        self.counts["unchanged"] += part.unchanged


def _annotation(row: AnnotationRow, judged_through: int) -> dict[str, Any]:
    at = row.annotated_at
    return {
        "annotation_id": row.annotation_id,
        "export_id": row.export_id,
        "position": row.position,
        "source_id": row.source_id,
        "frame_id": row.frame_id,
        "annotator": row.annotator,
        "annotated_at": at.astimezone(UTC).replace(tzinfo=None) if at else None,
        "outcome": row.outcome,
        "judged": None if row.judged is None else json.dumps(row.judged),
        "judged_through": judged_through,
        "content_key": row.content_key,
        "offset_ms": row.offset_ms,
    }


def _marks(row: AnnotationRow) -> list[dict[str, Any]]:
    sides = ("box_x", "box_y", "box_width", "box_height")
    return [
        {
            "annotation_id": row.annotation_id,
            "mark": number,
            "class_id": class_id,
            **dict(zip(sides, box or (None,) * 4, strict=True)),
        }
        for number, (class_id, box) in enumerate(row.marks)
    ]


def class_book(archive: Archive, settings: ClassesSettings) -> ClassBook:
    """The classes of the archive, and those the settings name that are not in it yet."""
    rows = list(rows_of(archive.labels.classes()))
    book = ClassBook.of((int(row.class_id), str(row.name), list(row.aliases)) for row in rows)
    names = dict.fromkeys([*settings.names, *settings.aliases])
    book = book.extended([name for name in names if book.class_id(name) is None])
    spelled = {
        alias: class_id
        for name, aliases in settings.aliases.items()
        if (class_id := book.class_id(name)) is not None
        for alias in aliases
    }
    merged = {int(row.class_id): int(row.merged_into) for row in rows if not pd.isna(row.merged_into)}
    return ClassBook(book.names, {**spelled, **book.aliases}, merged)


def read_import(
    archive: Archive, settings: Settings, spool: Spool, *, path: str, export_id: int
) -> tuple[str, Import]:
    """Format of an export file and everything in it, looked up but not stored. Raises ExportUnreadableError."""
    found = Import(spool)
    with archive.storage.open(path) as stream:
        name, records = open_blocks(stream)
        parts = resolve(
            records,
            archive.lookup,
            class_book(archive, settings.classes),
            export_id=export_id,
            imported_at=archive.now().replace(tzinfo=UTC),
            unknown_classes=settings.classes.unknown,
            task=settings.task,
            ledger=SqlLedger(archive),
        )
        for part in parts:
            found.add(part)
    spool.finish()
    return name, found


def import_export(
    archive: Archive, settings: Settings, export: Export, *, run_id: str, log: logging.Logger
) -> bool:
    """Import one claimed export, or set it aside with its error. One transaction; a repeat gives the same rows."""
    with Spool() as spool, few_collections():
        try:
            path = path_of(archive.storage, export.uri, export.sha256)
            if path is None:
                raise FileMissingError("the file was replaced before it was read; its newer version follows")
            name, found = read_import(archive, settings, spool, path=path, export_id=export.export_id)
        except Exception as error:
            # Whatever else a strange file raises must not hold up the exports behind it.
            if isinstance(error, OUTSIDE) and not isinstance(error, FileMissingError | SchemaMismatchError):
                raise
            _set_aside(archive, export, error, run_id=run_id, log=log)
            return False
        archive.labels.store(
            export,
            run_id,
            brought=spool,
            new_classes=found.new_classes,
            counts={**found.counts, "format": name},
            now=archive.now(),
        )
    counts = ", ".join(f"{n} {what}" for what, n in found.counts.items())
    log.info(f"{export.uri} ({name}): {counts}")
    return True


def _set_aside(
    archive: Archive, export: Export, error: Exception, *, run_id: str, log: logging.Logger
) -> None:
    expected = isinstance(error, ExportUnreadableError | FileMissingError)
    reason = str(error) if expected else f"the importer stumbled over it ({type(error).__name__}: {error})"
    log.error(f"{export.uri}: set aside: {reason}")
    gone = isinstance(error, FileMissingError)
    archive.labels.set_aside(export, run_id, reason, archive.now(), file_is_gone=gone)


def import_all(archive: Archive, settings: Settings, *, run_id: str, log: logging.Logger) -> int:
    """Import every export that waits; returns how many were imported. One that cannot be read stops no other."""
    imported = 0
    for export in archive.labels.claim(run_id):
        try:
            imported += import_export(archive, settings, export, run_id=run_id, log=log)
        except LedgerConflictError as conflict:
            log.warning(f"{conflict}; it imports it")
    return imported


@dg.asset(
    group_name="labelling",
    kinds={"sql", "pandas"},
    deps=[label_exports],
    pool=SQL_WRITE,
    retry_policy=RETRY,
    code_version="1",
    metadata={"table": "labels"},
)
def labels(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """Current consensus per frame and judged class, after importing every export that waits.

    Annotations are append-only; a later judgement supersedes an earlier one, and absence from a newer export
    deletes nothing. Records that cannot be imported are kept in `label_rejects` with their reason.
    """
    archive.labels.sync_classes(settings.classes.names, settings.classes.aliases, archive.now())
    imported = import_all(archive, settings, run_id=context.run.run_id, log=context.log)
    table = current_labels(archive, settings)
    totals = archive.labels.totals()
    return dg.MaterializeResult(
        value=table,
        metadata={
            "exports_imported": imported,
            "labelled_frames": len(set(table["frame_id"].to_pylist())),
            "unclear_frames": totals["unclear_frames"],
            "rejected_records": totals["rejects"],
            "quarantined_exports": totals.get("exports_quarantined", 0),
        },
    )


def standing_now(archive: Archive, task: Task) -> Standing:
    """All annotations of imported exports that stand."""
    rows, marks = archive.labels.live_annotations()
    return standing_of(rows, marks, archive.labels.classes(), archive.classes.parts(), task)


def current_labels(archive: Archive, settings: Settings) -> pa.Table:
    """Rows of `labels` from all annotations that stand."""
    now = standing_now(archive, settings.task)
    return consensus(
        now.annotations,
        now.marks,
        task=settings.task,
        class_ids=now.class_ids,
        since_export=now.since,
        rule=settings.labelling.consensus,
    )
