"""Dagster metadata of tables: column schemas from the declared tables, and previews of rows. No reading of data."""

from __future__ import annotations

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from resources.slice_writer import table_named

PREVIEW_ROWS = 5
CELL_CHARACTERS = 60


def column_schema(table_name: str) -> dg.TableSchema:
    """Columns of a table with types, constraints and descriptions, for Dagster's Columns tab."""
    table = table_named(table_name)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=str(column.type),
                description=column.comment,
                constraints=dg.TableColumnConstraints(
                    nullable=bool(column.nullable), unique=bool(column.unique)
                ),
            )
            for column in table.columns
        ]
    )


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
