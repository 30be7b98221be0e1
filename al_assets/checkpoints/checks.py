"""Checks on training: statements about leaks, calibration and the decision. At most labelled frames are read."""

import dagster as dg
import numpy as np

from al_assets.checkpoints.assets import candidate_checkpoint, evaluation, training_set
from al_assets.embedder_choice import embedder_to_read
from al_assets.keys import video_no_of
from al_assets.settings import Settings
from resources.archive import Archive

SHOWN = 20
CALIBRATION_FRAMES = 100
"""Hold-out frames from which a calibration error may stop a round: on fewer, bins of a few frames err by themselves."""


@dg.asset_check(asset=training_set, blocking=True, description="No hold-out video is trained on.")
def hold_out_videos_are_not_trained_on(archive: Archive) -> dg.AssetCheckResult:
    """An error that stops training: a leak makes every metric a lie."""
    training_set_id = archive.models.latest_training_set() or ""
    leaks = archive.monitoring.leaks(training_set_id)
    return dg.AssetCheckResult(
        passed=leaks == 0, metadata={"leaking_rows": leaks, "training_set": training_set_id}
    )


@dg.asset_check(asset=training_set, blocking=True, description="No hold-out video repeats a training video.")
def hold_out_videos_are_no_copies_of_training_videos(
    archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.AssetCheckResult:
    """An error that stops training, with the pairs of videos: retire one of each (job `retire_video`).

    A warning where the owner says that they are no copies ([promotion] refuse_copies = false).
    """
    from al_assets.checkpoints.leaks import twins

    rows = archive.models.training_set(archive.models.latest_training_set() or "")
    shown = rows[rows["target"] == 1].drop_duplicates("frame_id").sort_values("frame_id")
    embedder_id = embedder_to_read(archive, settings.embeddings)
    parts = []
    for chosen in (shown["split"] != "train", shown["split"] == "train"):
        keys, vectors = archive.frames.vectors(embedder_id, shown[chosen]["frame_id"].tolist())
        parts += [vectors, video_no_of(np.asarray(keys, dtype=np.int64))]
    found = twins(*parts)
    clips = {clip for pair in found for clip in (pair.holdout, pair.training)}
    names = {video.video_no: video.video_id for video in archive.videos.numbered(clips)}
    told = [
        f"{names[pair.holdout]} repeats {names[pair.training]}: {pair.twins} of {pair.frames} labelled frames; "
        "retire one of them, or set [promotion] refuse_copies = false if they are not the same recording"
        for pair in found
    ]
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR
        if settings.promotion.refuse_copies
        else dg.AssetCheckSeverity.WARN,
        description="; ".join(told[:3])
        or "no labelled hold-out frame has a twin in training that is no chance",
        metadata={
            "repeated_videos": len({pair.holdout for pair in found}),
            "holdout_frames": len(parts[1]),
            "training_frames": len(parts[3]),
            **(
                {"pairs": dg.MetadataValue.md("\n".join(f"- {line}" for line in told[:SHOWN]))}
                if told
                else {}
            ),
        },
    )


@dg.asset_check(asset=evaluation, blocking=True, description="Confidences can be read as probabilities.")
def confidences_are_calibrated(archive: Archive, settings: dg.ResourceParam[Settings]) -> dg.AssetCheckResult:
    """An error that keeps the round back when the calibration error on the hold-out is surely above its bound.

    Surely: the lower end of its 95 % interval, on 100 hold-out frames or more. Above the bound by less is a warning.
    """
    bound = settings.promotion.calibration_bound
    newest = archive.models.latest()
    rows = archive.models.evaluations(newest.checkpoint_id) if newest else None
    if rows is not None:
        chosen = (rows["metric"] == "expected_calibration_error") & (rows["split"] == "test")
        rows = rows[chosen & (rows["class_id"] == 0) & rows["value"].notna()]
    if rows is None or rows.empty:
        return dg.AssetCheckResult(passed=True, description="not measured yet", metadata={"bound": bound})
    row = rows.iloc[0]
    error, support = float(row["value"]), int(row["support"])
    low = float(row["low"]) if row["low"] is not None and np.isfinite(row["low"]) else error
    sure = low > bound and support >= CALIBRATION_FRAMES
    told = f"expected calibration error {error:.3f} (at least {low:.3f}) on {support} frames, bound {bound:g}"
    fix = "label more hold-out frames (the evaluation arm), or raise [promotion] calibration_bound"
    return dg.AssetCheckResult(
        passed=error <= bound,
        severity=dg.AssetCheckSeverity.ERROR if sure else dg.AssetCheckSeverity.WARN,
        description=told if error <= bound else f"{told}; {fix}",
        metadata={"bound": bound, "frames": support, "error": error, "low": low},
    )


@dg.asset_check(asset=candidate_checkpoint, description="The newest model is good enough to serve.")
def newest_checkpoint_was_promoted(archive: Archive) -> dg.AssetCheckResult:
    """A warning when the gate kept the serving model, with its reason. The run goes on: promotion is data."""
    decisions = archive.models.decisions()
    if decisions.empty:
        return dg.AssetCheckResult(passed=True, description="no decision yet")
    last = decisions.iloc[-1]
    return dg.AssetCheckResult(
        passed=bool(last["promoted"]),
        severity=dg.AssetCheckSeverity.WARN,
        description=str(last["reason"]),
        metadata={"checkpoint": str(last["checkpoint_id"]), "decided_by": str(last["decided_by"])},
    )


CHECKS = (
    hold_out_videos_are_not_trained_on,
    hold_out_videos_are_no_copies_of_training_videos,
    confidences_are_calibrated,
    newest_checkpoint_was_promoted,
)
