"""Records become append-only annotation rows: frames and classes are looked up, misfits become rejects.

Not here: reading formats (formats/), which annotations still stand (standing.py), votes between annotators
(consensus.py), or the tables themselves; what they hold arrives through the protocols of lookups.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from al_assets.keys import Task
from al_assets.labels.class_book import ClassBook
from al_assets.labels.content_keys import content_key_of
from al_assets.labels.formats.plain import BLOCK, NO_MOMENT, PlainBlock, microseconds
from al_assets.labels.formats.records import (
    Box,
    BrokenRecord,
    ExportUnreadableError,
    Outcome,
    ParsedAnnotation,
    Record,
)
from al_assets.labels.lookups import EmptyLedger, FrameLookup, Ledger
from al_assets.labels.plain_rows import POSITIONS, PlainRows, plain_rows
from al_assets.names import shown

LAST_POSITION = 2**31 - 1
NEW_CLASSES = 1000
"""Most classes that one export may add; more, and its label column holds notes, not classes."""
CLOCK_SKEW = timedelta(days=1)
"""How far ahead of the import a time may lie; one beyond would outrank every later correction."""


@dataclass(frozen=True, slots=True)
class AnnotationRow:
    """A row of `annotations` with its rows of `annotation_labels` (marks)."""

    annotation_id: int
    export_id: int
    position: int
    source_id: str | None
    frame_id: int
    annotator: str
    annotated_at: datetime | None
    outcome: Outcome
    judged: tuple[int, ...] | None
    content_key: str
    marks: tuple[tuple[int, Box | None], ...]
    offset_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RejectRow:
    """A row of `label_rejects`: one source record that was not imported."""

    export_id: int
    position: int
    reason: str
    record: str


@dataclass(frozen=True)
class Resolved:
    """What a stretch of an export came to. `seen == imported + len(rejects)`, counted in source records.

    imported: records that `annotations` or `plain` carry, or that say what is known already (`unchanged` of them).
    new_classes: names to add; `classes` is the book that holds them, with the ids that the marks use.
    """

    annotations: list[AnnotationRow]
    rejects: list[RejectRow]
    new_classes: list[str]
    seen: int
    imported: int
    unchanged: int
    classes: ClassBook
    plain: PlainRows | None = None


def resolve(
    parsed: Iterable[Record | PlainBlock],
    lookup: FrameLookup,
    classes: ClassBook,
    *,
    export_id: int,
    imported_at: datetime,
    unknown_classes: Literal["create", "reject"] = "create",
    task: Task = "multi_label",
    ledger: Ledger | None = None,
    block: int = BLOCK,
) -> Iterator[Resolved]:
    """Annotation rows, rejects and counts of an export, block by block.

    annotation_id is `export_id * 2**32 + first position`, so that a repeated import gives the same rows.
    imported_at: aware UTC. A judgement that a live export made already is left out as unchanged: always where
    it carries its own time, otherwise only while the earlier one stands (without times, saying zero, one and
    zero again means zero). Raises ExportUnreadableError for an export of 2**31
    records or more, or one that would add over a thousand classes.
    """
    latest, creates = imported_at + CLOCK_SKEW, unknown_classes == "create"
    importer = _Importer(lookup, classes, export_id, latest, creates, task, ledger or EmptyLedger())
    for records in _batched(parsed, block):
        yield importer.take_plain(records) if isinstance(records, PlainBlock) else importer.take(records)


@dataclass
class _Importer:
    """What one import remembers from block to block: the classes it added and what it said already."""

    lookup: FrameLookup
    classes: ClassBook
    export_id: int
    latest: datetime
    creates: bool
    task: Task
    ledger: Ledger
    said: set[bytes] = field(default_factory=set)
    added: int = 0

    def take_plain(self, block: PlainBlock) -> Resolved:
        """A block as columns where nothing is amiss or new in it; else one by one, with the same result."""
        codes = np.unique(block.codes).tolist()
        marks = {code: block.sayings[code].marks for code in codes}
        class_ids = {
            code: self.classes.class_id(names[0].name) if names else 0 for code, names in marks.items()
        }
        known = {code: class_id for code, class_id in class_ids.items() if class_id is not None}
        late = int(block.moments.max()) > microseconds(self.latest) or block.positions.max() > LAST_POSITION
        if late or len(known) < len(codes) or not self.lookup.has_all(block.frame_ids.tolist()):
            return self.take(block.records())
        rows = plain_rows(block, known, self.export_id)
        there = self.ledger.find(rows.content_keys)
        timed = (block.moments != NO_MOMENT).tolist()
        news = []
        for place, content_key in enumerate(rows.content_keys):
            if self._is_news(content_key, there.get(content_key), timed=timed[place]):
                news.append(place)
        seen = len(rows)
        kept = rows if len(news) == seen else rows.part(np.array(news, np.int64))
        return Resolved([], [], [], seen, seen, seen - len(news), self.classes, kept)

    def take(self, records: Sequence[Record]) -> Resolved:
        parsed = [record for record in records if isinstance(record, ParsedAnnotation)]
        broken = [record for record in records if isinstance(record, BrokenRecord)]
        rejects = [self._reject(record.position, record.reason, record.raw) for record in broken]
        found = self.lookup.resolve([record.frame for record in parsed]) if parsed else []
        before = self.classes
        candidates: list[tuple[ParsedAnnotation, AnnotationRow]] = []
        for record, frame in zip(parsed, found, strict=True):
            reason = frame if isinstance(frame, str) else self._misfit(record)
            if reason is None and not isinstance(frame, str):
                key, offset_ms = frame if isinstance(frame, tuple) else (frame, None)
                candidates.append((record, self._row(record, key, offset_ms)))
            else:
                rejects += [self._reject(position, str(reason), record.raw) for position in record.positions]
        rows, unchanged = self._news(candidates)
        return Resolved(
            annotations=rows,
            rejects=sorted(rejects, key=lambda reject: reject.position),
            new_classes=[name for name in self.classes.names if name not in before.names],
            seen=len(broken) + sum(len(record.positions) for record in parsed),
            imported=sum(len(record.positions) for record, _ in candidates),
            unchanged=unchanged,
            classes=self.classes,
        )

    def _reject(self, position: int, reason: str, raw: str) -> RejectRow:
        self._check(position)
        return RejectRow(self.export_id, position, reason, raw)

    def _check(self, position: int) -> None:
        if position > LAST_POSITION:
            raise ExportUnreadableError(
                f"the export has more than {LAST_POSITION} records; cut it into parts"
            )

    def _misfit(self, record: ParsedAnnotation) -> str | None:
        """Why an annotation whose frame is known cannot be imported; adds its classes where it can."""
        if record.annotated_at is not None and record.annotated_at > self.latest:
            at = record.annotated_at.isoformat()
            return f"annotated_at {at} lies in the future; correct the clock or the export"
        names = [*(mark.name for mark in record.marks), *(record.judged or ())]
        missing = {name.casefold(): name for name in names if self.classes.class_id(name) is None}
        unknown = list(missing.values())
        if ambiguous := next(filter(self.classes.is_ambiguous, unknown), None):
            return f"class {shown(ambiguous)} means several classes, told apart by case only; write it as it is listed"
        if unknown and not self.creates:
            listed = ", ".join(shown(name) for name in unknown[:5])
            return f"unknown class {listed}; add it under [classes] in al.toml or correct the export"
        book = self.classes.extended(unknown) if unknown else self.classes
        if self.task == "single_label" and len({book.counts_as(mark.name) for mark in record.marks}) > 1:
            return "several classes in a single_label task; keep one, or set task = multi_label"
        self.added += len(unknown)
        if self.added > NEW_CLASSES:
            raise ExportUnreadableError(
                f"the export would add more than {NEW_CLASSES} classes, {shown(unknown[-1])} among them;"
                " its labels are no class names: correct the export, or add the classes to al.toml first"
            )
        self.classes = book
        return None

    def _row(self, record: ParsedAnnotation, frame_id: int, offset_ms: int | None) -> AnnotationRow:
        self._check(record.positions[-1])
        marks = tuple((self._class_id(mark.name), mark.box) for mark in record.marks)
        judged = (
            None if record.judged is None else tuple(sorted(self._class_id(name) for name in record.judged))
        )
        return AnnotationRow(
            annotation_id=self.export_id * POSITIONS + record.positions[0],
            export_id=self.export_id,
            position=record.positions[0],
            source_id=record.source_id,
            frame_id=frame_id,
            annotator=record.annotator,
            annotated_at=record.annotated_at,
            outcome=record.outcome,
            judged=judged,
            content_key=content_key_of(record, frame_id, judged, marks, offset_ms),
            marks=tuple(dict.fromkeys(marks)),
            offset_ms=offset_ms,
        )

    def _class_id(self, name: str) -> int:
        class_id = self.classes.class_id(name)
        if class_id is None:  # _misfit refused or added every unknown name
            raise AssertionError(f"class {name!r} was not added")
        return class_id

    def _news(
        self, candidates: Sequence[tuple[ParsedAnnotation, AnnotationRow]]
    ) -> tuple[list[AnnotationRow], int]:
        """The rows that say something new, and how many records repeat what is known."""
        known = self.ledger.find([row.content_key for _, row in candidates]) if candidates else {}
        rows: list[AnnotationRow] = []
        unchanged = 0
        for record, row in candidates:
            if self._is_news(row.content_key, known.get(row.content_key), timed=row.annotated_at is not None):
                rows.append(row)
            else:
                unchanged += len(record.positions)
        return rows, unchanged

    def _is_news(self, content_key: str, stands: bool | None, *, timed: bool) -> bool:
        """Whether a judgement says what neither a live export said before nor this one. stands: None if unknown."""
        key, before = bytes.fromhex(content_key), len(self.said)
        self.said.add(key)
        return len(self.said) > before and not (stands is not None and (stands or timed))


def _batched(records: Iterable[Record | PlainBlock], size: int) -> Iterator[list[Record] | PlainBlock]:
    batch: list[Record] = []
    for record in records:
        if isinstance(record, PlainBlock):
            if batch:
                yield batch
            batch = []
            yield record
            continue
        batch.append(record)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
