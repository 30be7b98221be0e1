"""What to register: the storage listing compared with the videos already known. No reading, no writing.

Two steps, because a content hash costs a read: `look` says which files stand still and must be read,
`plan_registration` says what they are once their hashes are known.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Literal

from al_assets.frames.images import IMAGE_SUFFIXES

METADATA_FILE = "videos.csv"
LOOKS_BEFORE_READING = 2
"""A file is read once two looks have seen the same version: one still being copied is left alone."""


@dataclass(frozen=True)
class Arrival:
    """A video file, or a folder of stills, as the listing shows it. `path` is relative to `videos/`."""

    path: str
    kind: Literal["video", "images"]
    etag: str
    size_bytes: int
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class KnownVideo:
    """What the register holds of a video that is not superseded."""

    video_id: str
    path: str
    kind: str
    etag: str
    content_hash: str
    missing: bool
    copy: bool = False


@dataclass(frozen=True)
class Look:
    """Outcome of a look at the listing."""

    unchanged: tuple[str, ...]
    settled: tuple[Arrival, ...]
    waiting: tuple[Arrival, ...]
    looks: Mapping[str, int]


@dataclass(frozen=True)
class Registration:
    """Changes that bring the register in line with storage."""

    new: tuple[tuple[Arrival, str], ...] = ()
    """Arrival and content hash."""
    copies: tuple[tuple[Arrival, str, str], ...] = ()
    """Arrival, content hash and the video_id it repeats."""
    moved: tuple[tuple[str, Arrival], ...] = ()
    """video_id and where it is now."""
    touched: tuple[tuple[str, Arrival], ...] = ()
    """video_id of the same content under a new version."""
    grown: tuple[tuple[str, Arrival, str], ...] = ()
    """video_id of a folder of stills whose members changed, and its new content hash."""
    superseded: tuple[tuple[str, str], ...] = ()
    """video_id replaced, and the path whose arrival replaces it."""
    missing: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line for the tick's message."""
        counts = {name: len(getattr(self, name)) for name in self.__dataclass_fields__}
        return ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "nothing changed"


def group_arrivals(files: Sequence[tuple[str, str, int]]) -> list[Arrival]:
    """Videos and folders of stills among the files of `videos/`.

    files: (path, etag, size in bytes). All images of one folder make one arrival, whose version is a hash over
    its members' versions. The metadata file is left out.
    """
    arrivals: list[Arrival] = []
    folders: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for path, etag, size in files:
        if path == METADATA_FILE:
            continue
        if PurePosixPath(path).suffix.lower() in IMAGE_SUFFIXES:
            folders[str(PurePosixPath(path).parent)].append((path, etag, size))
        else:
            arrivals.append(Arrival(path, "video", etag, size))
    for folder, members in folders.items():
        digest = hashlib.sha256("\0".join(f"{path}\1{etag}" for path, etag, _ in sorted(members)).encode())
        paths = tuple(path for path, _, _ in sorted(members))
        arrivals.append(Arrival(folder, "images", digest.hexdigest()[:32], sum(m[2] for m in members), paths))
    return sorted(arrivals, key=lambda arrival: arrival.path)


def look(
    arrivals: Sequence[Arrival],
    known: Sequence[KnownVideo],
    previous: Mapping[str, tuple[str, int]],
    *,
    limit: int,
) -> Look:
    """Which arrivals are known, which stand still and can be read, which must wait for another look.

    previous: path -> (etag, looks) of the looks so far. At most `limit` are settled a look, in order of path.
    """
    current = {(video.path, video.etag) for video in known}
    unchanged, settled, waiting, looks = [], [], [], {}
    for arrival in arrivals:
        if (arrival.path, arrival.etag) in current:
            unchanged.append(arrival.path)
            continue
        etag, count = previous.get(arrival.path, ("", 0))
        looks[arrival.path] = count + 1 if etag == arrival.etag else 1
        stands_still = looks[arrival.path] >= LOOKS_BEFORE_READING
        (settled if stands_still and len(settled) < limit else waiting).append(arrival)
    return Look(tuple(unchanged), tuple(settled), tuple(waiting), looks)


