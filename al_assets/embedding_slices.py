"""What the asset `embeddings` asks for and writes: parts of videos as tasks, their vectors as slices of tables.

The last part of a video to come brings its row in `video_coverage`: until then nobody takes its vectors for all of
them. No decoding and no model here (`embedding_work.py`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from al_assets.decoding_points import nearest
from al_assets.embedding_work import ITEM_FRAMES, EmbeddedPart, PartTask, items_of
from al_assets.embeddings.parts import Part, parts_of
from al_assets.embeddings.vectors import FLOAT16, unpack
from al_assets.keys import frame_index_of, frame_range
from al_assets.vector_versions import VectorVersions
from resources.archive import Archive
from resources.pixels import VIDEOS
from resources.queries.videos import Video, coverage_row
from resources.slices import KeyList, KeyRange, Slice, SliceStream

NAMED_ERRORS = 5


class UnreadableVideosError(ValueError):
    """Videos of which frames are missing from their file now; the message names them."""


@dataclass
class _Progress:
    """A video, how many of its parts are to come, and how many frames it has."""

    video: Video
    frames: int
    missing: int


@dataclass
class EmbeddingSlices:
    """The parts of some videos that lack vectors, and the slices to which their vectors belong.

    What lacks only vectors that come from others by a matrix is no task: nothing of it is decoded.
    """

    archive: Archive
    versions: VectorVersions
    videos: Sequence[Video]
    log: Callable[[str], None]
    told_from: int = 0
    """Frames from which on a video has a line of its own in the log."""
    _parts: dict[int, tuple[_Progress, Part]] = field(default_factory=dict)
    _standing: list[tuple[_Progress, Part | None]] = field(default_factory=list)
    _errors: dict[str, str] = field(default_factory=dict)

    def items(self, frames: int = ITEM_FRAMES) -> Iterator[tuple[PartTask, ...]]:
        """What is left to embed, for EmbeddingWork, in items of about so many frames."""
        return items_of((task for video in self.videos for task in self._tasks(video)), frames)

    def _tasks(self, video: Video) -> Iterator[PartTask]:
        frames = self.archive.frames
        keys, stored = frames.ids_of_video(video.video_no), self.versions.stored(self.archive, video.video_no)
        parts = list(parts_of(keys, stored, *frame_range(video.video_no)))
        lacking = np.concatenate([keys[:0], *(part.todo for part in parts)])
        pixels = self.versions.to_embed(self.archive, video.video_no, lacking)
        todo = len(pixels)
        if len(keys) >= self.told_from:
            self.log(f"{video.path}: {todo} frames to embed, {len(keys) - todo} stand")
        progress = _Progress(video, len(keys), len(parts))
        images = {}
        if todo and video.kind == "images":
            images = {index: path for path, index in frames.images_of(video.video_no).items()}
        # A damaged video is decoded from its first frame.
        points = frames.points_of(video.video_no) if todo and video.status == "indexed" else []
        if not parts:
            self._standing.append((progress, None))
        for part in parts:
            unseen = part.todo[np.isin(part.todo, pixels)]
            if not len(unseen):
                self._standing.append((progress, part))
                continue
            number = len(self._parts)
            self._parts[number] = (progress, part)
            indices = np.array([frame_index_of(int(key)) for key in unseen], dtype=np.int64)
            stills = tuple(f"{VIDEOS}/{images[int(index)]}" for index in indices) if images else ()
            point = nearest(points, int(indices[0]))
            yield PartTask(number, f"{VIDEOS}/{video.path}", unseen, indices, stills, point)

    def written(self, results: Iterable[EmbeddedPart]) -> SliceStream:
        """The slices of these results, as they come; at the end UnreadableVideosError, if any was unreadable."""
        stream = SliceStream()
        stream.slices = self._slices(results, stream)
        return stream

    def _slices(self, results: Iterable[EmbeddedPart], stream: SliceStream) -> Iterator[Slice]:
        seconds, waited, images, known = 0.0, 0.0, 0, False
        for result in results:
            if not known:
                known = True
                self._register(result)
            yield from self._standing_slices()
            seconds, waited = seconds + result.seconds, waited + result.waited
            images += len(result.vectors)
            progress, part = self._parts.pop(result.number)
            for note in result.notes:
                self.log(note)
            if result.error is not None:
                self._errors[progress.video.path] = result.error
                continue
            yield self._slice(progress, part, result.vectors)
        yield from self._standing_slices()
        if images:
            stream.metadata = {
                "images": images,
                "images_per_second": round(images / max(seconds, 1e-9), 2),
                "share_waiting_for_pictures": round(waited / max(seconds, 1e-9), 4),
            }
        self._judge()

    def _register(self, result: EmbeddedPart) -> None:
        self.archive.frames.register_embedder(
            {**vars(result.embedder), "projection": None, "created_at": self.archive.now()}
        )

    def _standing_slices(self) -> Iterator[Slice]:
        while self._standing:
            progress, part = self._standing.pop(0)
            yield self._slice(progress, part, None)

    def _slice(self, progress: _Progress, part: Part | None, vectors: pa.RecordBatch | None) -> Slice:
        video, names = progress.video, self.versions.written
        progress.missing -= part is not None
        where: dict[str, str | KeyRange | KeyList] = {}
        rows: dict[str, Iterator[pa.RecordBatch] | pa.Table | None] = {}
        name = f"video_id = {video.video_id}, embedder_id = {', '.join(names)}"
        if part is not None:
            where |= {
                "embeddings.embedder_id": KeyList(names),
                "embeddings.frame_id": KeyRange(part.first, part.last),
            }
            rows["embeddings"] = self._rows(part, vectors)
            if (part.first, part.last) != frame_range(video.video_no):
                name += f", frames {frame_index_of(part.first)} to {frame_index_of(part.last)}"
        # Until the last part is there the video is not covered, whatever another run has said of it meanwhile.
        where |= {
            "video_coverage.asset": "embeddings",
            "video_coverage.version": KeyList(names),
            "video_coverage.video_id": video.video_id,
        }
        covered = [coverage_row("embeddings", each, video, progress.frames) for each in names]
        rows["video_coverage"] = None if progress.missing else pa.Table.from_pylist(covered)
        return Slice(where=where, rows=rows, name=name)

    def _rows(self, part: Part, vectors: pa.RecordBatch | None) -> Iterator[pa.RecordBatch]:
        """The part's vectors in order of their keys: those that stand and still have a frame, and the new ones."""
        fresh: tuple[np.ndarray, np.ndarray] = part.keys[:0], np.empty((0, 1), FLOAT16)
        if vectors is not None and len(vectors):
            packed = vectors["vector"]
            fresh = vectors["frame_id"].to_numpy(), unpack(packed, len(packed[0].as_buffer()) // 2)
        return self.versions.rows(self.archive, part.keys, part.first, part.last, fresh)

    def _judge(self) -> None:
        if self._errors:
            named = [f"{path}: {error}" for path, error in sorted(self._errors.items())]
            more = f"; and {len(named) - NAMED_ERRORS} more" if len(named) > NAMED_ERRORS else ""
            raise UnreadableVideosError(
                f"frames of {len(named)} of {len(self.videos)} videos could not be read, the vectors of the others "
                f"stand: {'; '.join(named[:NAMED_ERRORS])}{more}"
            )
