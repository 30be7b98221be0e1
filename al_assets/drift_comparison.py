"""Compares videos with what the serving model learned from: reads their numbers, writes `drift_results`.

How odd a value is and when a video counts as adrift is decided in `drift/`; a video's frames and vectors are read once,
for its summary, and memory holds four of them at most.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np

from al_assets.drift.calibration import adjust
from al_assets.drift.statistics import Reference, VideoScores, VideoSummary, drift, reference, summarise
from resources.archive import Archive
from resources.compute import AHEAD, run_ahead
from resources.queries.models import Checkpoint
from resources.queries.monitoring import VIDEO_DRIFT
from resources.queries.videos import READABLE, Video
from resources.rows import rows_of

SMALLEST_REFERENCE = 20
"""Videos below which none is compared: of fewer, what one video in ten shows (night, say) is missing too often."""
LARGEST_REFERENCE = 400
"""Videos of a reference at most, evenly over the archive: more would not judge better."""
BLOCK_VIDEOS = 1_000
RECORDED_VIDEOS = 100
"""Summaries that are written together: a run that dies makes no more than these again."""


@dataclass(frozen=True)
class Comparison:
    """The serving model and its reference, where there is enough of one."""

    model: Checkpoint
    trained_on: list[str]
    reference: Reference


def summaries(archive: Archive, embedder_id: str, videos: Sequence[Video]) -> dict[str, VideoSummary]:
    """Summaries by video_id; those not written yet, or of other frames, are made and written. None without vectors."""
    found = {
        str(row.video_id): _summary(row) for row in rows_of(archive.drift.summaries(embedder_id, videos))
    }
    missing = [video for video in videos if video.video_id not in found]
    for start in range(0, len(missing), RECORDED_VIDEOS):
        made = _made(archive, embedder_id, missing[start : start + RECORDED_VIDEOS])
        archive.drift.record_summaries([_summary_row(archive, embedder_id, *each) for each in made])
        found |= {video.video_id: own for video, own in made}
    return found


def scores(archive: Archive, checkpoint_id: str, videos: Sequence[Video]) -> dict[str, VideoScores]:
    """A model's answers by video_id, of the videos that it has scored whole; summed up where not yet."""
    covered = set(archive.videos.covered_by("predictions", checkpoint_id))
    scored = [video for video in videos if video.video_id in covered]
    known = set(archive.drift.scores(checkpoint_id, scored)["video_id"])
    missing = [video for video in scored if video.video_id not in known]
    archive.drift.sum_up_scores(checkpoint_id, missing, archive.now())
    return {
        str(row.video_id): VideoScores(
            str(row.video_id),
            int(row.frames),
            float(row.confidence),
            float(row.margin),
            {int(class_id): int(count) for class_id, count in json.loads(row.class_frames).items()},
        )
        for row in rows_of(archive.drift.scores(checkpoint_id, scored))
    }


def comparison(archive: Archive) -> Comparison | str:
    """The reference of the serving model, or why there is none.

    Pictures are compared with the videos that it was trained on; its answers with those on hold-out videos that were
    registered before it was trained, since on its own training videos it is too sure.
    """
    serving = archive.models.serving()
    if serving is None:
        return "no model serves yet, so there is nothing to compare with"
    trained_on = archive.monitoring.trained_on(serving.training_set_id)
    if len(trained_on) < SMALLEST_REFERENCE:
        return f"the model was trained on {len(trained_on)} videos; {SMALLEST_REFERENCE} are needed to tell a spread"
    of_training = evenly(archive.videos.get(trained_on))
    looks = list(summaries(archive, serving.embedder_id, of_training).values())
    if len(looks) < SMALLEST_REFERENCE:
        return f"{len(looks)} of the training videos have vectors; {SMALLEST_REFERENCE} are needed to tell a spread"
    holdout = [v for v in readable(archive) if v.split != "train" and v.registered_at <= serving.trained_at]
    answers = list(scores(archive, serving.checkpoint_id, evenly(holdout)).values())
    return Comparison(serving, trained_on, reference(looks, answers, fewest=SMALLEST_REFERENCE))


def readable(archive: Archive) -> list[Video]:
    """Videos that have frames, in order of their number."""
    return [video for video in archive.videos.all() if video.status in READABLE]


