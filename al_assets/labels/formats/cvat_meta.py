"""What a CVAT file says of its tasks: the video, its size, and which frames of it were labelled.

Layout: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/ and xml_format, as releases 1.x and 2.x
write it: `meta/task` (or `meta/job`, or `meta/project/tasks/task`), with the video's name in its `source` or, in old
files and those of jobs, beside it. Not here: images, tracks and shapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from al_assets.keys import FRAMES_PER_VIDEO
from al_assets.labels.formats.records import UNKNOWN_ANNOTATOR, FrameReference
from al_assets.labels.formats.values import frame_reference, whole_number
from al_assets.labels.formats.xml_files import names_frame, text_of
from al_assets.names import BrokenValueError, clean_name

_STEP = re.compile(r"step\s*=\s*([0-9]{1,8})")
_UNNAMED = (
    "the file does not name the video of this frame; export the whole task instead of one job, as CVAT for video or,"
    " if it is a task of images, as CVAT for images"
)


@dataclass(frozen=True, slots=True)
class Task:
    """A task or job. start, stop, step: its frames, numbered in the source; offset: what a project adds to numbers."""

    name: str | None = None
    source: str | None = None
    is_video: bool = False
    width: str | None = None
    height: str | None = None
    start: int = 0
    stop: int | None = None
    step: int = 1
    offset: int = 0
    annotator: str = UNKNOWN_ANNOTATOR

    def frames_between(self, after: int, before: int) -> range:
        """Numbers of the task's frames that lie between two numbers, without these."""
        first = self.start + max(0, (after - self.start) // self.step + 1) * self.step
        return range(first, before, self.step)

    def number(self, written: object) -> int:
        """Number of a frame in the source, from the one in the file."""
        return whole_number(whole_number(written, "frame") - self.offset, "frame", below=FRAMES_PER_VIDEO)

    def reference(self, number: int, keys: Mapping[str, str]) -> FrameReference:
        """How a frame of the video is found. Raises BrokenValueError where nothing names the video."""
        if names_frame(keys):
            return frame_reference(keys)
        if "video_id" in keys:
            return frame_reference({"video_id": keys["video_id"], "frame_index": number})
        if self.source is None:
            raise BrokenValueError(_UNNAMED)
        return FrameReference(video_path=self.source, frame_index=number)


@dataclass(frozen=True, slots=True)
class Tasks:
    """The tasks of a file, by the id that images and tracks of a project give."""

    by_id: Mapping[str, Task]

    def of(self, element: Element) -> Task:
        """The task of an image or track: the one that it names, or the only one."""
        named = self.by_id.get(element.get("task_id", ""))
        if named is None and len(self.by_id) == 1:
            return next(iter(self.by_id.values()))
        return named or Task()


def tasks_of(meta: Element) -> Tasks:
    """The tasks that the `meta` element describes; numbers that make no sense count as not given."""
    single = meta.find("task")
    single = meta.find("job") if single is None else single
    if single is not None:
        return Tasks({text_of(single, "id") or "": _task(single, meta, 0)})
    return Tasks(dict(_of_project(meta.findall("project/tasks/task"), meta)))


def _of_project(elements: list[Element], meta: Element) -> Iterator[tuple[str, Task]]:
    """The tasks of a project: CVAT numbers their frames on, from task to task within a subset."""
    subset, offset = None, 0
    for element in elements:
        if text_of(element, "subset") != subset:
            subset, offset = text_of(element, "subset"), 0
        task = _task(element, meta, offset)
        yield text_of(element, "id") or "", task
        offset += task.start + task.step * (_number(text_of(element, "size")) or 0)


def _task(element: Element, meta: Element, offset: int) -> Task:
    size = next(
        (found for place in (element, meta) if (found := place.find("original_size")) is not None), None
    )
    step = _STEP.search(text_of(element, "frame_filter") or "")
    return Task(
        name=text_of(element, "name"),
        source=text_of(element, "source") or text_of(meta, "source"),
        is_video=text_of(element, "mode") == "interpolation" or size is not None,
        width=text_of(size, "width"),
        height=text_of(size, "height"),
        start=_number(text_of(element, "start_frame")) or 0,
        stop=_number(text_of(element, "stop_frame")),
        step=max(1, int(step.group(1))) if step else 1,
        offset=offset,
        annotator=_annotator(element),
    )


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else whole_number(text, "frame", below=FRAMES_PER_VIDEO)
    except BrokenValueError:
        return None


def _annotator(element: Element) -> str:
    """Who was given the task: shapes do not say who drew them."""
    name = text_of(element, "assignee/username") or text_of(element, "assignee")
    try:
        return UNKNOWN_ANNOTATOR if name is None else clean_name(name, "assignee")
    except BrokenValueError:
        return UNKNOWN_ANNOTATOR
