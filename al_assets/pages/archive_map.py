"""The map of the archive as it stands: which frames, their vectors, and what of the last map stays in place.

Not here: the draw (reports/map_sample.py), the layout (reports/embedding_map.py), the page (map_pictures.py).
"""

import os
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from al_assets.embedder_choice import embedder_to_read
from al_assets.keys import LAST_VIDEO_NO, frame_range
from al_assets.reports.embedding_map import Layout, lay_out
from al_assets.reports.map_sample import CANDIDATES, chosen_videos, even_shares, spread
from al_assets.settings import Settings
from resources.archive import Archive
from resources.slices import KeyRange, Slice

PAGE = "reports/embedding_map.html"
EVERY_FRAME = KeyRange(0, frame_range(LAST_VIDEO_NO)[1])
NO_CLASS = 0
"""Stratum of frames that no model has scored."""


def map_slice(
    archive: Archive, settings: Settings, run_id: str | None
) -> tuple[Slice | None, dict[str, Any]]:
    """The next map with its points, to be written in one transaction, and what to say of it.

    None where it would be the one that stands: the same frames by the same embedder.
    """
    embedder_id = embedder_of(archive, settings)
    last = archive.maps.newest()
    known = last is not None and last["embedder_id"] == embedder_id
    before = archive.maps.points(last["map_id"]) if last is not None and known else None
    old = before["frame_id"].to_numpy() if before is not None else np.empty(0, np.int64)
    keys, of_frames = sampled(archive, settings, embedder_id, old)
    if not len(keys):
        return None, {"points": 0, "why": "no frame has a vector yet"}
    if last is not None and known and np.array_equal(keys, old):
        return None, {"points": len(keys), "why": f"{last['map_id']} shows these frames already"}
    keys, vectors = archive.frames.vectors(embedder_id, keys.tolist())
    layout = lay_out(
        vectors,
        _places(keys, before),
        seed=settings.map.seed,
        jobs=settings.embeddings.threads or os.cpu_count() or 1,
        relayout_share=settings.map.relayout_share,
    )
    parent = last["map_id"] if last is not None and layout.kept.any() else None
    header = {
        "map_id": f"map-{uuid.uuid4().hex[:12]}",
        "embedder_id": embedder_id,
        "parent_id": parent,
        "method": layout.method[:64],
        "points": len(keys),
        "of_frames": of_frames,
        "seed": settings.map.seed,
        "uri": PAGE,
        "run_id": run_id,
        "made_at": archive.now(),
    }
    return _slice(header, keys, layout), _told(header, layout)


def embedder_of(archive: Archive, settings: Settings) -> str:
    """The serving model's embedder; while no model serves the one that a new model would read."""
    serving = archive.models.serving()
    return serving.embedder_id if serving else embedder_to_read(archive, settings.embeddings)


def sampled(
    archive: Archive, settings: Settings, embedder_id: str, old: np.ndarray
) -> tuple[np.ndarray, int]:
    """Frames to show, ascending, and how many frames have a vector. Judged frames are always among them.

    Reads keys and classes of at most map_sample.VIDEOS videos, one after another.
    """
    counts = archive.maps.counts(embedder_id)
    numbers, frames = counts["video_no"].to_numpy().astype(np.int64), counts["frames"].to_numpy()
    points, seed = settings.map.points, settings.map.seed
    total = int(frames.sum())
    videos = chosen_videos(numbers, seed)
    sizes = frames[np.searchsorted(numbers, videos)]
    quotas = even_shares(sizes, CANDIDATES * points)
    serving = archive.models.serving()
    checkpoint_id = serving.checkpoint_id if serving else None
    keys, classes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for number, quota in zip(videos.tolist(), quotas.tolist(), strict=True):
        table = archive.maps.frames_of(embedder_id, checkpoint_id, number)
        found = table["frame_id"].to_numpy()
        take = spread(np.zeros(len(found), np.int64), found, np.isin(found, old), quota, seed)
        keys.append(found[take])
        classes.append(table["class_id"].fill_null(NO_CLASS).to_numpy()[take])
    judged = archive.frames.having_vectors(embedder_id, archive.maps.labelled().tolist())
    judged = judged[spread(np.zeros(len(judged), np.int64), judged, np.isin(judged, old), points, seed)]
    rest, strata = np.concatenate(keys), np.concatenate(classes).astype(np.int64)
    others = ~np.isin(rest, judged)
    rest, strata = rest[others], strata[others]
    drawn = spread(strata, rest, np.isin(rest, old), points - len(judged), seed)
    return np.sort(np.concatenate([judged, rest[drawn]])), total


def _places(keys: np.ndarray, before: pa.Table | None) -> np.ndarray:
    """(n, 2) float32: where each frame lay on the last map; NaN where it did not."""
    places = np.full((len(keys), 2), np.nan, dtype=np.float32)
    if before is not None and before.num_rows:
        known = before["frame_id"].to_numpy()
        at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        there = known[at] == keys
        places[there] = np.stack([before["x"].to_numpy(), before["y"].to_numpy()], axis=1)[at[there]]
    return places


def _slice(header: dict[str, Any], keys: np.ndarray, layout: Layout) -> Slice:
    map_id = str(header["map_id"])
    columns = {"frame_id": keys, "x": layout.xy[:, 0], "y": layout.xy[:, 1]}
    points = pa.table({"map_id": pa.array([map_id] * len(keys), pa.string()), **columns})
    return Slice(
        # Points of older maps go: they stand in the newest one or are no longer drawn.
        where={"embedding_maps.map_id": map_id, "map_points.frame_id": EVERY_FRAME},
        rows={"embedding_maps": pd.DataFrame([header]), "map_points": points},
        name=f"map_id = {map_id}",
    )


def _told(header: dict[str, Any], layout: Layout) -> dict[str, Any]:
    kept = int(layout.kept.sum())
    return {
        "map": header["map_id"],
        "points": header["points"],
        "of_frames": header["of_frames"],
        "stayed": kept,
        "new": len(layout.kept) - kept,
        "how": header["method"],
    }