@dataclass
class _Draft:
    new: list[tuple[Arrival, str]] = field(default_factory=list)
    copies: list[tuple[Arrival, str, str]] = field(default_factory=list)
    moved: list[tuple[str, Arrival]] = field(default_factory=list)
    touched: list[tuple[str, Arrival]] = field(default_factory=list)
    grown: list[tuple[str, Arrival, str]] = field(default_factory=list)
    superseded: list[tuple[str, str]] = field(default_factory=list)


def plan_registration(
    arrivals: Sequence[Arrival], hashes: Mapping[str, str], known: Sequence[KnownVideo]
) -> Registration:
    """What the settled arrivals are, and which known videos are gone or back.

    arrivals: the whole listing; hashes: path -> content hash of the settled ones; known: videos that nothing
    superseded. The same content at a new path is a move if the old path is empty and a copy if it is not;
    other content at a known path is a new video that supersedes the old one.
    """
    listed = {arrival.path for arrival in arrivals}
    at_path = {video.path: video for video in known}
    originals = {video.content_hash: video for video in known if not video.copy}
    homeless = {video.content_hash: video for video in known if video.path not in listed and not video.copy}
    draft, at_home = _Draft(), set()
    for arrival in arrivals:
        if arrival.path not in hashes:
            continue
        content, here = hashes[arrival.path], at_path.get(arrival.path)
        if here is not None and here.content_hash == content:
            draft.touched.append((here.video_id, arrival))
            continue
        if here is not None and here.kind == arrival.kind == "images":
            draft.grown.append((here.video_id, arrival, content))
            continue
        if here is not None:
            draft.superseded.append((here.video_id, arrival.path))
        if content in homeless:
            video = homeless.pop(content)
            draft.moved.append((video.video_id, arrival))
            at_home.add(video.video_id)
        elif content in originals and originals[content] is not here:
            draft.copies.append((arrival, content, originals[content].video_id))
        else:
            draft.new.append((arrival, content))
            originals[content] = KnownVideo(
                arrival.path, arrival.path, arrival.kind, arrival.etag, content, False
            )
    by_path = {arrival.path: arrival for arrival in arrivals}
    for copy in (v for v in known if v.copy and v.path in listed and v.content_hash in homeless):
        # The original is gone and its copy stands: the video lives on where the copy is.
        video = homeless.pop(copy.content_hash)
        draft.moved.append((video.video_id, by_path[copy.path]))
        at_home.add(video.video_id)
    gone = [v for v in known if v.path not in listed and v.video_id not in at_home]
    back = [v for v in known if v.path in listed and v.missing]
    return Registration(
        new=tuple(draft.new),
        copies=tuple(draft.copies),
        moved=tuple(draft.moved),
        touched=tuple(draft.touched),
        grown=tuple(draft.grown),
        superseded=tuple(draft.superseded),
        missing=tuple(v.video_id for v in gone if not v.missing),
        returned=tuple(v.video_id for v in back),
    )


@dataclass(frozen=True)
class VideoFacts:
    """What the owner knows of a video."""

    site: str | None = None
    camera: str | None = None
    recorded_at: datetime | None = None


def read_metadata(text: str) -> tuple[dict[str, VideoFacts], list[str]]:
    """Facts by path from `videos.csv` (path, site, camera, recorded_at), and its faults in plain words.

    recorded_at is ISO 8601; without a zone it is UTC. A faulty row costs only itself.
    """
    facts: dict[str, VideoFacts] = {}
    faults: list[str] = []
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    if not rows.fieldnames or "path" not in rows.fieldnames:
        return {}, [f"{METADATA_FILE} needs a header with a column named path"]
    for number, row in enumerate(rows, start=2):
        path = (row.get("path") or "").strip().removeprefix("videos/")
        if not path:
            faults.append(f"{METADATA_FILE} line {number} has no path")
            continue
        try:
            recorded_at = _utc(row.get("recorded_at"))
        except ValueError:
            faults.append(
                f"{METADATA_FILE} line {number}: recorded_at {row['recorded_at']!r} is not ISO 8601"
            )
            recorded_at = None
        facts[path] = VideoFacts(_text(row.get("site")), _text(row.get("camera")), recorded_at)
    return facts, faults


def _text(value: str | None) -> str | None:
    return (value or "").strip()[:200] or None


def _utc(value: str | None) -> datetime | None:
    """Naive UTC, as tables hold it."""
    if not (value or "").strip():
        return None
    moment = datetime.fromisoformat(str(value).strip())
    return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None)
