"""Storage under attack: full disks, killed writers, unmounted disks, names from everywhere, forks."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import resource
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources import storage as storage_module
from resources.errors import FileMissingError, StorageError
from resources.storage import Storage

NAMES = [
    "Gänse am Weiher.mp4",
    "e\u0301 and \u00e9.mp4",
    "ガン/雁.mp4",
    "😀.mp4",
    " leading and trailing ",
    "dot.",
    "a?b.mp4",
    "a#b.mp4",
    "50%.mp4",
    "50%25.mp4",
    "%2e%2e/x",
    "a+b&c=d;e,f.mp4",
    "user:pw@host/x.mp4",
    "'; DROP TABLE videos --",
    '"quoted" <b>.mp4',
    "[a-z]{1}*.mp4",
    "$(reboot) `id`",
    "-rf",
    "a:b.mp4",
    "a|b^c.mp4",
    "...",
    "line\u2028separator",
    "n" * 255,
    "/".join("ä" * 60 for _ in range(7)),
]


def test_files_keep_their_names_whatever_these_are(storage: Storage) -> None:
    for name in NAMES:
        storage.write(f"videos/{name}", name.encode())
    names = set(NAMES) - {"..."}  # a name that begins with a dot is hidden
    assert {file.path.removeprefix("videos/") for file in storage.list("videos/")} == names
    for name in NAMES:
        assert storage.read(f"videos/{name}") == name.encode()
        assert storage.upath(f"videos/{name}").read_bytes() == name.encode()
        assert storage.exists(f"videos/{name}")
    assert len({storage.uri(f"videos/{name}") for name in NAMES}) == len(NAMES)
    for name in NAMES:
        storage.delete(f"videos/{name}")
    assert storage.list("videos/") == []


def test_a_name_that_is_too_long_is_an_error_to_read(local_storage: Storage) -> None:
    for doing in (local_storage.exists, local_storage.open, lambda path: local_storage.write(path, b"x")):
        with pytest.raises(StorageError, match="File name too long") as raised:
            doing("n" * 256)
        assert not isinstance(raised.value, FileMissingError)


def test_a_name_of_another_age_is_pointed_out_and_not_passed_over(local_storage: Storage) -> None:
    # The register could not hold it, and a listing without it would say that the video is gone.
    (Path(local_storage.url) / "videos").mkdir()
    with open(os.fsencode(local_storage.url) + b"/videos/G\xe4nse.mp4", "wb"):
        pass
    with pytest.raises(StorageError, match=r"videos/G\\xe4nse.mp4' is not UTF-8; rename the file"):
        local_storage.list("videos/")


def test_a_full_disk_keeps_the_old_file_and_leaves_no_litter(local_storage: Storage) -> None:
    local_storage.write("reports/r.html", b"old")
    with (
        room_for(1 << 16),
        pytest.raises(StorageError, match=r"reports/r.html cannot be written to .*: File too"),
    ):
        local_storage.write("reports/r.html", bytes(1 << 20))
    assert local_storage.read("reports/r.html") == b"old"
    assert os.listdir(f"{local_storage.url}/reports") == ["r.html"]


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """Files of this process may not grow beyond the size: what a full disk is, without one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_killed_writer_leaves_a_whole_file(local_storage: Storage) -> None:
    storage, moments = local_storage, random.Random(0)
    storage.write("f.bin", bytes(5_000_000))
    for _ in range(40):
        writer = os.fork()
        if not writer:
            for number in itertools.count():
                storage.write("f.bin", bytes([number % 256]) * 5_000_000)
        time.sleep(moments.random() / 20)
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        data = storage.read("f.bin")
        assert data == data[:1] * 5_000_000
        assert [file.path for file in storage.list()] == ["f.bin"]


def test_a_disk_that_is_not_mounted_is_no_empty_archive(local_storage: Storage, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    (disk / "videos").mkdir(parents=True)
    (disk / "videos" / "a.mp4").write_bytes(b"x")
    (Path(local_storage.url) / "videos").symlink_to(disk / "videos")
    assert [file.path for file in local_storage.list("videos/")] == ["videos/a.mp4"]
    disk.rename(tmp_path / "unplugged")
    with pytest.raises(
        StorageError, match="videos is a link to nowhere; is the disk that it leads to mounted"
    ):
        local_storage.list("videos/")


def test_without_its_root_no_file_is_said_to_be_missing(local_storage: Storage, tmp_path: Path) -> None:
    local_storage.write("videos/a.mp4", b"x")
    Path(local_storage.url).rename(tmp_path / "elsewhere")
    for doing in (local_storage.exists, local_storage.open, local_storage.fingerprint):
        with pytest.raises(
            StorageError, match="does not exist; create it or correct AL_STORAGE_URL"
        ) as raised:
            doing("videos/a.mp4")
        assert not isinstance(raised.value, FileMissingError)


def test_a_file_replaced_while_it_is_read_is_read_to_its_end_as_it_was(local_storage: Storage) -> None:
    old, new = bytes(3 << 20), b"\1" * (3 << 20)
    local_storage.write("a.bin", old)
    with local_storage.open("a.bin") as stream:
        first = stream.read(10)
        local_storage.write("a.bin", new)
        assert first + stream.read() == old
    assert local_storage.read("a.bin") == new


def test_a_forked_process_has_connections_of_its_own(azurite_storage: Storage) -> None:
    azurite_storage.write("a", b"x")
    child = os.fork()
    if not child:
        _end_with(azurite_storage)
    assert all(azurite_storage.read("a") == b"x" for _ in range(20))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_fork_while_another_thread_connects_does_not_hang(azurite_storage: Storage) -> None:
    azurite_storage.write("a", b"x")
    held, done = threading.Event(), threading.Event()

    def connecting() -> None:
        with storage_module._containers_lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=connecting)
    thread.start()
    held.wait()
    child = os.fork()
    if not child:
        _end_with(azurite_storage)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _end_with(storage: Storage) -> None:
    """In a child: read, then end by the exit status; by a signal where it hangs."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(60)
    status = 1
    try:
        status = 0 if all(storage.read("a") == b"x" for _ in range(20)) else 1
    finally:
        os._exit(status)
