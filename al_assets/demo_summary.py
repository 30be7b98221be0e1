"""What `al demo` prints at its end: the curve, where things lie, three queries, and what to do next."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from al_assets.archives import open_archive
from al_assets.reports.plots import CurvePoint, learning_curve_svg
from resources.environments import read_environment
from resources.views import SQL

QUERIES = ("counts_per_individual", "who_is_seen_with_whom", "model_quality_over_time")
ROWS = 5
PLOT = "reports/learning_curve.svg"
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:")


def print_summary(console: Console, homes: Mapping[str, Path], curves: Mapping[str, Sequence[Any]]) -> None:
    """Learning curve against random, places, three queries with their first rows, and the next command."""
    environment = read_environment({"AL_HOME": str(homes["active"])}, homes["active"].parent)
    archive = open_archive(environment)
    console.print(_curve(curves))
    archive.storage.write(PLOT, learning_curve_svg(_points(curves), "macro-F1").encode())
    console.print("Both arms are measured on every frame of the test videos by the complete ground truth.\n")
    batch = archive.selection.latest_batch() or {}
    places = {
        "database": environment.database_url.removeprefix("sqlite:///"),
        "curve": archive.storage.uri(PLOT),
        "report": archive.storage.uri("reports/model_report.html"),
        "next tasks": archive.storage.uri(f"{batch.get('tasks_uri')}/label_studio.json"),
    }
    for name, place in places.items():
        console.print(f"[bold]{name:<11}[/bold]{place}", highlight=False, soft_wrap=True)
    for name in QUERIES:
        text = (SQL / "queries" / f"{name}.sql").read_text(encoding="utf-8")
        console.print(f"\n[bold]sql/queries/{name}.sql[/bold]", highlight=False)
        console.print(_statement(text), markup=False, highlight=False, style="dim")
        console.print(_rows(archive.monitoring.query(text).head(ROWS)))
    home = homes["active"]
    shown = home.relative_to(Path.cwd()) if home.is_relative_to(Path.cwd()) else home
    console.print(
        f"\nOpen the Dagster UI on this archive:  [bold]AL_HOME={shown} {_command()} dev[/bold]",
        highlight=False,
    )


def _command() -> str:
    """How this program was called, so that the line works in the same shell."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "al" else "al"


def _points(curves: Mapping[str, Sequence[Any]]) -> dict[str, list[CurvePoint]]:
    return {
        arm: [CurvePoint(point.labels, point.macro_f1) for point in points] for arm, points in curves.items()
    }


def _curve(curves: Mapping[str, Sequence[Any]]) -> Table:
    table = Table(
        "round", "labels", *(f"{metric}, {arm}" for metric in ("macro-F1", "mAP") for arm in curves)
    )
    for points in zip(*curves.values(), strict=False):
        table.add_row(
            str(points[0].round),
            str(points[0].labels),
            *(f"{point.macro_f1:.3f}" for point in points),
            *(f"{point.mean_average_precision:.3f}" for point in points),
        )
    return table


def _statement(text: str) -> str:
    """The query without its opening comment."""
    return "\n".join(line for line in text.strip().splitlines() if not line.startswith("--")).strip()


def _rows(frame: Any) -> Table:
    table = Table(*map(str, frame.columns))
    for row in frame.itertuples(index=False):
        table.add_row(*map(_cell, row))
    return table


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    # SQLite gives moments as text: minutes are enough for a table in a terminal.
    return str(value)[:16] if MOMENT.match(str(value)) else str(value)
