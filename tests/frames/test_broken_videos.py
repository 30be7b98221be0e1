"""Files that are no whole video: each ends as an outcome with an error, what could be decoded is kept."""

import io
from pathlib import Path

import numpy as np
import pytest

from al_assets.frames.decoding import UnreadableVideoError, decode, probe, read_frames
from al_assets.frames.indexing import index_video
from support.clips import overwritten, render, render_audio, truncated

FASTSTART = {"movflags": "faststart"}
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}
KINDS = {
    "h264.mp4": {"codec": "libx264", "container_options": FASTSTART},
    "h264-fragments.mp4": {"codec": "libx264", "container_options": FRAGMENTED},
    "h265.mp4": {"codec": "libx265", "container_options": FASTSTART},
    "h264.mkv": {"codec": "libx264", "b_frames": 2},
    "vp9.webm": {"codec": "libvpx-vp9"},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "flv1.flv": {"codec": "flv"},
}
N = 60


@pytest.fixture(scope="module")
def noise() -> list[np.ndarray]:
    """Busy pictures, so that every frame has bytes to lose."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (N, 12, 16, 3), dtype=np.uint8)
    return list(blocks.repeat(8, axis=1).repeat(8, axis=2))


@pytest.fixture(scope="module", params=KINDS)
def clip(request, noise, tmp_path_factory) -> Path:
    return render(tmp_path_factory.mktemp("clips") / request.param, noise, **KINDS[request.param])


def index(source):
    video = index_video(source, video_no=1, video_id="v", frames_per_second=None, duplicate_distance=4)
    rows = [row for batch in video.batches() for row in batch.to_pylist()]
    return rows, video.outcome


def test_a_whole_video_is_indexed_without_an_error(clip):
    rows, outcome = index(clip)
    assert (outcome.status, outcome.error, outcome.sampled, outcome.decoded) == ("indexed", None, N, N)
    assert len(rows) == N


def test_a_video_cut_in_half_keeps_its_first_half(clip):
    rows, outcome = index(truncated(clip, 0.5))
    assert outcome.status == "partial"
    assert "cut off" in outcome.error
    assert f"{len(rows)} frames were decoded" in outcome.error
    assert N / 3 < len(rows) <= N / 2 + 1
    assert [row["frame_index"] for row in rows] == list(range(len(rows)))


def test_a_video_with_a_damaged_middle_keeps_what_lies_around_it(clip):
    rows, outcome = index(overwritten(clip, 0.45, 0.5))
    assert outcome.status == "partial"
    assert (
        "damaged" in outcome.error
        or "could not be read" in outcome.error
        or "cannot be decoded" in outcome.error
    )
    assert N * 0.7 < len(rows) <= N
    assert rows[-1]["pts_ms"] > 2000


def test_a_damaged_video_gives_the_same_frames_every_time(clip):
    broken = overwritten(clip, 0.3, 0.35)
    first, again = ([frame.image for frame in tolerant(decode(broken))] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert len(index(broken)[0]) == len(first)


def test_whole_frames_of_a_damaged_video_can_be_read_again(clip):
    broken = truncated(clip, 0.5)
    kept = list(tolerant(decode(broken)))
    for want in (kept[0], kept[len(kept) // 2], kept[-1]):
        (frame,) = read_frames(broken, [want.frame_index])
        np.testing.assert_array_equal(frame.image, want.image)
    with pytest.raises(UnreadableVideoError, match=f"frame {N - 1} cannot be read"):
        list(read_frames(broken, [N - 1]))


def tolerant(frames):
    with pytest.raises(UnreadableVideoError):
        yield from frames


def test_the_first_half_of_a_video_is_the_first_half(clip):
    whole = [frame.image for frame in decode(clip)]
    for frame in list(tolerant(decode(truncated(clip, 0.5))))[:-3]:
        np.testing.assert_array_equal(frame.image, whole[frame.frame_index])


def test_an_mp4_without_its_index_fails_and_says_so(noise, tmp_path):
    rows, outcome = index(truncated(render(tmp_path / "clip.mp4", noise), 0.9))
    assert (rows, outcome.status, outcome.info) == ([], "failed", None)
    assert "index is missing" in outcome.error


def test_a_large_file_that_is_mostly_unread_is_partial(noise, tmp_path):
    clip = render(tmp_path / "clip.mp4", noise, container_options=FRAGMENTED, options={"crf": "1"})
    rows, outcome = index(overwritten(clip, 0.2, 0.25))
    assert outcome.status == "partial"
    assert "more than half of the file could not be read" in outcome.error
    assert 0 < len(rows) < N


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


NOT_VIDEOS = {
    "zero bytes": (lambda d: write(d / "a.mp4", b""), "empty"),
    "text named mp4": (lambda d: write(d / "b.mp4", b"field notes, day 3\n" * 200), "not a video"),
    "text named txt": (lambda d: write(d / "c.txt", b"field notes, day 3\n" * 200), "not a video"),
    "noise": (lambda d: write(d / "d.avi", np.random.default_rng(0).bytes(50_000)), "not a video"),
    "zeros": (lambda d: write(d / "e.mkv", bytes(50_000)), "not a video"),
    "sound": (lambda d: render_audio(d / "f.m4a"), "only audio"),
    "sound named mp4": (lambda d: render_audio(d / "g.mp4"), "only audio"),
    "missing": (lambda d: d / "h.mp4", "cannot be opened"),
    "a folder": (lambda d: d, "cannot be opened"),
}


@pytest.mark.parametrize("case", NOT_VIDEOS)
def test_what_is_no_video_fails_with_a_reason(tmp_path, case):
    make, reason = NOT_VIDEOS[case]
    rows, outcome = index(make(tmp_path))
    assert (rows, outcome.status, outcome.sampled, outcome.decoded) == ([], "failed", 0, 0)
    assert reason in outcome.error


def test_a_broken_video_is_refused_by_probe_and_decode_too(tmp_path):
    empty = write(tmp_path / "a.mp4", b"")
    with pytest.raises(UnreadableVideoError, match="empty"):
        probe(empty)
    with pytest.raises(UnreadableVideoError, match="empty"):
        next(decode(empty))


def test_a_playlist_cannot_make_us_read_another_file(tmp_path):
    secret = render(tmp_path / "secret.ts", n=5)
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n"
    text = f"{head}#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    for name, content in {
        "a.m3u8": text,
        "b.mp4": text,
        "c.ffconcat": "ffconcat version 1.0\nfile secret.ts\n",
    }.items():
        rows, outcome = index(write(tmp_path / name, content.encode()))
        assert (rows, outcome.status) == ([], "failed")


class Outage(io.BytesIO):
    """A storage whose connection is lost after some reads."""

    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads -= 1
        if self.reads < 0:
            raise ConnectionError("the storage is gone")
        return super().read(size)


def test_a_storage_outage_is_not_recorded_as_a_broken_video(noise, tmp_path):
    data = render(tmp_path / "clip.avi", noise * 3, codec="mjpeg", pixel_format="yuvj420p").read_bytes()
    whole = Outage(data)
    whole.reads = 10**6
    assert index(whole)[1].status == "indexed"
    for reads in range(10**6 - whole.reads):
        source = Outage(data)
        source.reads = reads
        with pytest.raises(ConnectionError):
            index(source)
