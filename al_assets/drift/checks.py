"""Drift as asset checks: statements about new videos, with their numbers. Warnings: drift is news, not a fault."""

from typing import Any

import dagster as dg

from al_assets.drift.assets import PER_VIDEO, PER_WINDOW, compare_videos, comparison, drift_report
from al_assets.embeddings.assets import embeddings
from resources.archive import Archive
from resources.rows import rows_of

SHOWN = 20
COLUMNS = ("subject", "statistic", "value", "reference", "threshold")


@dg.asset_check(
    asset=embeddings,
    name=PER_VIDEO,
    description="The videos of this run look like what the serving model learned from.",
)
def new_videos_resemble_the_training_data(
    context: dg.AssetCheckExecutionContext, archive: Archive
) -> dg.AssetCheckResult:
    """A cheap statistic on light, sharpness and vectors of each video of the run."""
    against = comparison(archive)
    if isinstance(against, str):
        return dg.AssetCheckResult(passed=True, description=against)
    keys = context.partition_keys if context.has_partition_key or context.has_partition_key_range else []
    videos = [v for v in archive.videos.get(keys) if v.status in ("indexed", "partial")]
    rows = compare_videos(archive, against, videos, context.run.run_id)
    return _result([row for row in rows if row["drifted"]], len(videos))


@dg.asset_check(asset=drift_report, description="Every video looks like what the serving model learned from.")
def every_video_resembles_the_training_data(archive: Archive) -> dg.AssetCheckResult:
    """The same statistic for all videos, against the model that serves now."""
    serving = archive.models.serving()
    if serving is None:
        return dg.AssetCheckResult(passed=True, description="no model serves yet")
    rows = archive.monitoring.drift(PER_VIDEO, serving.checkpoint_id)
    return _result(
        [row._asdict() for row in rows_of(rows[rows["drifted"] == 1])], int(rows["subject"].nunique())
    )


@dg.asset_check(
    asset=drift_report, name=PER_WINDOW, description="The newest videos pass Evidently's drift test."
)
def newest_videos_pass_evidently(archive: Archive) -> dg.AssetCheckResult:
    """Evidently's verdict on the newest window of videos; the report is linked."""
    serving = archive.models.serving()
    rows = archive.monitoring.drift(PER_WINDOW, serving.checkpoint_id) if serving else None
    if rows is None or rows.empty:
        return dg.AssetCheckResult(passed=True, description="no window was compared yet")
    last = rows[rows["subject"] == rows.sort_values("measured_at")["subject"].iloc[-1]]
    metadata: dict[str, Any] = {
        str(row.statistic): float(row.value) for row in rows_of(last) if row.value is not None
    }
    return dg.AssetCheckResult(
        passed=not last["drifted"].any(),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"window {last['subject'].iloc[0]}",
        metadata={
            **metadata,
            "report": dg.MetadataValue.url(archive.storage.uri(str(last["report_uri"].iloc[0]))),
        },
    )


def _result(adrift: list[dict[str, Any]], compared: int) -> dg.AssetCheckResult:
    subjects = sorted({str(row["subject"]) for row in adrift})
    table = [dg.TableRecord({name: row[name] for name in COLUMNS}) for row in adrift[:SHOWN]]
    return dg.AssetCheckResult(
        passed=not adrift,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(subjects)} of {compared} videos drift: {', '.join(subjects[:5])}"
        if subjects
        else f"{compared} videos compared, none drifts",
        metadata={
            "videos_compared": compared,
            "videos_adrift": len(subjects),
            "adrift": dg.MetadataValue.table(
                table, schema=dg.TableSchema([dg.TableColumn(name) for name in COLUMNS])
            ),
        },
    )


CHECKS = (
    new_videos_resemble_the_training_data,
    every_video_resembles_the_training_data,
    newest_videos_pass_evidently,
)
