"""Who is seen in an archive of many millions of frames: counts of frames in place of sightings. Of both reports.

The views of sightings take minutes above MOST_FRAMES frames, and a person must not wait for a page. The small
archive's sections are in archive.py.
"""

from __future__ import annotations

import pandas as pd

from al_assets.reports.archive_plots import timeline_svg
from al_assets.reports.coverage import grid, periods
from al_assets.reports.html import Section
from al_assets.reports.plots import class_distribution_svg
from resources.archive import Archive

MOST_FRAMES = 2_000_000
"""Frames up to which the reports read the views."""
INDIVIDUALS = 40
NOTE = (
    f"The archive has more than {MOST_FRAMES:,} frames, so this page counts predicted frames (judged by people or "
    "not), not sightings; ask the views class_distribution, sightings and co_occurrence where the exact answer is "
    "worth minutes."
)


def is_large(archive: Archive) -> bool:
    """Whether the archive has more than MOST_FRAMES frames."""
    return archive.frames.more_than(MOST_FRAMES)


def seen_sections(archive: Archive, videos: pd.DataFrame) -> list[Section]:
    """Frames by class, and by class and time; videos: rows of the overview."""
    serving = archive.models.serving()
    found = archive.large_reports.class_frames(serving.checkpoint_id if serving else None)
    note = f"Frames on which people, or the serving model, see each class; commonest first. {NOTE}"
    classes = class_section("Who is seen how often", note, found)
    return [classes, _timeline(archive, serving.checkpoint_id if serving else None, videos, found)]


def class_section(title: str, note: str, found: pd.DataFrame) -> Section:
    """Labelled and predicted frames by class; found: rows of `LargeReportQueries.class_frames`."""
    counts = {
        kind: dict(zip(found["class_name"], found[f"{kind}_frames"], strict=True))
        for kind in ("labelled", "predicted")
    }
    table = found[["class_name", "labelled_frames", "predicted_frames"]]
    alt = "Bars of frames by class; the table below has the numbers."
    table = table.rename(columns=lambda name: name.replace("_", " "))
    return Section(title, note, class_distribution_svg(counts), table, alt=alt)


def _timeline(
    archive: Archive, checkpoint_id: str | None, videos: pd.DataFrame, seen: pd.DataFrame
) -> Section:
    title = "Predicted frames over time"
    names = dict(zip(seen["class_id"].head(INDIVIDUALS), seen["class_name"].head(INDIVIDUALS), strict=True))
    dated = videos[videos["recorded_at"].notna()]
    if checkpoint_id is None or not names or dated.empty:
        return Section(title, "No model serves yet, or no recording has a known time.")
    found = archive.large_reports.predicted_by_video(checkpoint_id, [int(key) for key in names])
    found = found.merge(dated[["video_no", "recorded_at"]], on="video_no")
    blank = pd.DataFrame({"class_id": 0, "recorded_at": dated["recorded_at"], "frames": 0})
    rows = pd.concat([found[["class_id", "recorded_at", "frames"]], blank], ignore_index=True)
    shown = grid(
        [names.get(key, "") for key in rows["class_id"]],
        rows["recorded_at"],
        list(rows["frames"]),
        list(names.values()),
    )
    own, spans = periods(dated["recorded_at"])
    recorded = pd.Series(range(len(spans))).isin(spans.get_indexer(own))
    note = (
        f"Predicted frames by {shown.step} of their recording, of the {len(names)} classes seen most. {NOTE}"
    )
    alt = "Dots by class and span of time."
    return Section(title, note, timeline_svg(shown, recorded.tolist()), alt=alt)
