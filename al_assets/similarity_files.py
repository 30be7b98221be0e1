"""The index of similar frames in storage: what it covers, what it lacks, bringing it up to date.

An index is a file under `indexes/` and a small one beside it, written last, that names it with the videos it holds; a
build that died leaves the old pair. Not here: how an index works (embeddings/similarity_index.py).
"""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from al_assets.embeddings.similarity_index import GROWTH, SimilarityIndex, training_rows
from al_assets.keys import frame_range
from resources.archive import Archive
from resources.errors import FileMissingError

FOLDER = "indexes"
BLOCK_FRAMES = 8192
SEED = 5


@dataclass(frozen=True)
class Coverage:
    """What an index holds. videos: video_no -> version of its frames; trained_for: frames when it was trained."""

    file: str
    trained_for: int
    videos: dict[int, str]


def read_coverage(archive: Archive, embedder_id: str) -> Coverage | None:
    """What the index of an embedder holds; None without one."""
    try:
        found = json.loads(archive.storage.read(_pointer(embedder_id)))
    except FileMissingError:
        return None
    videos = {int(number): version for number, version in found["videos"].items()}
    return Coverage(found["file"], found["trained_for"], videos)


def update_index(archive: Archive, embedder_id: str) -> dict[str, int]:
    """Bring the index in line with the vectors: new videos are added, changed and retired ones replaced or removed.

    It is made anew where there is none, or where it has outgrown its cells. Memory is the index and a block.
    """
    wanted = archive.maps.versions(embedder_id)
    frames = sum(count for _, count in wanted.values())
    there = read_coverage(archive, embedder_id)
    if there is None or frames > GROWTH * there.trained_for:
        rows = training_rows(frames)
        index = SimilarityIndex.trained(archive.frames.drawn_from_all(embedder_id, rows, SEED), frames, SEED)
        held: dict[int, str] = {}
        trained_for = frames
    else:
        with _file(archive, there.file) as path:
            index = SimilarityIndex.read(path)
        held, trained_for = there.videos, there.trained_for
    stale = [number for number, version in held.items() if wanted.get(number, ("", 0))[0] != version]
    for number in stale:
        index.remove(*frame_range(number))
    missing = [number for number, (version, _) in wanted.items() if held.get(number) != version]
    blocks = archive.frames.vectors_of_videos(embedder_id, missing, BLOCK_FRAMES)
    index.add((keys, vectors) for _, keys, vectors in blocks)
    if missing or stale or there is None:
        videos = {number: version for number, (version, _) in wanted.items()}
        _write(archive, embedder_id, index, Coverage("", trained_for, videos), there)
    return {"frames": len(index), "added_videos": len(missing), "removed_videos": len(stale)}


@contextmanager
def open_index(archive: Archive, coverage: Coverage) -> Iterator[SimilarityIndex]:
    """The index, read in place."""
    with _file(archive, coverage.file) as path:
        yield SimilarityIndex.read(path, in_place=True)


def _write(
    archive: Archive, embedder_id: str, index: SimilarityIndex, coverage: Coverage, old: Coverage | None
) -> None:
    file = f"{FOLDER}/{embedder_id}-{uuid.uuid4().hex[:8]}.faiss"
    with tempfile.TemporaryDirectory(prefix="al-index-") as folder:
        index.write(Path(folder) / "index")
        with (Path(folder) / "index").open("rb") as stream:
            archive.storage.write(file, stream)
    pointer = {"file": file, "trained_for": coverage.trained_for, "videos": coverage.videos}
    archive.storage.write(_pointer(embedder_id), json.dumps(pointer).encode())
    if old is not None:
        archive.storage.delete(old.file)


@contextmanager
def _file(archive: Archive, path: str) -> Iterator[Path]:
    """A file of storage as one of this machine."""
    source = archive.storage.source(path)
    if isinstance(source, str):
        yield Path(source)
        return
    with source, tempfile.NamedTemporaryFile(prefix="al-index-") as local:
        while data := source.read(1 << 22):
            local.write(data)
        local.flush()
        yield Path(local.name)


def _pointer(embedder_id: str) -> str:
    return f"{FOLDER}/{embedder_id}.json"
