"""The sections of the model report, each from a view or a table; what is measured for it is in measurements.py.

Not here: the page itself (`reports/html.py`) and the asset that writes it.
"""

from __future__ import annotations

import pandas as pd

from al_assets.drift.assets import PER_VIDEO
from al_assets.labelling_progress import number
from al_assets.pages.confused import confused_section
from al_assets.pages.large_archive import NOTE, class_section, is_large
from al_assets.pages.measurements import (
    comparison_section,
    confusion_section,
    reliability_section,
    try_model,
)
from al_assets.reports.html import Section
from al_assets.reports.model_quality import ClassQuality, Value
from al_assets.reports.plots import CurvePoint, arms_svg, class_distribution_svg, learning_curve_svg
from al_assets.reports.quality_plots import CLASSES, MEASURES, quality_svg
from al_assets.reports.words import interval, share
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.models import Checkpoint
from resources.rows import rows_of

REVIEW = (
    "Labels of training videos that models of the other clips find implausible; nothing is changed by itself."
)
ARMS = (
    "Models of as many labels of each arm, from the same batches, on hold-out frames drawn at random and weighed by "
    "their chance: what the strategy's labels bring above random ones, with 95 % intervals."
)
SLICES = (
    "The serving model on parts of the labelled hold-out (validation and test videos) against all frames outside the "
    "part, with 95 % intervals; significantly worse ones first. p is adjusted for all parts."
)
ADVICE = {"too_early": "Too early to say", "go_on": "Go on", "may_stop": "You may stop"}


def curve_points(curve: pd.DataFrame) -> list[CurvePoint]:
    """Points of a learning curve from rows of the view."""
    return [
        CurvePoint(int(row.labelled_frames), float(row.value), number(row.low), number(row.high))
        for row in rows_of(curve)
    ]


def summary(archive: Archive, metric: str) -> str:
    """What stands, in one sentence."""
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


def model_sections(archive: Archive, settings: Settings, plot: str) -> list[Section]:
    """Sections of the report. plot: the learning curve."""
    decisions = archive.models.decisions()[
        ["decided_at", "checkpoint_id", "promoted", "decided_by", "reason"]
    ]
    serving = archive.models.serving()
    return [
        Section("What labels bought", "On labelled hold-out frames, with 95 % intervals.", plot),
        Section("Does labelling still pay?", _advice(archive), table=_worth(archive)),
        arms_section(archive.monitoring.view("active_against_random")),
        *_measured(archive, settings, serving),
        Section("Parts of the archive it is worse on", SLICES, table=_slices(archive, serving)),
        comparison_section(archive, settings),
        Section("Decisions", "By rule or by hand, newest first.", table=decisions.iloc[::-1]),
        Section("Labels to look at again", REVIEW, table=_doubted(archive)),
        _classes(archive, serving),
        _drift(archive, serving),
        Section("Newest batch", "With its stills in the batch report.", table=_batch(archive)),
        Section("Videos that could not be read whole", table=failed_videos(archive)),
    ]


def _measured(archive: Archive, settings: Settings, serving: Checkpoint | None) -> list[Section]:
    """Quality by class, reliability, confusion and confused pairs of the serving model, where it can be tried."""
    classes = _class_section(archive, serving)
    if serving is None:
        return [classes, confused_section(archive, None, None)]
    tried = try_model(archive, serving, serving.training_set_id)
    if not len(tried.keys):
        return [classes, confused_section(archive, serving, None)]
    confusion, matrix = confusion_section(archive, tried)
    return [
        classes,
        reliability_section(archive, serving, tried),
        confusion,
        confused_section(archive, serving, matrix),
    ]


def _class_section(archive: Archive, serving: Checkpoint | None) -> Section:
    found = _class_quality(archive, serving)
    judged = [each for each in found if each.positives]
    note = "Of the serving model on the test videos, lowest F1 first, with 95 % intervals; in brackets its test frames."
    if len(judged) > CLASSES:
        note += f" The plot has the first {CLASSES} of {len(judged)}."
    if len(judged) < len(found):
        note += f" {len(found) - len(judged)} classes are on no labelled test frame."
    metrics = list(dict.fromkeys([*MEASURES, *(metric for each in judged for metric in each.measures)]))
    table = pd.DataFrame(
        [
            {
                "class": each.name,
                "test frames": each.positives,
                **{metric.replace("_", " "): _told(each.measures.get(metric)) for metric in metrics},
            }
            for each in judged
        ]
    )
    alt = "Precision, recall and F1 of each class with intervals; the table below has the numbers."
    return Section("Quality per class", note, quality_svg(judged), table, alt=alt)


def _told(value: Value | None) -> str:
    return "" if value is None else interval(value.value, value.low, value.high)


def _class_quality(archive: Archive, serving: Checkpoint | None) -> list[ClassQuality]:
    """Metrics by class of the serving model on the test split, lowest F1 first."""
    if serving is None:
        return []
    names = archive.labels.classes().set_index("class_id")["name"].to_dict()
    rows = archive.models.evaluations(serving.checkpoint_id)
    rows = rows[(rows["class_id"] > 0) & (rows["split"] == "test")]
    found = []
    for class_id, own in rows.groupby("class_id"):
        by_metric = {
            str(row.metric): Value(float(row.value), number(row.low), number(row.high))
            for row in rows_of(own[own["value"].notna()])
        }
        ordered = {metric: by_metric[metric] for metric in (*MEASURES, *by_metric) if metric in by_metric}
        name = str(names.get(class_id, f"class {class_id}"))
        found.append(ClassQuality(name, int(own["support"].max()), ordered))
    return sorted(found, key=lambda each: (_f1(each), -each.positives, each.name))


