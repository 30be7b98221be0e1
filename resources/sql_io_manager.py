"""The Dagster IO manager of all SQL tables: asset outputs into slices, tables into asset inputs.

Only the translation between Dagster and slices lives here; see `slice_writer.py` for how a slice is written.
"""

# No `from __future__ import annotations`: Dagster reads ResourceDependency from the annotation itself.
import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa

from resources import tables
from resources.database import Database
from resources.lazy_rows import LazyRows
from resources.partition_rows import PARTITION_COLUMN, of_partitions
from resources.slice_writer import WRITE_MODES, SliceWriter, WriteMode, Written, table_named
from resources.slices import Restriction, Slice, SliceStream
from resources.table_metadata import column_schema, preview

PARTITIONS_IN_FULL = 10
"""Partitions of a run above which an event says neither columns nor rows: Dagster repeats it for each of them."""
OF_COLUMNS = ("dagster/column_schema", "dagster/column_lineage")


class SqlIOManager(dg.ConfigurableIOManager):  # type: ignore[misc]
    """Writes what assets return into SQL tables, one transaction a slice, and reads tables back."""

    database: dg.ResourceDependency[Database]

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write a Slice, an iterable of Slices, rows, or a mapping of table to rows.

        Slices are committed one by one as they come, so a long pass that fails keeps what it finished. Rows
        replace the whole table, or the rows of the run's partitions; `write_mode` in the asset's metadata
        (replace, upsert, append) and `table` (else the last part of the asset key) say otherwise. None and an
        iterable without any item write nothing and delete nothing; an empty frame or table empties its slice.
        """
        began = time.monotonic()
        writer = SliceWriter(self.database)
        mode = _write_mode(context)
        tally = _Tally()
        for part in self._slices(context, obj):
            try:
                written = writer.write(
                    context.asset_key.to_user_string() if context.has_asset_key else context.step_key,
                    part,
                    mode=mode,
                    run_id=context.run_id,
                    code_version=context.asset_spec.code_version if context.has_asset_key else None,
                    now=datetime.now(UTC),
                )
            except Exception:
                if tally.slices:
                    context.log.warning(f"{tally.slices} slices were committed before one failed; they stand")
                raise
            tally.add(written)
        told = obj.metadata if isinstance(obj, SliceStream) else {}
        context.add_output_metadata({**told, **_metadata(context, tally, time.monotonic() - began)})

    def load_input(self, context: dg.InputContext) -> Any:
        """Rows of the upstream table as the annotation asks: pandas.DataFrame, pyarrow.Table or LazyRows.

        `columns` in the input's metadata projects; a partitioned input has the rows of its partitions.
        """
        upstream = context.upstream_output
        declared = {} if upstream is None else upstream.definition_metadata
        asked = context.definition_metadata
        table = str(asked.get("table") or declared.get("table") or context.asset_key.path[-1])
        where: dict[str, Restriction] = {}
        if context.has_asset_partitions:
            column = str(declared.get("partition_expr") or PARTITION_COLUMN)
            where = of_partitions(self.database, table_named(table), context.asset_partition_keys, column)
        rows = LazyRows(self.database, table, tuple(asked.get("columns") or ()), where)
        wanted = context.dagster_type.typing_type
        if wanted is LazyRows:
            return rows
        if wanted is pa.Table:
            return rows.to_table()
        if wanted is pd.DataFrame:
            return rows.to_pandas()
        raise dg.DagsterInvariantViolationError(
            f"input {context.name} is annotated {wanted}; annotate it pandas.DataFrame, pyarrow.Table or LazyRows"
        )

    def _slices(self, context: dg.OutputContext, obj: Any) -> Iterator[Slice]:
        if obj is None:
            return
        if isinstance(obj, Slice):
            yield obj
        elif isinstance(obj, Mapping):
            yield self._partitioned(context, obj)
        elif isinstance(obj, pd.DataFrame | pa.Table | pa.RecordBatch | pa.RecordBatchReader):
            yield self._rows(context, obj)
        elif isinstance(obj, Iterable):
            parts = iter(obj)
            first = next(parts, None)
            if isinstance(first, Slice):
                yield from chain([first], parts)
            elif first is not None:
                yield self._rows(context, chain([first], parts))
        else:
            raise dg.DagsterInvariantViolationError(
                f"the SQL IO manager cannot write {type(obj).__name__}; return a Slice, rows (pandas or Arrow), "
                "an iterable of either, or a mapping of table to rows"
            )

    def _rows(self, context: dg.OutputContext, rows: Any) -> Slice:
        return self._partitioned(context, {_table_name(context): rows})

    def _partitioned(self, context: dg.OutputContext, rows: Mapping[str, Any]) -> Slice:
        """The rows as the run's partitions of every table, or as the whole tables."""
        if not context.has_asset_partitions:
            return Slice({}, rows)
        keys = context.asset_partition_keys
        column = str(context.definition_metadata.get("partition_expr") or PARTITION_COLUMN)
        where: dict[str, Restriction] = {}
        for name in rows:
            found = of_partitions(self.database, table_named(name), keys, column)
            where |= {f"{name}.{key}": value for key, value in found.items()}
        several = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        return Slice(where, rows, name=f"{column} = {keys[0]}{several}")


