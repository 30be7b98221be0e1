"""Rows that do not fit, set right: what can be made again is removed or asked for anew. Nothing that people made.

Every statement looks again for itself: what was found may have been mended by a run meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from al_assets.keys import FRAMES_PER_VIDEO, frame_range
from resources.database import Database
from resources.queries.verification import VERSION, version_column
from resources.slice_writer import table_named
from resources.tables import frames, video_coverage, videos


@dataclass(frozen=True)
class RepairQueries:
    """Small changes of derived rows."""

    database: Database

    def read_again(self, video_id: str) -> None:
        """Have a video's frames read anew: the sensor asks for videos without a version of their frames."""
        self._run(sa.update(videos).where(videos.c.video_id == video_id).values(frames_version=None))

    def make_again(self, asset: str, version: str, video_id: str) -> None:
        """Have a version make a video's rows anew: what is not covered is asked for."""
        c = video_coverage.c
        mine = (c.asset == asset, c.version == version, c.video_id == video_id)
        self._run(sa.delete(video_coverage).where(*mine))

    def remove_uncovered(self, table: str, asset: str, version: str, video_no: int) -> int:
        """Remove a version's rows of a video that no coverage knows."""
        c = video_coverage.c
        known = (
            sa.select(c.video_id)
            .join(videos, videos.c.video_id == c.video_id)
            .where(c.asset == asset, c.version == version, videos.c.video_no == video_no)
        )
        return self._run(_rows(table, version, video_no).where(~sa.exists(known)))

    def remove_frameless(self, table: str, version: str, video_no: int) -> int:
        """Remove a version's rows of a video for which there is no frame."""
        own = table_named(table).c.frame_id
        return self._run(_rows(table, version, video_no).where(~sa.exists().where(frames.c.frame_id == own)))

    def remove_unregistered(self, table: str, version: str) -> int:
        """Remove the rows of a version that is not registered."""
        (key,) = VERSION[table].primary_key
        own = table_named(table)
        known = sa.exists().where(key == version)
        return self._run(sa.delete(own).where(own.c[key.name] == version, ~known))

    def remove_strangers(self, table: str, version: str | None) -> int:
        """Remove the rows (of a version) whose keys are of videos that were never registered.

        Jumps from video to video along the clustered key.
        """
        own = table_named(table)
        mine = sa.true() if version is None else version_column(table) == version
        with self.database.read() as connection:
            known = set(connection.scalars(sa.select(videos.c.video_no)))
        removed, after = 0, -1
        while (first := self._next_key(own, mine, after)) is not None:
            low, after = frame_range(first // FRAMES_PER_VIDEO)
            if first // FRAMES_PER_VIDEO not in known:
                removed += self._run(sa.delete(own).where(mine, own.c.frame_id.between(low, after)))
        return removed

    def _next_key(self, table: sa.Table, mine: sa.ColumnElement[bool], after: int) -> int | None:
        query = sa.select(sa.func.min(table.c.frame_id)).where(mine, table.c.frame_id > after)
        with self.database.read() as connection:
            return connection.scalar(query)

    def _run(self, statement: sa.Delete | sa.Update) -> int:
        with self.database.write() as connection:
            return connection.execute(statement).rowcount


def _rows(table: str, version: str, video_no: int) -> sa.Delete:
    own = table_named(table)
    return sa.delete(own).where(
        version_column(table) == version, own.c.frame_id.between(*frame_range(video_no))
    )
