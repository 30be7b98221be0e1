"""Dagster metadata of tables: column schemas from the declared tables, and previews of rows. No reading of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from resources.slice_writer import table_named

PREVIEW_ROWS = 5
CELL_CHARACTERS = 60


def column_schema(
    table_name: str, made_from: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> dg.TableSchema:
    """Columns of a table with types, constraints and descriptions, for Dagster's Columns tab.

    made_from: column -> asset.column of what it is made from, told after its description: the open-source UI keeps
    column lineage and does not draw it.
    """
    table = table_named(table_name)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=str(column.type),
                description=_described(column, made_from.get(column.name, ())),
                constraints=dg.TableColumnConstraints(
                    nullable=bool(column.nullable), unique=bool(column.unique)
                ),
            )
            for column in table.columns
        ]
    )


def _described(column: sa.Column[Any], sources: Sequence[str]) -> str:
    return f"{column.comment} (from {', '.join(sources)})" if sources else str(column.comment)


def preview(batch: pa.RecordBatch | None) -> str:
    """The first rows as a Markdown table; blobs show their size only."""
    if batch is None or batch.num_rows == 0:
        return "no rows"
    head = batch.slice(0, PREVIEW_ROWS)
    columns = [
        [f"<{size} bytes>" for size in pc.binary_length(column).to_pylist()]
        if pa.types.is_binary(column.type)
        else [_cell(value) for value in column.to_pylist()]
        for column in head.columns
    ]
    lines = [head.schema.names, ["---"] * head.num_columns, *zip(*columns, strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    text = " ".join(text.replace("|", "\\|").split())
    return text if len(text) <= CELL_CHARACTERS else text[: CELL_CHARACTERS - 3] + "..."
