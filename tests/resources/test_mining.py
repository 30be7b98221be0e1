"""What [mining] lets through: conditions on predictions, boxes and sites, on each database."""

from __future__ import annotations

from typing import Any

import pytest

from resources.database import Database
from resources.queries.mining import MiningError, Restriction
from resources.queries.selection import SelectionQueries
from support.archive_rows import ArchiveRows

FIFI, KIKI, OLD_FIFI = 1, 2, 3


@pytest.fixture
def archive(database: Database) -> ArchiveRows:
    """Two training videos of four frames, north and south, a validation video of one; KIKI on some, FIFI on others."""
    rows = ArchiveRows(database)
    rows.classes("fifi", "kiki")
    rows.add("classes", class_id=OLD_FIFI, name="old fifi", aliases='["Fi"]', active=1, merged_into=FIFI)
    north = rows.video(1, [0, 400, 800, 1200], site="north")
    south = rows.video(2, [0, 400, 800, 1200], site="south")
    held = rows.video(3, [0], site="north", split="validation")
    for key in (*north, *south, *held):
        rows.add("embeddings", embedder_id="e1", frame_id=key, vector=b"\0\0")
    predicted: list[tuple[int, int, float, float | None]] = [
        (north[0], FIFI, 0.9, 0.5),
        (north[1], KIKI, 0.6, 0.1),
        (north[1], FIFI, 0.8, 0.1),
        (north[2], OLD_FIFI, 0.4, None),
        (south[0], FIFI, 0.5, 0.2),
        (south[1], KIKI, 0.7, 0.9),
    ]
    for number, (key, class_id, confidence, side) in enumerate(predicted):
        rows.add(
            "predictions",
            checkpoint_id="ck",
            frame_id=key,
            instance=number,
            class_id=class_id,
            confidence=confidence,
            box_x=0.0,
            box_y=0.0,
            box_width=side,
            box_height=side,
        )
        # A model that served before saw FIFI everywhere, and sure.
        rows.add(
            "predictions",
            checkpoint_id="before",
            frame_id=key,
            instance=number,
            class_id=FIFI,
            confidence=0.1,
        )
    for number, key in enumerate((*north, *south, *held)):
        rows.add("frame_scores", checkpoint_id="ck", frame_id=key, confidence=0.1 * number + 0.05, margin=0.5)
        rows.add("frame_scores", checkpoint_id="before", frame_id=key, confidence=0.0, margin=0.9)
    return rows


def places(keys: list[int]) -> list[tuple[int, int]]:
    """(video, frame) by number."""
    return [(key >> 24, (key & 0xFFFFFF) // 5) for key in keys]


def mined(rows: ArchiveRows, checkpoint_id: str | None = "ck", **wanted: Any) -> list[tuple[int, int]]:
    """Open training frames that the conditions let through; the least certain ones are the same."""
    queries = SelectionQueries(rows.database)
    only = queries.restriction(checkpoint_id, **wanted)
    keys = queries.open_frames("e1", ["train"], repeats=False, only=only)["frame_id"].to_pylist()
    assert keys == sorted(queries.least_certain("ck", 100, only=only).tolist())
    return places(keys)


ALL = [(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1), (2, 2), (2, 3)]


def test_nothing_named_lets_every_open_frame_through(archive: ArchiveRows) -> None:
    assert mined(archive) == ALL


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"class_names": ["kiki"]}, [(1, 1), (2, 1)]),
        ({"class_names": ["fifi"]}, [(1, 0), (1, 1), (1, 2), (2, 0)]),
        ({"class_names": ["FIFI", "kiki"]}, [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]),
        ({"sites": ["south"]}, [(2, 0), (2, 1), (2, 2), (2, 3)]),
        ({"sites": ["south", "north"], "class_names": ["kiki"]}, [(1, 1), (2, 1)]),
        ({"class_names": ["fifi"], "confidence_below": 0.7}, [(1, 2), (2, 0)]),
        ({"confidence_below": 0.2}, [(1, 0), (1, 1)]),
        ({"box_area": (0.02, 0.3)}, [(1, 0), (2, 0)]),
        ({"box_area": (0.0, 1.0), "class_names": ["fifi"]}, [(1, 0), (1, 1), (2, 0)]),
        ({"box_area": (0.5, 1.0), "sites": ["north"]}, []),
    ],
)
def test_conditions_let_through_what_fulfils_all_of_them(
    archive: ArchiveRows, wanted: dict[str, Any], found: list[tuple[int, int]]
) -> None:
    assert mined(archive, **wanted) == found


def test_class_and_confidence_are_about_one_and_the_same_prediction(archive: ArchiveRows) -> None:
    # Frame (1, 1) has FIFI at 0.8 and KIKI at 0.6.
    assert (1, 1) not in mined(archive, class_names=["fifi"], confidence_below=0.7)


@pytest.mark.parametrize("name", ["fifi", "old fifi", "fi"])
def test_any_spelling_of_a_class_means_it_and_those_merged_into_it(archive: ArchiveRows, name: str) -> None:
    assert SelectionQueries(archive.database).restriction("ck", class_names=[name]).class_ids == (
        FIFI,
        OLD_FIFI,
    )


def test_without_a_model_only_the_sites_hold_frames_back(archive: ArchiveRows) -> None:
    wanted: dict[str, Any] = {"class_names": ["kiki"], "confidence_below": 0.1, "box_area": (0.9, 1.0)}
    assert mined(archive, None, **wanted) == ALL
    assert mined(archive, None, **wanted, sites=["north"]) == ALL[:4]


def test_an_unknown_class_or_site_is_named_with_those_there_are(archive: ArchiveRows) -> None:
    with pytest.raises(
        MiningError, match=r"\[mining\] classes: the archive has no class 'fufi'; it knows 'fifi', 'kiki'$"
    ):
        mined(archive, class_names=["fifi", "fufi"])
    with pytest.raises(
        MiningError, match=r"\[mining\] sites: no video is of site 'North'; it knows 'north', 'south'$"
    ):
        mined(archive, sites=["north", "North"])


def test_an_archive_without_names_says_so(database: Database) -> None:
    with pytest.raises(MiningError, match="it knows no class yet"):
        SelectionQueries(database).restriction(None, class_names=["fifi"])
    with pytest.raises(MiningError, match="it knows no site yet"):
        SelectionQueries(database).restriction(None, sites=["north"])


def test_a_hostile_name_is_a_name(archive: ArchiveRows) -> None:
    with pytest.raises(MiningError):
        mined(archive, class_names=["fifi'); DROP TABLE frames; --"])
    assert mined(archive) == ALL


def test_a_restriction_is_none_by_default() -> None:
    assert Restriction().conditions() == []
