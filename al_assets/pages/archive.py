"""The sections of the archive report: coverage, sightings, who is with whom, repeats, failures, what is labelled.

Reads views that add up in the database, so that an archive of tens of millions of frames comes as rows of videos and
pairs. Sums and drawings are in `reports/`; the asset that writes the page is there too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from al_assets.pages.large_archive import is_large, seen_sections
from al_assets.reports.archive_plots import bars_svg, coverage_svg, timeline_svg
from al_assets.reports.coverage import UNKNOWN, Grid, grid, periods, sites_shown
from al_assets.reports.html import Section
from al_assets.reports.network import network_svg, ring_order
from al_assets.reports.plots import class_distribution_svg
from al_assets.reports.words import share
from resources.archive import Archive
from resources.rows import rows_of

LIVE = ("registered", "indexed", "partial", "failed")
SITES = 30
INDIVIDUALS = 40
NETWORK = 16
MONTHS = 12
SMALL_SITES, SMALL_SPANS = 12, 40
"""Sites and spans of the small picture in the event log."""
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class ArchivePage:
    """The parts of the report; the small picture of the coverage; numbers for the metadata."""

    summary: str
    sections: list[Section]
    picture: str
    numbers: dict[str, float]


def archive_page(archive: Archive) -> ArchivePage:
    """Everything on the page, read once; of a large archive without what takes minutes to add up."""
    large = is_large(archive)
    every = archive.large_reports.overview() if large else archive.reports.overview()
    videos = every[every["status"].isin(LIVE)].reset_index(drop=True)
    hours = float(videos["duration_ms"].fillna(0).sum()) / HOUR_MS
    numbers = {
        "videos": len(videos),
        "frames": int(videos["frames"].sum()),
        "hours": round(hours, 2),
        "labelled_frames": int(videos["labelled_frames"].sum()),
        "repeated_frames": int(videos["duplicates"].sum()),
        "failed_videos": int((videos["status"] == "failed").sum()),
    }
    summary = (
        f"{numbers['videos']} recordings, {_lasting(hours)}, {numbers['frames']} sampled frames, "
        f"{numbers['labelled_frames']} of them judged by people."
    )
    coverage, small = _coverage(videos)
    return ArchivePage(
        summary,
        [
            coverage,
            *(seen_sections(archive, videos) if large else _seen(archive, videos)),
            _repeats(videos),
            _labelled(videos),
            _failures(archive),
        ],
        small,
        numbers,
    )


def _seen(archive: Archive, videos: pd.DataFrame) -> list[Section]:
    distribution = archive.monitoring.view("class_distribution")
    distribution = distribution.sort_values(["frames", "class_name"], ascending=[False, True])
    return [
        _classes(distribution),
        _timeline(archive, videos, distribution),
        _network(archive, distribution),
    ]


def _lasting(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.0f} minutes"


def _coverage(videos: pd.DataFrame) -> tuple[Section, str]:
    dated = videos[videos["recorded_at"].notna()]
    length, unit = _length(dated)
    names, of = sites_shown(dated["site"], length, SITES)
    shown = grid(list(of), dated["recorded_at"], list(length), names)
    note = (
        f"{unit.capitalize()} by site and {shown.step} in which a recording began; grey is nothing recorded."
    )
    if len(dated) < len(videos):
        note += f" {len(videos) - len(dated)} recordings without a known time are not drawn (videos.csv can give it)."
    if (hidden := _pooled(dated, names)) > 0:
        note += f" {hidden} sites with less are pooled in one row."
    few, of_few = sites_shown(dated["site"], length, SMALL_SITES)
    small = coverage_svg(
        grid(list(of_few), dated["recorded_at"], list(length), few, SMALL_SPANS), unit.split()[0]
    )
    table = _by_site(videos)
    return Section(
        "Coverage over time and site", note, coverage_svg(shown, unit), table, alt=_gaps(shown)
    ), small


def _length(videos: pd.DataFrame) -> tuple[pd.Series, str]:
    """What is summed: hours where lengths are known (minutes of less than one), else frames."""
    known = videos["duration_ms"].fillna(0).astype(float)
    if known.sum() > 0:
        hours = known / HOUR_MS
        return (hours, "hours recorded") if hours.sum() >= 1 else (hours * 60, "minutes recorded")
    return videos["frames"].astype(float), "frames sampled"


def _pooled(videos: pd.DataFrame, names: list[str]) -> int:
    return int(videos["site"].fillna(UNKNOWN).nunique()) - len(names) + 1 if len(names) >= SITES else 0


def _gaps(shown: Grid) -> str:
    empty = int((shown.values == 0).sum())
    return (
        f"Heat map of {len(shown.rows)} sites over {len(shown.spans)} spans of a {shown.step}; {empty} of "
        f"{shown.values.size} cells hold nothing."
    )


def _by_site(videos: pd.DataFrame) -> pd.DataFrame:
    by = videos.assign(
        site=videos["site"].fillna(UNKNOWN), hours=videos["duration_ms"].fillna(0).astype(float) / HOUR_MS
    )
    found = by.groupby("site").agg(
        recordings=("video_id", "count"),
        hours=("hours", "sum"),
        frames=("frames", "sum"),
        first=("recorded_at", "min"),
        last=("recorded_at", "max"),
    )
    return found.sort_values(["hours", "frames"], ascending=False).reset_index()


def _classes(distribution: pd.DataFrame) -> Section:
    counts = {
        "labelled": dict(zip(distribution["class_name"], distribution["labelled_frames"], strict=True)),
        "predicted only": dict(
            zip(distribution["class_name"], distribution["predicted_frames"], strict=True)
        ),
    }
    columns = ["class_name", "frames", "videos", "labelled_frames", "predicted_frames"]
    table = distribution[columns].rename(columns=lambda name: name.replace("_", " "))
    note = "Frames on which people, or only the serving model, see each class; commonest first."
    alt = "Bars of frames by class; the table below has the numbers."
    return Section("Who is seen how often", note, class_distribution_svg(counts), table, alt=alt)


def _timeline(archive: Archive, videos: pd.DataFrame, distribution: pd.DataFrame) -> Section:
    title = "Sightings over time"
    seen = distribution[distribution["frames"] > 0]
    names = dict(zip(seen["class_id"].head(INDIVIDUALS), seen["class_name"].head(INDIVIDUALS), strict=True))
    found = archive.reports.seen_by_video([int(key) for key in names])
    if found.empty:
        return Section(title, "Nobody has been seen yet.")
    found = found.merge(videos[["video_id", "recorded_at"]], on="video_id")
    found["class_name"] = found["class_id"].map(names)
    dated = videos.loc[videos["recorded_at"].notna(), "recorded_at"]
    if dated.empty:
        return Section(
            title,
            "No recording has a known time, so sightings cannot be placed in it.",
            table=_sums(found, False),
        )
    # Recordings without anybody span the axis too: that nobody was seen is something seen.
    blank = pd.DataFrame({"class_name": "", "recorded_at": dated, "sightings": 0})
    rows = pd.concat([found[["class_name", "recorded_at", "sightings"]], blank], ignore_index=True)
    shown = grid(list(rows["class_name"]), rows["recorded_at"], list(rows["sightings"]), list(names.values()))
    own, spans = periods(dated)
    recorded = np.isin(np.arange(len(spans)), spans.get_indexer(own))
    note = (
        f"Sightings by {shown.step} of the recording that they are in, as in the view sightings; on grey spans nothing "
        "was recorded, so nobody could be seen."
    )
    if len(seen) > INDIVIDUALS:
        note += f" The {INDIVIDUALS} seen most; {len(seen) - INDIVIDUALS} more are not drawn."
    alt = "Dots by individual and span of time; the table below has the sums."
    return Section(title, note, timeline_svg(shown, recorded.tolist()), _sums(found, True), alt=alt)


def _sums(found: pd.DataFrame, dated: bool) -> pd.DataFrame:
    by = found.groupby("class_name")
    table = by.agg(
        sightings=("sightings", "sum"), recordings=("video_id", "nunique"), ms=("lasted_ms", "sum")
    )
    table.insert(2, "minutes", table.pop("ms") / 60_000)
    if dated:
        table["first seen in"], table["last seen in"] = by["recorded_at"].min(), by["recorded_at"].max()
    return (
        table.sort_values("sightings", ascending=False).reset_index().rename(columns={"class_name": "class"})
    )


def _network(archive: Archive, distribution: pd.DataFrame) -> Section:
    title = "Who is seen with whom, month by month"
    seen = distribution[distribution["frames"] > 0].head(NETWORK)
    found = archive.reports.together([int(key) for key in seen["class_id"]])
    if found.empty:
        return Section(title, "Nobody has been seen with anybody yet.")
    found["month"] = found["month"].fillna("month not known")
    summed = found.groupby(["class_a", "class_b"])[["encounters"]].sum().reset_index()
    totals = {(str(row.class_a), str(row.class_b)): float(row.encounters) for row in rows_of(summed)}
    order = ring_order(totals, [str(name) for name in seen["class_name"]])
    months = sorted(found["month"].unique())
    largest = float(found["encounters"].max())
    parts = []
    for month in months[-MONTHS:]:
        own = found[found["month"] == month]
        met = {(str(row.class_a), str(row.class_b)): float(row.encounters) for row in rows_of(own)}
        alt = f"{len(met)} pairs met in {month}; the table below has the strongest."
        parts.append(Section(month, svg=network_svg(month, met, order, largest), alt=alt))
    note = (
        "Encounters: sightings of two that overlap or lie at most 10 seconds apart, as in the view co_occurrence. Each "
        "name stays at its place; the thicker the line, the more encounters; faint names met nobody that month."
    )
    if int((distribution["frames"] > 0).sum()) > NETWORK:
        note += f" The {NETWORK} seen most are drawn."
    if len(months) > MONTHS:
        note += f" The latest {MONTHS} of {len(months)} months are drawn."
    listed = found.sort_values(["month", "encounters", "class_a"], ascending=[False, False, True])
    table = Section("Pairs", table=listed.rename(columns=lambda name: name.replace("_", " ")))
    return Section(title, note, parts=[Section("By month", parts=parts, tiled=True), table])


def _repeats(videos: pd.DataFrame) -> Section:
    by_site = (
        videos.assign(site=videos["site"].fillna(UNKNOWN)).groupby("site")[["frames", "duplicates"]].sum()
    )
    by_site = by_site[by_site["frames"] > 0]
    by_site["share"] = by_site["duplicates"] / by_site["frames"]
    by_site = by_site.sort_values("share", ascending=False)
    shares = [float(value) for value in by_site["share"].head(SITES)]
    svg = bars_svg(list(by_site.index[:SITES]), shares, "share repeated", ".0%")
    own = videos[videos["duplicates"] > 0].assign(share=videos["duplicates"] / videos["frames"])
    own = own.sort_values(["share", "path"], ascending=[False, True])[
        ["path", "site", "frames", "duplicates", "share"]
    ]
    note = "Sampled frames that repeat a near-identical earlier frame."
    return Section("Near-duplicate frames", note, svg, own.head(100), alt="Share of repeated frames by site")


def _labelled(videos: pd.DataFrame) -> Section:
    by = videos.assign(site=videos["site"].fillna(UNKNOWN)).groupby(["site", "split"])
    table = by.agg(
        recordings=("video_id", "count"),
        frames=("frames", "sum"),
        judged=("labelled_frames", "sum"),
        waiting=("waiting_frames", "sum"),
    ).reset_index()
    touched = by["labelled_frames"].agg(lambda counts: int((counts > 0).sum())).to_numpy()
    table.insert(3, "recordings with a judged frame", touched)
    table["share judged"] = [share(row.judged, row.frames) for row in rows_of(table)]
    note = "Frames that people judged, and those that wait in a batch, by site and by part of the archive."
    return Section("What is labelled where", note, table=table)


def _failures(archive: Archive) -> Section:
    table = pd.DataFrame(archive.videos.failures(), columns=["path", "status", "why"])
    note = "Failed ones have no frames; of partial ones the readable part is in the archive."
    return Section("Videos that could not be read whole", note, table=table)
