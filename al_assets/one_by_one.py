"""A run over many videos: one that fails does not cost the others, and progress is told. No decoding, no tables.

A run of Dagster ends for all its partitions alike (dagster-io/dagster#17836, #15666), so what was committed is reported
partition by partition before the run fails, and which videos failed is noted on the run for `video_arrivals`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from al_assets.automation import FAILED_TAG
from al_assets.progress import Progress
from resources.archive import Archive
from resources.queries.videos import Video
from resources.slices import Slice
from resources.spool import SpooledTable

IN_A_ROW = 5
"""Failures in a row after which storage or database is taken for down, and the rest is left to the retry."""
SHOWN = 20
NAMED = 3
TAG_LENGTH = 2_000
"""PostgreSQL indexes tags, and refuses an entry of more than 2,704 bytes."""


@dataclass
class OneByOne:
    """Slices of videos, one after another; what goes wrong with a video is kept until the others are done."""

    context: dg.AssetExecutionContext
    archive: Archive
    videos: Sequence[Video]
    failed: dict[str, str] = field(default_factory=dict)
    """video_id -> why."""
    _done: set[str] = field(default_factory=set)
    _failed_in_a_row: int = 0

    def slices(self, make: Callable[[Video], Iterator[Slice]]) -> Iterator[Slice]:
        """The slices that `make` gives of each video; at the end dg.Failure, where `make` raised for some.

        A slice is committed when the next is asked for.
        """
        progress = Progress(len(self.videos), time.monotonic)
        for video in self.videos:
            if self._failed_in_a_row == IN_A_ROW:
                left = len(self.videos) - len(self.failed) - len(self._done)
                self.context.log.warning(
                    f"{IN_A_ROW} videos failed one after another; {left} are left as they are"
                )
                break
            try:
                for part in make(video):
                    progress.frames += _frames(part)
                    yield part
            except Exception as error:
                self._note(video, error)
            else:
                self._done.add(video.video_id)
                self._failed_in_a_row = 0
            if line := progress.took(0):
                self.context.log.info(line)
        self._judge()

    def _note(self, video: Video, error: Exception) -> None:
        self.failed[video.video_id] = " ".join(str(error).split()) or type(error).__name__
        self._failed_in_a_row += 1
        self.context.log.warning(f"{video.path}: {self.failed[video.video_id]}")

    def _judge(self) -> None:
        if not self.failed:
            return
        self.archive.backfill.note_errors(self.failed)
        if self._is_last_try:
            self._report()
        paths = {video.video_id: video.path for video in self.videos}
        named = "; ".join(f"{paths[key]}: {why}" for key, why in list(self.failed.items())[:NAMED])
        raise dg.Failure(
            f"{len(self.failed)} of {len(self.videos)} videos failed, the others stand: {named}",
            metadata={
                "failed": dg.MetadataValue.table(
                    [dg.TableRecord({"video_id": key, "why": why}) for key, why in self._shown],
                    schema=dg.TableSchema([dg.TableColumn(name) for name in ("video_id", "why")]),
                )
            },
        )

    @property
    def _shown(self) -> list[tuple[str, str]]:
        return list(self.failed.items())[:SHOWN]

    @property
    def _is_last_try(self) -> bool:
        policy = self.context.op_execution_context.op_def.retry_policy
        return policy is None or self.context.retry_number >= policy.max_retries

    def _report(self) -> None:
        """What stands, for the Dagster UI, and what failed, for the sensor."""
        open_ends = {video.video_id for video in self.videos} - self._done
        for partition in self.context.partition_keys:
            if partition not in open_ends:
                self.context.log_event(dg.AssetMaterialization(self.context.asset_key, partition=partition))
        tag = ",".join(self.failed)
        if len(tag) <= TAG_LENGTH:
            self.context.instance.add_run_tags(self.context.run_id, {FAILED_TAG: tag})


def _frames(part: Slice) -> int:
    """Frames of a slice that is not committed yet."""
    rows: Any = part.rows.get("frames", ())
    return rows.rows if isinstance(rows, SpooledTable) else sum(int(block.num_rows) for block in rows)
