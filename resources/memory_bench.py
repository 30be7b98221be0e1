"""How much memory a large write and a large read take: each in a process of its own, at two sizes. Measures only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from resources.bench_rows import sample_frames
from resources.database import Database
from resources.lazy_rows import LazyRows
from resources.slice_writer import SliceWriter
from resources.slices import Slice

BLOCK_ROWS = 50_000


def measure_memory(database_url: str, dialect: str, small: int, large: int) -> dict[str, dict[str, float]]:
    """Peak memory, MiB, of writing and reading `small` and `large` rows of `frames`, and its growth as a ratio.

    The tables must be there. A process that it starts (SQLite's large reads have one) is counted by itself.
    """
    measured: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for rows in (small, large):
        for work in ("write", "read"):
            command = [sys.executable, "-m", "resources.memory_bench", work, str(rows)]
            found = subprocess.run(command, input=database_url, text=True, capture_output=True, check=True)
            own, other = (float(number) for number in found.stdout.split())
            measured[f"{dialect}_{work}_peak_mib_{rows}_rows"] = own
            if other:
                measured[f"{dialect}_{work}_other_process_mib_{rows}_rows"] = other
    for work in ("write", "read"):
        least, most = (measured[f"{dialect}_{work}_peak_mib_{rows}_rows"] for rows in (small, large))
        ratios[f"{dialect}_{work}_peak_growth"] = most / least
    return {"measured": measured, "ratios": ratios}


def _write(database: Database, rows: int) -> None:
    SliceWriter(database).write("bench", Slice({}, {"frames": _blocks(rows)}), now=datetime.now(UTC))


def _read(database: Database, rows: int) -> None:
    found = sum(batch.num_rows for batch in LazyRows(database, "frames").iter_batches())
    assert found == rows, f"{found} rows were read in place of {rows}"


def _blocks(rows: int) -> Iterator[pa.RecordBatch]:
    """One block again and again under other keys."""
    block = sample_frames(min(rows, BLOCK_ROWS)).combine_chunks().to_batches()[0]
    key = block.schema.get_field_index("frame_id")
    for start in range(0, rows, BLOCK_ROWS):
        part = block.slice(0, min(BLOCK_ROWS, rows - start))
        yield part.set_column(key, part.schema.field(key), pa.array(range(start, start + part.num_rows)))


def _peaks_mib() -> tuple[float, float]:
    """Of this process, and of the largest that it started."""
    import resource

    from resources.bulk import sqlite_reader

    sqlite_reader.close()
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    status = Path("/proc/self/status")
    if status.exists():
        # A started process inherits its parent's peak in the former, not in the latter.
        own = int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


if __name__ == "__main__":
    {"write": _write, "read": _read}[sys.argv[1]](Database(url=sys.stdin.read()), int(sys.argv[2]))
    print(*_peaks_mib())
