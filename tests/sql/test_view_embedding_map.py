"""embedding_map: the newest map with what people and the model say of each frame on it."""

from datetime import timedelta

from support.archive_rows import NOW, ArchiveRows


def test_people_speak_before_the_model_and_nobody_is_an_answer(archive: ArchiveRows) -> None:
    frames = archive.video(1, [0, 400, 800, 1200])
    archive.classes("zero", "one")
    archive.serve("m")
    archive.add("embedding_maps", map_id="new", made_at=NOW)
    for n, frame in enumerate(frames):
        archive.add("map_points", map_id="new", frame_id=frame, x=float(n), y=0.5)
    for frame in frames[:3]:
        archive.add("frame_scores", checkpoint_id="m", frame_id=frame, top_class_id=1, confidence=0.75)
        archive.add("frame_scores", checkpoint_id="old", frame_id=frame, top_class_id=2, confidence=1.0)
    archive.label(frames[0], 2)
    archive.label(frames[1], 1, present=0)
    columns = "x, class_name, confidence, labelled, source, checkpoint_id"
    assert archive.query(f"SELECT {columns} FROM embedding_map ORDER BY frame_id") == [
        (0.0, "one", None, 1, "human", None),
        (1.0, None, None, 1, "human", None),
        (2.0, "zero", 0.75, 0, "model", "m"),
        (3.0, None, None, 0, None, None),
    ]


def test_it_shows_the_newest_map_of_videos_that_are_there(archive: ArchiveRows) -> None:
    (first,) = archive.video(1, [0])
    (second,) = archive.video(2, [0], status="retired")
    archive.add("embedding_maps", map_id="b", made_at=NOW)
    archive.add("embedding_maps", map_id="a", made_at=NOW + timedelta(hours=1))
    for map_id in "ab":
        for frame in (first, second):
            archive.add("map_points", map_id=map_id, frame_id=frame, x=0.0, y=0.0)
    assert archive.query("SELECT map_id, frame_id FROM embedding_map") == [("a", first)]
