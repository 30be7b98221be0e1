"""One interface over a folder and a blob container; every test runs on both."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import av
import numpy as np
import pytest

from resources.errors import FileMissingError, StorageError, UnsafePathError
from resources.storage import Storage

MIB = 1 << 20


def paths(storage: Storage, prefix: str = "") -> list[str]:
    return [file.path for file in storage.list(prefix)]


def test_a_listing_is_sorted_and_knows_size_and_time(storage: Storage) -> None:
    for name in ("videos/b.mp4", "videos/site 1/Gänse.mp4", "videos/a.mp4", "label_exports/a.csv"):
        storage.write(name, name.encode())
    found = storage.list("videos/")
    assert [file.path for file in found] == ["videos/a.mp4", "videos/b.mp4", "videos/site 1/Gänse.mp4"]
    assert [file.size_bytes for file in found] == [12, 12, 24]
    assert all(abs(datetime.now(UTC) - file.modified_at) < timedelta(minutes=5) for file in found)
    assert len(paths(storage)) == 4


def test_a_prefix_without_files_is_an_empty_listing(storage: Storage) -> None:
    assert storage.list("videos/") == []


def test_hidden_and_unfinished_files_are_not_listed(storage: Storage) -> None:
    names = [
        ".hidden",
        "a.mp4.part",
        "b.tmp",
        "c~",
        "~$export.csv",
        ".git/config",
        "sub/.DS_Store",
        "d.crdownload",
    ]
    for name in [*names, "kept.mp4"]:
        storage.write(f"videos/{name}", b"x")
    assert paths(storage, "videos/") == ["videos/kept.mp4"]


def test_a_listing_of_a_root_that_is_not_there_raises(storage: Storage) -> None:
    # A failed listing that reads as an empty one would retire the whole archive.
    gone = storage.model_copy(update={"url": f"{storage.url}-gone"})
    with pytest.raises(StorageError):
        gone.list("videos/")


def test_a_file_is_overwritten_whole_and_its_etag_changes(storage: Storage) -> None:
    storage.write("reports/r.html", b"old and long")
    old = storage.list("reports/")[0].etag
    storage.write("reports/r.html", b"new")
    (file,) = storage.list("reports/")
    assert storage.read("reports/r.html") == b"new"
    assert file.etag != old
    assert file.size_bytes == 3


def test_files_come_and_go(storage: Storage) -> None:
    assert not storage.exists("stills/1.jpg")
    storage.write("stills/1.jpg", b"jpeg")
    assert storage.exists("stills/1.jpg")
    storage.delete("stills/1.jpg")
    storage.delete("stills/1.jpg")
    assert not storage.exists("stills/1.jpg")


def test_a_missing_file_raises_by_its_path(storage: Storage) -> None:
    for reading in (storage.open, storage.read, storage.sha256, storage.fingerprint):
        with pytest.raises(FileMissingError, match=r"stills/none\.jpg"):
            reading("stills/none.jpg")


@pytest.mark.parametrize(
    "path",
    ["../secret", "videos/../../secret", "/etc/passwd", "", ".", "a//b", "a\\b", "a\0b", "C:/x", "videos/"],
)
def test_a_path_that_leaves_the_root_is_refused(storage: Storage, path: str) -> None:
    for doing in (storage.open, storage.exists, storage.delete, storage.uri, storage.source):
        with pytest.raises(UnsafePathError):
            doing(path)
    with pytest.raises(UnsafePathError):
        storage.write(path, b"x")


def test_a_prefix_that_leaves_the_root_is_refused(storage: Storage) -> None:
    with pytest.raises(UnsafePathError):
        storage.list("../")


def test_an_open_file_seeks_and_reads_like_any_other(storage: Storage) -> None:
    data = np.random.default_rng(0).bytes(9 * MIB)
    storage.write("videos/large.bin", data)
    with storage.open("videos/large.bin") as stream:
        assert stream.seekable()
        assert stream.seek(-10, os.SEEK_END) == len(data) - 10
        assert stream.read() == data[-10:]
        stream.seek(5 * MIB - 3)
        assert stream.read(100) == data[5 * MIB - 3 : 5 * MIB + 97]
        assert stream.tell() == 5 * MIB + 97
        stream.seek(0)
        assert hashlib.sha256(stream.read()).digest() == hashlib.sha256(data).digest()
        assert stream.read(1) == b""


def test_a_decoder_reads_the_source_of_a_video(storage: Storage) -> None:
    encoded = io.BytesIO()
    with av.open(encoded, "w", format="mp4") as container:
        stream = container.add_stream("h264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(5):
            image = np.full((48, 64, 3), level * 50, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())
    storage.write("videos/five.mp4", encoded.getvalue())
    with av.open(storage.source("videos/five.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 5


def test_a_fingerprint_samples_large_files_and_reads_small_ones_whole(storage: Storage) -> None:
    small, large = bytes(MIB), bytearray(4 * MIB)
    storage.write("small", small)
    storage.write("large", bytes(large))
    before = storage.fingerprint("large")
    assert storage.fingerprint("small") == hashlib.sha256(b"%d\0" % MIB + small).hexdigest()
    for at, changes in ((0, True), (2 * MIB, True), (4 * MIB - 1, True), (MIB, False)):
        changed = bytearray(large)
        changed[at] = 1
        storage.write("large", bytes(changed))
        assert (storage.fingerprint("large") != before) == changes
    assert storage.sha256("large") == hashlib.sha256(bytes(changed)).hexdigest()


def test_an_empty_file_is_a_file(storage: Storage) -> None:
    storage.write("videos/empty.mp4", b"")
    assert storage.read("videos/empty.mp4") == b""
    assert storage.list("videos/")[0].size_bytes == 0
    assert storage.fingerprint("videos/empty.mp4") == hashlib.sha256(b"0\0").hexdigest()


def test_storage_pickles_for_data_loader_workers(storage: Storage) -> None:
    storage.write("stills/1.jpg", b"jpeg")
    assert pickle.loads(pickle.dumps(storage)).read("stills/1.jpg") == b"jpeg"


def test_a_link_for_people_names_the_file(storage: Storage) -> None:
    storage.write("reports/a b.html", b"x")
    assert storage.uri("reports/a b.html").endswith("/reports/a%20b.html")
