"""Frames that look like one: nearest neighbours over the whole archive, for `al similar`, notebooks and analysts.

    archive = open_archive(read_environment())
    similar_frames(archive, "vtest-1a2b3c4d5e/250", 20)

Exact on small archives, by the index and true vectors of its candidates on large ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from al_assets.embeddings.similarity import Nearest, nearest
from al_assets.frame_names import frames_named
from al_assets.keys import FRAMES_PER_VIDEO, video_no_of
from al_assets.settings import SimilarSettings
from al_assets.similarity_files import open_index, read_coverage
from resources.archive import Archive

CANDIDATES = 20
"""Frames that the index is asked for per frame wanted: by its true vector each may turn out to be nearer."""
LEAST_CANDIDATES = 400
COLUMNS = (
    *("rank", "cosine", "frame_id", "video_id", "frame_index", "pts_ms"),
    *("class_names", "source", "confidence"),
)


class NoVectorError(LookupError):
    """The frame has no vector by the embedder in use; the message says what to do."""


class NoIndexError(LookupError):
    """The archive is too large to be searched whole and has no index; the message says what to do."""


def similar_frames(
    archive: Archive,
    frame: str | int,
    k: int = 10,
    *,
    other_videos: bool = False,
    settings: SimilarSettings | None = None,
    embedder_id: str | None = None,
) -> pd.DataFrame:
    """The k frames most like a frame, nearest first, with COLUMNS; itself left out.

    frame: a frame_id, video_id/frame_index or a still's path. other_videos: none of its own video, whose frames are
    nearly always the nearest. class_names and source: what people said of each frame, else the model. embedder_id: the
    serving model's by default. Raises UnknownFrameError, NoVectorError, NoIndexError.
    """
    (key,) = frames_named(archive, [str(frame)])
    embedder_id = embedder_id or archive.maps.embedder_in_use()
    if embedder_id is None:
        raise NoVectorError("no frame has a vector yet; run `ingest_videos`")
    keys, vectors = archive.frames.vectors(embedder_id, [key])
    if not len(keys):
        raise NoVectorError(f"{frame} has no vector by {embedder_id}; run `ingest_videos` for its video")
    own = video_no_of(key) if other_videos else None
    found = _nearest(archive, settings or SimilarSettings(), embedder_id, key, vectors[0], k, own)
    return _told(archive, found)


def _nearest(
    archive: Archive,
    settings: SimilarSettings,
    embedder_id: str,
    key: int,
    vector: np.ndarray,
    k: int,
    own: int | None,
) -> Nearest:
    frames = archive.maps.count(embedder_id)
    if frames <= settings.exact_frames:
        blocks = archive.frames.every_vector(embedder_id)
    else:
        coverage = read_coverage(archive, embedder_id)
        if coverage is None:
            raise NoIndexError(
                f"{frames} frames are more than [similar] exact_frames; materialise similarity_index first"
            )
        wanted = max(LEAST_CANDIDATES, CANDIDATES * k)
        with open_index(archive, coverage) as index:
            near = index.candidates(vector, wanted)
            if own is not None:
                # Its own video may fill the list: as many more as that video has frames at most.
                near = index.candidates(vector, wanted + min(FRAMES_PER_VIDEO, 20 * wanted))
                near = near[video_no_of(near) != own][:wanted]
        blocks = iter([archive.frames.vectors(embedder_id, near.tolist())])
    return nearest(vector, _without(blocks, key, own), k)


def _without(
    blocks: Iterator[tuple[np.ndarray, np.ndarray]], key: int, own: int | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for keys, vectors in blocks:
        keep = keys != key if own is None else video_no_of(keys) != own
        yield keys[keep], vectors[keep]


def _told(archive: Archive, found: Nearest) -> pd.DataFrame:
    """The neighbours with their place, and what is known of them."""
    ranks = pd.DataFrame(
        {
            "frame_id": found.frame_ids,
            "rank": np.arange(1, len(found.frame_ids) + 1),
            "cosine": found.cosines.astype(np.float64).round(4),
        }
    )
    places = archive.frames.details(found.frame_ids.tolist()).to_pandas()
    told = ranks.merge(places[["frame_id", "video_id", "frame_index", "pts_ms"]], on="frame_id")
    names = archive.maps.names_of(found.frame_ids.tolist())
    told = told.merge(names, on="frame_id", how="left").sort_values("rank", ignore_index=True)
    return told[list(COLUMNS)]
