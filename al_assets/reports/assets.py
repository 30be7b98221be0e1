"""The asset `model_report`: what the model is worth, as a page that opens offline. Plots and pages live beside."""

import dagster as dg
import pandas as pd

from al_assets.drift.assets import PER_VIDEO, drift_report
from al_assets.pictures import picture
from al_assets.reports.html import Section, page
from al_assets.reports.plots import CurvePoint, class_distribution_svg, learning_curve_svg
from al_assets.selection.assets import selection_batch
from al_assets.settings import Settings
from resources.archive import Archive
from resources.rows import rows_of

REPORT = "reports/model_report.html"


@dg.asset(
    group_name="reports",
    kinds={"matplotlib", "file"},
    deps=[selection_batch, drift_report],
    code_version="1",
)
def model_report(archive: Archive, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """Learning curve, quality per class, decisions, drift and the newest batch, on one page in storage."""
    metric = settings.promotion.metric
    curve = archive.monitoring.view("learning_curve")
    curve = curve[(curve["metric"] == metric) & curve["value"].notna()]
    plot = learning_curve_svg({"hold-out labels": _points(curve)}, metric.replace("_", " "))
    text = page("Model report", _summary(archive, metric), sections(archive, plot))
    archive.storage.write(REPORT, text.encode())
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.url(archive.storage.uri(REPORT)),
            "learning_curve": picture(plot, "learning curve"),
            "bytes": len(text),
        }
    )


def _points(curve: pd.DataFrame) -> list[CurvePoint]:
    return [
        CurvePoint(int(row.labelled_frames), float(row.value), _number(row.low), _number(row.high))
        for row in rows_of(curve)
    ]


def _number(value: object) -> float | None:
    return None if pd.isna(value) else float(value)  # type: ignore[call-overload, arg-type]


def _summary(archive: Archive, metric: str) -> str:
    serving = archive.models.serving()
    counts = archive.labels.totals()
    told = f"{archive.frames.count()} frames, {counts['labelled_frames']} of them labelled"
    if serving is None:
        return f"{told}; no model serves yet."
    value, support = archive.models.metric(serving.checkpoint_id, metric)
    measured = (
        f"{metric} {value:.3f} on {support} hold-out frames" if value is not None else "not measured yet"
    )
    return f"{told}; {serving.checkpoint_id} serves, {measured}."


def sections(archive: Archive, plot: str) -> list[Section]:
    """Sections of the report, each from a view or a table."""
    distribution = archive.monitoring.view("class_distribution")
    counts = {
        "labelled": dict(zip(distribution["class_name"], distribution["labelled_frames"], strict=True)),
        "predicted only": dict(
            zip(distribution["class_name"], distribution["predicted_frames"], strict=True)
        ),
    }
    decisions = archive.models.decisions()[
        ["decided_at", "checkpoint_id", "promoted", "decided_by", "reason"]
    ]
    pairs = archive.monitoring.view("confused_pairs").sort_values("mean_margin")
    return [
        Section("What labels bought", "On labelled hold-out frames, with 95 % intervals.", plot),
        Section("Quality per class", "Of the serving model on the test videos.", table=_per_class(archive)),
        Section("Classes", svg=class_distribution_svg(counts), table=distribution),
        Section("Pairs that confuse the model most", "A small mean margin is doubt.", table=pairs.head(20)),
        Section("Decisions", "By rule or by hand, newest first.", table=decisions.iloc[::-1]),
        Section(
            "Videos adrift", "Compared with what the serving model was trained on.", table=_drift(archive)
        ),
        Section("Newest batch", table=_batch(archive)),
        Section("Videos that could not be read whole", table=_failures(archive)),
    ]


def _per_class(archive: Archive) -> pd.DataFrame:
    serving = archive.models.serving()
    if serving is None:
        return pd.DataFrame()
    names = archive.labels.classes().set_index("class_id")["name"]
    rows = archive.models.evaluations(serving.checkpoint_id)
    rows = rows[(rows["class_id"] > 0) & (rows["split"] == "test")]
    if rows.empty:
        return pd.DataFrame()
    wide = rows.pivot_table(index="class_id", columns="metric", values="value")
    wide.insert(0, "class", names.reindex(wide.index))
    wide.insert(1, "positives", rows.groupby("class_id")["support"].max())
    return wide.reset_index(drop=True)


def _drift(archive: Archive) -> pd.DataFrame:
    serving = archive.models.serving()
    if serving is None:
        return pd.DataFrame()
    rows = archive.monitoring.drift(PER_VIDEO, serving.checkpoint_id)
    return rows[rows["drifted"] == 1][["subject", "statistic", "value", "reference", "threshold"]]


def _batch(archive: Archive) -> pd.DataFrame:
    batch = archive.selection.latest_batch()
    if batch is None:
        return pd.DataFrame()
    rows = archive.selection.reasons(int(batch["batch_id"]))
    return rows[["rank", "video_id", "pts_ms", "arm", "score", "reason"]]


def _failures(archive: Archive) -> pd.DataFrame:
    return pd.DataFrame(archive.videos.failures(), columns=["path", "status", "error"])
