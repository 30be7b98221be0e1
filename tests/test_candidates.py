"""The cut of an archive that is too large to look at whole: its size, its two halves, and that its draw is uniform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from al_assets.batch_pool import Circumstances, make_plan
from al_assets.candidates import candidates
from al_assets.settings import SelectionSettings, Settings, parse_settings
from resources.archive import Archive
from resources.queries.mining import Restriction
from support.archive_rows import ArchiveRows
from support.small_archives import empty_archive

VIDEOS, PER_VIDEO = 30, 8


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """30 videos of 8 frames a second apart at 3 sites; the model doubts the first two videos most, then it is sure."""
    found = empty_archive(Path(tmp_path_factory.mktemp("cut")))
    rows = ArchiveRows(found.database)
    rows.add("embedders", embedder_id="e", dimensions=4)
    rng = np.random.default_rng(0)
    for number in range(1, VIDEOS + 1):
        keys = rows.video(number, range(0, 1000 * PER_VIDEO, 1000), site=f"site {number % 3}")
        for at, key in enumerate(keys):
            rows.add(
                "embeddings", embedder_id="e", frame_id=key, vector=rng.normal(size=4).astype("<f2").tobytes()
            )
            rows.add(
                "frame_scores", checkpoint_id="ck", frame_id=key, margin=0.01 * at if number < 3 else 0.9
            )
    return found


def rules(**options: Any) -> SelectionSettings:
    # The settings' own least is 100 candidates.
    return SelectionSettings().model_copy(update={"minimum_gap_seconds": 0.0} | options)


def cut(archive: Archive, seed: int = 0, checkpoint_id: str | None = "ck", **options: Any) -> list[int]:
    everything = archive.selection.population("e", ["train"], repeats=False)
    only = options.pop("only", Restriction())
    found = candidates(
        archive, "e", checkpoint_id, rules(**options), only, everything, np.random.default_rng(seed)
    )
    keys: list[int] = found.table["frame_id"].to_pylist()
    assert keys == sorted(set(keys))
    return keys


def videos_of(keys: list[int]) -> list[int]:
    return [key >> 24 for key in keys]


def test_all_open_frames_are_candidates_where_they_are_few(archive: Archive) -> None:
    assert len(cut(archive, candidates=240)) == 240


def test_a_cut_is_half_the_least_certain_and_half_a_draw_of_the_others(archive: Archive) -> None:
    keys = cut(archive, candidates=32)
    assert len(keys) == 32
    assert sum(number < 3 for number in videos_of(keys)) == 16
    assert len(cut(archive, candidates=239)) == 239


def test_one_clip_does_not_fill_the_least_certain_half(archive: Archive) -> None:
    apart = {number * 2**24 + 5 * at for number in (1, 2) for at in (0, 4)}
    assert apart <= set(cut(archive, candidates=8, minimum_gap_seconds=4.0))
    assert not apart <= set(cut(archive, candidates=8))


def test_without_a_model_the_cut_is_a_uniform_draw(archive: Archive) -> None:
    drawn = [cut(archive, seed, None, candidates=48) for seed in range(40)]
    times = np.bincount([number for keys in drawn for number in videos_of(keys)], minlength=VIDEOS + 1)[1:]
    assert times.sum() == 40 * 48
    assert times.min() > 35  # 64 expected of each, standard deviation 7
    assert times.max() < 95


def test_the_same_seed_cuts_the_same_and_another_seed_not(archive: Archive) -> None:
    assert cut(archive, 3, candidates=32) == cut(archive, 3, candidates=32)
    assert cut(archive, 3, candidates=32) != cut(archive, 4, candidates=32)


@pytest.mark.parametrize("bound", [{}, {"confidence_below": 0.5}])
def test_a_cut_keeps_to_the_restriction(archive: Archive, bound: dict[str, float]) -> None:
    only = archive.selection.restriction("ck", sites=["site 1"], **bound)
    keys = cut(archive, candidates=20, only=only)
    assert len(keys) == 20
    assert {number % 3 for number in videos_of(keys)} == {1}


def settings(**options: Any) -> Settings:
    loose = {"cosine": 1.0, "minimum_gap_seconds": 0.0, "strategy": "random"}
    return parse_settings({"selection": loose | options})


def planned(archive: Archive, config: Settings, size: int = 30) -> list[dict[str, Any]]:
    plan = make_plan(archive, config, Circumstances("e", "ck", None), size, [0, 1])
    rows: list[dict[str, Any]] = plan.selections.to_pylist()
    return rows


def test_the_random_arm_is_of_the_whole_archive_whatever_the_cut(archive: Archive) -> None:
    few = settings(random_fraction=0.5, candidates=100)
    random = [row for row in planned(archive, few) if row["arm"] == "random"]
    assert {row["propensity"] for row in random} == {15 / 240}
    assert {row["reason"] for row in random} == {"random arm: drawn uniformly from 240 frames"}
    whole = [row for row in planned(archive, settings(random_fraction=0.5)) if row["arm"] == "random"]
    assert len({row["frame_id"] for row in whole}) == 15


def test_a_site_gives_no_more_than_its_cap_to_a_batch(archive: Archive) -> None:
    rows = planned(archive, settings(per_site=3, random_fraction=0.0))
    sites = [(row["frame_id"] >> 24) % 3 for row in rows]
    assert sorted(sites) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
