"""Every frame, in order and exact, out of real clips of many codecs."""

from pathlib import Path

import numpy as np
import pytest

from al_assets.frames.decoding import UnreadableVideoError, decode, probe, read_frames
from support.clips import numbered_frame, read_number, render

KINDS = {
    "h264.mp4": {"codec": "libx264"},
    "h264-b-frames.mp4": {"codec": "libx264", "b_frames": 2, "options": {"preset": "medium"}},
    "h264.ts": {"codec": "libx264"},
    "bare.h264": {"codec": "libx264"},
    "h265.mkv": {"codec": "libx265"},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "mpeg4-b-frames.avi": {"codec": "mpeg4", "b_frames": 2},
    "mjpeg.mov": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "mpeg2.mpg": {"codec": "mpeg2video", "b_frames": 2},
    "wmv2.wmv": {"codec": "wmv2"},
    "animation.gif": {"codec": "gif", "pixel_format": "rgb8"},
}


@pytest.fixture(params=KINDS)
def clip(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return render(tmp_path / request.param, n=30, **KINDS[request.param])


def test_every_codec_gives_every_frame_in_order(clip):
    frames = list(decode(clip))
    assert [frame.frame_index for frame in frames] == list(range(30))
    assert [read_number(frame.image) for frame in frames] == list(range(30))
    assert [frame.pts_ms for frame in frames] == [40 * index for index in range(30)]


def test_read_frames_gives_the_pixels_of_decode(clip):
    whole = {frame.frame_index: frame for frame in decode(clip)}
    some = list(read_frames(clip, [17, 3, 29, 3, 12]))
    assert [frame.frame_index for frame in some] == [3, 12, 17, 29]
    for frame in some:
        assert frame.pts_ms == whole[frame.frame_index].pts_ms
        np.testing.assert_array_equal(frame.image, whole[frame.frame_index].image)


def test_an_open_file_reads_like_a_path_and_stays_open(clip):
    with clip.open("rb") as file:
        from_file = [frame.image for frame in decode(file)]
        assert not file.closed
    np.testing.assert_array_equal(from_file, [frame.image for frame in decode(clip)])


def test_only_wanted_frames_are_given_and_each_is_asked_about_once(tmp_path):
    asked = []

    def wanted(frame_index: int, pts_ms: int) -> bool:
        asked.append((frame_index, pts_ms))
        return frame_index in (2, 9)

    frames = list(decode(render(tmp_path / "clip.mp4", n=12), wanted=wanted))
    assert [read_number(frame.image) for frame in frames] == [2, 9]
    assert asked == [(index, 40 * index) for index in range(12)]


def test_a_video_is_streamed_not_loaded(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (90, 240, 320, 3), dtype=np.uint8)
    clip = render(tmp_path / "clip.avi", noise, codec="mjpeg", pixel_format="yuvj420p")
    assert clip.stat().st_size > 1_000_000
    with clip.open("rb") as file:
        frames = decode(file)
        next(frames)
        assert file.tell() < clip.stat().st_size / 2
        frames.close()


def test_reading_stops_after_the_last_wanted_frame(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (90, 240, 320, 3), dtype=np.uint8)
    clip = render(tmp_path / "clip.avi", noise, codec="mjpeg", pixel_format="yuvj420p")
    with clip.open("rb") as file:
        assert len(list(read_frames(file, [0, 1]))) == 2
        assert file.tell() < clip.stat().st_size / 2


def test_a_frame_beyond_the_end_is_named(tmp_path):
    clip = render(tmp_path / "clip.mp4", n=12)
    frames = read_frames(clip, [11, 12])
    assert next(frames).frame_index == 11
    with pytest.raises(UnreadableVideoError, match="frame 12 cannot be read"):
        next(frames)


def test_a_negative_frame_index_is_refused(tmp_path):
    with pytest.raises(ValueError, match="frame_index -1"):
        list(read_frames(render(tmp_path / "clip.mp4"), [-1]))


def test_probe_says_what_the_video_is(tmp_path):
    info = probe(render(tmp_path / "clip.mkv", n=25, size=(80, 60), codec="libx265", rate=10))
    assert (info.codec, info.width, info.height, info.rotation) == ("hevc", 80, 60, 0)
    assert "matroska" in info.container
    assert info.frames_per_second == 10
    assert info.duration_ms == 2500


def test_a_picture_that_changes_size_on_the_way_keeps_each_size(tmp_path):
    first = render(tmp_path / "a.h264", n=5, size=(64, 48))
    second = render(tmp_path / "b.h264", n=5, size=(96, 64))
    both = tmp_path / "both.h264"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    assert [frame.image.shape for frame in decode(both)] == [(48, 64, 3)] * 5 + [(64, 96, 3)] * 5


def test_a_path_that_looks_like_a_pattern_or_address_is_a_path(tmp_path):
    clip = render(tmp_path / "clip.mp4", n=3)
    odd = clip.rename(tmp_path / "http:%03d é.mp4")
    assert len(list(decode(odd))) == 3
    assert len(list(decode(str(odd)))) == 3


def test_a_clip_shows_its_frames_faithfully(tmp_path):
    clip = render(tmp_path / "clip.mp4", n=6, options={"crf": "5"})
    for frame in decode(clip):
        difference = frame.image.astype(int) - numbered_frame(frame.frame_index)
        assert np.abs(difference).mean() < 6
