"""Pictures made by other processes: the same vectors, faults that stay with their video, and processes that end."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from al_assets import embedding_work
from al_assets.embedding_work import EmbeddedPart, Embedding, EmbeddingWork, PartTask
from al_assets.embeddings.vectors import unpack
from al_assets.settings import EmbeddingsSettings
from resources.picture_workers import PictureWorkers, WorkerLostError
from resources.storage import Storage
from support.clips import numbered_frame, render
from support.counting_pictures import SHAPE, count_up


@pytest.fixture
def workers() -> Iterator[PictureWorkers]:
    made = PictureWorkers(count_up, shape=SHAPE, pictures=4, processes=2, faults=(ValueError,))
    yield made
    made.close()


def read(
    workers: PictureWorkers, jobs: list[tuple[int, int]]
) -> tuple[dict[int, list[int]], dict[int, str | None]]:
    found: dict[int, list[int]] = {number: [] for number in range(len(jobs))}
    faults: dict[int, str | None] = {}
    names = [f"clip {first}" for first, _ in jobs]
    for block in workers.blocks(jobs, sizes=[n for _, n in jobs], names=names):
        values = iter(block.pictures[:, 0, 0, 0].tolist())
        for job, count in block.runs:
            found[job] += [next(values) for _ in range(count)]
        faults.update(block.ended)
    return found, faults


def test_every_picture_comes_once_and_in_order_whatever_the_sizes_of_the_jobs(
    workers: PictureWorkers,
) -> None:
    jobs = [(0, 1), (1, 9), (10, 3), (13, 0), (20, 30), (60, 2), (62, 4)]
    for _ in range(2):  # the processes serve again
        found, faults = read(workers, jobs)
        assert found == {at: list(range(first, first + n)) for at, (first, n) in enumerate(jobs)}
        assert faults == {**dict.fromkeys(range(len(jobs))), 3: "there is no number in it"}


def test_a_reader_that_has_what_it_wants_leaves_the_processes_for_the_next(workers: PictureWorkers) -> None:
    pids = workers.pids()
    for _ in range(8):  # more often than there are blocks
        blocks = workers.blocks([(0, 3)], sizes=[3], names=["clip"])
        assert next(blocks).ended == [(0, None)]
        del blocks
    assert not workers.closed
    assert workers.pids() == pids


def test_short_jobs_fill_blocks_together(workers: PictureWorkers) -> None:
    blocks = list(workers.blocks([(n, 1) for n in range(40)], sizes=[1] * 40, names=["clip"] * 40))
    assert max(len(block.runs) for block in blocks) == 4
    assert len(blocks) <= 14


def test_a_killed_process_is_named_with_its_job(workers: PictureWorkers) -> None:
    with pytest.raises(
        WorkerLostError, match=r"SIGKILL.*memory ran out while it was at clip 99; set \[embeddings\]"
    ):
        read(workers, [(0, 2), (99, 1)])
    assert workers.closed


def test_a_reader_that_stops_early_leaves_no_process(workers: PictureWorkers) -> None:
    blocks = workers.blocks([(0, 90)], sizes=[90], names=["clip"])
    next(blocks)
    pids = workers.pids()
    blocks.close()  # type: ignore[attr-defined]
    assert not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_parent_leaves_neither_process_nor_memory() -> None:
    program = """
        import sys
        from support.counting_pictures import SHAPE, count_up
        from resources.picture_workers import PictureWorkers
        workers = PictureWorkers(count_up, shape=SHAPE, pictures=4, processes=2, faults=(ValueError,))
        next(workers.blocks([(0, 90)] * 9, sizes=[90] * 9, names=["clip"] * 9))
        print(*workers.pids(), flush=True)
        sys.stdin.read()
    """
    paths = f"import sys; sys.path[:0] = {[str(Path(__file__).parents[1]), *sys.path]!r}\n"
    before = set(Path("/dev/shm").iterdir())
    with subprocess.Popen(
        [sys.executable, "-c", paths + textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
        assert len(pids) == 2
        deadline = time.monotonic() + 20
        while any(running(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert not any(running(pid) for pid in pids)
    assert set(Path("/dev/shm").iterdir()) <= before


def running(pid: int) -> bool:
    """Whether a process runs: an orphan may stay listed until somebody reaps it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    root = tmp_path_factory.mktemp("storage")
    (root / "videos").mkdir()
    for number in range(4):
        pictures = [numbered_frame(20 * number + at) for at in range(10)]
        render(root / f"videos/{number}.mp4", pictures)
    (root / "videos/broken.mp4").write_bytes(b"half of a vid")
    return Storage(url=str(root))


def embed(storage: Storage, tasks: list[PartTask], decoders: int) -> list[EmbeddedPart]:
    made = EmbeddingWork(
        storage, EmbeddingsSettings(decoders=decoders, batch_size=8, threads=1), worth_frames=0
    )()
    assert isinstance(made, Embedding)
    return list(made(tasks))


def task(number: int, path: str, *indices: int) -> PartTask:
    return PartTask(number, f"videos/{path}", np.array(indices) + 1000 * number, np.array(indices))


def test_vectors_are_the_same_and_an_unreadable_video_costs_only_itself(storage: Storage) -> None:
    tasks = [
        task(0, "0.mp4", 1, 4, 9),
        task(1, "broken.mp4", 0),
        task(2, "1.mp4", 0, 11),
        task(3, "2.mp4", 5),
    ]
    tasks += [task(4, "3.mp4", 0, 1), task(5, "3.mp4", 2, 8), task(6, "none.mp4", 0)]
    here, apart = embed(storage, tasks, 0), embed(storage, tasks, 2)
    for one, other in zip(here, apart, strict=True):
        assert (one.number, one.error) == (other.number, other.error)
        assert one.vectors["frame_id"] == other.vectors["frame_id"]
        both = [unpack(each.vectors["vector"], 1280).astype(np.float32) for each in (one, other)]
        np.testing.assert_allclose(both[0], both[1], rtol=2e-3, atol=1e-3)
    assert [part.number for part in here if part.error] == [1, 2, 6]
    assert "not a video" in str(here[1].error)
    assert "frame 11 cannot be read" in str(here[2].error)


def test_parts_of_a_video_are_decoded_in_one_pass_unless_a_point_lies_between() -> None:
    tasks = [task(0, "a.mp4", 0, 5), task(1, "a.mp4", 9, 12), task(2, "b.mp4", 0)]
    assert [len(each) for each in embedding_work.passes_of(tasks)] == [2, 1]
    assert [len(item) for item in embedding_work.items_of(tasks, frames=1)] == [2, 1]


def test_few_frames_start_no_process(storage: Storage) -> None:
    made = EmbeddingWork(storage, EmbeddingsSettings(threads=1))()
    assert isinstance(made, Embedding)
    list(made([task(0, "0.mp4", 1)]))
    assert made._workers is None
