"""Asks for training or a batch without a new export, by the owner's policy. The policy itself is in automation."""

import dagster as dg

from al_assets import jobs
from al_assets.automation import ModelState, RetrainingPolicy, decide_retraining
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.monitoring import VIDEO_DRIFT
from sensors.runs import busy, digest, ended, request


def model_state(archive: Archive) -> ModelState:
    """Age and drift of the serving model, and the labels that no training has seen, from SQL."""
    serving, newest = archive.models.serving(), archive.models.latest()
    if serving is None or newest is None:
        return ModelState(None, 0, archive.selection.open_tasks(), 0, 0, 0)
    # Only what came since: drift of the archive that the model already knows must not drown out the news.
    results = archive.drift.compared_since(VIDEO_DRIFT, serving.checkpoint_id, serving.trained_at)
    adrift = results[results["drifted"] == 1]
    batch = archive.selection.latest_batch()
    latest = adrift["measured_at"].max() if len(adrift) else None
    return ModelState(
        trained_at=serving.trained_at,
        # Since the newest training: one whose model was not promoted has seen them, and will again.
        new_labels=archive.selection.labels_since(newest.trained_at),
        open_tasks=archive.selection.open_tasks(),
        drifted_videos=len(adrift),
        compared_videos=len(results),
        batches_since_drift=int(bool(batch and latest is not None and batch["created_at"] >= latest)),
        drifted_ids=tuple(adrift["subject"]),
    )


def make_retraining(settings: Settings) -> dg.SensorDefinition:
    """The sensor, with the owner's policy."""
    policy = RetrainingPolicy(**settings.retraining.model_dump())

    @dg.sensor(
        name="retraining",
        jobs=[jobs.learn, jobs.select_batch],
        minimum_interval_seconds=max(settings.sensors.interval_seconds, 60),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for training when the model is old, and for a batch when new videos have drifted.",
    )
    def retraining(context: dg.SensorEvaluationContext, archive: Archive) -> dg.SensorResult:
        state = model_state(archive)
        job, reason = decide_retraining(state, policy, archive.now())
        if job is not None and busy(context.instance, jobs.LEARN, jobs.SCORE, jobs.SELECT):
            job, reason = None, f"{reason}; waits for the run in progress"
        work = digest([job, state.trained_at, state.new_labels, state.drifted_videos, state.compared_videos])
        if job is not None and (how := ended(context.instance, job, work)):
            job, reason = None, f"{reason}; {job} {how} on exactly this, see its run"
        context.log.info(reason)
        if job is None:
            return dg.SensorResult(skip_reason=reason)
        return dg.SensorResult(run_requests=[request(job, reason, work)])

    return retraining
