"""Blocks of frames to score: bounded however long videos are, and the same rows however they are cut."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

from al_assets.checkpoints.files import save_head, sha256_of
from al_assets.keys import frame_id, frame_range
from al_assets.scoring_work import Part, ScoringWork, plan_items, plan_parts
from resources.archive import Archive
from resources.compute import Compute
from resources.database import Database
from resources.queries.scoring import Unscored
from resources.slice_writer import SliceWriter
from resources.slices import KeyRange, Slice
from resources.storage import Storage
from support.archive_rows import ArchiveRows
from support.digits import digit_frames, trained_head

NOW = datetime(2026, 5, 1, tzinfo=UTC)
FRAMES = digit_frames(60, seed=3, most=1, least=1)
HEAD = trained_head(FRAMES, task="single_label")


@pytest.fixture
def archive(database: Database, local_storage: Storage) -> Archive:
    """Videos 1, 2 and 3 of 5, 40 and 15 frames with vectors, and a checkpoint that has scored none of them."""
    rows = ArchiveRows(database)
    at = 0
    for number, n in ((1, 5), (2, 40), (3, 15)):
        keys = rows.video(number, range(0, n * 1000, 1000), frames_version="1")
        for key, vector in zip(keys, FRAMES.vectors[at : at + n], strict=True):
            rows.add("embeddings", embedder_id="e", frame_id=key, vector=vector.astype("<f2").tobytes())
        covers(rows, "embeddings", "e", number, n)
        at += n
    rows.add("embedders", embedder_id="e", dimensions=FRAMES.vectors.shape[1])
    data = save_head(HEAD, {})
    local_storage.write("checkpoints/ck.safetensors", data)
    ids = str(list(HEAD.class_ids))
    rows.add(
        "checkpoints",
        checkpoint_id="ck",
        embedder_id="e",
        task="single_label",
        class_ids=ids,
        uri="checkpoints/ck.safetensors",
        sha256=sha256_of(data),
    )
    return Archive(database=database, storage=local_storage)


def covers(rows: ArchiveRows, asset: str, version: str, number: int, frames: int) -> None:
    """What the ledger says of a video."""
    rows.add(
        "video_coverage",
        asset=asset,
        version=version,
        video_id=f"v{number}",
        frames_version="1",
        frames=frames,
    )


def plan(archive: Archive, most: int = 1000) -> list[Part]:
    """Parts of what the model has not scored."""
    return list(
        plan_parts(archive.scoring.unscored("ck", "e"), partial(archive.frames.embedded_ids, "e"), most)
    )


def stream(archive: Archive, most: int) -> Iterator[Slice]:
    """Slices of the fixture's videos."""
    (model,) = archive.models.all()
    return Compute().stream(ScoringWork(archive, model), plan_items(plan(archive, most), 2))


def score(archive: Archive, most: int) -> list[tuple[int, int, float]]:
    """Rows of `frame_scores` after scoring in slices of so many frames."""
    for part in stream(archive, most):
        SliceWriter(archive.database).write("predictions", part, now=NOW)
    found = archive.monitoring.query(
        "SELECT frame_id, top_class_id, confidence FROM frame_scores ORDER BY frame_id"
    )
    return list(found.itertuples(index=False, name=None))


def test_short_videos_share_a_slice_and_a_long_one_has_several(archive: Archive) -> None:
    slices = list(stream(archive, 20))
    spans = [part.where["frame_scores.frame_id"] for part in slices]
    assert [len(part.rows["frame_scores"]) for part in slices] == [5, 20, 20, 15]
    assert [span.first for span in spans[:2]] == [frame_range(1)[0], frame_range(2)[0]]
    assert [span.last for span in spans[2:]] == [frame_range(2)[1], frame_range(3)[1]]
    assert spans[1].last + 1 == spans[2].first == frame_id(2, 100)
    assert [len(list(stream(archive, most))) for most in (60, 45, 44)] == [1, 2, 3]


