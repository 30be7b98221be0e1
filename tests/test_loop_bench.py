"""`al bench loop`: the closed loop over a synthetic archive, small. No speed is asserted."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import namedtuple
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest

from al_assets.benches import loop, loop_watch
from al_assets.benches.cases import UnknownCaseError, run_case
from al_assets.benches.loop_archive import Shape, World


def test_the_loop_runs_at_a_hundred_thousand_frames(tmp_path: Path) -> None:
    (archives := tmp_path / "archives").mkdir()
    told = tmp_path / "loop.json"
    asked = ["bench", "loop", "--frames", "100000", "--dim", "16", "--classes", "8", "--rounds", "1"]
    # A process of its own: its memory is measured, and this one's is that of all the tests before.
    subprocess.run(
        [sys.executable, "-m", "al_assets.cli", *asked, "--folder", archives, "--json", told], check=True
    )
    found = json.loads(told.read_text())
    measured = found["measured"]
    assert measured["frames"] == 100_000
    for step in ("labels", "checkpoint", "predictions", "serving_checkpoint", "selection_batch"):
        assert measured[f"round_1_{step}_seconds"] > 0
    assert measured["peak_mib"] < 2_000
    assert all(ratio > 0 for ratio in found["ratios"].values())
    assert list(archives.iterdir()) == []


def test_memory_of_older_children_is_not_ours(tmp_path: Path) -> None:
    hold = "import sys; held = b'x' * 300_000_000; print('held', flush=True); sys.stdin.read()"
    with ExitStack() as held:

        def start() -> None:
            process = held.enter_context(
                subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"

        before = psutil.Process().memory_info().rss / loop_watch.MIB
        start()
        stages: list[loop_watch.Stage] = []
        with loop_watch.Watch((tmp_path / "none",)) as watch:
            with watch.stage("older", stages):
                pass
            start()
            with watch.stage("newer", stages):
                pass
    assert stages[0].peak_mib < before + 200
    assert stages[1].peak_mib > before + 250
    assert stages[1].grown_mib == 0


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
