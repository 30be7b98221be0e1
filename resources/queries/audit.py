"""What is wrong with the rows of a table, counted in SQL: columns, values, references, rows per video. No verdicts.

What a table is held to stands in `resources/tables.py`: the columns' `low`, `high`, `one_of` and `of`, the tables'
`faults`. Aggregates only: memory does not grow with the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import sqlalchemy as sa

from al_assets.keys import FRAMES_PER_VIDEO, frame_range
from resources.database import Database
from resources.slices import KeyRange
from resources.tables import (
    frames,
    materializations,
    metadata,
    selection_batches,
    selections,
    training_sets,
    video_coverage,
    videos,
)

ROUNDING = 1e-6
"""A float32 that should end at 1 may end this much above."""
Where = Mapping[str, "str | int | KeyRange"]


@dataclass(frozen=True)
class AuditQueries:
    """Counts of faulty rows."""

    database: Database

    def column_faults(self, name: str) -> list[str]:
        """How the columns of a table differ from what is declared: missing, not declared, nulls allowed or refused."""
        declared = metadata.tables[name].columns
        with self.database.read() as connection:
            inspector = sa.inspect(connection)
            if not inspector.has_table(name):
                return [f"table {name} is missing"]
            found = {column["name"]: column for column in inspector.get_columns(name)}
        faults = [f"{name}.{each} is missing" for each in (c.name for c in declared) if each not in found]
        faults += [f"{name}.{each} is not declared" for each in found if each not in declared]
        for each in declared:
            if each.name in found and bool(found[each.name]["nullable"]) != bool(each.nullable):
                faults.append(f"{name}.{each.name} {'refuses' if each.nullable else 'allows'} nulls")
        return faults

    def value_faults(self, name: str, where: Where | None = None) -> tuple[int, dict[str, int]]:
        """(rows, rows by fault) of a table or of a part of it: one pass, no row is loaded."""
        table = metadata.tables[name]
        faults = _faults(table)
        counts = [_counted(condition).label(f"fault_{n}") for n, condition in enumerate(faults.values())]
        query: Any = sa.select(sa.func.count(), *counts).select_from(table)
        with self.database.read() as connection:
            row = connection.execute(_within(query, table, where)).one()
        return int(row[0]), {fault: int(number) for fault, number in zip(faults, row[1:], strict=True)}

    def reference_faults(self, name: str, where: Where | None = None) -> dict[str, int]:
        """Distinct values that name no row, by column; nulls name none and need not."""
        table, found = metadata.tables[name], {}
        with self.database.read() as connection:
            for column in table.columns:
                if "of" not in column.info:
                    continue
                parent, key = column.info["of"].split(".")
                named = _within(sa.select(column.label("named")).where(column.is_not(None)), table, where)
                values = named.distinct().subquery()
                target = metadata.tables[parent].alias("target")
                lost = ~sa.exists().where(target.c[key] == values.c.named)
                count = connection.scalar(sa.select(sa.func.count()).select_from(values).where(lost))
                found[f"{name}.{column.name}"] = int(count or 0)
        return found

    def rows_per_video(
        self, name: str, version: Mapping[str, str], asset: str, span: KeyRange | None = None
    ) -> pd.DataFrame:
        """Videos whose rows in a table of one row a frame are not as many as the ledger and `frames` say.

        Columns: video_id, frames, covered (None where the ledger has no entry), rows. version: column and value that
        picks a version of the table; asset: whose entries of `video_coverage`; span: keys of the videos (None: all).
        """
        table = metadata.tables[name]
        ((column, value),) = version.items()
        theirs = _by_video(table, span).where(table.c[column] == value).subquery("theirs")
        ours = _by_video(frames, span).subquery("ours")
        covered = (
            sa.select(video_coverage.c.video_id, video_coverage.c.frames, video_coverage.c.frames_version)
            .where(video_coverage.c.asset == asset, video_coverage.c.version == value)
            .subquery("covered")
        )
        rows, sampled = (sa.func.coalesce(part.c.row_count, 0) for part in (theirs, ours))
        # What was covered of earlier frames of a video is renewed by the next run, and no fault.
        current = covered.c.frames_version == videos.c.frames_version
        query = (
            sa.select(
                videos.c.video_id,
                sampled.label("frames"),
                covered.c.frames.label("covered"),
                rows.label("rows"),
            )
            .select_from(videos)
            .outerjoin(theirs, theirs.c.video_no == videos.c.video_no)
            .outerjoin(ours, ours.c.video_no == videos.c.video_no)
            .outerjoin(covered, covered.c.video_id == videos.c.video_id)
            .where(
                sa.or_(
                    sa.and_(current, sa.or_(rows != covered.c.frames, rows != sampled)),
                    sa.and_(covered.c.video_id.is_(None), rows > sampled),
                ),
                _in_span(span),
            )
            .order_by(videos.c.video_no)
        )
        with self.database.read() as connection:
            return pd.DataFrame(
                [tuple(row) for row in connection.execute(query)],
                columns=["video_id", "frames", "covered", "rows"],
            )

    def videos_without_frames(self, span: KeyRange | None = None) -> list[str]:
        """video_ids that were read, by the register, and have no frame; span: keys of the videos meant (None: all)."""
        first = sa.cast(videos.c.video_no, sa.BigInteger) * FRAMES_PER_VIDEO
        inside = frames.c.frame_id.between(first, first + FRAMES_PER_VIDEO - 1)
        query = sa.select(videos.c.video_id).where(
            videos.c.status.in_(("indexed", "partial")), ~sa.exists().where(inside), _in_span(span)
        )
        with self.database.read() as connection:
            return list(connection.scalars(query.order_by(videos.c.video_no)))

    def batches_out_of_step(self) -> pd.DataFrame:
        """Batches whose rows in `selections` are not as many as they say: batch_id, selected, rows."""
        rows = sa.func.count(selections.c.frame_id)
        query = (
            sa.select(selection_batches.c.batch_id, selection_batches.c.selected, rows.label("rows"))
            .outerjoin(selections, selections.c.batch_id == selection_batches.c.batch_id)
            .group_by(selection_batches.c.batch_id, selection_batches.c.selected)
            .having(rows != selection_batches.c.selected)
            .order_by(selection_batches.c.batch_id)
        )
        with self.database.read() as connection:
            found = [tuple(row) for row in connection.execute(query)]
        return pd.DataFrame(found, columns=["batch_id", "selected", "rows"])

    def training_rows(self, training_set_id: str) -> tuple[int, int]:
        """Rows of a training set, and how many it was written with: labels may change at any time after."""
        chosen = training_sets.c.training_set_id == training_set_id
        written = (
            sa.select(materializations.c.rows)
            .where(materializations.c.asset == "training_set", materializations.c.slice == training_set_id)
            .order_by(materializations.c.materialization_id.desc())
            .limit(1)
        )
        with self.database.read() as connection:
            rows = connection.scalar(sa.select(sa.func.count()).where(chosen))
            return int(rows or 0), int(connection.scalar(written) or 0)


def _faults(table: sa.Table) -> dict[str, sa.ColumnElement[bool]]:
    """What no row may be, by a name that says it."""
    found: dict[str, sa.ColumnElement[bool]] = {}
    for column in table.columns:
        slack = ROUNDING if isinstance(column.type, sa.Float) else 0
        if not column.nullable:
            found[f"{column.name} is null"] = column.is_(None)
        if "low" in column.info:
            found[f"{column.name} below {column.info['low']:g}"] = column < column.info["low"] - slack
        if "high" in column.info:
            found[f"{column.name} above {column.info['high']:g}"] = column > column.info["high"] + slack
        if "one_of" in column.info:
            found[f"{column.name} is none of those known"] = column.not_in(column.info["one_of"])
    for name, condition in table.info["faults"].items():
        found[name.replace("_", " ")] = condition(table.c)
    return found


def _counted(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def _by_video(table: sa.Table, span: KeyRange | None) -> sa.Select[Any]:
    """Rows of a table by the number of the video, which is in frame_id."""
    number = table.c.frame_id // FRAMES_PER_VIDEO
    query = sa.select(number.label("video_no"), sa.func.count().label("row_count")).group_by(number)
    return _within(query, table, {"frame_id": span} if span is not None else None)


def _in_span(span: KeyRange | None) -> sa.ColumnElement[bool]:
    if span is None:
        return sa.true()
    return videos.c.video_no.between(span.first // FRAMES_PER_VIDEO, span.last // FRAMES_PER_VIDEO)


def _within(query: sa.Select[Any], table: sa.Table, where: Where | None) -> sa.Select[Any]:
    for name, value in (where or {}).items():
        column = table.c[name]
        query = query.where(
            column.between(value.first, value.last) if isinstance(value, KeyRange) else column == value
        )
    return query


def parts_of(numbers: Sequence[int]) -> list[KeyRange]:
    """Runs of consecutive video numbers as ranges of frame_id."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return [KeyRange(frame_range(first)[0], frame_range(last)[1]) for first, last in runs]
