"""Frame rows of videos and of folders of stills."""

import gc
import io
from functools import partial

import av
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_sample_image

from al_assets.frames.decoding import read_frames
from al_assets.frames.indexing import FRAME_SCHEMA, index_images, index_video
from al_assets.frames.perceptual_hash import hamming_distance, perceptual_hash
from al_assets.frames.quality import brightness, sharpness
from al_assets.keys import FRAMES_PER_VIDEO, frame_id
from support.clips import render

VIDEO = {"video_no": 7, "video_id": "clip-0a1b2c", "duplicate_distance": 4}


def table(index) -> pa.Table:
    return pa.Table.from_batches(index.batches(), schema=FRAME_SCHEMA)


@pytest.fixture(scope="module")
def busy() -> list[np.ndarray]:
    """A photograph through which a real digit walks."""
    digit = np.kron(load_digits().images[5], np.ones((4, 4))).astype(np.uint8) * 15
    frames = []
    for step in range(50):
        frame = load_sample_image("china.jpg")[:240, :320].copy()
        frame[100:132, 4 * step : 4 * step + 32] = digit[:, :, None]
        frames.append(frame)
    return frames


def test_rows_carry_keys_times_and_sizes(tmp_path, busy):
    clip = render(tmp_path / "clip.mp4", busy)
    index = index_video(clip, frames_per_second=5, **VIDEO)
    rows = table(index)
    assert rows.schema == FRAME_SCHEMA
    assert rows["frame_index"].to_pylist() == list(range(0, 50, 5))
    assert rows["frame_id"].to_pylist() == [frame_id(7, i) for i in range(0, 50, 5)]
    assert rows["pts_ms"].to_pylist() == list(range(0, 2000, 200))
    assert set(rows["width"].to_pylist()) == {320}
    assert set(rows["height"].to_pylist()) == {240}
    assert rows["image_path"].null_count == len(rows)
    outcome = index.outcome
    assert (outcome.status, outcome.error, outcome.sampled, outcome.decoded) == ("indexed", None, 10, 50)
    assert outcome.info.codec == "h264"


def test_a_rotated_video_is_indexed_upright(tmp_path, busy):
    clip = render(tmp_path / "clip.mp4", [np.rot90(frame, -1) for frame in busy[:5]], rotation=90)
    rows = table(index_video(clip, frames_per_second=None, **VIDEO))
    straight = table(index_video(render(tmp_path / "b.mp4", busy[:5]), frames_per_second=None, **VIDEO))
    assert set(rows["width"].to_pylist()) == {320}
    for a, b in zip(rows["phash"].to_pylist(), straight["phash"].to_pylist(), strict=True):
        assert hamming_distance(a, b) <= 3


def test_measures_agree_with_those_of_the_full_picture(tmp_path, busy):
    clip = render(tmp_path / "clip.mkv", busy, codec="libx265")
    rows = table(index_video(clip, frames_per_second=5, **VIDEO)).to_pylist()
    images = [frame.image for frame in read_frames(clip, [row["frame_index"] for row in rows])]
    for row, image in zip(rows, images, strict=True):
        assert row["brightness"] == pytest.approx(brightness(image), abs=0.01)
        assert row["sharpness"] == pytest.approx(sharpness(image), rel=0.25)
        assert hamming_distance(row["phash"], perceptual_hash(image)) <= 3


def test_standing_frames_are_duplicates_of_the_first(tmp_path, busy):
    clip = render(tmp_path / "clip.mp4", [busy[0]] * 10 + [busy[30]] * 10)
    rows = table(index_video(clip, frames_per_second=None, **VIDEO))
    first, second = frame_id(7, 0), frame_id(7, 10)
    assert rows["duplicate_of"].to_pylist() == [None] + [first] * 9 + [None] + [second] * 9


def test_a_walking_digit_is_no_duplicate_of_where_it_was(tmp_path, busy):
    clip = render(tmp_path / "clip.mp4", busy[::10])
    rows = table(index_video(clip, frames_per_second=None, **VIDEO))
    assert rows["duplicate_of"].null_count == 5


