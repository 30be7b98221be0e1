"""Rows with names, frame by frame: nothing lost where batches are cut, nothing held but the batch at hand."""

from __future__ import annotations

import gc
import io
import json
import weakref
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_assets.exports.coco_file import CocoFile
from al_assets.exports.csv_file import AnnotationCsv
from al_assets.exports.parquet_file import ParquetFile
from al_assets.exports.rows import ANNOTATIONS, frame_starts, one_row_a_class, whole_frames
from al_assets.exports.snapshot import Snapshot

SNAPSHOT = Snapshot(
    kind="annotations",
    content_hash="h",
    rows=1,
    frames=1,
    classes={1: "zero", 2: "one"},
    filters={},
    materialization_id=3,
    as_of=datetime(2026, 5, 1, 12),
)


def keys_of(batch: pa.RecordBatch) -> list[int]:
    return list(batch.column("frame_id").to_pylist())


def judged(*rows: tuple[int, int, bool, int]) -> pa.RecordBatch:
    """(frame, class, present, annotators) as rows of ANNOTATIONS."""
    filler = {pa.string(): "x", pa.bool_(): False}
    plain = {f.name: None if f.nullable else filler.get(f.type, 1) for f in ANNOTATIONS}
    named = ("frame_id", "class_id", "present", "annotators")
    return pa.RecordBatch.from_pylist(
        [plain | dict(zip(named, row, strict=True)) for row in rows], schema=ANNOTATIONS
    )


@given(
    st.lists(st.integers(1, 9), max_size=40).map(sorted), st.lists(st.integers(0, 40), max_size=8).map(sorted)
)
def test_whole_frames_keeps_all_rows_and_cuts_no_frame(keys: list[int], cuts: list[int]) -> None:
    whole = pa.record_batch({"frame_id": pa.array(keys, pa.int64())})
    edges = [0, *[min(cut, len(keys)) for cut in cuts], len(keys)]
    batches = [whole.slice(a, b - a) for a, b in pairwise(edges)]
    found = [keys_of(batch) for batch in whole_frames(batches)]
    assert [key for batch in found for key in batch] == keys
    assert sum(len(set(batch)) for batch in found) == len(set(keys))


def test_of_two_merged_classes_present_outranks_absent_and_then_the_larger_number_of_people() -> None:
    batch = judged((1, 1, False, 5), (1, 1, True, 1), (1, 1, True, 2), (1, 2, False, 1), (2, 1, False, 1))
    kept = one_row_a_class(batch)
    columns = zip(
        keys_of(kept),
        *(kept.column(n).to_pylist() for n in ("class_id", "present", "annotators")),
        strict=True,
    )
    assert list(columns) == [(1, 1, True, 2), (1, 2, False, 1), (2, 1, False, 1)]
    assert frame_starts(kept).tolist() == [0, 2]


def test_the_snapshot_is_told_with_its_time_in_utc() -> None:
    assert SNAPSHOT.told()["as_of"] == "2026-05-01T12:00:00.000Z"
    assert (SNAPSHOT.id, len(SNAPSHOT.id)) == (SNAPSHOT.told()["id"], 16)


@pytest.mark.parametrize("kind", ["coco", "csv", "parquet"])
def test_a_writer_holds_no_batch_that_it_has_written(kind: str) -> None:
    written: list[weakref.ref[pa.RecordBatch]] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for frame in range(1, 30):
            gc.collect()
            # The one at hand and, in a loop's variable, the one before.
            assert sum(reference() is not None for reference in written) <= 2
            batch = judged((frame, 1, True, 1), (frame, 2, False, 1))
            written.append(weakref.ref(batch))
            yield batch

    sink, scratch = io.BytesIO(), io.BytesIO()
    writers = {
        "coco": lambda: CocoFile(sink, scratch, SNAPSHOT, lambda video_id, index: video_id),
        "csv": lambda: AnnotationCsv(sink, SNAPSHOT),
        "parquet": lambda: ParquetFile(sink, SNAPSHOT, ANNOTATIONS),
    }
    gc.freeze()  # what other tests left need not be looked through each time
    try:
        with writers[kind]() as writer:
            for batch in batches():
                writer.add(batch)
    finally:
        gc.unfreeze()
    rows = {
        "coco": lambda: len(json.loads(sink.getvalue())["annotations"]),
        "csv": lambda: len(sink.getvalue().splitlines()) - 1,
        "parquet": lambda: pq.read_table(io.BytesIO(sink.getvalue())).num_rows // 2,
    }
    assert rows[kind]() == 29


def test_a_list_of_judged_classes_is_written_where_some_were_not_and_once_at_the_start() -> None:
    sink = io.BytesIO()
    with AnnotationCsv(sink, SNAPSHOT) as writer:
        writer.add(
            judged((1, 1, True, 1), (1, 2, False, 1), (2, 1, True, 1), (2, 2, True, 1), (3, 2, True, 1))
        )
        writer.add(judged((4, 1, False, 1), (4, 2, False, 1)))
    lines = sink.getvalue().decode().splitlines()[1:]
    assert ['""zero"", ""one""' in line for line in lines] == [True, False, False, False, False]
    assert ['[""one""]' in line for line in lines] == [False, False, False, True, False]
