"""A batch that is made and not yet sent, held against what it should be: no near-duplicates, class floors met.

Reads the rows that were written, not the plan. Not here: what becomes of a fault (selection/checks.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from al_assets.batch_pool import known_frames, restriction_of, rule_of
from al_assets.keys import video_no_of
from al_assets.quota_pool import EXTRA, Wish, class_ids_of, class_start, floors
from al_assets.selection.collapse import collapse
from al_assets.selection.near_duplicates import Pairs, pairs_alike, pairs_in_time
from al_assets.selection.quotas import floor_places, floor_room
from al_assets.selection.redundancy import Frames, RedundancyRule, admit
from al_assets.settings import Settings
from resources.archive import Archive


@dataclass(frozen=True)
class Floor:
    """A class floor of a batch: places asked for, frames there, and whether the pool held more. whole: whether all
    frames of the class were looked at, by the batch and here, so that the answer is certain."""

    name: str
    asked: int
    there: int
    more: bool
    whole: bool


def near_duplicates(archive: Archive, settings: Settings, batch: dict[str, Any]) -> tuple[int, list[Pairs]]:
    """How many frames were compared, and pairs too close in time and too alike.

    Frames of the strategy among themselves and with random ones, which the rule keeps it from; random draws among
    themselves, evaluation and second opinions know no rule.
    """
    rule = rule_of(settings.selection)
    table = archive.selection.tasks_of(batch["batch_id"])
    table = table[table["arm"].isin(("strategy", "random"))].sort_values("frame_id")
    keys = table["frame_id"].to_numpy(dtype=np.int64)
    own = (table["arm"] == "strategy").to_numpy()
    times = table["pts_ms"].to_numpy(dtype=np.int64)
    empty = np.zeros((len(keys), 1), dtype=np.float32)
    found = [pairs_in_time(_frames(keys, times, empty), own, rule)]
    there, vectors = archive.frames.vectors(batch["embedder_id"], keys.tolist())
    at = np.searchsorted(keys, there)
    found.append(pairs_alike(_frames(there, times[at], vectors), own[at], rule))
    return len(keys), found


def _frames(keys: np.ndarray, times: np.ndarray, vectors: np.ndarray) -> Frames:
    return Frames(frame_ids=keys, video_no=video_no_of(keys), pts_ms=times, embeddings=vectors)


def class_floors(archive: Archive, settings: Settings, batch: dict[str, Any]) -> list[Floor]:
    """What became of each class floor that had places in the batch."""
    checkpoint_id = batch["checkpoint_id"]
    wishes = floors(archive, settings.selection.class_floor) if checkpoint_id else []
    reasons = archive.slices.chosen_by(batch["batch_id"], "strategy")
    others = batch["selected"] - len(reasons)
    room = floor_room(batch["budget"] - others, min(1.0, settings.quota.reserved))
    places = floor_places({at: wish.lacks for at, wish in enumerate(wishes)}, room)
    predicted = pd.DataFrame({"frame_id": [], "class_id": []})
    if places:
        predicted = archive.slices.predicted(checkpoint_id, list(reasons)).to_pandas()
    found = []
    for at, asked in sorted(places.items()):
        of_class = predicted["class_id"].isin(class_ids_of(archive, [wishes[at].slices[0][1]]))
        held = predicted["frame_id"][of_class].unique().tolist()
        more, whole = False, True
        if len(held) < asked:
            # What an earlier floor took was gone when this one looked.
            earlier = tuple(f"quota {wish.name}: " for wish in wishes[:at])
            own = [key for key in held if not reasons[key].startswith(earlier)]
            more, whole = _more(archive, settings, batch, wishes[at], own)
        found.append(Floor(wishes[at].slices[0][1], asked, len(held), more, whole))
    return found


def _more(
    archive: Archive, settings: Settings, batch: dict[str, Any], wish: Wish, own: Sequence[int]
) -> tuple[bool, bool]:
    """Whether an open frame of the class would still be let in by the rule, and whether all were looked at.

    own: frames of the class that the batch chose when this floor or what came after it looked: near-identical frames
    are taken together with them, as the choice did.
    """
    rule, embedder_id = rule_of(settings.selection), batch["embedder_id"]
    start = class_start([batch["seed"], batch["batch_id"]], archive.slices.training_videos())
    ids = class_ids_of(archive, [wish.slices[0][1]])
    keys = archive.slices.predicted_as(batch["checkpoint_id"], ids, EXTRA, start)
    only = restriction_of(archive, batch["checkpoint_id"], settings.mining)[0]
    table = archive.selection.open_among(embedder_id, keys.tolist(), only)
    free = set(table["frame_id"].to_pylist())
    candidates = known_frames(archive, embedder_id, archive.selection.times([*free, *own]))
    taken = known_frames(archive, embedder_id, archive.selection.taken())
    chosen = archive.selection.tasks_of(batch["batch_id"])
    chosen = chosen[chosen["arm"].isin(("strategy", "random"))]
    in_batch = video_no_of(chosen["frame_id"].to_numpy(dtype=np.int64))
    shown = _shown(candidates, rule)
    open_now = shown.take(np.flatnonzero(np.isin(shown.frame_ids, np.array(list(free), dtype=np.int64))))
    sites = archive.selection.sites() if rule.per_site else None
    admitted = admit(np.arange(len(open_now)), open_now, taken, rule, 1, in_batch=in_batch, sites=sites)
    return bool(len(admitted.positions)), len(keys) < EXTRA


def _shown(candidates: Frames, rule: RedundancyRule) -> Frames:
    if not rule.collapse or rule.cosine is None or not len(candidates):
        return candidates
    return candidates.take(collapse(candidates, rule.cosine).positions)
