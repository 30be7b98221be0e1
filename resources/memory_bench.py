"""How much memory a large write and a large read take: each in a process of its own, at two sizes. Measures only."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from resources.bench_rows import sample_frames
from resources.bulk import sqlite_reader
from resources.database import Database
from resources.lazy_rows import LazyRows
from resources.slice_writer import SliceWriter
from resources.slices import Slice

BLOCK_ROWS = 50_000


def measure_memory(database_url: str, dialect: str, small: int, large: int) -> dict[str, dict[str, float]]:
    """Peak memory, MiB, of writing and reading `small` and `large` rows of `frames`, and its growth as a ratio.

    The tables must be there. The process that reads large results of SQLite counts too, at either size.
    """
    measured: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for rows in (small, large):
        for work in ("write", "read"):
            command = [sys.executable, "-m", "resources.memory_bench", work, str(rows)]
            found = subprocess.run(command, input=database_url, text=True, capture_output=True, check=True)
            measured[f"{dialect}_{work}_peak_mib_{rows}_rows"] = float(found.stdout)
    for work in ("write", "read"):
        least, most = (measured[f"{dialect}_{work}_peak_mib_{rows}_rows"] for rows in (small, large))
        ratios[f"{dialect}_{work}_peak_growth"] = most / least
    return {"measured": measured, "ratios": ratios}


def _write(database: Database, rows: int) -> None:
    SliceWriter(database).write("bench", Slice({}, {"frames": _blocks(rows)}), now=datetime.now(UTC))


def _read(database: Database, rows: int) -> None:
    # Few rows are read in this process and many in another: here as many would be, so that sizes compare.
    sqlite_reader.NEW_ROWS = 0
    found = sum(batch.num_rows for batch in LazyRows(database, "frames").iter_batches())
    assert found == rows, f"{found} rows were read in place of {rows}"


def _blocks(rows: int) -> Iterator[pa.RecordBatch]:
    """One block again and again under other keys."""
    block = sample_frames(min(rows, BLOCK_ROWS)).combine_chunks().to_batches()[0]
    key = block.schema.get_field_index("frame_id")
    for start in range(0, rows, BLOCK_ROWS):
        part = block.slice(0, min(BLOCK_ROWS, rows - start))
        yield part.set_column(key, part.schema.field(key), pa.array(range(start, start + part.num_rows)))


def peak_mib() -> float:
    """Peak memory of this process and of those that read for it, MiB."""
    return sum(_high_water_mib(pid) for pid in (os.getpid(), *sqlite_reader.idle_processes()))


def _high_water_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():  # not Linux: this process only
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 if pid == os.getpid() else 0.0
    # The peak that rusage tells is inherited from the parent at the start.
    return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    {"write": _write, "read": _read}[sys.argv[1]](Database(url=sys.stdin.read()), int(sys.argv[2]))
    print(peak_mib())
