"""The Dagster IO manager of all SQL tables: asset outputs into slices, slices into asset inputs.

Only the translation between Dagster and slices lives here; see `slice_writer.py` for how a slice is written.
"""

# No `from __future__ import annotations`: Dagster reads ResourceDependency from the annotation itself.
import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa

from resources import tables
from resources.database import Database
from resources.lazy_rows import LazyRows
from resources.slice_writer import SliceWriter, WriteMode, Written, table_named
from resources.slices import KeyList, Restriction, Slice
from resources.table_metadata import column_schema, preview

PARTITION_COLUMN = "video_id"


class SqlIOManager(dg.ConfigurableIOManager):  # type: ignore[misc]
    """Writes what assets return into SQL tables, one transaction a slice, and reads it back."""

    database: dg.ResourceDependency[Database]

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write a Slice, an iterable of Slices, rows, or a mapping of table to rows.

        None and an empty iterable write nothing; an empty frame or table empties its slice.
        """
        began = time.monotonic()
        writer = SliceWriter(self.database)
        mode: WriteMode = context.definition_metadata.get("write_mode", "replace")
        written: list[Written] = []
        for part in self._slices(context, obj):
            try:
                written.append(
                    writer.write(
                        _asset_name(context),
                        part,
                        mode=mode,
                        run_id=context.run_id,
                        code_version=_code_version(context),
                        now=datetime.now(UTC),
                    )
                )
            except Exception:
                if written:
                    context.log.warning(f"{len(written)} slices were committed before this one failed; they stand")
                raise
        context.add_output_metadata(_metadata(_table_name(context), written, time.monotonic() - began))

    def load_input(self, context: dg.InputContext) -> Any:
        """Rows of the upstream table as the annotation asks: pandas.DataFrame, pyarrow.Table or LazyRows."""
        wanted = context.dagster_type.typing_type
        rows = LazyRows(self.database, _upstream_table(context), _columns(context), self._loaded(context))
        if wanted is LazyRows:
            return rows
        if wanted is pa.Table:
            return rows.to_table()
        if wanted is pd.DataFrame:
            return rows.to_pandas()
        raise dg.DagsterInvariantViolationError(
            f"input {context.name} is annotated {wanted}; annotate pandas.DataFrame, pyarrow.Table or LazyRows"
        )

    def _slices(self, context: dg.OutputContext, obj: Any) -> Iterator[Slice]:
        if obj is None:
            return
        if isinstance(obj, Slice):
            yield obj
        elif isinstance(obj, Mapping):
            yield Slice(_partition(context), obj)
        elif isinstance(obj, pd.DataFrame | pa.Table | pa.RecordBatch | pa.RecordBatchReader):
            yield Slice(_partition(context), {_table_name(context): obj})
        else:
            parts = iter(obj)
            first = next(parts, None)
            if isinstance(first, Slice):
                yield first
                yield from parts
            elif first is not None:
                yield Slice(_partition(context), {_table_name(context): chain([first], parts)})

    def _loaded(self, context: dg.InputContext) -> dict[str, Restriction]:
        if not context.has_asset_partitions:
            return {}
        return {_partition_column(context.upstream_output): KeyList(tuple(context.asset_partition_keys))}


def _asset_name(context: dg.OutputContext) -> str:
    return context.asset_key.to_user_string() if context.has_asset_key else context.step_key


def _code_version(context: dg.OutputContext) -> str | None:
    return context.asset_spec.code_version if context.has_asset_key else None


def _table_name(context: dg.OutputContext) -> str:
    named = context.definition_metadata.get("table")
    return str(named or (context.asset_key.path[-1] if context.has_asset_key else context.name))


def _upstream_table(context: dg.InputContext) -> str:
    upstream = context.upstream_output
    if upstream is not None and upstream.definition_metadata.get("table"):
        return str(upstream.definition_metadata["table"])
    return str(context.definition_metadata.get("table") or context.asset_key.path[-1])


def _columns(context: dg.InputContext) -> tuple[str, ...]:
    return tuple(context.definition_metadata.get("columns") or ())


def _partition_column(context: dg.OutputContext | None) -> str:
    found = context.definition_metadata.get("partition_expr") if context is not None else None
    return str(found or PARTITION_COLUMN)


def _partition(context: dg.OutputContext) -> dict[str, Restriction]:
    if not context.has_asset_partitions:
        return {}
    keys = tuple(context.asset_partition_keys)
    return {_partition_column(context): keys[0] if len(keys) == 1 else KeyList(keys)}


def _metadata(table: str, written: list[Written], seconds: float) -> dict[str, Any]:
    digest = hashlib.sha256("\n".join(f"{w.name} {w.content_hash}" for w in written).encode()).hexdigest()
    names = list(dict.fromkeys(name for w in written for name in w.by_table)) or [table]
    known = [name for name in names if name in tables.metadata.tables]
    found: dict[str, Any] = {
        "dagster/row_count": sum(w.rows for w in written),
        "slices": len(written),
        "content_hash": written[0].content_hash if len(written) == 1 else digest,
        "preview": dg.MetadataValue.md(preview(next((w.first_rows for w in written if w.first_rows is not None), None))),
        "seconds": round(seconds, 3),
    }
    if known:
        found["dagster/table_name"] = known[0]
        found["dagster/column_schema"] = column_schema(known[0])
    return found


__all__ = ["LazyRows", "SliceWriter", "SqlIOManager", "WriteMode", "Written", "table_named", "column_schema"]
