"""`al bench loop`: the closed loop over a synthetic archive, small. No speed is asserted."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from al_assets.benches import loop
from al_assets.benches.cases import UnknownCaseError, run_case
from al_assets.benches.loop_archive import Shape, World


def test_the_loop_runs_at_a_hundred_thousand_frames(tmp_path: Path) -> None:
    found = run_case("loop", rows=100_000, dim=16, classes=8, folder=tmp_path, rounds=1)
    assert found.measured["frames"] == 100_000
    for step in ("labels", "checkpoint", "predictions", "serving_checkpoint", "selection_batch"):
        assert found.measured[f"round_1_{step}_seconds"] > 0
    assert found.measured["peak_mib"] < 4_000
    assert all(ratio > 0 for ratio in found.ratios.values())
    assert list(tmp_path.iterdir()) == []


def test_three_sizes_tell_what_a_frame_more_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {100: 1.0, 1_000: 2.0, 10_000: 12.0}
    monkeypatch.setattr(loop, "_measure", lambda shape, *_: ({}, {}, seconds[shape.frames]))
    measured, ratios = loop.measure_loop(10_000, sizes=3)
    assert measured["loop_seconds_1000_frames"] == 2
    assert measured["marginal_microseconds_up_to_1000_frames"] == pytest.approx(1 / 900 * 1e6)
    assert ratios["marginal_cost_growth"] == pytest.approx((10 / 9_000) / (1 / 900))


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")(0, 0, 10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(loop.NoRoomError, match=r"30000000 frames take .* and 1\.0 GB are free; free space"):
        loop.measure_loop(30_000_000, folder=tmp_path)
    with pytest.raises(loop.NoRoomError, match="there is no folder"):
        loop.measure_loop(1_000, folder=tmp_path / "none")


def test_a_case_refuses_an_option_that_it_does_not_take() -> None:
    with pytest.raises(UnknownCaseError, match="case score has no option 'dim'; it takes: rows"):
        run_case("score", rows=1_000, dim=3)


def test_a_frame_looks_like_its_class() -> None:
    world = World(Shape(3_000, 256, 10))
    frames = [(world.truth(number), world.vectors(number).astype(np.float32)) for number in (1, 2)]
    truth, vectors = (np.concatenate(parts) for parts in zip(*frames, strict=True))
    own = [vectors[truth == c].mean(axis=0) for c in np.unique(truth)]
    nearest = np.unique(truth)[np.argmin([((vectors - mean) ** 2).sum(axis=1) for mean in own], axis=0)]
    assert (nearest == truth).mean() > 0.9
