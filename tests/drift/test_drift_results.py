"""Comparisons over real tables: what is written once, what counts as adrift, and what labels say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from al_assets import drift_comparison
from al_assets.drift import checks
from al_assets.drift.assets import drift_report, site_shares
from al_assets.drift.plots import drift_by_site_svg
from al_assets.drift_comparison import SMALLEST_REFERENCE, compare_videos, comparison, not_compared, summaries
from al_assets.label_drift import CONCEPT, LABEL_MIX
from al_assets.settings import parse_settings
from resources.archive import Archive
from support.archive_rows import NOW, ArchiveRows
from support.small_archives import empty_archive

TRAINED, HELD, NEW = range(1, 23), range(23, 45), (45, 46, 47)
DARK = 47


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """A model trained on 22 videos, 22 hold-out ones, and three new ones of which the last is dark."""
    archive = empty_archive(tmp_path)
    rows, rng = ArchiveRows(archive.database), np.random.default_rng(5)
    rows.add("embedders", embedder_id="e", dimensions=8)
    rows.add("checkpoints", checkpoint_id="m", embedder_id="e", training_set_id="t", class_ids="[1, 2]")
    rows.add("serving", slot=1, checkpoint_id="m")
    rows.classes("zero", "one")
    for number in (*TRAINED, *HELD, *NEW):
        add_video(rows, number, rng)
    yield archive
    archive.database.close()


def add_video(rows: ArchiveRows, number: int, rng: np.random.Generator) -> None:
    split = "test" if number in HELD else "train"
    at = NOW + timedelta(days=1) if number in NEW else NOW - timedelta(days=1)
    values = {"split": split, "site": "ford", "recorded_at": NOW, "registered_at": at, "frames_version": "1"}
    rows.add("videos", video_id=f"v{number}", video_no=number, status="indexed", kind="video", **values)
    rows.add("video_coverage", asset="predictions", version="m", video_id=f"v{number}", frames_version="1")
    light = (0.05 if number == DARK else 0.4) * rng.normal(1, 0.05)
    for index in range(4):
        key = number * 2**24 + index
        rows.add(
            "frames", frame_id=key, video_id=f"v{number}", frame_index=index, brightness=light, sharpness=90.0
        )
        vector = rng.normal(1, 0.2, 8).astype("<f2").tobytes()
        rows.add("embeddings", embedder_id="e", frame_id=key, vector=vector)
        scores = {
            "top_class_id": 1 + index % 2,
            "confidence": rng.uniform(0.7, 0.9),
            "margin": 0.5,
            "entropy": 0.4,
        }
        rows.add("frame_scores", checkpoint_id="m", frame_id=key, top_five=b"", **scores)
        if number in TRAINED:
            values = {"training_set_id": "t", "class_id": 1, "target": 1, "split": "train"}
            rows.add("training_sets", frame_id=key, **values)


def compare(archive: Archive, *numbers: int):
    against = comparison(archive)
    videos = archive.videos.get([f"v{number}" for number in numbers])
    return compare_videos(archive, against, videos, "run", 0.05)


def test_the_dark_video_alone_is_adrift_and_only_while_it_is_readable(archive: Archive) -> None:
    rows = compare(archive, *NEW)
    assert {row["statistic"] for row in rows if row["drifted"]} == {"brightness"}
    assert archive.monitoring.videos_adrift("m") == [f"v{DARK}"]
    with archive.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE videos SET status = 'retired' WHERE video_no = {DARK}")
    assert archive.monitoring.videos_adrift("m") == []


def test_a_video_is_read_once_and_again_when_its_frames_change(archive: Archive) -> None:
    (video,) = archive.videos.get(["v45"])
    before = summaries(archive, "e", [video])["v45"]
    with archive.database.write() as connection:
        connection.exec_driver_sql("UPDATE frames SET brightness = 0.9 WHERE video_id = 'v45'")
    assert summaries(archive, "e", [video])["v45"].brightness == before.brightness
    with archive.database.write() as connection:
        connection.exec_driver_sql("UPDATE videos SET frames_version = '2' WHERE video_id = 'v45'")
    assert summaries(archive, "e", archive.videos.get(["v45"]))["v45"].brightness == pytest.approx(
        np.log(0.9)
    )


def test_summaries_are_written_in_blocks_and_all_of_them(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift_comparison, "RECORDED_VIDEOS", 10)
    videos = archive.videos.all()
    made = summaries(archive, "e", videos)
    assert list(made) == [video.video_id for video in videos]
    monkeypatch.setattr(drift_comparison, "summarise", None)
    assert summaries(archive, "e", videos).keys() == made.keys()


def test_the_models_answers_are_summed_up_by_video(archive: Archive) -> None:
    videos = archive.videos.get(["v45", "v46"])
    assert archive.drift.sum_up_scores("m", videos, NOW) == 2
    row = archive.drift.scores("m", videos).iloc[0]
    assert (row["frames"], row["margin"], json.loads(row["class_frames"])) == (4, 0.5, {"1": 2, "2": 2})


def test_a_video_is_compared_again_once_the_model_has_scored_it(archive: Archive) -> None:
    with archive.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM video_coverage WHERE video_id = 'v46'")
    compare(archive, *HELD, *NEW)
    assert not_compared(archive, comparison(archive)) == []
    ArchiveRows(archive.database).add(
        "video_coverage", asset="predictions", version="m", video_id="v46", frames_version="1"
    )
    assert [video.video_id for video in not_compared(archive, comparison(archive))] == ["v46"]


def test_too_small_a_reference_says_so(archive: Archive) -> None:
    with archive.database.write() as connection:
        connection.exec_driver_sql(
            f"DELETE FROM training_sets WHERE frame_id / 16777216 > {SMALLEST_REFERENCE - 1}"
        )
    assert comparison(archive) == "the model was trained on 19 videos; 20 are needed to tell a spread"


def label(rows: ArchiveRows, *, export: int, right: bool, held: range) -> None:
    for position, number in enumerate(held):
        frame = number * 2**24
        annotation = export * 2**32 + position
        rows.annotation(annotation, frame, "anna", "labelled", 1, export_id=export)
        rows.label(frame, 1, present=int(right), annotation_id=annotation)
        rows.label(frame, 2, present=int(not right), annotation_id=annotation)
        rows.add(
            "selections", batch_id=export, rank=position + 1, frame_id=frame, arm="evaluation", propensity=0.1
        )


def test_labels_that_contradict_the_model_are_shown_by_both_checks(archive: Archive) -> None:
    rows = ArchiveRows(archive.database)
    rows.add("label_exports", export_id=1, status="imported", imported_at=NOW - timedelta(days=1))
    rows.add("label_exports", export_id=2, status="imported", imported_at=NOW + timedelta(days=2))
    label(rows, export=1, right=True, held=HELD[:10])
    label(rows, export=2, right=False, held=HELD[10:])
    resources = {"archive": archive, "settings": parse_settings({"drift": {"report": False}})}
    result = dg.materialize(
        [drift_report, *checks.CHECKS[1:]],
        resources=resources,
        selection=dg.AssetSelection.assets("drift_report"),
    )
    verdicts = {found.check_name: found for found in result.get_asset_check_evaluations()}
    assert not verdicts[LABEL_MIX].passed
    assert not verdicts[CONCEPT].passed
    assert "0% of new labels are what the model said" in verdicts[CONCEPT].description
    assert not verdicts["every_video_resembles_the_training_data"].passed
    metadata = result.asset_materializations_for_node("drift_report")[0].metadata
    assert metadata["videos_adrift"].value == 1
    assert metadata["videos_compared"].value == len(HELD) + len(NEW)
    assert "share_adrift_by_site" in metadata
    assert site_shares(archive) == {"ford": {"2026-05": pytest.approx(1 / 25)}}


def test_a_retired_video_takes_its_numbers_along(archive: Archive) -> None:
    compare(archive, *NEW)
    archive.videos.retire("v45")
    videos = archive.videos.get(["v45"])
    assert archive.drift.summaries("e", videos).empty
    assert archive.drift.scores("m", videos).empty


def test_the_plot_names_the_sites_and_is_the_same_twice() -> None:
    shares = {"ford": {"2026-04": 0.0, "2026-05": 0.5}, "pier": {"2026-05": 1.0}}
    svg = drift_by_site_svg(shares)
    assert "ford" in svg
    assert "2026-04" in svg
    assert svg == drift_by_site_svg(shares)
    assert len(svg) < 40_000
    assert drift_by_site_svg({}) == ""
