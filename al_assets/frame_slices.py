"""What the asset `frames` writes of a video: its rows and what becomes known of it, a long video in parts.

Parts are committed only of a video that nobody reads yet: its status says so until the last part is there. One that
is read stands as it is until all of its new rows replace the old ones at once; they wait on disk. No decoding here.
"""

from collections.abc import Collection, Iterator
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from al_assets.decoding_points import DecodingPoint
from al_assets.frames.images import IMAGE_SUFFIXES
from al_assets.frames.indexing import (
    FRAME_SCHEMA,
    ImageEntry,
    IndexOutcome,
    VideoIndex,
    can_go_on,
    index_images,
    index_video,
)
from al_assets.frames.numbering import next_number, number_stills, renumber_replaced
from al_assets.frames.seeking import SeekRefusedError
from al_assets.keys import frame_id, frame_range
from al_assets.settings import FramesSettings
from resources.archive import Archive
from resources.errors import FileMissingError
from resources.pixels import VIDEOS as AREA
from resources.queries.videos import LIVE, READABLE, Video, expected_version
from resources.slice_writer import table_named
from resources.slices import KeyRange, Rows, Slice, Update
from resources.spool import SpooledTable
from resources.stored_files import StoredFile

FRAMES_TOLD = 1_000
"""Frames from which on a video has a line of its own in the log: a line is a write of Dagster's, dearer than a clip."""
OF_INFO = ("container", "codec", "frames_per_second", "width", "height", "duration_ms")


def slice_name(video: Video, first: int | None = None) -> str:
    """Name of a video's slice in `materializations`; that of a part says from which frame on."""
    return f"video_id = {video.video_id}" + ("" if first is None else f", from frame {first}")


def is_done(video: Video, committed: Collection[str]) -> bool:
    """Whether a run that has committed these slices has done the video: all of it, or its last part."""
    in_parts = any(name.startswith(f"{slice_name(video)}, from frame") for name in committed)
    return slice_name(video) in committed or (in_parts and video.status in READABLE)


def frame_slices(archive: Archive, settings: FramesSettings, video: Video, log: Any) -> Iterator[Slice]:
    """The rows of one video and what becomes known of it, as slices to be committed in order.

    None where the file is gone or was replaced meanwhile: nothing is known then, and what stands is kept. log:
    anything with `info` and `warning`.
    """
    slices = VideoSlices(archive, settings, video, log)
    try:
        if video.kind == "images":
            yield from slices.of_images()
        else:
            yield from slices.of_video()
    except FileMissingError:
        slices.say_gone()


