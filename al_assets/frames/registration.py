"""What to register: the storage listing compared with the videos already known. No reading, no writing.

Two steps, because a content hash costs a read: `look` says which files stand still and must be read,
`plan_registration` says what they are once their hashes are known.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from posixpath import splitext
from typing import Literal

from al_assets.frames.images import IMAGE_SUFFIXES
from al_assets.frames.video_facts import METADATA_FILE

LOOKS_BEFORE_READING = 2
"""A file is read once two looks have seen the same version: one still being copied is left alone."""

Standing = Literal["live", "copy", "retired", "superseded"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A video file, or a folder of stills, as the listing shows it. `path` is relative to `videos/`."""

    path: str
    kind: Literal["video", "images"]
    etag: str
    size_bytes: int
    members: tuple[tuple[str, int], ...] = ()
    """Path and size in bytes of each still, in order of path."""


@dataclass(frozen=True, slots=True)
class KnownVideo:
    """What the register holds of a video."""

    video_id: str
    path: str
    kind: str
    etag: str
    content_hash: str
    missing: bool = False
    standing: Standing = "live"


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
    """Arrival, content hash and the video_id it repeats, or the path where that one is new itself."""
    moved: tuple[tuple[str, Arrival], ...] = ()
    """video_id and where it is now."""
    revived: tuple[tuple[str, Arrival], ...] = ()
    """video_id of content that had been replaced and is back, and where."""
    touched: tuple[tuple[str, Arrival], ...] = ()
    """video_id of the same content under a new version."""
    grown: tuple[tuple[str, Arrival, str], ...] = ()
    """video_id of a folder of stills whose members changed, and its new content hash."""
    superseded: tuple[tuple[str, str], ...] = ()
    """video_id replaced, and the path at which something else is now."""
    missing: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line for the tick's message."""
        counts = {name: len(getattr(self, name)) for name in self.__dataclass_fields__}
        return ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "nothing changed"


def merged(changes: Sequence[Registration]) -> Registration:
    """Several registrations, made one after another, as one."""
    if len(changes) == 1:
        return changes[0]
    names = Registration.__dataclass_fields__
    return Registration(
        **{name: tuple(item for each in changes for item in getattr(each, name)) for name in names}
    )


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
        # Not by pathlib, which takes seconds for an archive of a hundred thousand files.
        if splitext(path)[1].lower() in IMAGE_SUFFIXES:
            folders[path.rpartition("/")[0] or "."].append((path, etag, size))
        else:
            arrivals.append(Arrival(path, "video", etag, size))
    for folder, members in folders.items():
        digest = hashlib.sha256("\0".join(f"{path}\1{etag}" for path, etag, _ in sorted(members)).encode())
        stills = tuple((path, size) for path, _, size in sorted(members))
        total = sum(size for _, size in stills)
        arrivals.append(Arrival(folder, "images", digest.hexdigest()[:32], total, stills))
    return sorted(arrivals, key=attrgetter("path"))


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
    current = {(video.path, video.etag) for video in known if video.standing != "superseded"}
    unchanged: list[str] = []
    settled: list[Arrival] = []
    waiting: list[Arrival] = []
    looks: dict[str, int] = {}
    for arrival in arrivals:
        if (arrival.path, arrival.etag) in current:
            unchanged.append(arrival.path)
            continue
        etag, count = previous.get(arrival.path, ("", 0))
        # Counting stops where it has its say, so that what waits for its turn is not written at every look.
        looks[arrival.path] = min(count + 1, LOOKS_BEFORE_READING) if etag == arrival.etag else 1
        stands_still = looks[arrival.path] >= LOOKS_BEFORE_READING
        (settled if stands_still and len(settled) < limit else waiting).append(arrival)
    return Look(tuple(unchanged), tuple(settled), tuple(waiting), looks)


def plan_registration(
    arrivals: Sequence[Arrival], hashes: Mapping[str, str], known: Sequence[KnownVideo]
) -> Registration:
    """What the settled arrivals are, and which known videos are gone or back.

    arrivals: the whole listing; hashes: path -> content hash of the settled ones; known: every video ever, by
    its number. A content keeps its id for ever: found elsewhere while its own path is empty or holds something
    else, it moved; while it is also at home, it is a copy; after it was replaced, it is back. Other content at
    a known path supersedes, but a folder of stills that changes stays the same video. A retired video is only
    followed, so that its content is not registered anew.
    """
    return _Planner(arrivals, hashes, known).plan()