def test_batches_hold_at_most_a_thousand_rows(tmp_path):
    clip = render(tmp_path / "clip.mkv", [np.zeros((16, 16, 3), np.uint8)] * 2100)
    assert [len(batch) for batch in index_video(clip, frames_per_second=None, **VIDEO).batches()] == [
        1000,
        1000,
        100,
    ]


def test_indexing_again_gives_the_same_rows(tmp_path, busy):
    clip = render(tmp_path / "clip.mp4", busy, b_frames=2)
    first, again = (table(index_video(clip, frames_per_second=10, **VIDEO)) for _ in range(2))
    assert first.equals(again)


def test_the_outcome_is_not_known_before_the_end(tmp_path, busy):
    index = index_video(render(tmp_path / "clip.mp4", busy[:3]), frames_per_second=None, **VIDEO)
    with pytest.raises(RuntimeError, match="exhausted"):
        _ = index.outcome
    list(index.batches())
    assert index.outcome.status == "indexed"
    with pytest.raises(RuntimeError, match="already"):
        list(index.batches())


def still(image: np.ndarray, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


def entries(*images: tuple[int, str, bytes]):
    return [(number, path, partial(io.BytesIO, data)) for number, path, data in images]


def test_a_folder_of_stills_is_a_video_of_one_frame_a_second(busy):
    images = entries(*((i, f"site/{i}.jpg", still(busy[i * 9], "JPEG")) for i in range(5)))
    index = index_images(images, **VIDEO)
    rows = table(index)
    assert rows.schema == FRAME_SCHEMA
    assert rows["frame_index"].to_pylist() == [0, 1, 2, 3, 4]
    assert rows["pts_ms"].to_pylist() == [0, 1000, 2000, 3000, 4000]
    assert rows["image_path"].to_pylist() == [f"site/{i}.jpg" for i in range(5)]
    assert rows["brightness"][0].as_py() == pytest.approx(brightness(busy[0]), abs=0.01)
    assert (index.outcome.status, index.outcome.info, index.outcome.sampled) == ("indexed", None, 5)


def test_stills_keep_their_numbers_whatever_is_missing(busy):
    rows = table(index_images(entries((3, "d.png", still(busy[0])), (8, "h.png", still(busy[20]))), **VIDEO))
    assert rows["frame_id"].to_pylist() == [frame_id(7, 3), frame_id(7, 8)]


def test_an_unreadable_still_is_left_out_and_named(busy):
    good = still(busy[0])
    index = index_images(
        entries((0, "a.png", good), (1, "b.png", good[:500]), (2, "c.jpg", b""), (3, "d.png", good)), **VIDEO
    )
    rows = table(index)
    assert rows["frame_index"].to_pylist() == [0, 3]
    assert index.outcome.status == "partial"
    assert index.outcome.error.startswith("2 of 4 images could not be read: b.png: ")
    assert "c.jpg: the file is empty" in index.outcome.error


def test_many_unreadable_stills_make_a_short_error():
    index = index_images(entries(*((i, f"{i}.png", b"no") for i in range(500))), **VIDEO)
    assert table(index).num_rows == 0
    assert index.outcome.status == "failed"
    assert len(index.outcome.error) < 600
    assert "and 495 more" in index.outcome.error


def test_an_empty_folder_fails_with_a_reason():
    index = index_images([], **VIDEO)
    assert list(index.batches()) == []
    assert (index.outcome.status, "no image" in index.outcome.error) == ("failed", True)


def test_a_frame_index_beyond_the_key_is_refused_with_a_reason(busy):
    index = index_images(
        entries((0, "a.png", still(busy[0])), (FRAMES_PER_VIDEO, "z.png", still(busy[0]))), **VIDEO
    )
    assert table(index).num_rows == 1
    assert index.outcome.status == "partial"
    assert "frame_index" in index.outcome.error


def test_frames_are_let_go_as_they_are_measured(tmp_path, busy):
    clip = render(tmp_path / "clip.mp4", busy)
    index = index_video(clip, frames_per_second=None, **VIDEO)
    gc.collect()
    gc.disable()  # a frame in a reference cycle would wait for the collector, and memory with it
    try:
        list(index.batches())
        alive = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
    finally:
        gc.enable()
    assert alive <= 3
