"""What the reports read of an archive too large for the views: tables in the order they are stored, once each.

The views of sightings sort every prediction by class and time; here the database counts frames in one pass, or looks at
some videos only. Memory is that of videos, classes and pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import sqlalchemy as sa

from al_assets.keys import FRAMES_PER_VIDEO
from resources.database import Database
from resources.queries.chunks import in_chunks
from resources.queries.reports import DOUBTFUL_MARGIN
from resources.queries.selection import SelectionQueries
from resources.tables import classes, frame_scores, frames, labels, predictions, videos

_FIRST = sa.cast(videos.c.video_no, sa.BigInteger) * FRAMES_PER_VIDEO
_LAST = _FIRST + (FRAMES_PER_VIDEO - 1)
FACTS = (
    "video_id",
    "video_no",
    "path",
    "kind",
    "site",
    "recorded_at",
    "duration_ms",
    "split",
    "status",
    "error",
)


@dataclass(frozen=True)
class LargeReportQueries:
    """Reads for the pages in `reports/` above so many frames."""

    database: Database

    def overview(self) -> pd.DataFrame:
        """Every video with its counts, in order of its path: archive_overview without what models and doubt make of it.

        Columns: those of FACTS, frames, duplicates, labelled_frames, waiting_frames.
        """
        counts = (
            sa.select(
                videos.c.video_no,
                sa.func.count(frames.c.frame_id).label("frames"),
                sa.func.count(frames.c.duplicate_of).label("duplicates"),
            )
            .select_from(videos.outerjoin(frames, frames.c.frame_id.between(_FIRST, _LAST)))
            .group_by(videos.c.video_no)
        )
        number = labels.c.frame_id // FRAMES_PER_VIDEO
        judged = sa.select(
            number.label("video_no"),
            sa.func.count(sa.distinct(labels.c.frame_id)).label("labelled_frames"),
        ).group_by(number)
        rows = self._rows(sa.select(*(videos.c[name] for name in FACTS)).order_by(videos.c.path))
        for query in (counts, judged):
            rows = rows.merge(self._rows(query), on="video_no", how="left")
        waiting = SelectionQueries(self.database).unanswered().drop_duplicates("frame_id")
        rows["waiting_frames"] = rows["video_id"].map(waiting["video_id"].value_counts())
        found = ["frames", "duplicates", "labelled_frames", "waiting_frames"]
        rows[found] = rows[found].fillna(0).astype("int64")
        return rows

    def class_frames(self, checkpoint_id: str | None) -> pd.DataFrame:
        """class_id, class_name, labelled_frames and predicted_frames of every class that is seen, commonest first.

        Predicted frames count whether people judged them or not; merged classes count as what they were merged into.
        """
        shown = sa.func.coalesce(classes.c.merged_into, classes.c.class_id)
        said = (
            sa.select(shown.label("class_id"), sa.func.count().label("labelled_frames"))
            .join(classes, classes.c.class_id == labels.c.class_id)
            .where(labels.c.present == 1)
            .group_by(shown)
        )
        predicted = (
            sa.select(predictions.c.class_id, sa.func.count().label("predicted_frames"))
            .where(predictions.c.checkpoint_id == (checkpoint_id or ""))
            .group_by(predictions.c.class_id)
        )
        names = self._rows(sa.select(classes.c.class_id, shown.label("shown"), classes.c.name))
        resolved = names.set_index("class_id")["shown"]
        of_model = self._rows(predicted)
        of_model["class_id"] = of_model["class_id"].map(resolved)
        of_model = of_model.groupby("class_id")[["predicted_frames"]].sum().reset_index()
        rows = self._rows(said).merge(of_model, on="class_id", how="outer").fillna(0).astype("int64")
        rows["class_name"] = rows["class_id"].map(names.set_index("class_id")["name"])
        order = ["predicted_frames", "labelled_frames", "class_name"]
        return rows.sort_values(order, ascending=[False, False, True], ignore_index=True)

    def predicted_by_video(self, checkpoint_id: str, class_ids: Sequence[int]) -> pd.DataFrame:
        """Predicted frames of classes by video: video_no, class_id, frames. One pass over the predictions."""
        number = predictions.c.frame_id // FRAMES_PER_VIDEO
        query = (
            sa.select(number.label("video_no"), predictions.c.class_id, sa.func.count().label("frames"))
            .where(predictions.c.checkpoint_id == checkpoint_id, predictions.c.class_id.in_(list(class_ids)))
            .group_by(number, predictions.c.class_id)
        )
        return self._rows(query)

    def confused_pairs(self, checkpoint_id: str, video_nos: Sequence[int], limit: int) -> pd.DataFrame:
        """The view confused_pairs over some videos only: the pairs that are doubted on most of their frames."""
        score = frame_scores.c
        unsure = sa.case((score.margin < DOUBTFUL_MARGIN, 1), else_=0)
        query = sa.select(
            score.top_class_id,
            score.runner_up_class_id,
            sa.func.count().label("frames"),
            sa.func.sum(unsure).label("uncertain_frames"),
            sa.func.sum(sa.cast(score.margin, sa.Double)).label("margin"),
        ).group_by(score.top_class_id, score.runner_up_class_id)
        rows = self._among(query, checkpoint_id, video_nos)
        names = self._rows(sa.select(classes)).set_index("class_id")
        target = names["merged_into"].fillna(names.index.to_series()).astype("int64")
        top, runner = (rows[name].map(target) for name in ("top_class_id", "runner_up_class_id"))
        rows = rows.assign(
            class_a_id=pd.concat([top, runner], axis=1).min(axis=1),
            class_b_id=pd.concat([top, runner], axis=1).max(axis=1),
            a_ahead=rows["frames"].where(top < runner, 0),
        )[(top != runner) & runner.notna()]
        summed = rows.groupby(["class_a_id", "class_b_id"], as_index=False)[
            ["frames", "a_ahead", "uncertain_frames", "margin"]
        ].sum()
        summed["mean_margin"] = summed.pop("margin") / summed["frames"]
        for place, side in ((1, "a"), (3, "b")):
            summed.insert(place, f"class_{side}", summed[f"class_{side}_id"].map(names["name"]))
        order = ["uncertain_frames", "mean_margin", "class_a_id", "class_b_id"]
        found = summed.sort_values(order, ascending=[False, True, True, True], ignore_index=True)
        whole = ["class_a_id", "class_b_id", "frames", "a_ahead", "uncertain_frames"]
        return found.astype(dict.fromkeys(whole, "int64")).head(limit)

    def doubtful(
        self, checkpoint_id: str, pair: tuple[int, int], video_nos: Sequence[int], limit: int
    ) -> pd.DataFrame:
        """`ReportQueries.doubtful` among some videos."""
        members = sa.select(classes.c.class_id).where(
            sa.func.coalesce(classes.c.merged_into, classes.c.class_id).in_(pair)
        )
        score = frame_scores.c
        query = (
            sa.select(
                score.frame_id,
                score.top_class_id,
                score.runner_up_class_id,
                score.margin,
                frames.c.brightness,
                frames.c.sharpness,
            )
            .join(frames, frames.c.frame_id == score.frame_id)
            .where(
                score.margin < DOUBTFUL_MARGIN,
                score.top_class_id.in_(members),
                score.runner_up_class_id.in_(members),
            )
        )
        rows = self._among(query, checkpoint_id, video_nos)
        names = self._rows(sa.select(classes)).set_index("class_id")
        target = names["merged_into"].fillna(names.index.to_series()).astype("int64")
        rows["top_class_id"] = rows["top_class_id"].map(target)
        rows = rows[rows["top_class_id"] != rows.pop("runner_up_class_id").map(target)]
        return rows.sort_values(["margin", "frame_id"], ignore_index=True).head(limit)

    def _among(self, query: sa.Select[Any], checkpoint_id: str, video_nos: Sequence[int]) -> pd.DataFrame:
        """Rows of a query of `frame_scores` in the key ranges of some videos, a hundred ranges a statement."""
        parts = []
        for numbers in in_chunks(list(video_nos), 100):
            spans = [
                frame_scores.c.frame_id.between(
                    number * FRAMES_PER_VIDEO, (number + 1) * FRAMES_PER_VIDEO - 1
                )
                for number in numbers
            ]
            parts.append(
                self._rows(query.where(frame_scores.c.checkpoint_id == checkpoint_id, sa.or_(*spans)))
            )
        return pd.concat(parts, ignore_index=True) if parts else self._rows(query.where(sa.false()))

    def _rows(self, query: sa.Executable) -> pd.DataFrame:
        return self.database.fetch(query).to_pandas()