class _Planner:
    """One comparison. `homeless`: originals whose file is gone or replaced; `homes`: where a content is at home."""

    def __init__(
        self, arrivals: Sequence[Arrival], hashes: Mapping[str, str], known: Sequence[KnownVideo]
    ) -> None:
        self.settled = [arrival for arrival in arrivals if arrival.path in hashes]
        self.hashes = hashes
        self.listed = {arrival.path: arrival for arrival in arrivals}
        self.present = [video for video in known if video.standing != "superseded"]
        # A live video takes the place of a retired one that was there before it.
        by_claim = sorted(self.present, key=lambda video: video.standing != "retired")
        self.holder = {video.path: video for video in by_claim}
        self.former: dict[str, KnownVideo] = {}
        for video in known:
            if video.standing == "superseded":
                self.former.setdefault(video.content_hash, video)
        self.homeless: dict[str, KnownVideo] = {}
        self.homes: dict[str, str] = {}
        for video in self.present:
            if video.standing != "copy" and self._whereabouts(video) in ("gone", "displaced"):
                self.homeless.setdefault(video.content_hash, video)
            elif video.standing != "copy":
                self.homes.setdefault(video.content_hash, video.video_id)
        self.moved: dict[str, Arrival] = {}
        self.revived: dict[str, Arrival] = {}
        self.grown: dict[str, tuple[Arrival, str]] = {}
        self.replaced: dict[str, str] = {}

    def _whereabouts(self, video: KnownVideo) -> Literal["there", "gone", "displaced", "unsure"]:
        arrival = self.listed.get(video.path)
        if arrival is None:
            return "gone"
        content = self.hashes.get(video.path)
        if arrival.etag == video.etag or content == video.content_hash:
            return "there"
        return "unsure" if content is None else "displaced"

    def plan(self) -> Registration:
        at_home = [a for a in self.settled if self._same(a)]
        strangers = [a for a in self.settled if not self._same(a) and not self._rehouse(a)]
        for video in self.present:
            if video.standing == "copy" and self._whereabouts(video) == "there":
                self._take_over(video)
        touched = []
        for arrival in at_home:
            here = self.holder[arrival.path]
            if here.kind == "images" and here.standing != "copy":
                # Their content hash samples the folder, so one still may have changed without showing.
                self.grown[here.video_id] = (arrival, here.content_hash)
            elif here.video_id not in self.replaced:
                touched.append((here.video_id, arrival))
        new, copies = self._take_in(strangers)
        return Registration(
            new=tuple(new),
            copies=tuple(copies),
            moved=tuple(self.moved.items()),
            revived=tuple(self.revived.items()),
            touched=tuple(touched),
            grown=tuple((video_id, *what) for video_id, what in self.grown.items()),
            superseded=tuple(self._superseded()),
            missing=tuple(self._missing()),
            returned=tuple(v.video_id for v in self.present if v.missing and self._whereabouts(v) == "there"),
        )

    def _same(self, arrival: Arrival) -> bool:
        here = self.holder.get(arrival.path)
        return here is not None and here.content_hash == self.hashes[arrival.path]

    def _rehouse(self, arrival: Arrival) -> bool:
        """Whether the arrival is a known video that lost its place."""
        video = self.homeless.pop(self.hashes[arrival.path], None)
        if video is not None:
            self.moved[video.video_id] = arrival
            self.homes[video.content_hash] = video.video_id
        return video is not None

    def _take_over(self, copy: KnownVideo) -> None:
        """Where the original is gone and its copy stands, the video lives on in the copy's place."""
        content, arrival = copy.content_hash, self.listed[copy.path]
        original = self.homeless.get(content) or self.former.get(content)
        if content in self.homes or original is None:
            return
        (self.moved if self.homeless.pop(content, None) else self.revived)[original.video_id] = arrival
        self.homes[content] = original.video_id
        self.replaced[copy.video_id] = copy.path

    def _take_in(
        self, strangers: Sequence[Arrival]
    ) -> tuple[list[tuple[Arrival, str]], list[tuple[Arrival, str, str]]]:
        """New videos and copies among arrivals whose content is at home nowhere, or elsewhere."""
        new, copies = [], []
        for arrival in strangers:
            content, here = self.hashes[arrival.path], self.holder.get(arrival.path)
            grows = here is not None and here.kind == arrival.kind == "images" and here.standing != "copy"
            if here is not None and grows and here.video_id not in self.moved:
                self.grown[here.video_id] = (arrival, content)
            elif content in self.homes:
                copies.append((arrival, content, self.homes[content]))
            elif content in self.former:
                video = self.former[content]
                self.revived[video.video_id] = arrival
                self.homes[content] = video.video_id
            else:
                new.append((arrival, content))
                self.homes[content] = arrival.path
        return new, copies

    def _superseded(self) -> list[tuple[str, str]]:
        """Live videos and copies whose path holds something else, and which are nowhere else."""
        elsewhere = self.moved.keys() | self.grown.keys()
        displaced = {
            video.video_id: video.path
            for video in self.present
            if video.standing != "retired"
            and video.video_id not in elsewhere
            and self._whereabouts(video) == "displaced"
        }
        return sorted((self.replaced | displaced).items())

    def _missing(self) -> list[str]:
        return [
            video.video_id
            for video in self.present
            if not video.missing and video.video_id not in self.moved and self._whereabouts(video) == "gone"
        ]
