"""Taking judgements back: which ones, and the export that says so. Reading it is labels/formats/retractions.py."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date

import pandas as pd

from al_assets.labels.formats import retractions
from al_assets.labels.standing import standing
from al_assets.names import clean_name
from resources.archive import Archive
from resources.rows import rows_of


class NothingToRetractError(LookupError):
    """No judgement that stands is meant; the message says what was looked for."""


@dataclass(frozen=True, kw_only=True)
class Retraction:
    """What to take back: one person's judgements, of one day (UTC) or of all days, or single ones."""

    annotator: str | None = None
    day: date | None = None
    annotation_ids: Collection[int] = ()

    @property
    def spelled(self) -> str:
        """In words."""
        parts = [f"by {self.annotator}"] if self.annotator is not None else []
        parts += [f"of {self.day.isoformat()}"] if self.day is not None else []
        parts += (
            [f"numbered {', '.join(map(str, sorted(self.annotation_ids)))}"] if self.annotation_ids else []
        )
        return " ".join(parts)


def retract(archive: Archive, wish: Retraction) -> tuple[str, int]:
    """Write the export that takes the judgements back; its path and their number.

    The next `learn` run imports it. Taken back with it is what the same person said of the frame before.
    Raises NothingToRetractError.
    """
    if wish.annotator is None and not wish.annotation_ids:
        raise NothingToRetractError("say whose judgements to take back, or which")
    rows, _ = archive.labels.live_annotations()
    chosen = _chosen(standing(rows), wish)
    if chosen.empty:
        raise NothingToRetractError(f"there are no judgements {wish.spelled} that stand")
    now = archive.now().replace(tzinfo=UTC)
    rows_told = [
        {
            "frame_id": row.frame_id,
            "source_id": None if pd.isna(row.source_id) else row.source_id,
            "annotator": row.annotator,
            "annotated_at": None
            if pd.isna(row.annotated_at)
            else pd.Timestamp(row.annotated_at).tz_localize(UTC).to_pydatetime(),
        }
        for row in rows_of(chosen)
    ]
    content = retractions.write(rows_told, reason=f"judgements {wish.spelled}", at=now)
    path = f"label_exports/retraction-{now:%Y%m%dT%H%M%S%f}.json"
    archive.storage.write(path, content)
    return path, len(chosen)


def _chosen(rows: pd.DataFrame, wish: Retraction) -> pd.DataFrame:
    meant = pd.Series(True, index=rows.index)
    if wish.annotator is not None:
        meant &= rows["annotator"] == clean_name(wish.annotator, "annotator")
    if wish.day is not None:
        meant &= pd.to_datetime(rows["annotated_at"], utc=True).dt.date == wish.day
    if wish.annotation_ids:
        meant &= rows["annotation_id"].isin(list(wish.annotation_ids))
    return rows.loc[meant, ["frame_id", "source_id", "annotator", "annotated_at"]]
