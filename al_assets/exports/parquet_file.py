"""Rows as one Parquet file, every column typed. What the columns mean is said in `rows.py`."""

from __future__ import annotations

import json
from types import TracebackType
from typing import BinaryIO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from al_assets.exports.snapshot import Snapshot

SNAPSHOT_KEY = b"al.snapshot"
CLASSES_KEY = b"al.classes"


class ParquetFile:
    """Writes a row group a batch. The file's metadata holds `al.snapshot` and `al.classes`, both JSON."""

    def __init__(self, sink: BinaryIO, snapshot: Snapshot, schema: pa.Schema) -> None:
        told = {
            SNAPSHOT_KEY: json.dumps(snapshot.told(), ensure_ascii=False),
            CLASSES_KEY: json.dumps(dict(snapshot.classes), ensure_ascii=False),
        }
        self._writer = pq.ParquetWriter(sink, schema.with_metadata(told), compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def add(self, batch: pa.RecordBatch) -> None:
        """Write a batch of rows."""
        if batch.num_rows:
            self._writer.write_batch(batch, row_group_size=batch.num_rows)
