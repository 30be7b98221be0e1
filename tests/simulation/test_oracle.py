import io
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from al_assets.labels.formats import detect, read_export
from al_assets.selection.labelling_tasks import TaskRow, label_studio_tasks
from al_assets.simulation.oracle import Truth, answer_tasks

AT = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
TRUTH = Truth({("clip-a", 0): "one|seven", ("clip-a", 25): "", ("clip-b", 7): "zero"})


def tasks(batch_id: int = 1) -> list[dict]:
    rows = [
        TaskRow(
            batch_id=batch_id,
            rank=rank,
            frame_id=1000 + rank,
            video_id=video_id,
            frame_index=frame_index,
            pts_ms=frame_index * 80,
            image_url=f"stills/{rank}.jpg",
            still=f"stills/{rank}.jpg",
            width=640,
            height=480,
            clip_url=None,
            checkpoint_id="ck-1",
            suggestions=(("nine", 0.9),),
            arm="strategy",
        )
        for rank, (video_id, frame_index) in enumerate(TRUTH.names, start=1)
    ]
    return label_studio_tasks(rows, blind=False)


def imported(answers: list[dict]) -> list:
    data = json.dumps(answers).encode()
    assert detect(data) == "label_studio"
    return list(read_export(io.BytesIO(data)))


def test_the_importer_reads_every_answer_as_the_truth() -> None:
    answers = imported(answer_tasks(tasks(), TRUTH, annotator="oracle@example.org", answered_at=AT))
    assert [[mark.name for mark in answer.marks] for answer in answers] == [["one", "seven"], [], ["zero"]]
    assert [answer.outcome for answer in answers] == ["labelled", "nobody", "labelled"]
    assert [answer.frame.frame_id for answer in answers] == [1001, 1002, 1003]
    assert {answer.annotator for answer in answers} == {"oracle@example.org"}
    assert {answer.annotated_at for answer in answers} == {AT}


def test_suggestions_stay_in_the_export_and_never_become_answers() -> None:
    exported = answer_tasks(tasks(), TRUTH, annotator="oracle", answered_at=AT)
    assert all(task["total_predictions"] == len(task["predictions"]) == 1 for task in exported)
    assert "nine" not in {mark.name for answer in imported(exported) for mark in answer.marks}


def test_answers_of_different_batches_never_share_a_source() -> None:
    exports = [answer_tasks(tasks(n), TRUTH, annotator="oracle", answered_at=AT) for n in (1, 2)]
    sources = [answer.source_id for export in exports for answer in imported(export)]
    assert len(set(sources)) == len(sources) == 6


def test_a_task_answered_again_keeps_its_source() -> None:
    first, again = (
        answer_tasks(tasks(), TRUTH, annotator="oracle", answered_at=AT + timedelta(days=day))
        for day in (0, 1)
    )
    assert [a.source_id for a in imported(first)] == [a.source_id for a in imported(again)]


def test_a_frame_without_truth_is_refused_by_name() -> None:
    with pytest.raises(LookupError, match="frame 0 of clip-a"):
        answer_tasks(tasks(), Truth({}), annotator="oracle", answered_at=AT)


@pytest.mark.parametrize("zone", [None, timezone(timedelta(hours=2))])
def test_a_time_that_is_not_utc_is_refused(zone) -> None:
    with pytest.raises(ValueError, match="not UTC"):
        answer_tasks(tasks(), TRUTH, annotator="oracle", answered_at=AT.replace(tzinfo=zone))
