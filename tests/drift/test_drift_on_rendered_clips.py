"""The frozen thresholds on real pixels and the real backbone, on an archive that they were not set on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from al_assets.demo.archive import DemoArchive, render_archive
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


@pytest.mark.parametrize("dark_in_reference", [0, 2])
def test_dark_and_alien_clips_are_flagged_and_ordinary_ones_are_not(
    archive, frames, dark_in_reference
) -> None:
    ordinary = [path for path in archive.truth["path"].unique() if path not in archive.dark]
    trained_on = [*ordinary[: 8 - dark_in_reference], *archive.dark[:dark_in_reference]]
    against = reference([summary(path, frames[path]) for path in trained_on])
    flagged = {
        path for path, table in frames.items() if any(d.drifted for d in drift(summary(path, table), against))
    }
    assert flagged == {*archive.dark, archive.real[1]}


def test_evidently_passes_ordinary_clips_and_flags_dark_ones_in_a_page_that_opens_offline(
    archive, frames
) -> None:
    ordinary = [path for path in archive.truth["path"].unique() if path not in archive.dark]
    before = pd.concat([frames[path] for path in ordinary[::2]], ignore_index=True)
    like, dark = (
        evidently_report(before, pd.concat([frames[path] for path in paths], ignore_index=True))
        for paths in (ordinary[1::2], [*ordinary[1:6:2], *archive.dark])
    )
    assert not like.drifted
    assert like.share == 0
    assert dark.drifted
    assert dark.statistics["brightness"] > like.statistics["brightness"]
    assert set(dark.statistics) == {"brightness", "log_sharpness", "vectors"}
    assert np.isfinite(list(dark.statistics.values())).all()
    assert dark.html.lstrip().lower().startswith("<!doctype html>")
    assert '<script src="http' not in dark.html
    assert '<link href="http' not in dark.html


def test_a_window_of_too_few_frames_is_refused_with_the_number_that_is_needed(frames) -> None:
    table = next(iter(frames.values()))
    with pytest.raises(ValueError, match="20 each are needed"):
        evidently_report(table, table)
