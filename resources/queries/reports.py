"""What the reports show and no other query reads: doubtful frames, slices, what was passed over, sums over views.

Reads only, each one statement with a bounded answer: the database adds up, so that a report on tens of millions of
frames holds rows of videos, classes and pairs, and never of frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import sqlalchemy as sa

from al_assets.keys import frame_range
from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.tables import (
    classes,
    drift_results,
    frame_scores,
    frames,
    labels,
    passed_over,
    slice_metrics,
    videos,
)

DOUBTFUL_MARGIN = 0.2
"""As in the view confused_pairs: frames below it count as uncertain."""


def _view(name: str, *columns: str, times: Sequence[str] = ()) -> sa.TableClause:
    typed = [sa.column(column, sa.DateTime()) for column in times]
    return sa.table(name, *(sa.column(column) for column in columns), *typed)


OVERVIEW = _view(
    "archive_overview",
    *("video_id", "path", "kind", "site", "duration_ms", "split", "status", "error", "frames", "duplicates"),
    *("scored_frames", "labelled_frames", "waiting_frames"),
    times=["recorded_at"],
)
PAIRS = _view(
    "confused_pairs",
    *(
        "class_a_id",
        "class_a",
        "class_b_id",
        "class_b",
        "frames",
        "a_ahead",
        "uncertain_frames",
        "mean_margin",
    ),
)
SIGHTINGS = _view("sightings", "video_id", "class_id", "start_ms", "end_ms", "frames")
TOGETHER = _view(
    "co_occurrence",
    "month",
    "class_a_id",
    "class_b_id",
    "class_a",
    "class_b",
    "encounters",
    "frames_together",
)
PEOPLE = _view("human_labels", "frame_id", "class_id", "present")


@dataclass(frozen=True)
class ReportQueries:
    """Reads for the pages in `reports/`."""

    database: Database

    def overview(self) -> pd.DataFrame:
        """Every video with its counts, in order of its path: the view archive_overview."""
        return self._rows(sa.select(OVERVIEW).order_by(OVERVIEW.c.path))

    def confused_pairs(self, limit: int) -> pd.DataFrame:
        """Class pairs that the serving model doubts on most frames, the view confused_pairs cut in the database."""
        order = (PAIRS.c.uncertain_frames.desc(), PAIRS.c.mean_margin, PAIRS.c.class_a_id, PAIRS.c.class_b_id)
        return self._rows(sa.select(PAIRS).order_by(*order).limit(limit))

    def doubtful(self, checkpoint_id: str, pair: tuple[int, int], limit: int) -> pd.DataFrame:
        """Frames on which the pair is the likeliest and the margin small: frame_id, top_class_id, margin, light.

        Smallest margin first.
        """
        top, runner = classes.alias("top"), classes.alias("runner")
        shown = [sa.func.coalesce(each.c.merged_into, each.c.class_id) for each in (top, runner)]
        query = (
            sa.select(
                frame_scores.c.frame_id,
                shown[0].label("top_class_id"),
                frame_scores.c.margin,
                frames.c.brightness,
                frames.c.sharpness,
            )
            .join(top, top.c.class_id == frame_scores.c.top_class_id)
            .join(runner, runner.c.class_id == frame_scores.c.runner_up_class_id)
            .join(frames, frames.c.frame_id == frame_scores.c.frame_id)
            .where(
                frame_scores.c.checkpoint_id == checkpoint_id,
                frame_scores.c.margin < DOUBTFUL_MARGIN,
                shown[0].in_(pair),
                shown[1].in_(pair),
                shown[0] != shown[1],
            )
            .order_by(frame_scores.c.margin, frame_scores.c.frame_id)
            .limit(limit)
        )
        return self._rows(query)

    def labelled_with(self, class_id: int, limit: int) -> list[int]:
        """Frames of the archive on which people say that a class is present, in order of frame_id."""
        query = (
            sa.select(PEOPLE.c.frame_id)
            .join(frames, frames.c.frame_id == PEOPLE.c.frame_id)
            .where(PEOPLE.c.class_id == class_id, PEOPLE.c.present == 1)
            .order_by(PEOPLE.c.frame_id)
            .limit(limit)
        )
        with self.database.read() as connection:
            return [int(key) for key in connection.scalars(query)]

    def class_facts(self) -> pd.DataFrame:
        """Of every class that people marked: class_id, labelled (frames), box_area (share of a frame, if boxed)."""
        shown = sa.func.coalesce(classes.c.merged_into, classes.c.class_id)
        query = (
            sa.select(
                shown.label("class_id"),
                sa.func.count().label("labelled"),
                sa.func.avg(labels.c.box_width * labels.c.box_height).label("box_area"),
            )
            .join(classes, classes.c.class_id == labels.c.class_id)
            .where(labels.c.present == 1)
            .group_by(shown)
        )
        return self._rows(query)

    def typical_light(self, video_nos: Sequence[int]) -> tuple[float, float] | None:
        """Brightness and sharpness of the median video (by its mean), each a range of the key; None without a frame."""
        mean = sa.select(sa.func.avg(frames.c.brightness), sa.func.avg(frames.c.sharpness))
        with self.database.read() as connection:
            found = [
                connection.execute(mean.where(frames.c.frame_id.between(*frame_range(number)))).one()
                for number in video_nos
            ]
        known = pd.DataFrame([tuple(row) for row in found], columns=["light", "sharp"]).dropna()
        return (float(known["light"].median()), float(known["sharp"].median())) if len(known) else None

    def slices(self, checkpoint_id: str) -> pd.DataFrame:
        """Metrics of a checkpoint by slice of the hold-out, significantly worse ones and largest losses first."""
        loss = slice_metrics.c.difference
        unknown = sa.case((loss.is_(None), 1), else_=0)  # databases differ in where they sort nulls
        order = (slice_metrics.c.worse.desc(), unknown, loss, *slice_metrics.primary_key)
        query = sa.select(slice_metrics).where(slice_metrics.c.checkpoint_id == checkpoint_id)
        return self._rows(query.order_by(*order))

    def drift_by_video(self, check_name: str, checkpoint_id: str) -> pd.DataFrame:
        """Videos compared with what a checkpoint learned from: video_id, site, recorded_at, drifted."""
        query = (
            sa.select(
                videos.c.video_id,
                videos.c.site,
                videos.c.recorded_at,
                sa.func.max(drift_results.c.drifted).label("drifted"),
            )
            .join(drift_results, drift_results.c.subject == videos.c.video_id)
            .where(drift_results.c.check_name == check_name, drift_results.c.reference_id == checkpoint_id)
            .group_by(videos.c.video_id, videos.c.site, videos.c.recorded_at)
            .order_by(videos.c.video_id)
        )
        return self._rows(query)

    def places(self, frame_ids: Sequence[int]) -> dict[int, tuple[str, int]]:
        """frame_id -> (path of the video, time in it in milliseconds); unknown frames are left out."""
        query = sa.select(frames.c.frame_id, videos.c.path, frames.c.pts_ms).join(
            videos, videos.c.video_id == frames.c.video_id
        )
        found: dict[int, tuple[str, int]] = {}
        with self.database.read() as connection:
            for part in in_chunks([int(key) for key in frame_ids]):
                rows = connection.execute(query.where(frames.c.frame_id.in_(part)))
                found |= {int(key): (str(path), int(pts)) for key, path, pts in rows}
        return found

    def passed_over(self, batch_id: int) -> pd.DataFrame:
        """Frames that the redundancy rule left out of a batch, in the strategy's order."""
        query = sa.select(passed_over).where(passed_over.c.batch_id == batch_id)
        return self._rows(query.order_by(passed_over.c.place, passed_over.c.frame_id))

    def seen_by_video(self, class_ids: Sequence[int]) -> pd.DataFrame:
        """Sightings of classes summed by video: video_id, class_id, sightings, frames, lasted_ms."""
        query = (
            sa.select(
                SIGHTINGS.c.video_id,
                SIGHTINGS.c.class_id,
                sa.func.count().label("sightings"),
                sa.func.sum(SIGHTINGS.c.frames).label("frames"),
                sa.func.sum(SIGHTINGS.c.end_ms - SIGHTINGS.c.start_ms).label("lasted_ms"),
            )
            .where(SIGHTINGS.c.class_id.in_(list(class_ids)))
            .group_by(SIGHTINGS.c.video_id, SIGHTINGS.c.class_id)
            .order_by(SIGHTINGS.c.video_id, SIGHTINGS.c.class_id)
        )
        return self._rows(query)

    def together(self, class_ids: Sequence[int]) -> pd.DataFrame:
        """Encounters among classes summed by month: month, class_a, class_b, encounters, frames_together."""
        ids = list(class_ids)
        keys = (TOGETHER.c.month, TOGETHER.c.class_a, TOGETHER.c.class_b)
        query = (
            sa.select(
                *keys,
                sa.func.sum(TOGETHER.c.encounters).label("encounters"),
                sa.func.sum(TOGETHER.c.frames_together).label("frames_together"),
            )
            .where(TOGETHER.c.class_a_id.in_(ids), TOGETHER.c.class_b_id.in_(ids))
            .group_by(*keys)
            .order_by(*keys)
        )
        return self._rows(query)

    def _rows(self, query: sa.Select[Any]) -> pd.DataFrame:
        """Rows with plain numbers: sums come as Decimal from some databases."""
        with self.database.read() as connection:
            result = connection.execute(query)
            found = pd.DataFrame(result.fetchall(), columns=list(result.keys()))
        for name in set(SUMS) & set(found.columns):
            found[name] = found[name].astype("int64")
        return found


SUMS = ("sightings", "lasted_ms", "encounters", "frames_together", "uncertain_frames", "a_ahead", "labelled")