def test_a_part_does_not_reach_over_a_video_that_is_scored_already(archive: Archive) -> None:
    covers(ArchiveRows(archive.database), "predictions", "ck", 2, 40)
    assert [[video.video_no for video in part.ends] for part in plan(archive)] == [[1], [3]]


def test_no_part_but_that_of_a_single_video_has_more_frames_than_asked() -> None:
    videos = [Unscored(f"v{n}", n, "1", 7 * n % 23) for n in range(1, 200)]
    parts = list(plan_parts(videos, lambda number: frame_range(number)[0] + np.arange(23), 20))
    assert [video for part in parts for video in part.ends] == videos
    assert all(sum(v.frames for v in part.ends) <= 20 or part.keys for part in parts)
    assert [part.keys for part in parts if part.keys] == [23] * sum(video.frames > 20 for video in videos)


def test_a_long_video_is_one_slice_where_readers_follow_the_model(archive: Archive) -> None:
    (model,) = archive.models.all()
    whole = list(Compute().stream(ScoringWork(archive, model, whole=True), plan_items(plan(archive, 7), 2)))
    cut = list(stream(archive, 7))
    assert [len(part.rows["frame_scores"]) for part in whole] == [5, 40, 15]
    assert whole[1].where["frame_scores.frame_id"] == KeyRange(*frame_range(2))
    for table in ("frame_scores", "predictions"):
        one, other = (pa.concat_tables([part.rows[table] for part in parts]) for parts in (whole, cut))
        assert one.equals(other)
    assert [None if part.rows["video_coverage"] is None else 1 for part in whole] == [1, 1, 1]


def test_the_pieces_of_a_video_are_scored_by_one_worker(archive: Archive) -> None:
    items = list(plan_items(plan(archive, 7), 2))
    assert [[len(part.ends) for part in item] for item in items] == [[1, 0, 0, 0, 0, 0, 1], [0, 0, 1]]
    assert [part for item in items for part in item] == plan(archive, 7)


def test_rows_and_ledger_are_the_same_however_blocks_are_cut(database: Database, archive: Archive) -> None:
    whole = score(archive, 1000)
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM video_coverage WHERE asset = 'predictions'")
    cut = score(archive, 7)
    assert [row[:2] for row in cut] == [row[:2] for row in whole]
    np.testing.assert_allclose([row[2] for row in cut], [row[2] for row in whole], rtol=1e-5)
    ledger = archive.monitoring.query(
        "SELECT video_id, frames FROM video_coverage WHERE asset = 'predictions' ORDER BY video_id"
    )
    assert dict(zip(ledger["video_id"], ledger["frames"], strict=True)) == {"v1": 5, "v2": 40, "v3": 15}
    assert archive.scoring.unscored("ck", "e") == []


def test_a_long_video_whose_scoring_was_cut_off_is_left_to_do(archive: Archive) -> None:
    parts = stream(archive, 7)
    for _ in range(3):  # video 1, and two of the six pieces of video 2
        SliceWriter(archive.database).write("predictions", next(parts), now=NOW)
    parts.close()  # type: ignore[attr-defined]
    assert [video.video_id for video in archive.scoring.unscored("ck", "e")] == ["v2", "v3"]
    assert len(score(archive, 7)) == 60


def test_work_and_parts_pickle(archive: Archive) -> None:
    (model,) = archive.models.all()
    work, parts = pickle.loads(pickle.dumps((ScoringWork(archive, model), plan(archive))))
    (part,) = work()(parts)
    assert part.rows["frame_scores"].num_rows == 60


def test_what_is_unscored_is_what_the_register_says(archive: Archive) -> None:
    covers(ArchiveRows(archive.database), "predictions", "ck", 1, 5)
    found = archive.scoring.unscored("ck", "e")
    assert [video.video_id for video in found] == archive.videos.lacking_predictions("ck", "e")
    assert found[0] == Unscored("v2", 2, "1", 40)
