"""What the tables say of themselves and of storage, all from one state of the database. Reads only; judges nothing.

Counts go by blocks of videos along the clustered keys, so that nothing grows with the number of frames.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from al_assets.keys import FRAMES_PER_VIDEO, frame_range
from resources import bulk
from resources.arrow_types import table_schema
from resources.content_hash import ContentHash
from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.slice_writer import table_named
from resources.tables import (
    checkpoints,
    drift_results,
    embedders,
    frames,
    label_exports,
    materializations,
    metadata,
    selection_batches,
    selections,
    serving,
    video_coverage,
    videos,
)

VERSION = {"embeddings": embedders, "frame_scores": checkpoints, "predictions": checkpoints}
"""Tables with rows per version and frame, and the table of their versions, whose key's column they share."""

PARENTS = (
    ("predictions", "class_id", "classes", "class_id"),
    ("checkpoints", "embedder_id", "embedders", "embedder_id"),
    ("checkpoints", "training_set_id", "training_sets", "training_set_id"),
    ("training_sets", "class_id", "classes", "class_id"),
    ("evaluations", "checkpoint_id", "checkpoints", "checkpoint_id"),
    ("promotions", "checkpoint_id", "checkpoints", "checkpoint_id"),
    ("serving", "checkpoint_id", "checkpoints", "checkpoint_id"),
    ("annotations", "export_id", "label_exports", "export_id"),
    ("annotation_labels", "annotation_id", "annotations", "annotation_id"),
    ("annotation_labels", "class_id", "classes", "class_id"),
    ("label_rejects", "export_id", "label_exports", "export_id"),
    ("labels", "class_id", "classes", "class_id"),
    ("labels", "annotation_id", "annotations", "annotation_id"),
    ("selections", "batch_id", "selection_batches", "batch_id"),
    ("passed_over", "batch_id", "selection_batches", "batch_id"),
    ("video_coverage", "video_id", "videos", "video_id"),
    ("decoding_points", "video_id", "videos", "video_id"),
)
"""Child and column, parent and column: rows of the child that have no parent are seen by no view and no run."""


FRAMES_SLICE = re.compile(r"video_id = (?P<video_id>\S+?)(, from frame (?P<first>\d+))?")


@dataclass(frozen=True)
class VideoRow:
    """A row of `videos`, as far as it can be checked."""

    video_id: str
    video_no: int
    kind: str
    path: str
    etag: str
    content_hash: str
    status: str
    frames_version: str | None
    missing_at: datetime | None


@dataclass(frozen=True)
class ExportVersion:
    """A registered version of an export file."""

    uri: str
    sha256: str
    status: str


