"""How long the views of the founding question take: who is seen where and with whom, over a synthetic archive.

Against a plain aggregate over the same rows, which is the least that any answer has to read. Measures only.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from al_assets.keys import FRAMES_PER_VIDEO
from resources import bulk, views
from resources.arrow_types import table_schema
from resources.database import Database
from resources.io_bench import new_database, own_schema
from resources.tables import metadata

FRAMES_A_VIDEO = 500
INDIVIDUALS = 300
SITES = 10
SERVING = "ck-0123456789abcdef"
BEGAN = datetime(2026, 1, 1, 6)
BLOCK = 65_536
_FILLERS: dict[Any, Any] = {"string": "", "binary": b"\0" * 40, "timestamp[us]": BEGAN}
QUERIES = {
    "plain_join": "SELECT f.video_id, p.class_id, COUNT(*) AS frames, MIN(f.pts_ms) AS first_ms "
    "FROM predictions p JOIN frames f ON f.frame_id = p.frame_id GROUP BY f.video_id, p.class_id",
    "sightings": "SELECT class_name, month, COUNT(*) AS sightings, SUM(end_ms - start_ms) AS lasted_ms "
    "FROM sightings GROUP BY class_name, month",
    "co_occurrence": "SELECT month, class_a, class_b, SUM(encounters) AS encounters FROM co_occurrence "
    "GROUP BY month, class_a, class_b",
}


def measure_views(frames: int, database_url: str | None = None) -> dict[str, dict[str, float]]:
    """`measured` seconds of each answer over `frames` frames and `ratios` of the plain aggregate's speed.

    On SQLite in a file of its own, and in a schema of its own on the PostgreSQL server that `database_url` names.
    """
    measured: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="al-bench-") as folder:
        measured |= _answers(new_database(f"sqlite:///{Path(folder) / 'views.db'}"), frames)
    if database_url is not None and sa.make_url(database_url).get_backend_name() == "postgresql":
        with own_schema(database_url) as url:
            measured |= _answers(Database(url=url), frames)
    ratios = {
        f"{dialect}_{name}_vs_plain_join": measured[f"{dialect}_plain_join_seconds"]
        / measured[f"{dialect}_{name}_seconds"]
        for dialect in ("sqlite", "postgresql")
        for name in ("sightings", "co_occurrence")
        if f"{dialect}_{name}_seconds" in measured
    }
    return {"measured": measured, "ratios": ratios}


def _answers(database: Database, frames: int) -> dict[str, float]:
    dialect = bulk.dialect(database.dialect_name)
    with database.write() as connection:
        for name, rows in archive_rows(frames):
            dialect.insert(connection, metadata.tables[name], rows.to_batches(max_chunksize=BLOCK))
        views.create(connection, views.read_views(database.dialect_name))
    if database.dialect_name == "postgresql":
        with database.at_once() as connection:
            connection.exec_driver_sql("ANALYZE")  # as its daemon does after a minute
    found: dict[str, float] = {}
    for name, query in QUERIES.items():
        with database.read() as connection:
            began = time.perf_counter()
            rows = connection.exec_driver_sql(query).fetchall()
            found[f"{database.dialect_name}_{name}_seconds"] = time.perf_counter() - began
        found[f"{database.dialect_name}_{name}_rows"] = float(len(rows))
    database.close()
    return found


def archive_rows(frames: int) -> Iterator[tuple[str, pa.Table]]:
    """Tables of an archive in which individuals come and go: some 0.7 predictions a frame, one label in 200.

    Individuals keep to their site; one frame in twelve of a stay is missed by the model, and one in fifty shows
    somebody by mistake.
    """
    videos = max(1, frames // FRAMES_A_VIDEO)
    numbers = np.arange(1, videos + 1)
    video_ids = np.array([f"site-{n % SITES}-clip-{n:06d}" for n in numbers])
    yield "videos", _videos(numbers, video_ids)
    video_no = np.repeat(numbers, FRAMES_A_VIDEO)
    place = np.tile(np.arange(FRAMES_A_VIDEO), videos)
    keys = video_no * FRAMES_PER_VIDEO + place * 25
    yield "frames", _rows("frames", frame_id=keys, video_id=video_ids[video_no - 1], pts_ms=place * 1_000)
    names = np.array([f"individual {n:03d}" for n in range(1, INDIVIDUALS + 1)])
    aliases = np.repeat("[]", INDIVIDUALS)
    yield "classes", _rows("classes", class_id=np.arange(1, INDIVIDUALS + 1), name=names, aliases=aliases)
    yield from _said(keys, videos)
    one = np.array([SERVING])
    yield "checkpoints", _rows("checkpoints", checkpoint_id=one, task=np.array(["multi_label"]))
    yield "serving", _rows("serving", slot=np.array([1]), checkpoint_id=one)


def _videos(numbers: np.ndarray, video_ids: np.ndarray) -> pa.Table:
    return _rows(
        "videos",
        video_id=video_ids,
        video_no=numbers,
        status=np.repeat("indexed", len(numbers)),
        site=np.array([f"site {n % SITES}" for n in numbers]),
        recorded_at=np.array([BEGAN + timedelta(hours=int(n) * 13 % 8_760) for n in numbers]),
    )


def _said(keys: np.ndarray, videos: int) -> Iterator[tuple[str, pa.Table]]:
    """What the model says, and people of one frame in 200."""
    rng = np.random.default_rng(0)
    position, class_id = _presence(rng, videos)
    predicted = _rows(
        "predictions",
        checkpoint_id=np.repeat(SERVING, len(position)),
        frame_id=keys[position],
        instance=_counted(position),
        class_id=class_id,
        confidence=0.5 + rng.random(len(position)) / 2,
    )
    yield "predictions", predicted
    told = position % 200 == 0
    once = np.ones(told.sum(), np.int64)
    labels = {"frame_id": keys[position[told]], "class_id": class_id[told], "present": once}
    yield "labels", _rows("labels", **labels, agreement=once, annotators=once)


def _presence(rng: np.random.Generator, videos: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of frames and the classes on them, each pair once, in order."""
    stays = videos * 20
    video = rng.integers(0, videos, stays)
    start = rng.integers(0, FRAMES_A_VIDEO, stays)
    length = np.minimum(rng.geometric(1 / 25, stays), FRAMES_A_VIDEO - start)
    at_home = (video % SITES) * (INDIVIDUALS // SITES)
    who = (at_home + rng.integers(0, INDIVIDUALS // SITES, stays)) % INDIVIDUALS + 1
    within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    position = np.repeat(video * FRAMES_A_VIDEO + start, length) + within
    class_id = np.repeat(who, length)
    seen = rng.random(len(position)) > 1 / 12
    mistakes = videos * FRAMES_A_VIDEO // 50
    position = np.concatenate([position[seen], rng.integers(0, videos * FRAMES_A_VIDEO, mistakes)])
    class_id = np.concatenate([class_id[seen], rng.integers(1, INDIVIDUALS + 1, mistakes)])
    pairs = np.unique(position * 1_000 + class_id)
    return pairs // 1_000, pairs % 1_000


def _counted(sorted_values: np.ndarray) -> np.ndarray:
    """0, 1, ... within each run of equal values."""
    at = np.arange(len(sorted_values))
    first = np.r_[True, sorted_values[1:] != sorted_values[:-1]]
    return at - np.maximum.accumulate(np.where(first, at, 0))


def _rows(table: str, /, **given: np.ndarray) -> pa.Table:
    """Rows of a table: the columns given, null in the others or a value of no meaning where that is refused."""
    count = len(next(iter(given.values())))
    columns = []
    for field in table_schema(metadata.tables[table]):
        if field.name in given:
            columns.append(pa.array(given[field.name]).cast(field.type))
        elif field.nullable:
            columns.append(pa.nulls(count, field.type))
        else:
            columns.append(pa.repeat(pa.scalar(_FILLERS.get(str(field.type), 0)).cast(field.type), count))
    return pa.table(columns, schema=table_schema(metadata.tables[table]))
