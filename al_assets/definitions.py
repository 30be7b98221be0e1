"""Assembly of assets, checks, jobs, sensors and resources. Nothing else: no logic, no configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from al_assets import jobs, projections, retention, slice_quality, stale_checks, table_checks
from al_assets.asset_pages import furnished
from al_assets.automation import in_batches
from al_assets.checkpoints import assets as checkpoints
from al_assets.checkpoints import checks as checkpoint_checks
from al_assets.drift import assets as drift
from al_assets.drift import checks as drift_checks
from al_assets.embeddings import assets as embeddings
from al_assets.embeddings import checks as embedding_checks
from al_assets.engines import make_compute, make_executor
from al_assets.frames import assets as frames
from al_assets.frames import checks as frame_checks
from al_assets.labelling import assets as labelling
from al_assets.labels import assets as labels
from al_assets.labels import checks as label_checks
from al_assets.predictions import assets as predictions
from al_assets.predictions import checks as prediction_checks
from al_assets.reports import assets as reports
from al_assets.review import assets as review
from al_assets.review import checks as review_checks
from al_assets.selection import assets as selection
from al_assets.selection import checks as selection_checks
from al_assets.settings import Settings, load_settings
from al_assets.simulation import assets as simulation
from resources.alerts import Alerts
from resources.archive import Archive
from resources.database import Database
from resources.environments import Environment, read_environment, variable_of
from resources.labelling_tool import LabelStudio
from resources.sql_io_manager import SqlIOManager
from resources.storage import Storage
from sensors.alerts import make_alerts
from sensors.embedder_switch import make_embedder_switch
from sensors.failures import failures
from sensors.label_exports import make_label_exports
from sensors.labelling_tool import make_labelling_tool
from sensors.retraining import make_retraining
from sensors.video_arrivals import make_video_arrivals

ASSETS = (
    frames.videos,
    frames.frames,
    embeddings.embeddings,
    projections.projection,
    embeddings.similarity_index,
    labels.label_exports,
    labels.labels,
    checkpoints.training_set,
    checkpoints.checkpoint,
    review.label_review,
    checkpoints.evaluation,
    slice_quality.slice_quality,
    checkpoints.candidate_checkpoint,
    predictions.predictions,
    predictions.serving_checkpoint,
    retention.retired_versions,
    drift.drift_report,
    selection.selection_batch,
    selection.labelling_tasks,
    labelling.labelling_project,
    reports.labelling_worth,
    reports.arm_comparison,
    reports.model_report,
    reports.archive_report,
    reports.batch_report,
    reports.embedding_map,
    reports.embedding_map_page,
    simulation.simulation,
)
CHECKS = (
    *table_checks.CHECKS,
    *frame_checks.CHECKS,
    *embedding_checks.CHECKS,
    *label_checks.CHECKS,
    *checkpoint_checks.CHECKS,
    *slice_quality.CHECKS,
    *review_checks.CHECKS,
    *prediction_checks.CHECKS,
    *selection_checks.CHECKS,
    *drift_checks.CHECKS,
    *stale_checks.CHECKS,
)


def make_resources(environment: Environment, settings: Settings) -> dict[str, Any]:
    """Resources of an installation: database, storage, the archive over both, and the SQL IO manager."""
    database = Database(url=_by_name(environment.database_url))
    options = dict(environment.storage_options)
    if "credential" in options:
        options["credential"] = {field: _by_name(value) for field, value in options["credential"].items()}
    storage = Storage(url=environment.storage_url, **options)
    return {
        "settings": settings,
        "archive": Archive(database=database, storage=storage),
        "compute": make_compute(settings.compute, settings.azure_ml, environment),
        "labelling_tool": LabelStudio(
            url=environment.label_studio_url, token=_by_name(environment.label_studio_token)
        ),
        "alerts": Alerts(
            webhook=_by_name(environment.alert_webhook),
            smtp_url=_by_name(environment.alert_smtp_url),
            sender=settings.alerts.email_from,
            recipients=settings.alerts.email_to,
        ),
        "io_manager": SqlIOManager(database=database),
    }


def _by_name(value: str) -> Any:
    """A secret from the environment stays there and is named: the UI shows a resource's values."""
    name = variable_of(value)
    return dg.EnvVar(name) if name else value


def build_defs(
    environment: Environment | None = None,
    settings: Settings | None = None,
    resource_overrides: Mapping[str, Any] | None = None,
) -> dg.Definitions:
    """Definitions of an installation; tests and the command line give their own environment and resources."""
    environment = environment or read_environment()
    settings = settings or load_settings(environment.settings_path)
    return dg.Definitions(
        assets=in_batches(
            dg.map_asset_specs(lambda spec: furnished(spec, settings), ASSETS),
            settings.sensors.videos_per_run,
        ),
        asset_checks=CHECKS,
        jobs=jobs.JOBS,
        sensors=[
            make_video_arrivals(settings),
            make_label_exports(settings),
            make_labelling_tool(settings),
            make_retraining(settings),
            make_embedder_switch(settings),
            failures,
            make_alerts(settings, [key for check in CHECKS for key in sorted(check.check_keys)]),
        ],
        resources={**make_resources(environment, settings), **(resource_overrides or {})},
        executor=make_executor(settings.compute),
    )


defs = build_defs()
