"""Drift as asset checks: statements about new videos and labels, with their numbers. Warnings: drift is news."""

from typing import Any

import dagster as dg
import pandas as pd

from al_assets.drift.assets import PER_VIDEO, drift_report
from al_assets.drift_comparison import compare_videos, comparison
from al_assets.drift_window import PER_WINDOW
from al_assets.embeddings.assets import embeddings
from al_assets.label_drift import CONCEPT, LABEL_MIX
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.videos import READABLE
from resources.rows import rows_of

SHOWN = 20
COLUMNS = ("subject", "statistic", "value", "reference", "threshold", "p_value", "adjusted_p_value")


@dg.asset_check(
    asset=embeddings,
    name=PER_VIDEO,
    description="The videos of this run look like what the serving model learned from.",
)
def new_videos_resemble_the_training_data(
    context: dg.AssetCheckExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.AssetCheckResult:
    """Light, sharpness and vectors of each video of the run, which are summed up for all later comparisons."""
    against = comparison(archive)
    if isinstance(against, str):
        return dg.AssetCheckResult(passed=True, description=against)
    keys = context.partition_keys if context.has_partition_key or context.has_partition_key_range else []
    videos = [video for video in archive.videos.get(keys) if video.status in READABLE]
    rows = compare_videos(archive, against, videos, context.run.run_id, settings.drift.false_discovery_rate)
    found = pd.DataFrame(rows, columns=["drifted", "measured_at", *COLUMNS])
    return _result(archive, against.model.checkpoint_id, found)


@dg.asset_check(asset=drift_report, description="Every video looks like what the serving model learned from.")
def every_video_resembles_the_training_data(archive: Archive) -> dg.AssetCheckResult:
    """The same statistics and the model's answers, for all videos, against the model that serves now."""
    serving = archive.models.serving()
    if serving is None:
        return dg.AssetCheckResult(passed=True, description="no model serves yet")
    rows = archive.monitoring.drift(PER_VIDEO, serving.checkpoint_id)
    return _result(archive, serving.checkpoint_id, rows)


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


@dg.asset_check(
    asset=drift_report,
    name=LABEL_MIX,
    description="New labels of frames drawn at random hold the classes in the same shares as earlier ones.",
)
def new_labels_keep_the_class_mix(archive: Archive) -> dg.AssetCheckResult:
    """Class mix of the labels that came since the model, weighed by how likely each frame was to be drawn."""
    return _labels(archive, LABEL_MIX, "the class mix of new labels is {value:.3f} from that of earlier ones")


@dg.asset_check(
    asset=drift_report,
    name=CONCEPT,
    description="The model is as often right on frames labelled since as its confidence and hold-out let expect.",
)
def accuracy_on_new_labels_is_as_expected(archive: Archive) -> dg.AssetCheckResult:
    """Accuracy on frames that were drawn at random and not trained on, against what the model expects of them."""
    return _labels(
        archive, CONCEPT, "{value:.0%} of new labels are what the model said, {reference:.0%} expected"
    )


def _labels(archive: Archive, name: str, sentence: str) -> dg.AssetCheckResult:
    serving = archive.models.serving()
    rows = archive.monitoring.drift(name, serving.checkpoint_id) if serving else None
    if rows is None or rows.empty:
        return dg.AssetCheckResult(passed=True, description="too few new labels were drawn at random to tell")
    numbers = {str(row.statistic): float(row.value) for row in rows_of(rows)}
    main = rows[~rows["statistic"].isin(("frames", "clips"))].iloc[0]
    value, reference = float(main["value"]), float(main["reference"])
    return dg.AssetCheckResult(
        passed=not bool(main["drifted"]),
        severity=dg.AssetCheckSeverity.WARN,
        description=sentence.format(value=value, reference=reference)
        + f" ({numbers['frames']:.0f} frames of {numbers['clips']:.0f} clips)",
        metadata={
            **numbers,
            "reference": reference,
            "p_value": float(main["p_value"]),
            "adjusted_p_value": float(main["adjusted_p_value"]),
        },
    )


def _result(archive: Archive, checkpoint_id: str, rows: pd.DataFrame) -> dg.AssetCheckResult:
    """How many of the compared videos drift, by what, and where Evidently's report on the latest window is."""
    adrift = rows[rows["drifted"] == 1].sort_values("adjusted_p_value")
    subjects = sorted(adrift["subject"].unique())
    compared = int(rows["subject"].nunique())
    table = [
        dg.TableRecord({name: getattr(row, name) for name in COLUMNS}) for row in rows_of(adrift.head(SHOWN))
    ]
    schema = dg.TableSchema([dg.TableColumn(name) for name in COLUMNS])
    return dg.AssetCheckResult(
        passed=not subjects,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(subjects)} of {compared} videos drift: {', '.join(subjects[:5])}"
        if subjects
        else f"{compared} videos compared, none drifts",
        metadata={
            "videos_compared": compared,
            "videos_adrift": len(subjects),
            "adrift": dg.MetadataValue.table(table, schema=schema),
            **_report(archive, checkpoint_id),
        },
    )


def _report(archive: Archive, checkpoint_id: str) -> dict[str, Any]:
    windows = archive.monitoring.drift(PER_WINDOW, checkpoint_id).dropna(subset=["report_uri"])
    if windows.empty:
        return {}
    uri = windows.sort_values("measured_at")["report_uri"].iloc[-1]
    return {"report": dg.MetadataValue.url(archive.storage.uri(str(uri)))}


CHECKS = (
    new_videos_resemble_the_training_data,
    every_video_resembles_the_training_data,
    newest_videos_pass_evidently,
    new_labels_keep_the_class_mix,
    accuracy_on_new_labels_is_as_expected,
)