@dataclass(frozen=True)
class RowState:
    """One state of the database; every method reads the same one."""

    database: Database
    connection: sa.Connection

    def damage(self) -> Iterator[str]:
        """What the database itself finds broken."""
        return bulk.dialect(self.database.dialect_name).damage(self.connection)

    def videos(self) -> list[VideoRow]:
        """Every video, in order of its number."""
        columns = [videos.c[name] for name in VideoRow.__dataclass_fields__]
        return [VideoRow(*row) for row in self.connection.execute(sa.select(*columns).order_by(columns[1]))]

    def parentless(self) -> Iterator[tuple[str, str, str, int]]:
        """Child, its column, parent, and how many rows of the child have none."""
        for child, column, parent, key in PARENTS:
            own, other = table_named(child).c[column], table_named(parent).c[key]
            lost = ~sa.exists().where(other == own)
            query = sa.select(sa.func.count()).select_from(own.table).where(own.is_not(None), lost)
            if count := self._number(query):
                yield child, column, parent, count

    def ledger(self, asset: str) -> dict[str, tuple[int, str]]:
        """Slice -> rows and content hash of the newest write of each slice of an asset."""
        m = materializations.c
        newest = sa.select(sa.func.max(m.materialization_id)).where(m.asset == asset).group_by(m.slice)
        query = sa.select(m.slice, m.rows, m.content_hash).where(m.materialization_id.in_(newest))
        return {name: (int(rows), digest) for name, rows, digest in self.connection.execute(query)}

    def frame_writes(self) -> dict[str, list[tuple[int, int, str]]]:
        """video_id -> first frame_index, rows and content hash of each write that its frames are from, in order.

        A long video is written in parts, each of which replaces all rows from its first frame on.
        """
        m = materializations.c
        newest = sa.select(sa.func.max(m.materialization_id)).where(m.asset == "frames").group_by(m.slice)
        query = sa.select(m.slice, m.rows, m.content_hash).where(m.materialization_id.in_(newest))
        found: dict[str, list[tuple[int, int, str]]] = {}
        for name, rows, digest in self.connection.execute(query.order_by(m.materialization_id.desc())):
            if named := FRAMES_SLICE.fullmatch(name):
                later = found.setdefault(named["video_id"], [])
                first = int(named["first"] or 0)
                if not later or first < later[0][0]:
                    later.insert(0, (first, int(rows), digest))
        return found

    def frame_counts(self, first: int, last: int) -> dict[int, tuple[int, int]]:
        """video_no -> frames, and how many of them name another video, for keys in [first, last]."""
        number = frames.c.frame_id // FRAMES_PER_VIDEO
        theirs = sa.and_(videos.c.video_id == frames.c.video_id, videos.c.video_no == number)
        source = frames.outerjoin(videos, theirs)
        return self._per_video(source, frames.c.frame_id, videos.c.video_id, first, last)

    def versions(self, table: str) -> dict[str, int]:
        """Version -> rows of a versioned table."""
        version = version_column(table)
        query = sa.select(version, sa.func.count()).group_by(version).order_by(version)
        return {name: int(count) for name, count in self.connection.execute(query)}

    def known_versions(self, table: str) -> set[str]:
        """Versions that are registered."""
        (key,) = VERSION[table].primary_key
        return set(self.connection.scalars(sa.select(key)))

    def version_counts(self, table: str, version: str, first: int, last: int) -> dict[int, tuple[int, int]]:
        """video_no -> rows of a version, and how many of them have no frame, for keys in [first, last]."""
        own = metadata.tables[table].c
        source = metadata.tables[table].outerjoin(frames, frames.c.frame_id == own.frame_id)
        of_version = version_column(table) == version
        return self._per_video(source, own.frame_id, frames.c.frame_id, first, last, of_version)

    def _per_video(
        self,
        source: sa.FromClause,
        key: sa.Column[Any],
        parent: sa.Column[Any],
        first: int,
        last: int,
        *conditions: sa.ColumnElement[bool],
    ) -> dict[int, tuple[int, int]]:
        # Grouped by a column of the inner query: a bound divisor would make two different expressions of one.
        rows = (
            sa.select(
                (key // FRAMES_PER_VIDEO).label("video_no"),
                sa.case((parent.is_(None), 1), else_=0).label("lost"),
            )
            .select_from(source)
            .where(key.between(first, last), *conditions)
            .subquery()
        )
        query = sa.select(rows.c.video_no, sa.func.count(), sa.func.sum(rows.c.lost)).group_by(
            rows.c.video_no
        )
        return {
            int(number): (int(count), int(lost)) for number, count, lost in self.connection.execute(query)
        }

    def count(self, table: str) -> int:
        """Rows of a table."""
        return self._number(sa.select(sa.func.count()).select_from(metadata.tables[table]))

    def coverage(self, asset: str) -> dict[str, dict[str, tuple[str, int]]]:
        """Version -> video_id -> version of its frames that is covered, and how many frames."""
        c = video_coverage.c
        query = sa.select(c.version, c.video_id, c.frames_version, c.frames).where(c.asset == asset)
        found: dict[str, dict[str, tuple[str, int]]] = {}
        for version, video_id, frames_version, count in self.connection.execute(query):
            found.setdefault(version, {})[video_id] = (frames_version, int(count))
        return found

    def hashes_of_frames(self, video_no: int, writes: Sequence[tuple[int, int, str]]) -> list[str]:
        """Content hashes of a video's frames as they stand, of as many parts as it was written in."""
        low, high = frame_range(video_no)
        firsts = [low + first for first, _, _ in writes]
        lasts = [*(first - 1 for first in firsts[1:]), high]
        ends = zip(firsts, lasts, strict=True)
        return [self._hash(frames, frames.c.frame_id.between(first, last)) for first, last in ends]

    def training_sets(self) -> dict[str, int]:
        """Training set -> rows."""
        key = metadata.tables["training_sets"].c.training_set_id
        return {
            name: int(count)
            for name, count in self.connection.execute(sa.select(key, sa.func.count()).group_by(key))
        }

    def hash_of_training_set(self, training_set_id: str) -> str:
        """Content hash of a training set as it stands."""
        table = metadata.tables["training_sets"]
        return self._hash(table, table.c.training_set_id == training_set_id)

    def _hash(self, table: sa.Table, condition: sa.ColumnElement[bool]) -> str:
        digest = ContentHash(table_schema(table))
        query = sa.select(table).where(condition).order_by(*table.primary_key)
        for batch in self.database.stream_on(self.connection, query):
            digest.update(batch)
        return digest.hexdigest()

    def batches(self) -> list[tuple[int, int, int, str | None]]:
        """batch_id, frames it should have, frames it has, folder of its tasks."""
        stored = (
            sa.select(selections.c.batch_id, sa.func.count().label("n"))
            .group_by(selections.c.batch_id)
            .subquery()
        )
        b = selection_batches.c
        query = (
            sa.select(b.batch_id, b.selected, sa.func.coalesce(stored.c.n, 0), b.tasks_uri)
            .outerjoin(stored, stored.c.batch_id == b.batch_id)
            .order_by(b.batch_id)
        )
        return [(row[0], row[1], int(row[2]), row[3]) for row in self.connection.execute(query)]

    def checkpoints(self) -> list[tuple[str, str, str]]:
        """checkpoint_id, path in storage, sha256."""
        c = checkpoints.c
        query = sa.select(c.checkpoint_id, c.uri, c.sha256).order_by(c.trained_at, c.checkpoint_id)
        return [(row[0], row[1], row[2]) for row in self.connection.execute(query)]

    def serving(self) -> str | None:
        """The checkpoint that the pointer names."""
        return self.connection.scalar(sa.select(serving.c.checkpoint_id))

    def exports(self) -> list[tuple[str, str, str]]:
        """Path, etag and sha256 of the latest version of every export file that was imported and stands."""
        e = label_exports.c
        latest = sa.select(sa.func.max(e.export_id)).group_by(e.uri)
        query = sa.select(e.uri, e.etag, e.sha256).where(e.export_id.in_(latest), e.status == "imported")
        return [(row[0], row[1], row[2]) for row in self.connection.execute(query.order_by(e.export_id))]

    def export_versions(self) -> list[ExportVersion]:
        """All versions of all export files, in order of arrival."""
        e = label_exports.c
        query = sa.select(e.uri, e.sha256, e.status).order_by(e.export_id)
        return [ExportVersion(*row) for row in self.connection.execute(query)]

    def tasked_frames(self) -> Iterator[int]:
        """Frames of the batches whose tasks are out, in order."""
        query = (
            sa.select(selections.c.frame_id)
            .join(selection_batches, selection_batches.c.batch_id == selections.c.batch_id)
            .where(selection_batches.c.tasks_uri.is_not(None))
            .distinct()
            .order_by(selections.c.frame_id)
        )
        for batch in self.database.stream_on(self.connection, query):
            yield from batch.column("frame_id").to_pylist()

    def known_frames(self, frame_ids: Sequence[int]) -> set[int]:
        """Those of the named frames that are sampled, or were sent to a person."""
        found: set[int] = set()
        for part in in_chunks(sorted(set(frame_ids))):
            for key in (frames.c.frame_id, selections.c.frame_id):
                found |= set(self.connection.scalars(sa.select(key).where(key.in_(part))))
        return found

    def reports(self) -> set[str]:
        """Reports that drift results name."""
        uri = drift_results.c.report_uri
        return set(self.connection.scalars(sa.select(uri).where(uri.is_not(None)).distinct()))

    def _number(self, query: sa.Select[Any]) -> int:
        return int(self.connection.scalar(query) or 0)


def version_column(table: str) -> sa.Column[Any]:
    """Which version a row of `embeddings`, `frame_scores` or `predictions` is of."""
    (key,) = VERSION[table].primary_key
    return metadata.tables[table].c[key.name]


@contextmanager
def open_rows(database: Database) -> Iterator[RowState]:
    """The present state of the database, kept until the `with` block ends while others go on writing."""
    with database.read() as connection:
        yield RowState(database, connection)
