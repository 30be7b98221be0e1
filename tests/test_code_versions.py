"""Code that makes what is stored for years has a version; what it makes is pinned, so that nobody forgets to raise it.

A test that fails here says: the code gives something else now. Where that is meant, raise FRAMES or PICTURES in
`al_assets/code_versions.py` and write the new figures here; every archive then makes exactly that again.
"""

from __future__ import annotations

import numpy as np
import pytest

from al_assets import code_versions
from al_assets.embeddings.backbones import LITE0, describe_backbone
from al_assets.embeddings.pictures import prepared
from al_assets.frames.perceptual_hash import hamming_distance, perceptual_hash
from al_assets.frames.quality import brightness, sharpness
from resources.queries.videos import expected_version

RAISE = "raise {} in al_assets/code_versions.py, then pin the new figures"


def picture() -> np.ndarray:
    """(90, 120, 3) uint8 of waves."""
    rows, columns = np.mgrid[0:90, 0:120]
    waves = 120 + 60 * np.sin(rows / 9) * np.cos(columns / 14) + 50 * np.sin((rows + 2 * columns) / 31)
    return np.stack([waves, waves[::-1], waves[:, ::-1]], axis=2).astype(np.uint8)


def test_what_a_frames_row_says_of_a_picture_is_that_of_this_version() -> None:
    image = picture()
    assert brightness(image) == pytest.approx(0.49232, abs=2e-3), RAISE.format("FRAMES")
    assert sharpness(image) == pytest.approx(2.5779, rel=0.05), RAISE.format("FRAMES")
    assert hamming_distance(perceptual_hash(image), 0x2C2BA41449080828) <= 1, RAISE.format("FRAMES")


@pytest.mark.parametrize(
    ("bicubic", "corner", "middle"),
    [(True, [132, 110, 165], [100, 98, 106]), (False, [134, 110, 164], [100, 99, 106])],
)
def test_a_picture_is_prepared_for_a_backbone_as_by_this_version(
    bicubic: bool, corner: list[int], middle: list[int]
) -> None:
    made = prepared(picture(), side=32, bicubic=bicubic).astype(int)
    assert np.abs(made[0, 0] - corner).max() <= 1, RAISE.format("PICTURES")
    assert np.abs(made[16, 16] - middle).max() <= 1, RAISE.format("PICTURES")


def test_version_1_is_not_spelled_out_so_that_no_archive_is_made_anew_by_upgrading() -> None:
    assert (code_versions.FRAMES, code_versions.PICTURES) == ("1", "1")
    assert expected_version("e", 1.0) == "e@1"
    assert len(describe_backbone(LITE0).embedder_id) == len(f"{LITE0}-01234567")


def test_another_version_is_part_of_the_names_of_what_it_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_versions, "FRAMES", "2")
    monkeypatch.setattr(code_versions, "PICTURES", "3")
    assert expected_version("e", 0.5) == "e@0.5@2"
    assert describe_backbone(LITE0).embedder_id.endswith("-v3")
