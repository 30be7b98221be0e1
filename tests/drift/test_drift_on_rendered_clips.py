"""The frozen thresholds on real pixels and the real backbone, on an archive that they were not set on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from al_assets.demo.archive import DemoArchive, render_archive
from al_assets.drift.calibration import adjust
from al_assets.drift.evidently_report import evidently_report
from al_assets.drift.statistics import drift, reference, summarise
from al_assets.embeddings.backbones import load_backbone
from al_assets.frames.decoding import decode
from al_assets.frames.quality import brightness, sharpness
from al_assets.frames.sampling import Sampler

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("drift")


@pytest.fixture(scope="module")
def archive(folder: Path) -> DemoArchive:
    return render_archive(folder, seed=1, clips=15, seconds=16.0, dark=3)


@pytest.fixture(scope="module")
def frames(folder: Path, archive: DemoArchive) -> dict[str, pd.DataFrame]:
    """Quality and vectors by path; one real clip among them."""
    backbone = load_backbone("efficientnet-lite0", threads=1)
    found = {}
    for path in [*archive.truth["path"].unique(), archive.real[1]]:
        images = [frame.image for frame in decode(folder / path, wanted=Sampler(0.8))]
        table = pd.DataFrame(backbone.embed(images)).add_prefix("e")
        table["brightness"] = [brightness(image) for image in images]
        table["sharpness"] = [sharpness(image) for image in images]
        found[path] = table
    return found


def summary(path: str, table: pd.DataFrame):
    vectors = table.filter(regex=r"^e\d").to_numpy()
    return summarise(path, table["brightness"].to_numpy(), table["sharpness"].to_numpy(), vectors)


def ordinary_clips(archive: DemoArchive) -> tuple[list[str], list[str]]:
    """Clips of the day to train on, of every site, and three more."""
    clips = [path for path in archive.truth["path"].unique() if path not in archive.dark]
    return [path for n, path in enumerate(clips) if n % 4 != 2], clips[2::4]


def adrift(frames: dict[str, pd.DataFrame], trained_on: list[str]) -> set[str]:
    """Paths called adrift when all others are compared at once at the default rate."""
    against = reference([summary(path, frames[path]) for path in trained_on])
    new = [path for path in frames if path not in trained_on]
    families = [[d.p_value for d in drift(summary(path, frames[path]), None, against)] for path in new]
    adjusted = adjust(families)
    return {path for path, family in zip(new, adjusted, strict=True) if min(family) <= 0.05}


def test_dark_and_alien_clips_are_flagged_and_ordinary_ones_are_not(archive, frames) -> None:
    trained_on, _ = ordinary_clips(archive)
    assert adrift(frames, trained_on) == {*archive.dark, archive.real[1]}


def test_a_model_that_learned_from_dark_clips_takes_dark_for_known(archive, frames) -> None:
    trained_on, _ = ordinary_clips(archive)
    assert adrift(frames, [*trained_on, *archive.dark[:2]]) == {archive.real[1]}


def test_blurred_clips_are_flagged(archive, frames) -> None:
    trained_on, new = ordinary_clips(archive)
    kept = {path: frames[path] for path in [*trained_on, *new]}
    blurred = {
        f"{path}-blurred": frames[path].assign(sharpness=frames[path]["sharpness"] / 4) for path in new
    }
    assert adrift(kept | blurred, trained_on) == set(blurred)


def test_evidently_passes_ordinary_clips_and_flags_dark_ones_in_a_page_that_opens_offline(
    archive, frames
) -> None:
    ordinary = [path for path in archive.truth["path"].unique() if path not in archive.dark]
    before = window(frames, ordinary[::2])
    like, dark = (
        evidently_report(before, window(frames, paths))
        for paths in (ordinary[1::2], [*ordinary[1:6:2], *archive.dark])
    )
    assert not like.drifted
    assert like.share == 0
    assert dark.drifted
    assert dark.statistics["brightness"] > like.statistics["brightness"]
    assert set(dark.statistics) == set(dark.bounds) == {"brightness", "log_sharpness", "vectors"}
    assert np.isfinite(list(dark.statistics.values())).all()
    assert dark.html.lstrip().lower().startswith("<!doctype html>")
    assert '<script src="http' not in dark.html
    assert '<link href="http' not in dark.html


def window(frames: dict[str, pd.DataFrame], paths: list[str]) -> pd.DataFrame:
    return pd.concat([frames[path].assign(clip=path) for path in paths], ignore_index=True)


def test_a_window_of_too_few_frames_is_refused_with_the_number_that_is_needed(frames) -> None:
    table = next(iter(frames.values()))
    with pytest.raises(ValueError, match="20 each are needed"):
        evidently_report(table, table)
