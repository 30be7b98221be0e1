"""Which places of the next batch are reserved, and which frames they are for, as the archive and [quota] have it.

A pool that is a cut of the archive may miss a slice altogether, so some frames of it are drawn besides. Not here: how a
quota is filled (selection/quotas.py), and what a slice is (dimensions.py).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from al_assets.candidates import Candidates
from al_assets.dimensions import FrameFacts, slice_names, slice_of
from al_assets.examples import class_list
from al_assets.keys import FRAME_BITS, video_no_of
from al_assets.selection.quotas import Quota, Reservations
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.mining import Restriction
from resources.rows import rows_of

EXTRA, EXTRA_VIDEOS = 2_000, 100
"""Frames drawn for a quota besides the pool at most, and videos that they are read from."""
LONG_MS = 3 * 3_600_000
Slices = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A quota before its frames are known: of any of these slices, or of these videos; share or lacks as in Quota."""

    name: str
    slices: Slices = ()
    videos: frozenset[str] = frozenset()
    share: float = 0.0
    lacks: int = 0


def wishes_of(
    archive: Archive, settings: Settings, checkpoint_id: str | None
) -> tuple[list[Wish], list[str]]:
    """Quotas in the order in which they are filled: class floors, drift, the owner's slices, slices found worse.

    What needs a model rests until one serves, and a note says so of what the owner asked for by name.
    """
    quota, found, notes = settings.quota, list[Wish](), list[str]()
    own = [(slice_of(name), share) for name, share in quota.slices.items()]
    if checkpoint_id is None:
        if settings.selection.class_floor:
            notes.append("[selection] class_floor rests until a model serves")
        resting = [name for (dimension, name), _ in own if dimension == "class"]
        notes += [f"[quota] class:{name} rests until a model serves" for name in resting]
        own = [each for each in own if each[0][0] != "class"]
    else:
        found += floors(archive, settings.selection.class_floor)
        adrift = frozenset(archive.monitoring.videos_adrift(checkpoint_id)) if quota.drifted_videos else set()
        fresh = frozenset(adrift - archive.slices.drawn_on(checkpoint_id)) if adrift else frozenset[str]()
        if fresh:
            found.append(Wish(name="videos adrift", videos=fresh, share=quota.drifted_videos))
    found += [Wish(name=":".join(each), slices=(each,), share=share) for each, share in own]
    worse = archive.slices.worse(checkpoint_id) if checkpoint_id and quota.worse_slices else []
    if worse:
        found.append(Wish(name="worse slices", slices=tuple(worse), share=quota.worse_slices))
    return found, notes


def floors(archive: Archive, floor: int) -> list[Wish]:
    """Classes in use with fewer labelled training frames than `floor`, by rising class_id."""
    if not floor:
        return []
    rows = archive.models.labelled()
    rows = rows[(rows["split"] == "train") & (rows["present"] == 1)]
    there = Counter(rows["class_id"].tolist())
    return [
        Wish(name=f"class floor {name}", slices=(("class", name),), lacks=floor - there[class_id])
        for class_id, name in sorted(class_list(archive).items())
        if there[class_id] < floor
    ]


def with_extra(
    archive: Archive,
    embedder_id: str,
    checkpoint_id: str | None,
    wishes: Sequence[Wish],
    found: Candidates,
    only: Restriction,
    seed: Sequence[int],
) -> tuple[pa.Table, np.ndarray]:
    """The candidates with more for the quotas where they are a cut, and which frames those are: (e,) ascending.

    seed: the batch's; the draws are of a stream of their own, so that they do not move those of the arms.
    """
    none = np.empty(0, dtype=np.int64)
    if not wishes or len(found.table) >= found.allowed:
        return found.table, none
    videos = archive.slices.training_videos()
    start, rng = class_start(seed, videos), np.random.default_rng([*seed, len(wishes)])
    parts = [_drawn(archive, checkpoint_id, wish, videos, start, rng) for wish in wishes]
    keys = np.setdiff1d(np.concatenate([none, *parts]), found.table["frame_id"].to_numpy())
    more = archive.selection.open_among(embedder_id, keys.tolist(), only)
    return pa.concat_tables([found.table, more]).sort_by("frame_id"), more["frame_id"].to_numpy()


def class_start(seed: Sequence[int], videos: pd.DataFrame) -> int:
    """The frame_id from which a batch looks for frames of a class: another for each, the same whoever looks."""
    if videos.empty:
        return 0
    return int(
        np.random.default_rng(list(seed)).integers(0, (int(videos["video_no"].max()) + 1) << FRAME_BITS)
    )