def _f1(each: ClassQuality) -> float:
    return each.measures["f1"].value if "f1" in each.measures else 2.0


def _classes(archive: Archive, serving: Checkpoint | None) -> Section:
    if is_large(archive):
        found = archive.large_reports.class_frames(serving.checkpoint_id if serving else None)
        return class_section("Classes", NOTE, found)
    distribution = archive.monitoring.view("class_distribution")
    counts = {
        "labelled": dict(zip(distribution["class_name"], distribution["labelled_frames"], strict=True)),
        "predicted only": dict(
            zip(distribution["class_name"], distribution["predicted_frames"], strict=True)
        ),
    }
    found = distribution.sort_values(["frames", "class_name"], ascending=[False, True])
    table = found.rename(columns=lambda name: name.replace("_", " "))
    return Section("Classes", svg=class_distribution_svg(counts), table=table)


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
                interval(row.value, row.low, row.high) for row in rows_of(history)
            ],
            "frames wholly right, random draws": [
                interval(row.random_accuracy, row.random_low, row.random_high) for row in rows_of(history)
            ],
            "stability": history["stability"],
            "uncertainty": history["uncertainty"],
            "gain per 100 labels": history["gain"],
            "advice": history["advice"].map(ADVICE),
        }
    )


def arms_section(rows: pd.DataFrame) -> Section:
    """Learning curves of both arms and their difference; one sentence while there is nothing to compare."""
    title, told = "Does choosing beat drawing at random?", rows.dropna(subset=["difference"])
    if told.empty:
        why = "Too early to say: it takes 20 judged frames drawn at random ([selection] random_fraction)."
        return Section(title, why)
    curves = {
        arm: [
            CurvePoint(int(row.labels_each), float(getattr(row, f"{arm}_accuracy"))) for row in rows_of(told)
        ]
        for arm in ("strategy", "random")
    }
    gaps = [
        CurvePoint(int(row.labels_each), float(row.difference), float(row.low), float(row.high))
        for row in rows_of(told)
    ]
    newest = rows.sort_values("measured_at", ascending=False)
    table = pd.DataFrame(
        {
            "labels of each arm": newest["labels_each"],
            "batches": newest["batches"],
            "hold-out frames": newest["holdout_frames"],
            "right, random": newest["random_accuracy"],
            "right, strategy": newest["strategy_accuracy"],
            "difference": [interval(row.difference, row.low, row.high) for row in rows_of(newest)],
            "verdict": newest["verdict"].str.replace("_", " "),
        }
    )
    parts = [
        Section(
            "Both arms",
            svg=learning_curve_svg(curves, "share of frames right"),
            alt="Learning curves of both arms",
        ),
        Section(
            "Their difference", svg=arms_svg(gaps), table=table, alt="Strategy less random, with intervals"
        ),
    ]
    return Section(title, ARMS, parts=parts)


def _doubted(archive: Archive) -> pd.DataFrame:
    columns = ["video_id", "pts_ms", "class_name", "present", "quality", "suggested_class_name", "annotator"]
    doubted = archive.monitoring.view("label_errors")
    doubted = doubted[doubted["split"] == "train"].sort_values("quality")[[*columns, "asked_again"]]
    return doubted.dropna(axis="columns", how="all")


def _slices(archive: Archive, serving: Checkpoint | None) -> pd.DataFrame:
    if serving is None:
        return pd.DataFrame()
    return pd.DataFrame(
        [
            {
                "": "worse" if row.worse else "",
                "by": row.dimension,
                "part": row.slice,
                "metric": str(row.metric).replace("_", " "),
                "value": interval(row.value, row.low, row.high),
                "less the rest": interval(
                    row.difference, row.difference_low, row.difference_high, signed=True
                ),
                "p": row.p_value,
                "labelled frames": row.support,
                "videos": row.videos,
            }
            for row in rows_of(archive.reports.slices(serving.checkpoint_id).dropna(subset=["value"]))
        ]
    )


def _drift(archive: Archive, serving: Checkpoint | None) -> Section:
    """Videos unlike the training data, by site and month and one by one."""
    title, note = "Videos adrift", "Compared with what the serving model was trained on."
    if serving is None:
        return Section(title, note, table=pd.DataFrame())
    rows = archive.monitoring.drift(PER_VIDEO, serving.checkpoint_id)
    single = rows[rows["drifted"] == 1][["subject", "statistic", "value", "reference", "threshold"]]
    videos = archive.reports.drift_by_video(PER_VIDEO, serving.checkpoint_id)
    if videos.empty:
        return Section(title, note, table=single)
    month = pd.to_datetime(videos["recorded_at"]).dt.strftime("%Y-%m").fillna("not known")
    grouped = videos.assign(site=videos["site"].fillna("not known"), month=month).groupby(["site", "month"])
    trend = grouped["drifted"].agg(compared="count", adrift="sum").reset_index()
    trend["share"] = [share(row.adrift, row.compared) for row in rows_of(trend)]
    return Section(
        title,
        note,
        parts=[
            Section("By site and month", table=trend),
            Section("One by one", table=single),
        ],
    )


def _batch(archive: Archive) -> pd.DataFrame:
    batch = archive.selection.latest_batch()
    if batch is None:
        return pd.DataFrame()
    rows = archive.selection.reasons(int(batch["batch_id"]))
    return rows[["rank", "video_id", "pts_ms", "arm", "score", "reason"]]


def failed_videos(archive: Archive) -> pd.DataFrame:
    """Videos that could not be read whole, with what is wrong with them."""
    return pd.DataFrame(archive.videos.failures(), columns=["path", "status", "error"])
