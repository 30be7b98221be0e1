"""Brings the register in line with storage: what is new, moved, replaced or gone. Rules are in `frames/registration`.

The sensor looks again and again, bounded in number and time; `al videos register` takes in all that stands still.
No partition, no run and no decision about work belongs here.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import count

from al_assets.frames.registration import (
    LOOKS_BEFORE_READING,
    Arrival,
    KnownVideo,
    Registration,
    Standing,
    group_arrivals,
    look,
    merged,
    plan_registration,
)
from al_assets.frames.video_facts import METADATA_FILE, VideoFacts, read_metadata, unknown_paths
from al_assets.labels.splits import split_of, split_of_site
from al_assets.settings import Settings
from resources.archive import Archive
from resources.errors import FileMissingError, StorageError
from resources.queries.chunks import in_chunks
from resources.queries.registrar import SplitRule

AREA = "videos"
PATH_LENGTH = 400
READERS = 16
"""Files read at once: a read is a few requests, and what it costs is waiting for them."""
PART = 10_000
"""Videos registered in one transaction: what is read by then stands, whatever comes after."""
STANDINGS: Mapping[str, Standing] = {"copy": "copy", "retired": "retired", "superseded": "superseded"}


@dataclass(frozen=True)
class Bounds:
    """How much a look takes up: arrivals, and seconds after which no further file is read."""

    arrivals: int
    seconds: float


def register_arrivals(
    archive: Archive,
    settings: Settings,
    now: datetime,
    *,
    bounds: Bounds | None = None,
    progress: Callable[[int, int], None] = lambda done, due: None,
) -> tuple[Registration, list[str]]:
    """Bring the register in line with storage; returns what changed and faults in plain words.

    A listing that fails raises: it is not an empty archive. A single file that cannot be read is a fault and is
    looked at again; one that there was no time for is taken up by the next look. progress: called with the number
    of files read and to be read.
    """
    bounds = bounds or Bounds(settings.sensors.videos_per_tick, settings.sensors.seconds_per_tick)
    listed, faults = _listed(archive)
    arrivals = group_arrivals(listed)
    previous = archive.videos.looks(AREA)
    table = _read_table(archive, listed, previous)
    rule = _split_rule(settings)
    # The site decides the split for ever, so that videos wait for the table that names it.
    limit = 0 if rule.by_site and not table.settled else bounds.arrivals
    known = _known(archive)
    seen = look(arrivals, known, previous, limit=limit)
    reading = _Reading(archive, time.monotonic() + bounds.seconds)
    changes: list[Registration] = []
    # The first part is planned also where nothing is to be read: videos may be gone, or back.
    for part in list(in_chunks(seen.settled, PART)) or [()]:
        hashes = reading.read(part)
        changes.append(plan_registration(arrivals, hashes, known if not changes else _known(archive)))
        archive.videos.register(changes[-1], table.facts, rule, now=now)
        progress(len(reading.hashes), len(seen.settled))
        if reading.late:
            break
    registration = merged(changes)
    archive.videos.update_facts(table.facts)
    waiting = {a.path: (a.etag, a.size_bytes, seen.looks[a.path]) for a in seen.waiting}
    # Their looks are taken back, so that files nobody can read do not hold the places of those behind them.
    for arrival in seen.settled:
        if arrival.path not in reading.hashes:
            late = arrival.path in reading.late
            waiting[arrival.path] = (arrival.etag, arrival.size_bytes, seen.looks[arrival.path] * late)
    archive.videos.record_looks(AREA, waiting | table.looks, now)
    if table.facts:
        paths = {a.path for a in arrivals} | {video.path for video in known}
        faults += [*table.faults, *unknown_paths(table.facts, paths)]
    else:
        faults += table.faults
    return registration, [*faults, *reading.faults, *_without_site(registration, table.facts, rule)]


def _listed(archive: Archive) -> tuple[list[tuple[str, str, int]], list[str]]:
    """Path, etag and size of every file that a table can hold, and faults that name the others."""
    start = len(AREA) + 1
    files = [(file.path[start:], file.etag, file.size_bytes) for file in archive.storage.list(f"{AREA}/")]
    long = [path for path, _, _ in files if len(path) > PATH_LENGTH]
    if long:
        files = [file for file in files if len(file[0]) <= PATH_LENGTH]
    return files, [f"{path[:60]}... has a path of over {PATH_LENGTH} characters" for path in long]


def _known(archive: Archive) -> list[KnownVideo]:
    return [
        KnownVideo(video_id, path, kind, etag, content, missing, STANDINGS.get(status, "live"))
        for video_id, path, kind, etag, content, missing, status in archive.videos.files()
    ]


class _Reading:
    """Content hashes of settled arrivals, several at once, until the time is over."""

    def __init__(self, archive: Archive, deadline: float) -> None:
        self._archive = archive
        self._deadline = deadline
        self.hashes: dict[str, str] = {}
        self.faults: list[str] = []
        self.late: set[str] = set()
        self._begun = count()

    def read(self, arrivals: Sequence[Arrival]) -> dict[str, str]:
        """Hashes by path of those that could be read in time; the first few are read in any case."""
        found: dict[str, str] = {}
        with ThreadPoolExecutor(READERS) as pool:
            for arrival, (content, fault) in zip(arrivals, pool.map(self._one, arrivals), strict=True):
                if content:
                    found[arrival.path] = content
                if fault:
                    self.faults.append(f"{arrival.path} cannot be read: {fault}")
        self.hashes |= found
        return found

    def _one(self, arrival: Arrival) -> tuple[str, str]:
        if next(self._begun) >= READERS and time.monotonic() > self._deadline:
            self.late.add(arrival.path)
            return "", ""
        try:
            return content_hash(self._archive, arrival), ""
        except FileMissingError:
            return "", ""  # gone since the listing: the next look knows
        except (StorageError, OSError) as error:
            return "", str(error)


def content_hash(archive: Archive, arrival: Arrival) -> str:
    """Identity of a video's bytes; of a folder by its stills' names and sizes, and the bytes of three of them."""
    if not arrival.size_bytes:
        # Empty files are failed copies of different videos, not copies of one another.
        return hashlib.sha256(f"empty\0{arrival.path}".encode()).hexdigest()
    if arrival.kind == "video":
        shown = arrival.etag, arrival.size_bytes
        return archive.storage.fingerprint(f"{AREA}/{arrival.path}", shown)
    stills = arrival.members
    parts = [f"{path.rsplit('/', 1)[-1]}\1{size}" for path, size in stills]
    for path, _ in {stills[0], stills[len(stills) // 2], stills[-1]}:
        parts.append(f"{path.rsplit('/', 1)[-1]}\2{archive.storage.fingerprint(f'{AREA}/{path}')}")
    return hashlib.sha256("\0".join(sorted(parts)).encode()).hexdigest()


def _split_rule(settings: Settings) -> SplitRule:
    seed, by_site = settings.archive.split_seed, settings.archive.split_by == "site"
    return SplitRule(
        by_video=lambda ordinal: split_of(ordinal, seed),
        by_site=(lambda ordinal: split_of_site(ordinal, seed)) if by_site else None,
    )


def _without_site(registration: Registration, facts: Mapping[str, VideoFacts], rule: SplitRule) -> list[str]:
    alone = [a.path for a, _ in registration.new if (fact := facts.get(a.path)) is None or fact.site is None]
    if rule.by_site is None or not alone:
        return []
    return [
        f"{len(alone)} videos have no site in {METADATA_FILE} and were split one by one, first {alone[0]}"
    ]


@dataclass(frozen=True)
class _Table:
    """The owner's table as far as it may be read now."""

    facts: Mapping[str, VideoFacts]
    faults: Sequence[str]
    settled: bool
    looks: dict[str, tuple[str, int, int]]


def _read_table(
    archive: Archive, listed: Sequence[tuple[str, str, int]], previous: Mapping[str, tuple[str, int]]
) -> _Table:
    """`videos.csv` once it stands still: half of a table would give wrong sites."""
    found = [(etag, size) for path, etag, size in listed if path == METADATA_FILE]
    if not found:
        return _Table({}, [], True, {})
    (etag, size), (before, count) = found[0], previous.get(METADATA_FILE, ("", 0))
    count = min(count + 1, LOOKS_BEFORE_READING) if before == etag else 1
    looks = {METADATA_FILE: (etag, size, count)}
    if count < LOOKS_BEFORE_READING:
        return _Table({}, [], False, looks)
    try:
        text = archive.storage.read(f"{AREA}/{METADATA_FILE}").decode("utf-8")
    except FileMissingError:
        return _Table({}, [], False, {})
    except UnicodeDecodeError:
        return _Table({}, [f"{METADATA_FILE} is not UTF-8; save it as UTF-8"], True, looks)
    return _Table(*read_metadata(text), True, looks)