def _drawn(
    archive: Archive,
    checkpoint_id: str | None,
    wish: Wish,
    videos: pd.DataFrame,
    start: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """At most EXTRA frames that may fit a quota, of at most EXTRA_VIDEOS videos for what is known of videos."""
    names = [name for dimension, name in wish.slices if dimension == "class"]
    parts = [np.empty(0, dtype=np.int64)]
    if names and checkpoint_id is not None:
        parts.append(archive.slices.predicted_as(checkpoint_id, class_ids_of(archive, names), EXTRA, start))
    fitting = videos["video_no"].to_numpy()[_may_fit(videos, wish)]
    if len(fitting):
        chosen = rng.choice(fitting, min(len(fitting), EXTRA_VIDEOS), replace=False)
        for number in np.sort(chosen).tolist():
            keys = archive.slices.frames_of(number)
            parts.append(rng.choice(keys, min(len(keys), EXTRA // len(chosen)), replace=False))
    return np.concatenate(parts)


def _may_fit(videos: pd.DataFrame, wish: Wish) -> np.ndarray:
    """(v,) whether a video may hold frames of the quota, by what is registered and by when it began and ended."""
    fits = videos["video_id"].isin(wish.videos).to_numpy()
    ends = [_names(videos, at) for at in (np.zeros(len(videos)), videos["duration_ms"].fillna(0).to_numpy())]
    for dimension, name in wish.slices:
        if dimension == "light":
            return np.ones(len(videos), dtype=bool)
        if dimension != "class":
            fits = fits | (ends[0][dimension] == name) | (ends[1][dimension] == name)
        if dimension == "hour":  # a long video may begin before and end after
            fits = fits | (videos["duration_ms"].fillna(0).to_numpy() >= LONG_MS)
    return np.asarray(fits, dtype=bool)


def _names(
    rows: pd.DataFrame, pts_ms: np.ndarray, brightness: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    text = {
        name: rows[name].astype(object).where(rows[name].notna(), None).to_numpy()
        for name in ("site", "camera")
    }
    return slice_names(
        FrameFacts(
            **text,
            recorded_at=rows["recorded_at"].to_numpy(dtype="datetime64[ms]"),
            pts_ms=pts_ms.astype(np.int64),
            brightness=np.zeros(len(rows)) if brightness is None else brightness,
        )
    )


def frame_slices(archive: Archive, keys: np.ndarray) -> dict[str, np.ndarray]:
    """Dimension -> (n,) slice of each of the frames (ascending), None where it is not known; all but class."""
    rows = archive.slices.facts(keys.tolist()).reindex(keys)
    return _names(rows, rows["pts_ms"].to_numpy(), rows["brightness"].to_numpy())


def class_ids_of(archive: Archive, names: Sequence[str]) -> list[int]:
    """class_ids of classes by name, with those that were merged into them."""
    table = archive.labels.classes()
    name_of = dict(zip(table["class_id"], table["name"], strict=True))
    wanted = {name.casefold() for name in names}
    return [
        int(row.class_id)
        for row in rows_of(table[["class_id", "merged_into"]])
        if str(name_of[row.class_id if pd.isna(row.merged_into) else int(row.merged_into)]).casefold()
        in wanted
    ]


def reservations(
    archive: Archive,
    settings: Settings,
    checkpoint_id: str | None,
    wishes: Sequence[Wish],
    keys: np.ndarray,
    extra: np.ndarray,
) -> Reservations:
    """The quotas over the pool's frames `keys` (n,), ascending; extra: those that are in it for quotas only."""
    asked = {dimension for wish in wishes for dimension, _ in wish.slices}
    slices = frame_slices(archive, keys) if asked - {"class"} else {}
    predicted = None
    if "class" in asked and checkpoint_id is not None:
        predicted = archive.slices.predicted(checkpoint_id, keys.tolist()).to_pandas()
    numbers = archive.slices.training_videos() if any(wish.videos for wish in wishes) else None
    quotas = []
    for wish in wishes:
        eligible = np.zeros(len(keys), dtype=bool)
        if wish.videos and numbers is not None:
            adrift = numbers["video_no"][numbers["video_id"].isin(wish.videos)]
            eligible |= np.isin(video_no_of(keys), adrift.to_numpy())
        for dimension, name in wish.slices:
            if dimension != "class":
                eligible |= np.asarray(slices[dimension] == name)
            elif predicted is not None:
                shown = predicted["frame_id"][predicted["class_id"].isin(class_ids_of(archive, [name]))]
                eligible |= np.isin(keys, shown.to_numpy())
        quotas.append(Quota(name=wish.name, eligible=eligible, share=wish.share, lacks=wish.lacks))
    return Reservations(
        quotas=quotas,
        share=min(1.0, settings.quota.reserved),
        extra=np.isin(keys, extra) if len(extra) else None,
    )
