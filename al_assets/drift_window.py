"""Evidently's report on the newest window of videos: reads frames of both sides, keeps the page in storage.

The tests and their bounds are in `drift/evidently_report.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from al_assets.drift_comparison import Comparison, evenly
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.videos import Video

PER_WINDOW = "newest_videos_pass_evidently"


def compare_window(
    archive: Archive, settings: Settings, against: Comparison, videos: Sequence[Video], run_id: str
) -> dict[str, Any]:
    """Evidently on the newest videos that the model did not learn from, once for each window and model; metadata."""
    from al_assets.drift.evidently_report import SMALLEST_SAMPLE, evidently_report

    window = newest(videos, against.trained_on, settings.drift.window_videos)
    if not window:
        return {"window": "no video that the model did not learn from"}
    names = "\0".join(video.video_id for video in window)
    subject = "window-" + hashlib.sha256(names.encode()).hexdigest()[:12]
    known = archive.monitoring.drift(PER_WINDOW, against.model.checkpoint_id)
    known = known[known["subject"] == subject]
    if len(known):
        return {"report": dg.MetadataValue.url(archive.storage.uri(str(known["report_uri"].iloc[0])))}
    limit, rng = settings.drift.reference_frames, np.random.default_rng(settings.training.seed)
    before = _features(archive, against, evenly(archive.videos.get(against.trained_on)), limit, rng)
    after = _features(archive, against, window, limit, rng)
    if min(len(before), len(after)) < SMALLEST_SAMPLE:
        return {"window": f"{len(before)} and {len(after)} frames are too few for a report"}
    outcome = evidently_report(before, after)
    uri = f"reports/drift-{against.model.checkpoint_id}-{subject}.html"
    archive.storage.write(uri, outcome.html.encode())
    archive.monitoring.record_drift(
        [
            {
                "check_name": PER_WINDOW,
                "subject": subject,
                "reference_id": against.model.checkpoint_id,
                "statistic": name,
                "value": float(value),
                "reference": None,
                "threshold": outcome.bounds.get(name),
                "drifted": int(outcome.drifted),
                "report_uri": uri,
                "run_id": run_id,
                "measured_at": archive.now(),
            }
            for name, value in {**outcome.statistics, "share_of_drifted_columns": outcome.share}.items()
        ]
    )
    return {"report": dg.MetadataValue.url(archive.storage.uri(uri)), "drifted_share": float(outcome.share)}


def newest(videos: Sequence[Video], trained_on: Sequence[str], count: int) -> list[Video]:
    """The newest videos that the model did not learn from, oldest of them first."""
    known = set(trained_on)
    others = [video for video in videos if video.video_id not in known]
    return sorted(others, key=lambda video: video.video_no)[-count:]


def _features(
    archive: Archive, against: Comparison, videos: Sequence[Video], limit: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Quality and vectors of at most `limit` frames, drawn evenly from the videos."""
    quality = archive.monitoring.quality([video.video_id for video in videos])
    if len(quality) > limit:
        quality = quality.iloc[np.sort(rng.choice(len(quality), limit, replace=False))]
    keys, vectors = archive.frames.vectors(against.model.embedder_id, quality["frame_id"].tolist())
    quality = quality.set_index("frame_id").reindex(keys)
    columns = [f"e{i}" for i in range(vectors.shape[1])]
    embedding = pd.DataFrame(vectors.astype(np.float32), index=keys, columns=columns)
    quality = quality.rename(columns={"video_id": "clip"})[["clip", "brightness", "sharpness"]]
    return pd.concat([quality, embedding], axis=1).reset_index(drop=True)
