"""How far an archive is worked off: what stands, what is left, how fast it goes, what failed and why.

In which order work is asked for is decided in `al_assets/ingest_order.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.queries.monitoring import VIDEO_DRIFT
from resources.queries.videos import LIVE, READABLE, covered, expected_version, faulty
from resources.tables import drift_results, materializations, video_coverage, videos


@dataclass(frozen=True)
class VideoMoment:
    """What the order of a backfill goes by: when a video was recorded (else registered), and where."""

    video_id: str
    moment: datetime
    site: str | None
    camera: str | None


@dataclass(frozen=True)
class Stand:
    """How far an archive is: videos and the bytes of their files, and frames of those with vectors.

    videos: live ones whose file is there; of them with frames as the settings ask, with vectors, with the scores of
    a model (None where none serves).
    """

    videos: int
    size_bytes: int
    with_frames: int
    with_vectors: int
    vector_bytes: int
    vector_frames: int
    with_scores: int | None


@dataclass(frozen=True)
class Speed:
    """What of an asset was committed since a moment: slices and frames, and when the first and the last of them."""

    slices: int
    frames: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True)
class FailedVideo:
    """A live video that could not be read, or not whole. tries: how often its frames were written all the same."""

    video_id: str
    path: str
    status: str
    error: str
    tries: int


@dataclass(frozen=True)
class BackfillQueries:
    """Reads of `videos`, `video_coverage`, `materializations` and `drift_results`; notes errors of videos."""

    database: Database

    def moments(self) -> list[VideoMoment]:
        """Of every live video, by its number."""
        moment = sa.func.coalesce(videos.c.recorded_at, videos.c.registered_at)
        query = sa.select(videos.c.video_id, moment, videos.c.site, videos.c.camera)
        with self.database.read() as connection:
            rows = connection.execute(query.where(videos.c.status.in_(LIVE)).order_by(videos.c.video_no))
            return [VideoMoment(*row) for row in rows]

    def etags(self) -> dict[str, str]:
        """Version of the file of every live video, by video_id."""
        query = sa.select(videos.c.video_id, videos.c.etag).where(videos.c.status.in_(LIVE))
        with self.database.read() as connection:
            return {video_id: etag for video_id, etag in connection.execute(query)}

    def note_errors(self, errors: Mapping[str, str]) -> None:
        """Say of videos that were never read why not; what is known of others stands, and so does their status."""
        unread = sa.update(videos).where(
            videos.c.video_id == sa.bindparam("key"), videos.c.status == "registered"
        )
        with self.database.write() as connection:
            connection.execute(
                unread.values(error=sa.bindparam("why")),
                [{"key": video_id, "why": error} for video_id, error in errors.items()],
            )

    def drift(self) -> dict[str, float]:
        """Share of its statistics by which a video drifts, in its newest comparison, by video_id."""
        result = drift_results.c
        newest = (
            sa.select(result.subject, sa.func.max(result.measured_at).label("measured_at"))
            .where(result.check_name == VIDEO_DRIFT)
            .group_by(result.subject)
            .subquery()
        )
        same = sa.and_(newest.c.subject == result.subject, newest.c.measured_at == result.measured_at)
        query = (
            sa.select(result.subject, sa.func.avg(sa.cast(result.drifted, sa.Float)))
            .join(newest, same)
            .where(result.check_name == VIDEO_DRIFT)
            .group_by(result.subject)
        )
        with self.database.read() as connection:
            return {video_id: float(share) for video_id, share in connection.execute(query)}

    def stand(self, rate: float, embedder_id: str, checkpoint_id: str | None) -> Stand:
        """How far the archive is, for a sampling rate, an embedder and a model."""
        there = sa.and_(videos.c.status.in_(LIVE), videos.c.missing_at.is_(None))
        framed = sa.and_(
            videos.c.status.in_(READABLE), videos.c.frames_version == expected_version(videos.c.etag, rate)
        )
        # An unreadable video is done as well: nothing more can be made of it as its file is now.
        given_up = sa.and_(
            videos.c.status == "failed", videos.c.frames_version == expected_version(videos.c.etag, rate)
        )
        embedded = sa.and_(videos.c.status.in_(READABLE), covered("embeddings", embedder_id))
        scored = sa.and_(videos.c.status.in_(READABLE), covered("predictions", checkpoint_id or ""))

        def flag(condition: sa.ColumnElement[bool], name: str) -> sa.Label[int]:
            return sa.case((condition, 1), else_=0).label(name)

        # SQL Server sums no expression with a subquery in it, so that each video is told first.
        each = (
            sa.select(
                sa.cast(videos.c.size_bytes, sa.BigInteger).label("size_bytes"),
                flag(sa.not_(given_up), "live"),
                flag(framed, "framed"),
                flag(embedded, "embedded"),
                flag(scored, "scored"),
            )
            .where(there)
            .subquery()
            .c
        )
        terms = (
            each.live,
            each.live * each.size_bytes,
            each.framed,
            each.embedded,
            each.embedded * each.size_bytes,
            each.scored,
        )
        query = sa.select(*(sa.func.coalesce(sa.func.sum(term), 0) for term in terms))
        frames = (
            sa.select(sa.func.coalesce(sa.func.sum(sa.cast(video_coverage.c.frames, sa.BigInteger)), 0))
            .join(videos, videos.c.video_id == video_coverage.c.video_id)
            .where(there, video_coverage.c.asset == "embeddings", video_coverage.c.version == embedder_id)
            .where(video_coverage.c.frames_version == videos.c.frames_version)
        )
        with self.database.read() as connection:
            row = [int(value) for value in connection.execute(query).one()]
            live, size_bytes, with_frames, with_vectors, vector_bytes, with_scores = row
            return Stand(
                videos=live,
                size_bytes=size_bytes,
                with_frames=with_frames,
                with_vectors=with_vectors,
                vector_bytes=vector_bytes,
                vector_frames=int(connection.scalar(frames) or 0),
                with_scores=with_scores if checkpoint_id else None,
            )

    def speed(self, asset: str, since: datetime) -> Speed:
        """What the asset committed since a moment. Uses ix_materializations_asset_slice."""
        made = materializations.c
        query = sa.select(
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(made.rows), 0),
            sa.func.min(made.committed_at),
            sa.func.max(made.committed_at),
        ).where(made.asset == asset, made.committed_at >= since)
        with self.database.read() as connection:
            slices, rows, first, last = connection.execute(query).one()
            # The last slice of a video brings its row in `video_coverage` too; most videos are one slice.
            return Speed(int(slices), max(0, int(rows) - int(slices)), first, last)

    def failed(self, video_ids: Sequence[str] = ()) -> list[FailedVideo]:
        """Live videos with a fault, by their number; only those named, if any are."""
        tries = (
            sa.select(sa.func.count())
            .where(
                materializations.c.asset == "frames",
                materializations.c.slice == "video_id = " + videos.c.video_id,
            )
            .scalar_subquery()
        )
        query = sa.select(videos.c.video_id, videos.c.path, videos.c.status, videos.c.error, tries).where(
            faulty()
        )
        found = []
        with self.database.read() as connection:
            for part in in_chunks(list(video_ids)) if video_ids else [None]:
                chosen = query if part is None else query.where(videos.c.video_id.in_(part))
                found += [
                    FailedVideo(*row[:3], row[3] or "", row[4])
                    for row in connection.execute(chosen.order_by(videos.c.video_no))
                ]
        return found
