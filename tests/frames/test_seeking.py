"""Going on in the middle of a video: the pixels, times and rows of a pass from the first frame, or a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from al_assets.decoding_points import DecodingPoint, nearest
from al_assets.frames import indexing, seeking
from al_assets.frames.decoding import decode, read_frames
from al_assets.frames.indexing import VideoIndex, can_go_on, index_video
from al_assets.frames.seeking import SeekRefusedError
from al_assets.frames.video_reader import VideoReader
from support.clips import overwritten, render

N = 80
OPEN_GOP = "open-gop=1:keyint=24:min-keyint=24:bframes=3:scenecut=0"
ALT_REF = {"deadline": "good", "cpu-used": "5", "auto-alt-ref": "1", "lag-in-frames": "12"}
KINDS: dict[str, dict[str, Any]] = {
    "h264_b_frames": {"codec": "libx264", "b_frames": 3},
    "h264_open_gop": {"codec": "libx264", "options": {"preset": "fast", "x264-params": OPEN_GOP}},
    "h265_open_gop": {
        "codec": "libx265",
        "options": {"preset": "fast", "x265-params": f"log-level=none:pools=none:{OPEN_GOP}"},
    },
    "vp9_alt_ref": {"codec": "libvpx-vp9", "options": ALT_REF},
    "mpeg4_b_frames": {"codec": "mpeg4", "b_frames": 2},
}
SURE = [(kind, suffix) for kind in KINDS for suffix in ("mp4", "mkv")]
UNSURE = [
    ("mpeg4_b_frames", "avi"),
    ("mpeg4_b_frames", "ts"),
    ("h264_b_frames", "ts"),
    ("h265_open_gop", "ts"),
]


@pytest.fixture(autouse=True)
def short_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "SPACING", 15)
    monkeypatch.setattr(indexing, "PART_ROWS", 20)


@pytest.fixture(scope="module")
def scene() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    ground = rng.integers(0, 250, (64, 80, 3), dtype=np.uint8)
    # The camera rests for ten frames at a time, so that frames repeat others across the ends of parts.
    return [np.roll(ground, (at // 10 * 7, at // 10 * 9), axis=(0, 1)) + np.uint8(at % 3) for at in range(N)]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, scene: list[np.ndarray]) -> Any:
    folder, made = tmp_path_factory.mktemp("clips"), dict[tuple[str, str], Path]()

    def clip(kind: str, suffix: str) -> Path:
        if (kind, suffix) not in made:
            made[kind, suffix] = render(folder / f"{kind}.{suffix}", scene, gop=24, **KINDS[kind])
        return made[kind, suffix]

    return clip


def points_of(path: Path) -> list[DecodingPoint]:
    reader, found = VideoReader(path), list[DecodingPoint]()
    for _ in reader:
        if reader.point is not None and reader.point not in found:
            found.append(reader.point)
    return found


@pytest.mark.parametrize(("kind", "suffix"), [*SURE, *UNSURE])
def test_what_comes_behind_a_point_is_what_a_pass_from_the_start_gives(
    clips: Any, kind: str, suffix: str
) -> None:
    path = clips(kind, suffix)
    whole = list(decode(path))
    points = points_of(path)
    assert len(points) >= 2 or suffix == "ts"
    refused = 0
    for point in points:
        reader = VideoReader(path, point)
        try:
            rest = [(raw.frame_index, raw.pts_ms, raw.rgb()) for raw in reader]
        except SeekRefusedError:
            refused += 1
            continue
        assert len(rest) == N - point.frame_index - 1
        for frame, (index, pts_ms, image) in zip(whole[point.frame_index + 1 :], rest, strict=True):
            assert (frame.frame_index, frame.pts_ms) == (index, pts_ms)
            np.testing.assert_array_equal(frame.image, image)
        assert reader.decoded == N
    assert not refused or (kind, suffix) in UNSURE


def test_a_turned_video_is_upright_behind_a_point_too(tmp_path: Path, scene: list[np.ndarray]) -> None:
    path = render(tmp_path / "turned.mp4", scene[:50], gop=24, rotation=90)
    (wanted,) = read_frames(path, [45])
    (found,) = read_frames(path, [45], nearest(points_of(path), 45))
    np.testing.assert_array_equal(found.image, wanted.image)


def test_a_point_with_other_pixels_is_refused_and_the_frame_read_from_the_start(clips: Any) -> None:
    path = clips("h264_b_frames", "mp4")
    wrong = replace(points_of(path)[1], checksum="00000000")
    with pytest.raises(SeekRefusedError, match="not those of before"):
        next(iter(VideoReader(path, wrong)))
    (frame,) = read_frames(path, [70], wrong)
    (wanted,) = read_frames(path, [70])
    np.testing.assert_array_equal(frame.image, wanted.image)


def test_damage_behind_a_point_sends_the_reader_back_to_the_start(clips: Any) -> None:
    path = clips("h264_b_frames", "mkv")
    point = points_of(path)[0]
    broken = overwritten(path, 0.6, 0.75)
    with pytest.raises(SeekRefusedError):
        list(VideoReader(broken, point))
    assert all(each.frame_index < 60 for each in points_of_damaged(broken))


def points_of_damaged(path: Path) -> Iterator[DecodingPoint]:
    reader = VideoReader(path)
    try:
        for _ in reader:
            if reader.point is not None:
                yield reader.point
    except ValueError:
        return


def rows_of(index: VideoIndex) -> pa.Table:
    return pa.Table.from_batches(index.batches())


@pytest.mark.parametrize("rate", [None, 12.5, 7.0])
def test_indexing_goes_on_behind_a_part_as_if_it_had_not_stopped(clips: Any, rate: float | None) -> None:
    path = clips("h264_b_frames", "mp4")
    video: dict[str, Any] = {
        "video_no": 1,
        "video_id": "v",
        "frames_per_second": rate,
        "duplicate_distance": 2,
    }
    whole = index_video(path, **video)
    pieces = list(whole.pieces())
    rows = pa.Table.from_batches([piece.rows for piece in pieces])
    ends = [piece.points[-1] for piece in pieces if piece.ends_part]
    assert ends
    assert all(can_go_on(end) for end in ends)
    assert any(duplicate is not None for duplicate in rows["duplicate_of"].to_pylist())
    for end in ends:
        rest = index_video(path, start=end, **video)
        before = rows.filter(pa.compute.less_equal(rows["frame_index"], end.frame_index))
        assert pa.concat_tables([before, rows_of(rest)]).equals(rows)
        assert rest.outcome == whole.outcome


def test_a_video_that_is_short_has_no_point(tmp_path: Path) -> None:
    assert points_of(render(tmp_path / "short.mp4", n=14)) == []
