"""How long the least certain of tens of millions of frames take to find in SQLite: by bounds, and by a sort.

`rows` frames, 1,000 a video, seven videos of ten for training; how sure the model is goes with the scene, so that doubt
lies in runs of neighbours. Measures only.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from al_assets.keys import FRAMES_PER_VIDEO
from resources.database import Database
from resources.io_bench import new_database
from resources.queries.selection import SelectionQueries

FRAMES_A_VIDEO = 1_000
CHECKPOINT = "ck-0123456789abcdef"
PICKS = 1_000
GAP_MS = 2_000
IN_FRONT = 100_000
"""Least certain frames that are queued, of which none can be picked: the worst that a long-lived archive does."""
REPEATS = 3
# Knuth's multiplicative hash of a number, as a fraction.
_HASH = "(({} * 2654435761 + 97) % 4294967296) / 4294967296.0"
NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {}) "
KEY = f"(n / {FRAMES_A_VIDEO} + 1) * {FRAMES_PER_VIDEO} + n % {FRAMES_A_VIDEO} * 15"
MARGIN = f"0.8 * {_HASH.format('(n / 20)')} + 0.2 * {_HASH.format('n')}"
FULL_SORT = (
    "SELECT s.frame_id, f.pts_ms FROM frame_scores s JOIN frames f ON f.frame_id = s.frame_id "
    "JOIN videos v ON v.video_id = f.video_id WHERE s.checkpoint_id = ? AND v.split = 'train' "
    "AND f.duplicate_of IS NULL AND s.frame_id NOT IN (SELECT frame_id FROM selections) ORDER BY +s.margin, s.frame_id"
)


def measure_margin(rows: int) -> dict[str, dict[str, float]]:
    """`measured`: seconds for the least certain 1,000 (a hundredth of the rows where they are fewer), 2 seconds apart.

    By one pass below a bound; with 100,000 (a tenth) less certain ones queued already; as a sort of all rows; and for
    the uniform draw of as many frames. `ratios`: the sort's seconds over the bound's.
    """
    picks, front = min(PICKS, rows // 100), min(IN_FRONT, rows // 10)
    with tempfile.TemporaryDirectory(prefix="al-bench-") as folder:
        database = new_database(f"sqlite:///{Path(folder) / 'margin.db'}")
        fill_scores(database, rows)
        queries = SelectionQueries(database)

        def ours() -> np.ndarray:
            return queries.least_certain(CHECKPOINT, picks, minimum_gap_ms=GAP_MS)

        measured = {"bounds_seconds": _best(ours), "scan_and_sort_seconds": _seconds(lambda: _scan(database))}
        measured["picked"] = float(len(ours()))
        population = queries.population("bench", ["train"], repeats=False)
        measured["count_seconds"] = _seconds(lambda: len(population))
        places = np.random.default_rng(0).choice(len(population), picks, replace=False)
        measured["draw_seconds"] = _best(lambda: population.take(places))
        _queue(database, front)
        measured["bounds_behind_queued_seconds"] = _best(ours)
        database.close()
    ratio = measured["scan_and_sort_seconds"] / measured["bounds_seconds"]
    return {"measured": measured, "ratios": {"bounds_vs_scan_and_sort": ratio}}


def fill_scores(database: Database, rows: int) -> None:
    """Rows made inside SQLite."""
    clips = -(-rows // FRAMES_A_VIDEO)
    with database.write() as connection:
        run = connection.exec_driver_sql
        run(
            "INSERT INTO videos (video_id, video_no, kind, path, etag, size_bytes, content_hash, split, status, "
            f"registered_at, frames_version) {NUMBERS.format(clips)} SELECT 'v' || (n + 1), n + 1, 'video', "
            "'v' || (n + 1) || '.mp4', '', 0, '', CASE WHEN n % 10 < 7 THEN 'train' WHEN n % 10 < 8 THEN 'validation' "
            "ELSE 'test' END, 'indexed', '2026-01-01', '1' FROM numbers"
        )
        run(
            "INSERT INTO frames (frame_id, video_id, frame_index, pts_ms, width, height, brightness, sharpness, phash) "
            f"{NUMBERS.format(rows)} SELECT {KEY}, 'v' || (n / {FRAMES_A_VIDEO} + 1), n % {FRAMES_A_VIDEO} * 15, "
            f"n % {FRAMES_A_VIDEO} * 500, 640, 480, 0.5, 0.5, n FROM numbers"
        )
        run(
            "INSERT INTO video_coverage (asset, version, video_id, frames_version, frames) SELECT 'embeddings', "
            "'bench', video_id, '1', COUNT(*) FROM frames GROUP BY video_id"
        )
        run(
            "INSERT INTO video_coverage (asset, version, video_id, frames_version, frames) SELECT 'predictions', "
            f"'{CHECKPOINT}', video_id, '1', frames FROM video_coverage"
        )
        run(
            "INSERT INTO frame_scores (checkpoint_id, frame_id, top_class_id, confidence, margin, entropy, top_five) "
            f"{NUMBERS.format(rows)} SELECT '{CHECKPOINT}', {KEY}, 1, 0.5, {MARGIN}, 0.5, zeroblob(40) FROM numbers"
        )


def _queue(database: Database, rows: int) -> None:
    """The least certain frames, put into a batch."""
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO selections (batch_id, rank, frame_id, arm, reason) SELECT 1, ROW_NUMBER() OVER (ORDER BY "
            "margin, frame_id), frame_id, 'strategy', '' FROM (SELECT frame_id, margin FROM frame_scores WHERE "
            f"checkpoint_id = '{CHECKPOINT}' ORDER BY margin, frame_id LIMIT {rows})"
        )


def _scan(database: Database) -> int:
    """The plain way: every row of the checkpoint looked up, filtered and sorted; the first rows read."""
    with database.read() as connection:
        return len(connection.exec_driver_sql(FULL_SORT, (CHECKPOINT,)).fetchmany(10 * PICKS))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _best(work: Callable[[], object]) -> float:
    return min(_seconds(work) for _ in range(REPEATS))