@dataclass(frozen=True)
class VideoSlices:
    """The slices of one video in one run."""

    archive: Archive
    settings: FramesSettings
    video: Video
    log: Any

    @property
    def version(self) -> str:
        """Version of the rows that are made."""
        return str(expected_version(self.video.etag, self.settings.frames_per_second))

    @property
    def _made_with(self) -> str:
        """All that rows depend on: parts of different passes fit together where it is the same."""
        return f"{self.version};{self.settings.duplicate_distance}"

    def of_video(self) -> Iterator[Slice]:
        """The slices of a video: from where an earlier run was stopped, where that is possible."""
        in_parts = self.video.status not in READABLE
        if (now := self._now()) is None:
            return
        if in_parts and now.status in READABLE:
            self.log.info(f"{self.video.path} was read by another run meanwhile")
            return
        # What no run has ever written of has no parts, and no points to look for.
        start = self._last_part() if in_parts and now.indexed_at is not None else None
        if start is not None:
            try:
                yield from self._pass(start, now.indexed_at, in_parts=True)
                return
            except SeekRefusedError as refused:
                self.log.info(f"{self.video.path}: read again from its first frame: {refused}")
                # Parts that were committed before the fault have carried the time on.
                if (now := self._now()) is None:
                    return
        yield from self._pass(None, now.indexed_at, in_parts=in_parts)

    def _last_part(self) -> DecodingPoint | None:
        points = self.archive.frames.points_of(self.video.video_no, self._made_with)
        ends = [point for point in points if can_go_on(point)]
        return max(ends, key=lambda point: point.frame_index) if ends else None

    def _pass(
        self, start: DecodingPoint | None, claim: datetime | None, *, in_parts: bool
    ) -> Iterator[Slice]:
        source = self.archive.storage.source(f"{AREA}/{self.video.path}")
        with nullcontext(source) if isinstance(source, str) else closing(source):
            index = index_video(
                source,
                video_no=self.video.video_no,
                video_id=self.video.video_id,
                frames_per_second=self.settings.frames_per_second,
                duplicate_distance=self.settings.duplicate_distance,
                start=start,
            )
            first = 0
            if start is not None:
                first = start.frame_index + 1
                self.log.info(f"{self.video.path}: goes on behind frame {start.frame_index}, which is stored")
            yield from self._parts(index, first, claim, in_parts=in_parts)

    def _parts(
        self, index: VideoIndex, first: int, claim: datetime | None, *, in_parts: bool
    ) -> Iterator[Slice]:
        rows, points = _spool(), list[DecodingPoint]()
        try:
            for piece in index.pieces():
                points += piece.points
                if piece.rows.num_rows:
                    rows.add(piece.rows, keep=False)
                if piece.ends_part and in_parts:
                    if (now := self._now()) is None:
                        return
                    rows.finish()
                    # Each part carries the time on: one of another run that reads the same video is refused.
                    before, claim = claim, self._moment(claim)
                    facts = {"indexed_at": claim}
                    yield self._slice(now, rows, first, facts, in_part=True, claim=(before,))
                    yield self._points(points, first)
                    rows.close()
                    first, rows, points = points[-1].frame_index + 1, _spool(), []
            rows.finish()
            known = {name: getattr(index.outcome.info, name, None) for name in OF_INFO}
            done = self._done(rows, index.outcome, known, first, claim)
            if done is not None:
                yield done
                # Points of an older pass go with their rows.
                if points or (claim is not None and self.archive.frames.points_of(self.video.video_no)):
                    yield self._points(points, first)
        finally:
            rows.close()

    def _moment(self, after: datetime | None) -> datetime:
        """The time in milliseconds, which every database keeps whole, and later than another."""
        now = self.archive.now()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        return now if after is None or now > after else after + timedelta(milliseconds=1)

    def _now(self) -> Video | None:
        """The video's row as it is now; None where it is part of the archive no more."""
        now = self.archive.videos.one(self.video.video_id)
        if now.status in LIVE:
            return now
        self.log.info(f"{self.video.path} is {now.status} since this run began; nothing is written")
        return None

    def _done(
        self,
        rows: Rows,
        outcome: IndexOutcome,
        known: dict[str, Any],
        first: int = 0,
        claim: datetime | None = None,
    ) -> Slice | None:
        """The last slice, which says what became of the video."""
        if outcome.status == "failed" and not self._is_there():
            self.say_gone()
            return None
        if (now := self._now()) is None:
            return None
        if outcome.error:
            self.log.warning(f"{self.video.path}: {outcome.status}: {outcome.error}")
        elif outcome.sampled >= FRAMES_TOLD:
            self.log.info(f"{self.video.path}: {outcome.sampled} frames of {outcome.decoded}")
        # A video that was touched or moved meanwhile is the same; a folder that grew is to be read again.
        same = self.video.kind == "video" and now.content_hash == self.video.content_hash
        etag = now.etag if same else self.video.etag
        facts = {
            "status": outcome.status,
            "error": outcome.error,
            "indexed_at": self._moment(claim),
            "frames_version": expected_version(etag, self.settings.frames_per_second),
            **known,
        }
        return self._slice(now, rows, first, facts, claim=(claim,) if first else ())

    def _slice(
        self,
        now: Video,
        rows: Rows,
        first: int,
        facts: dict[str, Any],
        *,
        in_part: bool = False,
        claim: tuple[datetime | None, ...] = (),
    ) -> Slice:
        """Rows from frame `first` to the end of the video, for its row as it is now: a change in between writes
        nothing. in_part: more parts come. claim: the time that the part before left in the row, if it matters."""
        key: dict[str, Any] = {"video_id": now.video_id, "etag": now.etag, "status": now.status}
        key |= {"indexed_at": claim[0]} if claim else {}
        return Slice(
            where={"frame_id": self._from(first)},
            rows={"frames": rows},
            updates=[Update("videos", key, facts)],
            name=slice_name(self.video, first if in_part or first else None),
        )

    def _points(self, points: list[DecodingPoint], first: int) -> Slice:
        """The points of the rows just written: later than these, so that no point stands behind rows that do not."""
        of_all = {"video_id": self.video.video_id, "frames_version": self._made_with}
        rows = [
            {"frame_id": frame_id(self.video.video_no, point.frame_index), **of_all, **asdict(point)}
            for point in points
        ]
        return Slice(
            where={"frame_id": self._from(first)},
            rows={"decoding_points": [pa.Table.from_pylist(rows)] if rows else []},
            name=f"decoding points of {slice_name(self.video, first)}",
        )

    def _from(self, first: int) -> KeyRange:
        low, high = frame_range(self.video.video_no)
        return KeyRange(low + first, high)

    def say_gone(self) -> None:
        """Say that the file is gone."""
        self.log.warning(f"{self.video.path} is gone from storage; what is known of it stands")

    def _is_there(self) -> bool:
        if self.video.kind == "images":
            return bool(self._stills())
        return self.archive.storage.exists(f"{AREA}/{self.video.path}")

    def of_images(self) -> Iterator[Slice]:
        """Rows of a folder of stills. Its duration, a second a number, remembers how many numbers it ever gave."""
        video, archive = self.video, self.archive
        before = archive.frames.of_video(video.video_no)
        known = dict(zip(before["image_path"].to_pylist(), before["frame_index"].to_pylist(), strict=True))
        stills = {file.path.removeprefix(f"{AREA}/"): file for file in self._stills()}
        given = (video.duration_ms or 0) // 1000
        fresh = sorted(stills.keys() - known.keys(), key=lambda path: (stills[path].modified_at, path))
        numbers = number_stills(fresh, known, given)
        entries: list[ImageEntry] = [
            (numbers[path], path, partial(archive.storage.open, stills[path].path))
            for path in sorted(stills, key=numbers.__getitem__)
        ]
        index = index_images(
            entries,
            video_no=video.video_no,
            video_id=video.video_id,
            duplicate_distance=self.settings.duplicate_distance,
        )
        read = pa.Table.from_batches(index.batches(), FRAME_SCHEMA)
        given = next_number(numbers, given)
        rows = renumber_replaced(read, before, video_no=video.video_no, start=given)
        given = max([given, *(number + 1 for number in rows["frame_index"].to_pylist())])
        facts = {"duration_ms": given * 1000}
        done = self._done([rows], index.outcome, facts)
        if done is not None:
            yield done

    def _stills(self) -> list[StoredFile]:
        """Images that lie in the folder itself."""
        prefix = f"{AREA}/{self.video.path}/" if self.video.path != "." else f"{AREA}/"
        return [
            file
            for file in self.archive.storage.list(prefix)
            if "/" not in file.path.removeprefix(prefix)
            and PurePosixPath(file.path).suffix.lower() in IMAGE_SUFFIXES
        ]


def _spool() -> SpooledTable:
    return SpooledTable(table_named("frames"), FRAME_SCHEMA)
