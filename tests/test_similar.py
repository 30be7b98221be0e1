"""`similar_frames` over an archive: exact and by the index, by every way to name a frame, with errors that help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from al_assets.frame_names import UnknownFrameError
from al_assets.settings import SimilarSettings
from al_assets.similar import NoIndexError, NoVectorError, similar_frames
from al_assets.similarity_files import read_coverage, update_index
from support.vector_archive import EMBEDDER, GROUPS, MODEL, VectorArchive

LARGE = SimilarSettings(exact_frames=1_000)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[VectorArchive]:
    made = VectorArchive(tmp_path)
    yield made
    made.archive.database.close()


def test_it_finds_look_alikes_and_says_what_is_on_them(made: VectorArchive) -> None:
    first, second = made.video(1, 12), made.video(2, 12)
    made.rows.predict(MODEL, second[1], (1, 0.5), (2, 0.75))
    made.rows.label(first[5], 1)
    found = similar_frames(made.archive, first[1], 5)
    assert found["rank"].tolist() == [1, 2, 3, 4, 5]
    assert first[1] not in set(found["frame_id"])
    assert {index % GROUPS for index in found["frame_index"]} == {1}
    told = found.set_index("frame_id")[["class_names", "source", "confidence"]].astype(object)
    assert told.loc[first[5], ["class_names", "source"]].tolist() == ["zero", "human"]
    assert told.loc[second[1]].tolist() == ["one, zero", "model", 0.75]


def test_other_videos_leave_out_its_own(made: VectorArchive) -> None:
    first = made.video(1, 12)
    made.video(2, 12)
    assert set(similar_frames(made.archive, first[0], 4, other_videos=True)["video_id"]) == {"v2"}


@pytest.mark.parametrize("name", ["v1/3", "stills/v1/00000003.jpg", str(2**24 + 3)])
def test_a_frame_may_be_named_in_each_way(made: VectorArchive, name: str) -> None:
    keys = made.video(1, 12)
    found = similar_frames(made.archive, name, 2)
    assert found["frame_id"].tolist() == similar_frames(made.archive, keys[3], 2)["frame_id"].tolist()


def test_a_frame_that_is_not_there_says_how_to_name_one(made: VectorArchive) -> None:
    made.video(1, 4)
    with pytest.raises(UnknownFrameError, match="no video 'nosuch' in the archive; write a frame_id"):
        similar_frames(made.archive, "nosuch/3")


def test_a_frame_without_a_vector_says_what_to_run(made: VectorArchive) -> None:
    (key,) = made.rows.video(1, [0])
    with pytest.raises(NoVectorError, match="run `ingest_videos`"):
        similar_frames(made.archive, key)


def test_a_retired_video_is_found_no_more(made: VectorArchive) -> None:
    first = made.video(1, 8)
    made.video(2, 8)
    made.archive.videos.retire("v2")
    assert set(similar_frames(made.archive, first[0], 20)["video_id"]) == {"v1"}


def test_a_large_archive_asks_its_index_which_follows_the_videos(made: VectorArchive) -> None:
    first = made.video(1, 700)
    made.video(2, 500)
    with pytest.raises(NoIndexError, match="materialise similarity_index"):
        similar_frames(made.archive, first[0], settings=LARGE)
    assert update_index(made.archive, EMBEDDER)["added_videos"] == 2
    exact = similar_frames(made.archive, first[0], 10)["frame_id"].tolist()
    assert similar_frames(made.archive, first[0], 10, settings=LARGE)["frame_id"].tolist() == exact
    made.video(3, 100)
    made.archive.videos.retire("v2")
    assert update_index(made.archive, EMBEDDER) == {"frames": 800, "added_videos": 1, "removed_videos": 1}
    made.video(4, 300)
    assert update_index(made.archive, EMBEDDER)["added_videos"] == 1
    found = similar_frames(made.archive, first[0], 30, other_videos=True, settings=LARGE)
    assert set(found["video_id"]) == {"v3", "v4"}
    coverage = read_coverage(made.archive, EMBEDDER)
    assert coverage is not None
    assert [file.path for file in made.archive.storage.list("indexes/")] == sorted(
        [coverage.file, f"indexes/{EMBEDDER}.json"]
    )
