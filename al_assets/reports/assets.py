"""The assets `labelling_worth` and `model_report`: what labels bought and what the model is worth.

Plots and pages live beside, the signals in `selection/stopping.py`.
"""

import dagster as dg
import pandas as pd

from al_assets.automation import RETRY
from al_assets.drift.assets import PER_VIDEO, drift_report
from al_assets.labelling_progress import number, progress
from al_assets.live_comparison import compare_arms
from al_assets.pictures import picture
from al_assets.predictions.assets import serving_checkpoint
from al_assets.reports.html import Section, page
from al_assets.reports.plots import CurvePoint, arms_svg, class_distribution_svg, learning_curve_svg
from al_assets.review.assets import label_review
from al_assets.selection.assets import selection_batch
from al_assets.settings import Settings
from resources.archive import Archive
from resources.rows import rows_of

REPORT = "reports/model_report.html"
REVIEW = (
    "Labels of training videos that models of the other clips find implausible; nothing is changed by itself."
)
ARMS = (
    "Models of as many labels of each arm, from the same batches, on hold-out frames drawn at random and weighed by "
    "their chance: what the strategy's labels bring above random ones, with 95 % intervals."
)
ADVICE = {"too_early": "Too early to say", "go_on": "Go on", "may_stop": "You may stop"}


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


@dg.asset(
    group_name="reports",
    kinds={"matplotlib", "file"},
    deps=[selection_batch, drift_report, labelling_worth, arm_comparison],
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
        CurvePoint(int(row.labelled_frames), float(row.value), number(row.low), number(row.high))
        for row in rows_of(curve)
    ]


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
        Section("Does labelling still pay?", _advice(archive), table=_worth(archive)),
        Section(
            "Does choosing beat drawing at random?", ARMS, arms_svg(_arms(archive)), _arms_table(archive)
        ),
        Section("Labels to look at again", REVIEW, table=_doubted(archive)),
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


def _advice(archive: Archive) -> str:
    history = archive.progress.history()
    if history.empty:
        return "Nothing to say before a model serves."
    last = history.iloc[-1]
    return f"{ADVICE[last['advice']]}: {last['reason']}."


def _worth(archive: Archive) -> pd.DataFrame:
    history = archive.progress.history().iloc[::-1]
    measure = "metric" if history.empty else str(history["metric"].iloc[0]).replace("_", " ")
    return pd.DataFrame(
        {
            "labelled frames": history["labelled_frames"],
            f"{measure} on the hold-out": [
                _interval(row.value, row.low, row.high) for row in rows_of(history)
            ],
            "frames wholly right, random draws": [
                _interval(row.random_accuracy, row.random_low, row.random_high) for row in rows_of(history)
            ],
            "stability": history["stability"],
            "uncertainty": history["uncertainty"],
            "gain per 100 labels": history["gain"],
            "advice": history["advice"].map(ADVICE),
        }
    )


def _arms(archive: Archive) -> list[CurvePoint]:
    found = archive.monitoring.view("active_against_random").dropna(subset=["difference"])
    return [
        CurvePoint(int(row.labels_each), float(row.difference), float(row.low), float(row.high))
        for row in rows_of(found)
    ]


def _arms_table(archive: Archive) -> pd.DataFrame:
    found = archive.monitoring.view("active_against_random").sort_values("measured_at", ascending=False)
    return pd.DataFrame(
        {
            "labels of each arm": found["labels_each"],
            "batches": found["batches"],
            "hold-out frames": found["holdout_frames"],
            "right, random": found["random_accuracy"],
            "right, strategy": found["strategy_accuracy"],
            "difference": [_interval(row.difference, row.low, row.high) for row in rows_of(found)],
            "verdict": found["verdict"].str.replace("_", " "),
        }
    )


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.3f}" if pd.isna(low) else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _doubted(archive: Archive) -> pd.DataFrame:
    columns = ["video_id", "pts_ms", "class_name", "present", "quality", "suggested_class_name", "annotator"]
    doubted = archive.monitoring.view("label_errors")
    doubted = doubted[doubted["split"] == "train"].sort_values("quality")[[*columns, "asked_again"]]
    return doubted.dropna(axis="columns", how="all")


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
