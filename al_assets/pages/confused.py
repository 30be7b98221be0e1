"""The pairs of classes that confuse the model most, and why: labels, box area, light and example stills, side by side.

Reads the archive for the model report. What counts as a reason is in `reports/confusion_reasons.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from al_assets.pages.large_archive import is_large
from al_assets.pages.stills import place_of, small_pictures
from al_assets.reports.confusion_reasons import PairFacts, reasons
from al_assets.reports.html import Section, Still
from al_assets.reports.model_quality import Confusion
from al_assets.reports.words import missing
from resources.archive import Archive
from resources.queries.models import Checkpoint
from resources.rows import rows_of

PAIRS = 5
"""Pairs shown with stills."""
LISTED = 20
EXAMPLES = 3
DOUBTFUL = 4
SEEN = 200
"""Doubtful frames of a pair that its light is measured on, and labelled ones that examples are taken from, at most."""
SAMPLED_FRAMES = 200_000
"""Frames that pairs are counted on in a large archive, about."""
LIGHT_VIDEOS = 50
"""Videos of the archive that stand for its light."""
COLUMNS = {
    "class_a": "one class",
    "class_b": "the other",
    "a_ahead": "the one ahead",
    "uncertain_frames": "in doubt",
    "mean_margin": "mean margin",
}
NOTE = (
    "Pairs that are the two likeliest classes on most frames with a margin below 0.2; a small mean margin is doubt. "
    "Box area is the mean share of the frame of labelled boxes; light and sharpness are medians of the doubtful frames "
    f"over the median video of the archive (of {LIGHT_VIDEOS} videos at most)."
)


@dataclass(frozen=True)
class _Pair:
    """A pair with its frames: of each class, and in doubt."""

    facts: PairFacts
    of_a: list[int]
    of_b: list[int]
    doubtful: pd.DataFrame


def confused_section(archive: Archive, serving: Checkpoint | None, confusion: Confusion | None) -> Section:
    """The pairs in a table, and the first of them with stills and what may be behind it."""
    title = "Pairs that confuse the model most, and why"
    drawn = None
    if serving is not None and is_large(archive):
        drawn = archive.progress.scored_sample(serving.checkpoint_id, SAMPLED_FRAMES)
    listed = (
        archive.reports.confused_pairs(LISTED)
        if serving is None or drawn is None
        else archive.large_reports.confused_pairs(serving.checkpoint_id, drawn, LISTED)
    )
    note = NOTE if drawn is None else f"{NOTE} Counted on {len(drawn)} videos, drawn from the archive."
    doubted = listed[listed["uncertain_frames"] > 0].head(PAIRS)
    if serving is None or doubted.empty:
        return Section(title, note, table=_table(listed))
    known = archive.reports.class_facts().set_index("class_id")
    light = archive.reports.typical_light(archive.progress.sample(LIGHT_VIDEOS))
    pairs = [_pair(archive, serving, row, known, light, confusion, drawn) for row in rows_of(doubted)]
    wanted = [key for pair in pairs for key in (*pair.of_a, *pair.of_b, *_shown(pair)["frame_id"])]
    pictures = small_pictures(archive, wanted, limit=len(wanted))
    places = archive.reports.places(wanted)
    parts = [_part(pair, pictures, places) for pair in pairs]
    return Section(title, note, table=_table(listed), parts=parts)


def _table(listed: pd.DataFrame) -> pd.DataFrame:
    return listed.drop(columns=["class_a_id", "class_b_id"]).rename(columns=COLUMNS)


def _pair(
    archive: Archive,
    serving: Checkpoint,
    row: Any,
    known: pd.DataFrame,
    light: tuple[float, float] | None,
    confusion: Confusion | None,
    drawn: Sequence[int] | None,
) -> _Pair:
    a, b = int(row.class_a_id), int(row.class_b_id)
    names = str(row.class_a), str(row.class_b)
    doubtful = (
        archive.reports.doubtful(serving.checkpoint_id, (a, b), SEEN)
        if drawn is None
        else archive.large_reports.doubtful(serving.checkpoint_id, (a, b), drawn, SEEN)
    )
    brightness, sharpness = light or (0.0, 0.0)
    facts = PairFacts(
        names=names,
        labelled=(_labelled(known, a), _labelled(known, b)),
        box_area=(_area(known, a), _area(known, b)),
        uncertain=int(row.uncertain_frames),
        frames=int(row.frames),
        margin=float(row.mean_margin),
        light=float(doubtful["brightness"].median()) / brightness if brightness and len(doubtful) else None,
        sharpness=float(doubtful["sharpness"].median()) / sharpness if sharpness and len(doubtful) else None,
        taken_for=_taken(confusion, names),
    )
    return _Pair(facts, _examples(archive, a), _examples(archive, b), doubtful)


def _labelled(known: pd.DataFrame, class_id: int) -> int:
    return int(known["labelled"].get(class_id, 0)) if len(known) else 0


def _area(known: pd.DataFrame, class_id: int) -> float | None:
    area = known["box_area"].get(class_id) if len(known) else None
    return None if area is None or missing(float(area)) else float(area)


def _taken(confusion: Confusion | None, names: tuple[str, str]) -> tuple[int, int] | None:
    """How often each was taken for the other on the hold-out; None where the matrix does not show them."""
    if confusion is None or not set(names) <= set(confusion.names):
        return None
    one, other = (confusion.names.index(name) for name in names)
    return int(confusion.counts[one, other]), int(confusion.counts[other, one])


def _examples(archive: Archive, class_id: int) -> list[int]:
    """Labelled frames of a class, far apart among the first SEEN."""
    found = archive.reports.labelled_with(class_id, SEEN)
    at = np.linspace(0, len(found) - 1, min(EXAMPLES, len(found))).astype(int)
    return [found[place] for place in dict.fromkeys(at.tolist())]


def _shown(pair: _Pair) -> pd.DataFrame:
    """The most doubtful frames, one a video as long as there are several."""
    videos = pair.doubtful["frame_id"].to_numpy(dtype=np.int64) >> 24
    turn = pair.doubtful.groupby(videos).cumcount()
    return pair.doubtful.assign(turn=turn).sort_values(["turn", "margin", "frame_id"]).head(DOUBTFUL)


def _part(pair: _Pair, pictures: dict[int, bytes], places: dict[int, tuple[str, int]]) -> Section:
    facts = pair.facts
    stills = [
        Still((f"people say {name}", place_of(places, key)), pictures.get(key))
        for name, keys in zip(facts.names, (pair.of_a, pair.of_b), strict=True)
        for key in keys
    ]
    stills += [
        Still(
            (f"in doubt, margin {row.margin:.2f}", place_of(places, int(row.frame_id))),
            pictures.get(int(row.frame_id)),
        )
        for row in rows_of(_shown(pair))
    ]
    return Section(
        f"{facts.names[0]} or {facts.names[1]}", reasons(facts), table=_facts(facts), stills=stills
    )


def _facts(facts: PairFacts) -> pd.DataFrame:
    def relative(value: float | None) -> str:
        return "" if value is None else f"{value:.2f} x"

    def area(value: float | None) -> str:
        return "no box" if value is None else f"{value:.1%}"

    return pd.DataFrame(
        {
            "frames as a pair": [facts.frames],
            "in doubt": [facts.uncertain],
            "mean margin": [facts.margin],
            **{f"labels of {name}": [count] for name, count in zip(facts.names, facts.labelled, strict=True)},
            "mean box areas": [" / ".join(map(area, facts.box_area))],
            "light": [relative(facts.light)],
            "sharpness": [relative(facts.sharpness)],
        }
    )
