"""The map of an archive as rows and as a page: points stay, videos come and go, judged frames are always on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from al_assets.reports.assets import embedding_map, embedding_map_page
from al_assets.settings import parse_settings
from resources.sql_io_manager import SqlIOManager
from support.vector_archive import MODEL, VectorArchive


@pytest.fixture
def made(tmp_path: Path) -> Iterator[VectorArchive]:
    made = VectorArchive(tmp_path)
    yield made
    made.archive.database.close()


def draw(made: VectorArchive, *, page: bool = False, **settings: Any) -> dict[str, Any]:
    """Make the map, and its page if wanted, by a real run; what the map's materialization says."""
    result = dg.materialize(
        [embedding_map, embedding_map_page] if page else [embedding_map],
        resources={
            "archive": made.archive,
            "settings": parse_settings({"map": settings}),
            "io_manager": SqlIOManager(database=made.archive.database),
        },
    )
    (event,) = result.asset_materializations_for_node("embedding_map")
    return {name: value.value for name, value in event.metadata.items()}


def on_the_map(made: VectorArchive) -> pd.DataFrame:
    newest = made.archive.maps.newest()
    assert newest is not None
    return made.archive.maps.points(newest["map_id"]).to_pandas().set_index("frame_id")


def test_every_frame_of_a_small_archive_is_on_its_map_and_drawing_again_changes_nothing(
    made: VectorArchive,
) -> None:
    keys = made.video(1, 20) + made.video(2, 12)
    assert draw(made)["points"] == 32
    assert on_the_map(made).index.tolist() == keys
    assert "already" in draw(made)["why"]
    assert len(made.rows.query("SELECT map_id FROM embedding_maps")) == 1


def test_frames_stay_where_they_were_when_a_video_comes_and_one_goes(made: VectorArchive) -> None:
    made.video(1, 20)
    gone = made.video(2, 12)
    draw(made)
    before = on_the_map(made)
    new = made.video(3, 8)
    made.archive.videos.retire("v2")
    told = draw(made)
    after = on_the_map(made)
    assert (told["stayed"], told["new"]) == (20, 8)
    assert set(after.index) == set(before.index) - set(gone) | set(new)
    pd.testing.assert_frame_equal(after.loc[before.index[:20]], before.iloc[:20])
    assert made.rows.query("SELECT COUNT(DISTINCT map_id) FROM map_points") == [(1,)]


def test_a_large_archive_is_sampled_over_videos_with_every_judged_frame(made: VectorArchive) -> None:
    long, short = made.video(1, 60), made.video(2, 6)
    made.rows.label(long[41], 1)
    made.rows.label(long[42], 1, present=0)
    draw(made, points=20)
    shown = on_the_map(made).index
    assert len(shown) == 20
    assert {long[41], long[42]} <= set(shown)
    assert set(shown) & set(short)


def test_a_rare_class_of_the_model_is_on_the_map_whole(made: VectorArchive) -> None:
    keys = made.video(1, 60)
    for n, key in enumerate(keys):
        made.rows.add(
            "frame_scores", checkpoint_id=MODEL, frame_id=key, top_class_id=2 if n in (7, 33) else 1
        )
    draw(made, points=20)
    assert {keys[7], keys[33]} <= set(on_the_map(made).index)


def test_no_points_is_no_map(made: VectorArchive) -> None:
    made.video(1, 20)
    assert "no map is wanted" in draw(made, points=0)["why"]
    assert made.archive.maps.newest() is None


def test_an_archive_without_vectors_has_no_map_yet(made: VectorArchive) -> None:
    assert draw(made, page=True)["points"] == 0


def test_the_page_lies_beside_the_other_reports_and_knows_which_frames_have_a_still(
    made: VectorArchive,
) -> None:
    made.video(1, 20)
    made.archive.storage.write("stills/v1/00000003.jpg", b"no picture, which must not stop the map")
    draw(made, page=True, thumbnails=5)
    page = made.archive.storage.read("reports/embedding_map.html").decode()
    assert "20 frames, all of 20" in page
    assert "embedding_map.html" in made.archive.storage.read("reports/index.html").decode()
