"""Which rows of a table belong to some partitions: by its own column, or by the frames of the videos. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from al_assets.keys import frame_range
from resources import restrictions
from resources.database import Database
from resources.errors import SliceMismatchError
from resources.slices import KeyList, KeyRange, KeyRanges, Restriction
from resources.tables import videos

PARTITION_COLUMN = "video_id"


def of_partitions(
    database: Database, table: sa.Table, keys: Sequence[str], column: str = PARTITION_COLUMN
) -> dict[str, Restriction]:
    """The restriction of a table to partitions; of frames by the ranges of their key, which is how they lie."""
    of_frames = column == PARTITION_COLUMN and "frame_id" in table.columns
    numbers = _numbers(database, keys) if of_frames else []
    # Partitions that are no registered videos have no numbers, but the table may have a column for them.
    if column in table.columns and len(numbers) < len(keys):
        return {column: keys[0] if len(keys) == 1 else KeyList(tuple(keys))}
    if not of_frames:
        raise SliceMismatchError(
            f"{table.name} has no column {column} to tell partitions by; name one as `partition_expr` in the asset's "
            "metadata, or return Slices"
        )
    return {"frame_id": KeyRanges(tuple(KeyRange(*frame_range(number)) for number in numbers))}


def _numbers(database: Database, keys: Sequence[str]) -> list[int]:
    numbers: list[int] = []
    with database.read() as connection:
        for condition in restrictions.conditions(videos, {"video_id": KeyList(tuple(keys))}):
            numbers += connection.scalars(sa.select(videos.c.video_no).where(*condition))
    return sorted(numbers)
