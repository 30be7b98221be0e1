"""frame_labels and human_labels: people's word over the model's."""

from support.archive_rows import ArchiveRows

PRESENT = "SELECT frame_id, class_name, source FROM frame_labels ORDER BY frame_id, class_name"


def test_people_silence_the_model_class_by_class(archive: ArchiveRows) -> None:
    (frame,) = archive.video(1, [0])
    archive.classes("zero", "one", "two")
    archive.serve("m")
    archive.predict("m", frame, (1, 0.9), (2, 0.9), (3, 0.9))
    archive.label(frame, 1)
    archive.label(frame, 2, present=0)
    assert archive.query(PRESENT) == [(frame, "two", "model"), (frame, "zero", "human")]


def test_with_single_labels_a_persons_class_silences_the_model_on_the_frame(archive: ArchiveRows) -> None:
    named, doubted = archive.video(1, [0, 400])
    archive.classes("zero", "one", "two")
    archive.serve("m", task="single_label")
    archive.predict("m", named, (2, 0.9))
    archive.predict("m", doubted, (2, 0.9))
    archive.label(named, 1)
    archive.label(doubted, 1, present=0)
    assert archive.query(PRESENT) == [(named, "zero", "human"), (doubted, "one", "model")]


def test_a_label_tells_where_it_comes_from(archive: ArchiveRows) -> None:
    first, second = archive.video(1, [0, 400])
    archive.classes("zero")
    archive.serve("m")
    archive.predict("m", second, (1, 0.5), (1, 0.25))
    archive.label(first, 1, export_id=3, agreement=0.75, annotators=4)
    columns = "confidence, agreement, annotators, annotation_id, checkpoint_id"
    assert archive.query(f"SELECT {columns} FROM frame_labels ORDER BY frame_id") == [
        (None, 0.75, 4, 3 * 2**32, None),
        (0.5, None, None, None, "m"),
    ]


def test_labels_of_an_export_that_was_undone_no_longer_count(archive: ArchiveRows) -> None:
    first, second = archive.video(1, [0, 400])
    archive.classes("zero")
    archive.serve("m")
    archive.predict("m", first, (1, 0.9))
    archive.export(1, status="undone")
    archive.export(2)
    archive.label(first, 1, present=0, export_id=1)
    archive.label(second, 1, export_id=2)
    assert archive.query(PRESENT) == [(first, "zero", "model"), (second, "zero", "human")]
    assert archive.query("SELECT frame_id FROM human_labels") == [(second,)]


def test_merged_classes_count_as_one(archive: ArchiveRows) -> None:
    first, second = archive.video(1, [0, 400])
    archive.classes("zero", "one")
    archive.add("classes", class_id=3, name="O", aliases="[]", active=0, merged_into=1)
    archive.serve("m")
    archive.predict("m", second, (1, 0.5), (3, 0.75))
    archive.label(first, 1, present=0)
    archive.label(first, 3, annotators=2)
    rows = archive.query(
        "SELECT frame_id, class_id, class_name, annotators, confidence FROM frame_labels ORDER BY 1"
    )
    assert rows == [(first, 1, "zero", 2, None), (second, 1, "zero", None, 0.75)]


def test_people_are_heard_before_any_model_serves(archive: ArchiveRows) -> None:
    (frame,) = archive.video(1, [0])
    archive.classes("zero")
    archive.label(frame, 1)
    assert archive.query(PRESENT) == [(frame, "zero", "human")]
