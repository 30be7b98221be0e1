"""The index of all reports: one line and one date each. A listing in, a page out; nothing is read here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from al_assets.reports.html import INDEX, Link, Section, page

KNOWN = (
    (
        "model_report.html",
        "Model report",
        "What the model is worth, where it errs, and whether labels still pay.",
    ),
    ("archive_report.html", "Archive report", "What was recorded where and when, who is seen with whom."),
    (
        "batch_report.html",
        "Batch report",
        "The newest batch: what was selected and why, and what was left out.",
    ),
    (
        "embedding_map.html",
        "Embedding map",
        "The archive in two dimensions, frames that look alike side by side.",
    ),
    ("simulation/curves.svg", "Simulation", "Strategies tried on the labels that stand."),
    ("learning_curve.svg", "Learning curve of the demo", "Chosen frames against random ones."),
)
_BATCH = re.compile(r"batch-(\d+)\.html")
_DRIFT = re.compile(r"drift-(.+)-(window-\w+)\.html")
FOLDER = "reports/"
DRIFT_NOTE = "Evidently on a window of the newest videos, against what the model was trained on."


@dataclass(frozen=True)
class Report:
    """A file below reports/: its path there and when it was written, UTC."""

    path: str
    written_at: datetime


def index_page(reports: Sequence[Report]) -> str:
    """The page that links what there is, the known reports first, each with a line and its date."""
    by_path = {report.path: report for report in reports}
    main = [(by_path[path], title, line) for path, title, line in KNOWN if path in by_path]
    batches = sorted(
        ((int(found.group(1)), report) for report in reports if (found := _BATCH.fullmatch(report.path))),
        key=lambda item: -item[0],
    )
    drift = sorted(
        (
            (f"{found.group(1)}, {found.group(2)}", report)
            for report in reports
            if (found := _DRIFT.fullmatch(report.path))
        ),
        key=lambda item: (item[1].written_at, item[1].path),
        reverse=True,
    )
    sections = [
        Section("Reports", table=_table(main)),
        Section(
            "Batches",
            table=_table([(r, f"Batch {number}", "What was selected and why.") for number, r in batches]),
        ),
        Section("Drift", table=_table([(r, f"Drift against {model}", DRIFT_NOTE) for model, r in drift])),
    ]
    newest = max((report.written_at for report in reports if report.path != INDEX), default=None)
    told = (
        f"The newest is of {newest:%Y-%m-%d %H:%M} UTC."
        if newest
        else "None has been made yet; run the job learn."
    )
    return page("Reports", told, [s for s in sections if s.table is not None and len(s.table)], index=False)


def _table(entries: Sequence[tuple[Report, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "report": [Link(report.path, title) for report, title, _ in entries],
            "what it shows": [line for _, _, line in entries],
            "written (UTC)": [f"{report.written_at:%Y-%m-%d %H:%M}" for report, _, _ in entries],
        }
    )