@dataclass
class _Tally:
    """What a whole output amounts to; does not grow with the number of slices."""

    rows: int = 0
    slices: int = 0
    by_table: dict[str, int] = field(default_factory=dict)
    first_rows: pa.RecordBatch | None = None
    only_hash: str = ""
    all_hashes: Any = field(default_factory=hashlib.sha256)

    def add(self, written: Written) -> None:
        self.rows += written.rows
        self.slices += 1
        for name, rows in written.by_table.items():
            self.by_table[name] = self.by_table.get(name, 0) + rows
        self.first_rows = written.first_rows if self.first_rows is None else self.first_rows
        self.only_hash = written.content_hash
        self.all_hashes.update(f"{written.name} {written.content_hash}\n".encode())


def _write_mode(context: dg.OutputContext) -> WriteMode:
    mode: WriteMode = context.definition_metadata.get("write_mode", "replace")
    if mode not in WRITE_MODES:
        raise dg.DagsterInvariantViolationError(f"write_mode {mode!r} is not one of {', '.join(WRITE_MODES)}")
    return mode


def _table_name(context: dg.OutputContext) -> str:
    named = context.definition_metadata.get("table")
    return str(named or (context.asset_key.path[-1] if context.has_asset_key else context.name))


def _metadata(context: dg.OutputContext, tally: _Tally, seconds: float) -> dict[str, Any]:
    own = _table_name(context)
    name = own if own in tables.metadata.tables else next(iter(tally.by_table), None)
    # Where nothing was due, a row count of 0 would read as an empty table.
    rows = {"dagster/row_count": tally.by_table.get(name or "", tally.rows)} if tally.slices else {}
    found: dict[str, Any] = {
        **rows,
        "slices": tally.slices,
        "content_hash": tally.only_hash if tally.slices == 1 else tally.all_hashes.hexdigest(),
        "seconds": round(seconds, 3),
    }
    if context.has_asset_partitions and len(context.asset_partition_keys) > PARTITIONS_IN_FULL:
        return found | ({"dagster/table_name": name} if name is not None else {})
    found["preview"] = dg.MetadataValue.md(preview(tally.first_rows))
    if rows and context.has_asset_partitions and len(context.asset_partition_keys) == 1:
        found["dagster/partition_row_count"] = found["dagster/row_count"]
    if len(tally.by_table) > 1:
        found["rows_by_table"] = dg.MetadataValue.json(tally.by_table)
    if name is not None:
        found |= {"dagster/table_name": name, "dagster/column_schema": column_schema(name)}
    if context.has_asset_key and name is not None:
        # The UI shows what the newest run said of columns, not what the definition says.
        said = context.asset_spec.metadata
        if said.get("dagster/table_name") == name:
            found |= {key: said[key] for key in OF_COLUMNS if key in said}
    return found


__all__ = ["LazyRows", "SliceWriter", "SqlIOManager", "Written"]
