"""The sections of the batch report: what was selected and why, a contact sheet, and what the redundancy rule left out.

Reads the archive; the page itself is `reports/html.py`, the choice was made in `selection/`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from al_assets.pages.stills import clock, place_of, small_pictures
from al_assets.reports.archive_plots import bars_svg
from al_assets.reports.html import Section, Still
from al_assets.reports.words import shortened
from al_assets.selection.labelling_tasks import ALWAYS_BLIND
from resources.archive import Archive
from resources.rows import rows_of

STILLS = 200
"""Stills on the contact sheet; a larger batch is cut, and says so."""
BESIDE = 12
"""Pairs of a frame left out beside the one taken, with stills; none is decoded but for these."""
REASONS = 6
"""Reasons for leaving frames out in the small picture."""
ARMS = {
    "strategy": "chosen by the strategy",
    "random": "drawn at random, to compare with",
    "evaluation": "drawn from hold-out videos, to measure by",
    "second_opinion": "judged before, asked again",
}
RULES = {
    "clip": "enough of this clip",
    "site": "enough of this site",
    "gap": "too close in time",
    "cosine": "looks too much alike",
}


@dataclass(frozen=True)
class BatchPage:
    """The parts of the report, and numbers for the metadata."""

    batch_id: int
    summary: str
    sections: list[Section]
    picture: str
    """Bars of the arms and of what was left out."""
    numbers: dict[str, int]


def batch_page(archive: Archive, batch: dict[str, Any], *, blind: bool) -> BatchPage:
    """The page of a batch. batch: its row of `selection_batches`. blind: the model's suggestions are not shown."""
    batch_id = int(batch["batch_id"])
    chosen = archive.selection.tasks_of(batch_id)
    chosen = chosen.merge(archive.selection.reasons(batch_id)[["rank", "score", "reason"]], on="rank")
    passed = archive.reports.passed_over(batch_id)
    summary = (
        f"Batch {batch_id} of {batch['created_at']:%Y-%m-%d %H:%M} UTC: {len(chosen)} frames of "
        f"{chosen['video_id'].nunique()} videos, by {batch['strategy']} with "
        f"{batch['checkpoint_id'] or 'no model yet, a cold start'}."
    )
    sections = [
        _why(batch, chosen),
        _sheet(archive, batch, chosen, blind),
        _left_out(archive, batch, passed),
        Section("Why each frame", table=_reasons(chosen)),
    ]
    numbers = {"batch": batch_id, "selected": len(chosen), "passed_over": len(passed)}
    return BatchPage(batch_id, summary, sections, _bars(batch, chosen), numbers)


def _bars(batch: dict[str, Any], chosen: pd.DataFrame) -> str:
    counts = {
        f"taken: {str(arm).replace('_', ' ')}": int(n) for arm, n in chosen["arm"].value_counts().items()
    }
    left = json.loads(batch["left_out"])
    counts |= {f"left out: {reason}": int(left[reason]) for reason in list(left)[:REASONS]}
    return bars_svg(list(counts), [float(n) for n in counts.values()], "frames")


def _why(batch: dict[str, Any], chosen: pd.DataFrame) -> Section:
    arms = chosen["arm"].value_counts()
    table = pd.DataFrame(
        [
            {"arm": arm.replace("_", " "), "frames": int(arms[arm]), "what for": meaning}
            for arm, meaning in ARMS.items()
            if arm in arms
        ]
    )
    told = (
        f"{batch['reason']}. {batch['selected']} of {batch['budget']} frames asked for; seed {batch['seed']}."
    )
    return Section("How the batch came about", told, table=table)


def _sheet(archive: Archive, batch: dict[str, Any], chosen: pd.DataFrame, blind: bool) -> Section:
    shown = chosen.head(STILLS)
    ids = [int(key) for key in shown["frame_id"]]
    pictures = small_pictures(archive, ids, limit=STILLS)
    asked = batch["checkpoint_id"] and not blind
    said = archive.models.suggestions(batch["checkpoint_id"], ids) if asked else {}
    stills = [
        Still(
            (
                f"{row.rank}. {_suggestion(row.arm, said.get(int(row.frame_id), []))}",
                f"{row.path} at {clock(int(row.pts_ms))}",
                str(row.arm).replace("_", " "),
            ),
            pictures.get(int(row.frame_id)),
        )
        for row in rows_of(shown)
    ]
    note = "In the order of labelling: what the model would say, the video and the time in it, the arm."
    note += " Frames to measure by are blind, as in the tasks."
    if blind:
        note += " Labelling is blind, so the model's suggestions are left out."
    if len(chosen) > STILLS:
        note += f" The first {STILLS} of {len(chosen)}."
    return Section("Contact sheet", note, stills=stills)


def _suggestion(arm: str, said: list[tuple[str, float]]) -> str:
    # As in the tasks: a hint would pull people towards the model that these frames are to measure.
    if arm in ALWAYS_BLIND:
        return "blind"
    return shortened([f"{name} {confidence:.2f}" for name, confidence in said]) or "no suggestion"


def _left_out(archive: Archive, batch: dict[str, Any], passed: pd.DataFrame) -> Section:
    title = "What the redundancy rule left out"
    counted = pd.DataFrame(
        [{"reason": reason, "candidates": count} for reason, count in json.loads(batch["left_out"]).items()]
    )
    counts = Section("By reason", table=counted)
    note = (
        "Frames that the strategy wanted and the rule kept from a person, since they would teach little more."
    )
    if passed.empty:
        return Section(title, note, parts=[counts])
    near = passed[passed["beside_frame_id"].notna()].head(BESIDE)
    keys = [int(key) for row in rows_of(near) for key in (row.frame_id, row.beside_frame_id)]
    pictures = small_pictures(archive, keys, limit=2 * BESIDE)
    listed = passed.head(500)
    places = archive.reports.places([int(key) for key in [*listed["frame_id"], *keys]])
    pairs = [_pair(row, pictures, places) for row in rows_of(near)]
    beside = Section(
        "Left out, beside the frame taken",
        f"The first {BESIDE}." if len(near) == BESIDE else "",
        parts=pairs,
        tiled=True,
    )
    table = pd.DataFrame(
        {
            "place": listed["place"],
            "frame": [place_of(places, int(key)) for key in listed["frame_id"]],
            "score": listed["score"],
            "rule": [RULES.get(str(rule), rule) for rule in listed["rule"]],
            "reason": listed["reason"],
        }
    )
    one_by_one = Section("One by one", f"{len(passed)} frames, in the strategy's order.", table=table)
    return Section(title, note, parts=[counts, *([beside] if pairs else []), one_by_one])


def _pair(row: Any, pictures: dict[int, bytes], places: dict[int, tuple[str, int]]) -> Section:
    out, taken = int(row.frame_id), int(row.beside_frame_id)
    stills = [
        Still(("left out", place_of(places, out)), pictures.get(out)),
        Still(("taken", place_of(places, taken)), pictures.get(taken)),
    ]
    return Section(f"Place {row.place}: {RULES.get(str(row.rule), row.rule)}", str(row.reason), stills=stills)


def _reasons(chosen: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "rank": chosen["rank"],
            "video": chosen["path"],
            "time": [clock(int(pts)) for pts in chosen["pts_ms"]],
            "arm": chosen["arm"].str.replace("_", " "),
            "score": chosen["score"],
            "reason": chosen["reason"],
        }
    )
