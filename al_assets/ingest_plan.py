"""Which ranges of videos `ingest_videos` is asked for: pure decisions. In which order is said in `ingest_order.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from al_assets.automation import counted


def contiguous(keys: Collection[str], order: Sequence[str], *, longest: int) -> list[tuple[str, str]]:
    """Key ranges (first, last) that cover `keys` and nothing else; none longer than `longest`.

    order: all partition keys as Dagster orders them; a range run takes a slice of that order.
    contiguous({"a", "b", "d"}, "abcd", longest=10) == [("a", "b"), ("d", "d")]
    """
    wanted = frozenset(keys)
    runs: list[tuple[int, int]] = []
    for position in (i for i, key in enumerate(order) if key in wanted):
        if runs and position == runs[-1][1] + 1 and position - runs[-1][0] < longest:
            runs[-1] = (runs[-1][0], position)
        else:
            runs.append((position, position))
    return [(order[first], order[last]) for first, last in runs]


def keys_between(
    first: str, last: str, order: Sequence[str], places: Mapping[str, int] | None = None
) -> list[str]:
    """Keys of a range run; empty where an end is not a key any more.

    places: key -> position in `order`, for a caller with many ranges to look up.
    """
    places = {key: i for i, key in enumerate(order)} if places is None else places
    if first not in places or last not in places:
        return []
    return list(order[places[first] : places[last] + 1])


@dataclass(frozen=True)
class IngestState:
    """What `video_arrivals` knows when it decides.

    failed: keys of runs over several videos that failed. attempts: key -> runs for that video alone, as its file
    and the settings are now, that have ended and left it to do. ranks: key -> its place in the order that the owner
    wants; empty for that of the keys. to_read: keys that lack frames; the others lack vectors only.
    """

    order: tuple[str, ...]
    lacking: tuple[str, ...]
    in_flight: frozenset[str] = frozenset()
    runs_in_flight: int = 0
    failed: frozenset[str] = frozenset()
    attempts: Mapping[str, int] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    to_read: frozenset[str] = frozenset()

    @property
    def given_up(self) -> frozenset[str]:
        """Videos that were tried twice, once alone: they wait for a person or for a new version of their file."""
        return frozenset(
            key
            for key in self.lacking
            if (tries := self.attempts.get(key, 0)) and tries + (key in self.failed) > 1
        )


def by_rank(ranges: Sequence[tuple[str, str]], state: IngestState) -> list[tuple[str, str]]:
    """The ranges in order of the foremost video in each.

    A run of Dagster takes one range of its keys and no list, so a video that is wanted first brings its neighbours
    along: runs stay full, and wishes scattered over the archive do not become a run each.
    """
    if not state.ranks:
        return list(ranges)
    places = {key: place for place, key in enumerate(state.order)}
    last = len(state.order)

    def foremost(ends: tuple[str, str]) -> int:
        return min(state.ranks.get(key, last) for key in keys_between(*ends, state.order, places))

    return sorted(ranges, key=foremost)


@dataclass(frozen=True)
class IngestPlan:
    """Key ranges to ask for, and what is left alone."""

    ranges: tuple[tuple[str, str], ...]
    reason: str


def plan_ingest(state: IngestState, *, videos_per_run: int, runs_at_once: int) -> IngestPlan:
    """Which key ranges `ingest_videos` should be run for; no range has videos that lack frames beside others.

    A video in a run that failed is tried once more alone, so that it holds up nobody; after that it waits for
    a person or for a new version of its file.
    """
    given_up = state.given_up
    suspects = (state.failed | state.attempts.keys()) - given_up
    free = [key for key in state.lacking if key not in state.in_flight and key not in given_up]
    healthy = [key for key in free if key not in suspects]
    # New videos come before those that only change embedders, of which there may be a whole archive.
    kinds = [[k for k in healthy if k in state.to_read], [k for k in healthy if k not in state.to_read]]
    ranges = [
        ends
        for keys in kinds
        for ends in by_rank(contiguous(keys, state.order, longest=videos_per_run), state)
    ]
    known = frozenset(state.order)
    ranges += [(key, key) for key in free if key in suspects and key in known]
    slots = max(0, runs_at_once - state.runs_in_flight)
    notes = ["every video has frames and vectors"]
    if lacking := len(state.lacking):
        notes = [f"{counted(lacking, 'video lacks', 'videos lack')} frames or vectors"]
    if state.in_flight:
        notes.append(f"{counted(len(state.in_flight), 'is', 'are')} in a run now")
    if given_up:
        named = ", ".join(sorted(given_up)[:3])
        failed = counted(len(given_up), "failed twice and waits", "failed twice and wait")
        notes.append(f"{failed} for a person ({named}): see the failed runs of ingest_videos")
    return IngestPlan(tuple(ranges[:slots]), "; ".join(notes))
