"""Asks for training or a batch without a new export, by the owner's policy. The policy itself is in automation."""

import dagster as dg

from al_assets import jobs
from al_assets.automation import ModelState, RetrainingPolicy, decide_retraining
from al_assets.drift.assets import PER_VIDEO
from al_assets.settings import Settings
from resources.archive import Archive
from sensors.runs import failed_work, in_flight, request


def model_state(archive: Archive) -> ModelState:
    """Age, gain and drift of the serving model, from SQL."""
    serving = archive.models.serving()
    if serving is None:
        return ModelState(None, 0, archive.selection.open_tasks(), 0, 0, 0)
    results = archive.monitoring.drift(PER_VIDEO, serving.checkpoint_id)
    adrift = results[results["drifted"] == 1]
    batch = archive.selection.latest_batch()
    latest = adrift["measured_at"].max() if len(adrift) else None
    return ModelState(
        trained_at=serving.trained_at,
        new_labels=archive.selection.labels_since(serving.trained_at),
        open_tasks=archive.selection.open_tasks(),
        drifted_videos=int(adrift["subject"].nunique()),
        compared_videos=int(results["subject"].nunique()),
        batches_since_drift=int(bool(batch and latest is not None and batch["created_at"] >= latest)),
    )


def make_retraining(settings: Settings) -> dg.SensorDefinition:
    """The sensor, with the owner's policy."""
    policy = RetrainingPolicy(**settings.retraining.model_dump())

    @dg.sensor(
        name="retraining",
        jobs=[jobs.learn, jobs.select_batch],
        minimum_interval_seconds=max(settings.sensors.interval_seconds, 60),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Drift, label gain and age of the model, compared with [retraining] in al.toml.",
    )
    def retraining(context: dg.SensorEvaluationContext, archive: Archive) -> dg.SensorResult:
        state = model_state(archive)
        job, reason = decide_retraining(state, policy, archive.now())
        context.log.info(reason)
        work = f"{state.trained_at}:{state.new_labels}:{state.drifted_videos}"
        busy = in_flight(context.instance, jobs.LEARN, jobs.SCORE, jobs.SELECT)
        if job is None or busy or failed_work(context.instance, job, work):
            return dg.SensorResult(skip_reason=f"{reason}; a run is in progress" if busy else reason)
        return dg.SensorResult(run_requests=[request(job, reason, work)])

    return retraining
