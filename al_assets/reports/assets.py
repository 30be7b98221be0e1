"""The assets that people read: `labelling_worth`, `arm_comparison`, the three reports and the embedding map.

Thin: what a page says is read in `al_assets/*_pages.py`, plots and layout live beside.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd

from al_assets.automation import RETRY
from al_assets.drift.assets import drift_report
from al_assets.labelling_progress import progress
from al_assets.live_comparison import compare_arms
from al_assets.pages.archive import archive_page
from al_assets.pages.archive_map import PAGE as MAP_PAGE
from al_assets.pages.archive_map import map_slice
from al_assets.pages.batch import batch_page
from al_assets.pages.index import write_index
from al_assets.pages.map_pictures import page_of
from al_assets.pages.model import curve_points, model_sections, summary
from al_assets.pictures import picture
from al_assets.predictions.assets import serving_checkpoint
from al_assets.reports.html import page
from al_assets.reports.plots import learning_curve_svg
from al_assets.review.assets import label_review
from al_assets.selection.assets import labelling_tasks
from al_assets.settings import Settings
from al_assets.slice_quality import slice_quality
from resources.archive import Archive

MODEL_REPORT = "reports/model_report.html"
ARCHIVE_REPORT = "reports/archive_report.html"
BATCH_REPORT = "reports/batch_report.html"


@dg.asset(
    group_name="reports",
    kinds={"python", "sql"},
    deps=[serving_checkpoint, label_review],
    retry_policy=RETRY,
    code_version="1",
    metadata={"table": "labelling_progress", "write_mode": "upsert"},
)
def labelling_worth(archive: Archive, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """Whether labelling still pays: quality by hold-out and by random draws, stability, doubt, gain, and advice.

    Advice only: nothing stops by itself.
    """
    serving = archive.models.serving()
    if serving is None:
        return dg.MaterializeResult(value=None, metadata={"why": "no model serves yet"})
    row = progress(archive, settings, serving)
    shown = {name: value for name, value in row.items() if value is not None and name != "measured_at"}
    return dg.MaterializeResult(value=pd.DataFrame([row]), metadata=shown)


@dg.asset(
    group_name="reports",
    kinds={"python", "sql"},
    deps=[serving_checkpoint],
    retry_policy=RETRY,
    code_version="1",
    metadata={"table": "arm_comparisons", "write_mode": "upsert"},
)
def arm_comparison(archive: Archive, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """Whether active learning beats random draws here: models of as many labels of each arm, on one hold-out.

    Row by row the live counterpart of `simulation`; the view `active_against_random` shows it.
    """
    serving = archive.models.serving()
    if serving is None:
        return dg.MaterializeResult(value=None, metadata={"why": "no model serves yet"})
    row = {
        "checkpoint_id": serving.checkpoint_id,
        **compare_arms(archive, settings, serving),
        "measured_at": archive.now(),
    }
    shown = {name: value for name, value in row.items() if value is not None and name != "measured_at"}
    return dg.MaterializeResult(value=pd.DataFrame([row]), metadata=shown)


# The reports come after the labelling tasks: a person must never wait for a picture.
@dg.asset(
    group_name="reports",
    kinds={"matplotlib", "file"},
    deps=[labelling_tasks, drift_report, slice_quality, labelling_worth, arm_comparison],
    retry_policy=RETRY,
    code_version="2",
)
def model_report(archive: Archive, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """What the model is worth: learning curve, quality per class, reliability, what it confuses and why, decisions."""
    metric = settings.promotion.metric
    curve = archive.monitoring.view("learning_curve")
    curve = curve[(curve["metric"] == metric) & curve["value"].notna()]
    plot = learning_curve_svg({"hold-out labels": curve_points(curve)}, metric.replace("_", " "))
    text = page("Model report", summary(archive, metric), model_sections(archive, settings, plot))
    return _written(archive, MODEL_REPORT, text, {"learning_curve": picture(plot, "learning curve")})


@dg.asset(
    group_name="reports",
    kinds={"matplotlib", "file"},
    deps=[serving_checkpoint, labelling_tasks],
    retry_policy=RETRY,
    code_version="1",
)
def archive_report(archive: Archive) -> dg.MaterializeResult:
    """What the archive holds: coverage by site and time, sightings, who is with whom, repeats, failures, labels.

    Reads sums over views, in time proportional to the frames and in memory to the videos (`al bench views`).
    """
    shown = archive_page(archive)
    text = page("Archive report", shown.summary, shown.sections)
    metadata = {"coverage": picture(shown.picture, "coverage")} if shown.picture else {}
    return _written(archive, ARCHIVE_REPORT, text, {**metadata, **shown.numbers})


@dg.asset(
    group_name="reports",
    kinds={"file"},
    deps=[labelling_tasks],
    retry_policy=RETRY,
    code_version="1",
)
def batch_report(archive: Archive, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """The newest batch: what was selected and why, a contact sheet of stills, what the redundancy rule left out."""
    batch = archive.selection.latest_batch()
    if batch is None:
        return dg.MaterializeResult(metadata={"why": "no batch yet"})
    shown = batch_page(archive, batch, blind=settings.labelling.blind)
    text = page(f"Batch {shown.batch_id}", shown.summary, shown.sections)
    archive.storage.write(f"reports/batch-{shown.batch_id:05d}.html", text.encode())
    return _written(
        archive, BATCH_REPORT, text, {"frames": picture(shown.picture, "frames"), **shown.numbers}
    )


@dg.asset(
    group_name="reports",
    kinds={"python", "sql"},
    deps=[serving_checkpoint, labelling_tasks],
    retry_policy=RETRY,
    code_version="1",
    metadata={"table": "embedding_maps"},
)
def embedding_map(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """The archive, or a sample of it, in two dimensions: frames that look alike lie together.

    Frames stay where they were on the last map; new ones are placed among them (`al bench map`).
    """
    if settings.map.points == 0:
        return dg.MaterializeResult(value=None, metadata={"why": "[map] points = 0: no map is wanted"})
    found, told = map_slice(archive, settings, context.run.run_id)
    return dg.MaterializeResult(value=found, metadata=told)


@dg.asset(group_name="reports", kinds={"file"}, deps=[embedding_map], retry_policy=RETRY, code_version="1")
def embedding_map_page(archive: Archive, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """The map as a page to look at: colour says the class, opacity how sure the model is, grey that nobody knows.

    Frames chosen on it by lasso or by keys become the next batch by `al select --frames FILE`.
    """
    if archive.maps.newest() is None:
        return dg.MaterializeResult(metadata={"why": "no map yet"})
    text, svg, told = page_of(archive, settings)
    return _written(archive, MAP_PAGE, text, {"map": picture(svg, "map"), **told})


def _written(archive: Archive, path: str, text: str, metadata: Mapping[str, Any]) -> dg.MaterializeResult:
    """The page written and the index with it."""
    data = text.encode()
    archive.storage.write(path, data)
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.url(archive.storage.uri(path)),
            "all_reports": dg.MetadataValue.url(write_index(archive)),
            "bytes": len(data),
            **metadata,
        }
    )
