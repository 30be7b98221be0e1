"""The asset `drift_report`: every video, and the newest window of them, against what the serving model learned from.

Statistics and the Evidently report live in the modules beside.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from al_assets.drift.statistics import Reference, VideoSummary, drift, reference, summarise
from al_assets.predictions.assets import serving_checkpoint
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.models import Checkpoint
from resources.queries.videos import Video

PER_VIDEO = "new_videos_resemble_the_training_data"
PER_WINDOW = "newest_videos_pass_evidently"
SMALLEST_REFERENCE = 6
"""Videos below which a spread cannot be told, so that no video is compared."""


@dataclass(frozen=True)
class Comparison:
    """The serving model and its reference, where there is enough of one."""

    model: Checkpoint
    trained_on: list[str]
    reference: Reference


def video_summary(archive: Archive, embedder_id: str, video: Video) -> VideoSummary | None:
    """What the statistic needs of a video; None where it has no vectors."""
    quality = archive.monitoring.quality([video.video_id])
    _, vectors = archive.frames.vectors_of_video(embedder_id, video.video_no)
    if quality.empty or not len(vectors):
        return None
    return summarise(
        video.video_id, quality["brightness"].to_numpy(), quality["sharpness"].to_numpy(), vectors
    )


def comparison(archive: Archive) -> Comparison | str:
    """The reference of the serving model, or why there is none."""
    serving = archive.models.serving()
    if serving is None:
        return "no model serves yet, so there is nothing to compare with"
    trained_on = archive.monitoring.trained_on(serving.training_set_id)
    if len(trained_on) < SMALLEST_REFERENCE:
        return f"the model was trained on {len(trained_on)} videos; {SMALLEST_REFERENCE} are needed to tell a spread"
    found = [video_summary(archive, serving.embedder_id, video) for video in archive.videos.get(trained_on)]
    summaries = [summary for summary in found if summary is not None]
    if len(summaries) < SMALLEST_REFERENCE:
        return f"{len(summaries)} of the training videos have vectors; {SMALLEST_REFERENCE} are needed to tell a spread"
    return Comparison(serving, trained_on, reference(summaries))


def compare_videos(
    archive: Archive, against: Comparison, videos: Sequence[Video], run_id: str
) -> list[dict[str, Any]]:
    """Rows of `drift_results`, one a statistic and video; written before they are returned."""
    rows = []
    for video in videos:
        summary = video_summary(archive, against.model.embedder_id, video)
        for result in drift(summary, against.reference) if summary is not None else ():
            rows.append(
                {
                    "check_name": PER_VIDEO,
                    "subject": video.video_id,
                    "reference_id": against.model.checkpoint_id,
                    "statistic": result.statistic,
                    "value": result.value,
                    "reference": result.reference,
                    "threshold": result.threshold,
                    "drifted": int(result.drifted),
                    "report_uri": None,
                    "run_id": run_id,
                    "measured_at": archive.now(),
                }
            )
    archive.monitoring.record_drift(rows)
    return rows


@dg.asset(group_name="monitoring", kinds={"evidently", "sql"}, deps=[serving_checkpoint], code_version="1")
def drift_report(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """Rows of `drift_results` for videos not compared yet, and Evidently's report on the newest window of videos."""
    against = comparison(archive)
    if isinstance(against, str):
        return dg.MaterializeResult(metadata={"why": against})
    compared = set(archive.monitoring.drift(PER_VIDEO, against.model.checkpoint_id)["subject"])
    readable = [video for video in archive.videos.all() if video.status in ("indexed", "partial")]
    rows = compare_videos(
        archive, against, [v for v in readable if v.video_id not in compared], context.run.run_id
    )
    adrift = archive.monitoring.drift(PER_VIDEO, against.model.checkpoint_id)
    metadata: dict[str, Any] = {
        "videos_compared": len({row["subject"] for row in rows}),
        "videos_adrift": int(adrift[adrift["drifted"] == 1]["subject"].nunique()),
        **archive.monitoring.table_metadata("drift_results"),
    }
    if settings.drift.report:
        metadata |= _window(context, archive, settings, against, readable)
    return dg.MaterializeResult(metadata=metadata)


def _window(
    context: dg.AssetExecutionContext,
    archive: Archive,
    settings: Settings,
    against: Comparison,
    readable: list[Video],
) -> dict[str, Any]:
    """Evidently on the newest videos that the model did not learn from, once for each window and model."""
    from al_assets.drift.evidently_report import SMALLEST_SAMPLE, evidently_report

    others = [video for video in readable if video.video_id not in set(against.trained_on)]
    window = sorted(others, key=lambda video: video.video_no)[-settings.drift.window_videos :]
    if not window:
        return {"window": "no video that the model did not learn from"}
    subject = (
        "window-" + hashlib.sha256("\0".join(video.video_id for video in window).encode()).hexdigest()[:12]
    )
    known = archive.monitoring.drift(PER_WINDOW, against.model.checkpoint_id)
    known = known[known["subject"] == subject]
    if len(known):
        return {"report": dg.MetadataValue.url(archive.storage.uri(str(known["report_uri"].iloc[0])))}
    limit, rng = settings.drift.reference_frames, np.random.default_rng(settings.training.seed)
    before = _features(archive, against, archive.videos.get(against.trained_on), limit, rng)
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
                "threshold": None,
                "drifted": int(outcome.drifted),
                "report_uri": uri,
                "run_id": context.run.run_id,
                "measured_at": archive.now(),
            }
            for name, value in {**outcome.statistics, "share_of_drifted_columns": outcome.share}.items()
        ]
    )
    return {"report": dg.MetadataValue.url(archive.storage.uri(uri)), "drifted_share": float(outcome.share)}


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
    return pd.concat([quality[["brightness", "sharpness"]], embedding], axis=1).reset_index(drop=True)
