"""Tracks of CVAT's video files, expanded to what each frame shows.

A track is a list of shapes at key frames; between two it moves linearly, and from a shape that is `outside` on it is
absent. After its last shape it stays until the task's last frame, as in CVAT. Frames without any track give no record:
a task spans thousands of frames, most of them empty, which nobody sampled, and "nobody" would be said of each.
Not here: images, and the file itself.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, pairwise
from xml.etree.ElementTree import Element

from al_assets.labels.formats.cvat_meta import Task
from al_assets.labels.formats.pixel_shapes import Shape, cvat_shape, fractions, picture_size
from al_assets.labels.formats.records import (
    BrokenRecord,
    ExportUnreadableError,
    Mark,
    ParsedAnnotation,
    Record,
)
from al_assets.labels.formats.values import judgement, storable
from al_assets.labels.formats.xml_files import agreed_keys, raw_text
from al_assets.names import BrokenValueError, clean_name, shown

SPARE_FRAMES = 50_000
FRAMES_PER_SHAPE = 50
"""CVAT itself writes a shape for each frame; a small file that spans an archive is refused."""


@dataclass(frozen=True, slots=True)
class Track:
    """A track. shapes: frame -> shape, None where it is outside; in order. problem: why it cannot be read."""

    id: str
    label: str
    shapes: Sequence[tuple[int, Shape | None]]
    keys: Mapping[str, str]
    problem: str | None = None
    raw: str = ""


def track_of(element: Element, task: Task) -> Track:
    """A track as the file gives it; one that cannot be read has a problem, and the frames that it names."""
    name = element.get("id", "")
    try:
        label = clean_name(element.get("label"), "its label")
        shapes: dict[int, Shape | None] = {}
        for child in element:
            number = task.number(child.get("frame"))
            if number in shapes:
                raise BrokenValueError(f"it has two shapes on frame {number}")
            shapes[number] = _shape(child)
        if not shapes:
            raise BrokenValueError("it has no shapes")
        # A shape carries the attributes of the key frame before it, so only what holds for the video counts.
        pairs = ((pair.get("name"), pair.text) for pair in element.iterfind("*/attribute"))
        keys = agreed_keys(pair for pair in pairs if pair[0] == "video_id")
    except BrokenValueError as error:
        problem = f"track {shown(name)} is broken: {error}"
        return Track(name, "", _span(element, task), {}, problem, raw_text(element))
    return Track(name, label, sorted(shapes.items()), keys)


def _shape(element: Element) -> Shape | None:
    """A shape; None for one that is outside, whose edges say nothing."""
    outside = element.get("outside", "0").strip() not in ("0", "")
    if outside and element.tag == "box":
        return None
    shape = cvat_shape(str(element.tag), element.attrib)
    return None if outside else shape


def _span(element: Element, task: Task) -> list[tuple[int, Shape | None]]:
    numbers = set()
    for child in element:
        with suppress(BrokenValueError):
            numbers.add(task.number(child.get("frame")))
    return [(number, Shape(0, 0, 0, 0)) for number in sorted(numbers)]


def check_extent(tracks: Sequence[tuple[Task, Track]]) -> None:
    """Refuse tracks that span more frames than such a file describes. Raises ExportUnreadableError."""
    frames = sum(sum(map(len, _gaps(track, task))) for task, track in tracks)
    if frames > SPARE_FRAMES + FRAMES_PER_SHAPE * sum(len(track.shapes) for _, track in tracks):
        raise ExportUnreadableError(
            f"the tracks span {frames} frames between a few key frames; export from CVAT, which writes each frame,"
            " or cut the task into parts"
        )


def frame_records(tracks: Sequence[tuple[Task, Track]], positions: count[int]) -> Iterator[Record]:
    """A record for each frame that a track shows, task by task, and one for each track that cannot be read.

    A frame that an unreadable track spans is broken too: without it the frame would say that its class is absent.
    """
    by_task: dict[Task, list[Track]] = {}
    for task, track in tracks:
        by_task.setdefault(task, []).append(track)
        if track.problem is not None:
            yield BrokenRecord(next(positions), track.problem, track.raw)
    for task, own in by_task.items():
        for number, seen in _frames(task, own):
            if any(track.problem is None for track, _ in seen):
                yield _record(task, number, seen, next(positions))


def _record(task: Task, number: int, seen: Sequence[tuple[Track, Shape]], position: int) -> Record:
    shown_here = [{"id": track.id, "label": track.label, "shape": shape} for track, shape in seen]
    raw = storable(
        json.dumps(
            {"task": task.name, "video": task.source, "frame": number, "tracks": shown_here},
            ensure_ascii=False,
        )
    )
    try:
        broken = next((track.problem for track, _ in seen if track.problem is not None), None)
        if broken is not None:
            raise BrokenValueError(broken)
        width, height = picture_size(task.width, task.height)
        marks = [Mark(track.label, fractions(shape, width, height)) for track, shape in seen]
        outcome, kept = judgement(marks)
        keys = agreed_keys(pair for track, _ in seen for pair in track.keys.items())
        return ParsedAnnotation(
            positions=(position,),
            frame=task.reference(number, keys),
            annotator=task.annotator,
            outcome=outcome,
            marks=kept,
            raw=raw,
        )
    except BrokenValueError as error:
        return BrokenRecord(position, str(error), raw)


def _frames(task: Task, tracks: Sequence[Track]) -> Iterator[tuple[int, list[tuple[Track, Shape]]]]:
    """Frames in order with the tracks that each shows. Tracks are expanded a frame at a time."""
    waiting = sorted((track for track in tracks if track.shapes), key=lambda track: -track.shapes[0][0])
    active: list[tuple[int, int, Shape, Track, Iterator[tuple[int, Shape]]]] = []
    order = count()
    while waiting or active:
        while waiting and (not active or waiting[-1].shapes[0][0] <= active[0][0]):
            track = waiting.pop()
            steps = _expanded(track, task)
            if (first := next(steps, None)) is not None:
                heapq.heappush(active, (first[0], next(order), first[1], track, steps))
        if not active:
            continue
        number, seen = active[0][0], []
        while active and active[0][0] == number:
            _, place, shape, track, steps = active[0]
            seen.append((track, shape))
            if (following := next(steps, None)) is None:
                heapq.heappop(active)
            else:
                heapq.heapreplace(active, (following[0], place, following[1], track, steps))
        yield number, seen


def _expanded(track: Track, task: Task) -> Iterator[tuple[int, Shape]]:
    """Each frame that a track shows, with its shape there."""
    after: Sequence[tuple[int, Shape | None] | None] = [*track.shapes[1:], None]
    for (number, shape), following, gap in zip(track.shapes, after, _gaps(track, task), strict=True):
        if shape is None:
            continue
        yield number, shape
        end = None if following is None else following[1]
        for between in gap:
            if following is None or end is None:
                yield between, shape
            else:
                yield between, shape.towards(end, (between - number) / (following[0] - number))


def _gaps(track: Track, task: Task) -> Iterator[range]:
    """For each shape of a track, the frames after it that it alone says something about."""
    for (number, shape), (following, _) in pairwise(track.shapes):
        yield range(0) if shape is None else task.frames_between(number, following)
    if track.shapes:
        number, shape = track.shapes[-1]
        # CVAT writes a single shape as a track with an end, which it leaves out where that would be the last frame.
        single = len(track.shapes) == 1 and task.stop is not None and number + task.step >= task.stop
        stays = shape is not None and task.stop is not None and not single and track.problem is None
        yield task.frames_between(number, (task.stop or 0) + 1) if stays else range(0)