def compare_videos(
    archive: Archive, against: Comparison, videos: Sequence[Video], run_id: str, rate: float
) -> list[dict[str, Any]]:
    """Rows of `drift_results`, one a statistic and video; written before they are returned.

    rate: false discovery rate over all these videos together. Those that the model was trained on are left out: they
    are what is compared with.
    """
    known = set(against.trained_on)
    judged = [
        (video_id, results)
        for block in _blocks([video for video in videos if video.video_id not in known])
        for video_id, results in _judged(archive, against, block, rate)
    ]
    adjusted = adjust([[result.p_value for result in results] for _, results in judged])
    rows = [
        {
            "check_name": VIDEO_DRIFT,
            "subject": video_id,
            "reference_id": against.model.checkpoint_id,
            "statistic": result.statistic,
            "value": result.value,
            "reference": result.reference,
            "threshold": result.threshold,
            "drifted": int(final <= rate),
            "report_uri": None,
            "run_id": run_id,
            "measured_at": archive.now(),
            "p_value": result.p_value,
            "adjusted_p_value": final,
        }
        for (video_id, results), family in zip(judged, adjusted, strict=True)
        for result, final in zip(results, family, strict=True)
    ]
    archive.monitoring.record_drift(rows)
    return rows


def not_compared(archive: Archive, against: Comparison) -> list[Video]:
    """Readable videos that the model was not trained on and that stand uncompared, or were before it scored them."""
    rows = archive.monitoring.drift(VIDEO_DRIFT, against.model.checkpoint_id)
    done = set(rows["subject"])
    if against.reference.answers is not None:
        covered = set(archive.videos.covered_by("predictions", against.model.checkpoint_id))
        done -= covered - set(rows[rows["statistic"] == "confidence"]["subject"])
    return [video for video in readable(archive) if video.video_id not in done | set(against.trained_on)]


def _judged(archive: Archive, against: Comparison, block: Sequence[Video], rate: float) -> Iterable[Any]:
    found = summaries(archive, against.model.embedder_id, block)
    answers = scores(archive, against.model.checkpoint_id, block) if against.reference.answers else {}
    for video_id, summary in found.items():
        yield video_id, drift(summary, answers.get(video_id), against.reference, rate)


def _made(archive: Archive, embedder_id: str, videos: Sequence[Video]) -> list[tuple[Video, VideoSummary]]:
    """Summaries of the videos that have frames and vectors; one video is read while another is summed up."""

    def read() -> Iterator[tuple[Video, np.ndarray, np.ndarray]]:
        for video in videos:
            light = archive.monitoring.light(video.video_no)
            yield video, light, archive.frames.vectors_of_video(embedder_id, video.video_no)[1]

    with closing(run_ahead(read, AHEAD)) as every:
        return [
            (video, summarise(video.video_id, light[:, 0], light[:, 1], vectors))
            for video, light, vectors in every
            if len(light) and len(vectors)
        ]


def _summary(row: Any) -> VideoSummary:
    direction = np.frombuffer(row.direction, "<f4")
    return VideoSummary(
        str(row.video_id), int(row.frames), float(row.brightness), float(row.sharpness), direction
    )


def _summary_row(archive: Archive, embedder_id: str, video: Video, own: VideoSummary) -> dict[str, Any]:
    return {
        "embedder_id": embedder_id,
        "video_id": video.video_id,
        "frames_version": video.frames_version,
        "frames": own.frames,
        "brightness": own.brightness,
        "sharpness": own.sharpness,
        "direction": own.direction.astype("<f4").tobytes(),
        "measured_at": archive.now(),
    }


def evenly(videos: Sequence[Video]) -> list[Video]:
    """LARGEST_REFERENCE videos at most, evenly over those given."""
    places = np.unique(np.linspace(0, len(videos) - 1, min(len(videos), LARGEST_REFERENCE)).astype(int))
    return [videos[place] for place in places] if videos else []


def _blocks(videos: Sequence[Video]) -> Iterable[Sequence[Video]]:
    return (videos[start : start + BLOCK_VIDEOS] for start in range(0, len(videos), BLOCK_VIDEOS))
