"""The asset `drift_report`: new videos, the newest window of them and new labels, against what the model learned from.

What is compared how is in the pure modules beside and in `drift_comparison`, `drift_window` and `label_drift`.
"""

from typing import Any

import dagster as dg

from al_assets.drift.plots import drift_by_site_svg
from al_assets.drift_comparison import compare_videos, comparison, not_compared, readable
from al_assets.drift_window import compare_window
from al_assets.label_drift import compare_labels
from al_assets.pictures import picture
from al_assets.predictions.assets import serving_checkpoint
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.monitoring import VIDEO_DRIFT
from resources.rows import rows_of

PER_VIDEO = VIDEO_DRIFT
MONTH_UNKNOWN = "no month"


@dg.asset(group_name="monitoring", kinds={"evidently", "sql"}, deps=[serving_checkpoint], code_version="2")
def drift_report(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """Whether new videos and labels are still like what the serving model learned from; rows of `drift_results`.

    A video counts as adrift where its p-value, adjusted for all that is compared in this run, is within
    [drift] false_discovery_rate.
    """
    rate, run_id = settings.drift.false_discovery_rate, context.run.run_id
    against = comparison(archive)
    metadata: dict[str, Any] = {}
    if isinstance(against, str):
        metadata["why"] = against
    else:
        rows = compare_videos(archive, against, not_compared(archive, against), run_id, rate)
        adrift = archive.monitoring.videos_adrift(against.model.checkpoint_id)
        compared = len({row["subject"] for row in rows})
        metadata |= {"videos_compared": compared, "videos_adrift": len(adrift)}
        if settings.drift.report:
            metadata |= compare_window(archive, settings, against, readable(archive), run_id)
    for name, reason in compare_labels(archive, run_id, rate).items():
        metadata[name] = reason
    if svg := drift_by_site_svg(site_shares(archive)):
        metadata["share_adrift_by_site"] = picture(svg, "share of videos adrift by site and month")
    return dg.MaterializeResult(metadata={**metadata, **archive.monitoring.table_metadata("drift_results")})


def site_shares(archive: Archive) -> dict[str, dict[str, float]]:
    """Share of videos adrift: site -> month -> share, from the view `drift_by_site`."""
    found: dict[str, dict[str, float]] = {}
    for row in rows_of(archive.monitoring.view("drift_by_site")):
        site, month = row.site or "no site", row.month or MONTH_UNKNOWN
        found.setdefault(str(site), {})[str(month)] = float(row.share)
    return found
