"""CVAT for video: tracks expanded between key frames, in the layout of release 2.x (in exports/)."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from al_assets.labels.formats import cvat
from al_assets.labels.formats.records import BrokenRecord, ExportUnreadableError, FrameReference
from support.mutated_exports import check
from support.mutated_texts import mutated_text

VIDEO = (Path(__file__).parent / "exports" / "cvat_video.xml").read_text(encoding="utf-8")
META = (
    "<meta><task><id>1</id><size>11</size><start_frame>0</start_frame><stop_frame>10</stop_frame>"
    "<original_size><width>100</width><height>100</height></original_size><source>a.mp4</source></task></meta>"
)


def read(text: str) -> list[Any]:
    return list(cvat.read(io.BytesIO(text.encode())))


def box(frame: object, left: object = 10, outside: int = 0, more: str = "") -> str:
    edges = f'xtl="{left}" ytl="10" xbr="{float(str(left)) + 10}" ybr="20"'
    return f'<box frame="{frame}" outside="{outside}" occluded="0" keyframe="1" {edges} {more}/>'


def tracks(*inner: str, meta: str = META, label: str = "zero") -> list[Any]:
    text = "".join(f'<track id="{n}" label="{label}">{shapes}</track>' for n, shapes in enumerate(inner))
    return read(f"<annotations>{meta}{text}</annotations>")


def frames(records: list[Any]) -> list[int]:
    return [record.frame.frame_index for record in records]


def lefts(records: list[Any]) -> list[float]:
    return [record.marks[0].box[0] for record in records]


def test_an_export_of_a_video_gives_each_frame_that_a_track_shows() -> None:
    records = read(VIDEO)
    assert [(record.frame.frame_index, [mark.name for mark in record.marks]) for record in records] == [
        (100, ["zero"]),
        (105, ["zero"]),
        (110, ["zero", "one"]),
        (115, ["zero"]),
        (120, ["zero"]),
        (140, ["zero"]),
        (145, ["zero"]),  # not outside, so it stays until the task's last frame
        (150, ["zero"]),
    ]
    assert records[0].frame == FrameReference(video_path="clip-1.mp4", frame_index=100)


def test_between_key_frames_a_box_moves_linearly() -> None:
    at = {record.frame.frame_index: record.marks[0].box for record in read(VIDEO)}
    assert at[105] == pytest.approx((0.125, 0.1, 0.1, 0.1))  # given
    assert at[110] == pytest.approx((96 / 640, 64 / 480, 0.1, 0.1))  # a third of the way from 105 to 120
    assert at[115] == pytest.approx((112 / 640, 80 / 480, 0.1, 0.1))
    assert at[120] == pytest.approx((0.2, 0.2, 0.1, 0.1))


def test_a_track_stays_where_it_is_until_it_is_outside() -> None:
    records = tracks(box(2, 10) + box(5, 50, outside=1))
    assert frames(records) == [2, 3, 4]
    assert lefts(records) == pytest.approx([0.1, 0.1, 0.1])


def test_a_track_comes_back_after_being_outside() -> None:
    assert frames(tracks(box(1) + box(2, outside=1) + box(5) + box(6, outside=1))) == [1, 5]


def test_a_turning_box_turns_the_shorter_way() -> None:
    shapes = box(0, more='rotation="350"') + box(3, more='rotation="20"') + box(4, outside=1)
    assert tracks(shapes)[1].marks[0].box == pytest.approx((0.1, 0.1, 0.1, 0.1))  # upright, at 360 degrees


def test_a_track_without_end_stays_until_the_last_frame_of_the_task() -> None:
    assert frames(tracks(box(7))) == [7, 8, 9, 10]
    assert frames(tracks(box(7), meta=META.replace("<stop_frame>10</stop_frame>", ""))) == [7]


def test_a_single_shape_just_before_the_last_frame_has_no_end_in_the_file_and_does_not_stay() -> None:
    assert frames(tracks(box(9))) == [9]


def test_shapes_in_any_order_are_the_same_track() -> None:
    assert frames(tracks(box(4, outside=1) + box(2))) == [2, 3]


def test_frames_without_any_track_give_no_record() -> None:
    assert frames(tracks(box(2) + box(3, outside=1), box(8) + box(9, outside=1))) == [2, 8]


def test_the_tasks_of_a_project_each_have_their_video_and_numbers() -> None:
    task = META.removeprefix("<meta>").removesuffix("</meta>")
    second = task.replace("<id>1</id>", "<id>2</id>").replace("a.mp4", "b.mp4")
    meta = f"<meta><project><tasks>{task}{second}</tasks></project></meta>"
    one = f'<track id="0" label="zero" task_id="1">{box(2)}{box(3, outside=1)}</track>'
    two = f'<track id="1" label="zero" task_id="2">{box(13)}{box(14, outside=1)}</track>'
    records = read(f"<annotations>{meta}{one}{two}</annotations>")
    # CVAT numbers the second task on from the eleven frames of the first.
    assert [(r.frame.video_path, r.frame.frame_index) for r in records] == [("a.mp4", 2), ("b.mp4", 2)]


def test_a_project_numbers_each_subset_from_its_beginning() -> None:
    task = META.removeprefix("<meta>").removesuffix("</meta>")
    second = task.replace("<id>1</id>", "<id>2</id><subset>val</subset>")
    meta = f"<meta><project><tasks>{task}{second}</tasks></project></meta>"
    two = f'<track id="1" label="zero" task_id="2">{box(2)}{box(3, outside=1)}</track>'
    assert frames(read(f"<annotations>{meta}{two}</annotations>")) == [2]


def test_old_files_name_the_video_beside_the_task() -> None:
    meta = META.replace("<source>a.mp4</source></task>", "</task><source>a.mp4</source>")
    assert tracks(box(10), meta=meta)[0].frame.video_path == "a.mp4"


def test_a_job_does_not_name_its_video_and_says_what_to_do() -> None:
    meta = META.replace("<source>a.mp4</source>", "").replace("task>", "job>")
    (record,) = tracks(box(10), meta=meta)
    assert record.reason.startswith("the file does not name the video of this frame; export the whole task")


def test_a_video_id_among_the_attributes_names_the_video() -> None:
    shape = box(10)[:-2] + '><attribute name="video_id">clip-1</attribute></box>'
    meta = META.replace("<source>a.mp4</source>", "")
    assert tracks(shape, meta=meta)[0].frame == FrameReference(video_id="clip-1", frame_index=10)


def test_without_the_size_of_the_video_boxes_are_refused() -> None:
    meta = META.replace("<width>100</width>", "")
    assert "picture's size" in tracks(box(10), meta=meta)[0].reason


@pytest.mark.parametrize(
    ("shapes", "why"),
    [
        ("", "it has no shapes"),
        (box("x"), "frame 'x' is not a whole number"),
        (box(2**24), "not in"),
        (box(1) + box(1), "two shapes on frame 1"),
        (box(1, left="nan"), "not a finite number"),
        ('<points frame="1" points="1,2"/>', "'points' are not supported"),
    ],
)
def test_a_track_that_cannot_be_read_is_one_broken_record(shapes: str, why: str) -> None:
    (record,) = tracks(shapes)
    assert isinstance(record, BrokenRecord)
    assert record.reason.startswith("track '0' is broken")
    assert why in record.reason


def test_frames_that_an_unreadable_track_spans_are_broken_since_its_class_would_seem_absent() -> None:
    broken, *rest = tracks(box(2) + box(4) + box(4), box(1) + box(6, outside=1))
    assert isinstance(broken, BrokenRecord)
    assert [isinstance(record, BrokenRecord) for record in rest] == [False, True, True, True, False]


def test_a_box_that_leaves_the_picture_breaks_its_frame_only() -> None:
    records = tracks(box(1, 10) + box(3, 130) + box(4, outside=1))
    assert [isinstance(record, BrokenRecord) for record in records] == [False, False, True]


def test_a_small_file_that_spans_an_archive_is_refused() -> None:
    with pytest.raises(ExportUnreadableError, match="the tracks span 16777213 frames"):
        tracks(box(1) + box(2**24 - 1))


def test_a_long_absence_is_no_span() -> None:
    assert frames(tracks(box(1) + box(2, outside=1) + box(2**24 - 1))) == [1, 2**24 - 1]


def test_ten_thousand_tracks_of_a_shape_each_are_read_in_seconds() -> None:
    start = time.perf_counter()
    meta = META.replace("<stop_frame>10<", "<stop_frame>20000<")
    assert len(tracks(*(box(n) + box(n + 1, outside=1) for n in range(10_000)), meta=meta)) == 10_000
    assert time.perf_counter() - start < 5


@settings(deadline=None)
@given(mutated_text(VIDEO))
def test_every_record_of_a_damaged_export_is_imported_or_rejected(data: bytes) -> None:
    check(cvat.read, data)
