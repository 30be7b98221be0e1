"""Old versions leave: scores of models, vectors of embedders. Which of them may go is decided elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from al_assets.keys import frame_range, video_no_of
from resources.database import Database
from resources.queries.verification import version_column
from resources.tables import (
    checkpoints,
    drift_results,
    embeddings,
    frame_scores,
    predictions,
    promotions,
    serving,
    video_coverage,
    videos,
)

Versioned = Literal["predictions", "embeddings"]
TABLES = {"predictions": (predictions, frame_scores), "embeddings": (embeddings,)}
BLOCK_ROWS = 100_000
"""Rows of a table that leave in one transaction, up to the end of a video: others write in between."""


class VersionInUseError(RuntimeError):
    """The version serves, or is about to."""


@dataclass(frozen=True)
class RetentionQueries:
    """What versions there are, and their removal."""

    database: Database

    def versions(self, asset: Versioned) -> list[str]:
        """Versions that cover any video or have any row, in order of name.

        Jumps from version to version along the clustered keys: a run that was cut off leaves rows without coverage.
        """
        c = video_coverage.c
        query = sa.select(c.version).where(c.asset == asset).distinct()
        with self.database.read() as connection:
            found = set(connection.scalars(query))
            for table in TABLES[asset]:
                column, last = version_column(table.name), ""
                while (
                    name := connection.scalar(sa.select(sa.func.min(column)).where(column > last))
                ) is not None:
                    found.add(name)
                    last = name
        return sorted(found)

    def promoted(self) -> list[str]:
        """Checkpoints that were to serve, each once, the latest decision first."""
        c = promotions.c
        query = (
            sa.select(c.checkpoint_id)
            .where(c.promoted == 1)
            .group_by(c.checkpoint_id)
            .order_by(sa.func.max(c.promotion_id).desc())
        )
        with self.database.read() as connection:
            return list(connection.scalars(query))

    def embedders_of(self, checkpoint_ids: Sequence[str]) -> set[str]:
        """Embedders whose vectors these checkpoints read."""
        c = checkpoints.c
        query = sa.select(c.embedder_id).where(c.checkpoint_id.in_(list(checkpoint_ids)))
        with self.database.read() as connection:
            return set(connection.scalars(query))

    def remove(self, asset: Versioned, version: str) -> int:
        """Remove a version's rows and coverage, block by block; returns rows removed.

        A video's coverage goes with its rows, so that what a crash leaves is whole videos, and the next call goes
        on. Each block is a range of the clustered key. Raises VersionInUseError before any block in which a model
        that serves, or is to serve, needs the version.
        """
        removed = 0
        while (block := self._next_block(asset, version)) is not None:
            removed += self._remove_block(asset, version, *block)
        with self.database.write() as connection:
            self._refuse_in_use(connection, asset, version)
            connection.execute(_coverage(asset, version))
        return removed

    def _next_block(self, asset: Versioned, version: str) -> tuple[int, int] | None:
        """First and last video number of the next block; None where no row is left."""
        starts, ends = [], []
        with self.database.read() as connection:
            for table in TABLES[asset]:
                own = version_column(table.name) == version
                first = connection.scalar(sa.select(sa.func.min(table.c.frame_id)).where(own))
                if first is None:
                    continue
                beyond = (
                    sa.select(table.c.frame_id)
                    .where(own, table.c.frame_id >= first)
                    .order_by(table.c.frame_id)
                    .offset(BLOCK_ROWS - 1)
                    .limit(1)
                )
                last = connection.scalar(beyond)
                if last is None:
                    last = connection.scalar(sa.select(sa.func.max(table.c.frame_id)).where(own))
                starts.append(int(video_no_of(int(first))))
                ends.append(int(video_no_of(int(last or first))))
        return (min(starts), min(ends)) if starts else None

    def _remove_block(self, asset: Versioned, version: str, first: int, last: int) -> int:
        last = max(first, last)
        low, high = frame_range(first)[0], frame_range(last)[1]
        numbered = sa.select(videos.c.video_id).where(videos.c.video_no.between(first, last))
        with self.database.write() as connection:
            self._refuse_in_use(connection, asset, version)
            connection.execute(_coverage(asset, version).where(video_coverage.c.video_id.in_(numbered)))
            return sum(
                connection.execute(
                    sa.delete(table).where(
                        version_column(table.name) == version, table.c.frame_id.between(low, high)
                    )
                ).rowcount
                for table in TABLES[asset]
            )

    def _refuse_in_use(self, connection: sa.Connection, asset: Versioned, version: str) -> None:
        newest = (
            sa.select(promotions.c.checkpoint_id)
            .where(promotions.c.promoted == 1)
            .order_by(promotions.c.promotion_id.desc())
            .limit(1)
        )
        models = {*connection.scalars(sa.select(serving.c.checkpoint_id)), *connection.scalars(newest)}
        reads = sa.select(checkpoints.c.embedder_id).where(checkpoints.c.checkpoint_id.in_(models))
        used = models if asset == "predictions" else set(connection.scalars(reads))
        if version in used:
            raise VersionInUseError(f"{version} serves or is about to; its rows in {asset} stay")

    def forget_drift_pages(self, keep: int) -> list[str]:
        """Leave all but the newest drift pages out of `drift_results`; returns the paths of those, to be deleted."""
        c = drift_results.c
        query = (
            sa.select(c.report_uri)
            .where(c.report_uri.is_not(None))
            .group_by(c.report_uri)
            .order_by(sa.func.max(c.measured_at).desc(), c.report_uri)
        )
        with self.database.read() as connection:
            old = list(connection.scalars(query))[keep:]
        if old:
            with self.database.write() as connection:
                for uri in old:
                    connection.execute(
                        sa.update(drift_results).where(c.report_uri == uri).values(report_uri=None)
                    )
        return [str(uri) for uri in old]


def _coverage(asset: Versioned, version: str) -> sa.Delete:
    c = video_coverage.c
    return sa.delete(video_coverage).where(c.asset == asset, c.version == version)
