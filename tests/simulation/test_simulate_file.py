"""`al simulate --data` from the command line, on scikit-learn's digits."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from al_assets.cli import main

POOL = 300


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """450 digits in groups of three, the last 150 rows being the test part."""
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    pixels, labels = load_digits(return_X_y=True)
    rows = np.arange(450)
    vectors = (pixels[rows] / 16).astype(np.float32)
    np.savez(path, embeddings=vectors, labels=labels[rows], groups=rows // 3, split=rows >= POOL)
    return path


def al(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "al_assets.cli", "simulate", *map(str, arguments)],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def out(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "new" / "folder"
    done = al(
        "--data", digits, "--strategies", "margin,coverage", "--rounds", 3, "--seeds", 3, "--out", folder
    )
    assert done.returncode == 0, done.stderr
    assert all(str(folder / name) in done.stdout for name in ("curves.csv", "summary.json", "curves.svg"))
    return folder


def test_the_curves_hold_every_round_of_every_run_with_random_beside(out: Path) -> None:
    curves = pd.read_csv(out / "curves.csv", dtype={"picks": str})
    assert curves["strategy"].unique().tolist() == ["random", "margin", "coverage"]
    assert (curves.groupby("strategy").size() == 9).all()
    asked = curves.groupby(["strategy", "seed"])["picks"].agg(" ".join).str.split()
    assert all(len(rows) == len(set(rows)) == 30 for rows in asked)
    assert all(0 <= int(row) < POOL for rows in asked for row in rows)
    assert (curves["seconds_fit"] > 0).all()


def test_the_summary_is_that_of_the_curves(out: Path, digits: Path) -> None:
    summary = json.loads((out / "summary.json").read_text())
    curves = pd.read_csv(out / "curves.csv")
    for name, entry in summary["strategies"].items():
        last = curves[(curves["strategy"] == name) & (curves["round"] == 3)]["accuracy"].mean()
        assert entry["final"]["accuracy"]["mean"] == pytest.approx(last, abs=1e-5)
    assert set(summary["strategies"]["margin"]["difference_to_random"]["accuracy"]) == {"overall", "quarters"}
    assert summary["data"]["sha256"] == hashlib.sha256(digits.read_bytes()).hexdigest()
    assert (summary["data"]["pool_rows"], summary["data"]["test_groups"]) == (300, 50)
    assert summary["settings"]["head"] == "logistic"
    assert set(summary["versions"]) == {"numpy", "scipy", "scikit-learn", "torch"}


def test_the_plot_names_every_strategy_and_how_the_curves_came_about(out: Path) -> None:
    plot = (out / "curves.svg").read_text()
    for text in ("random", "margin", "coverage", "mean of 3 seeds", "cold start", "accuracy"):
        assert text in plot


def test_the_reference_protocol_runs_over_two_workers(digits: Path, tmp_path: Path) -> None:
    asked = "--initial 40 --rounds 4 --per-round 5 --candidates 50 --seeds 1 --strategies margin --workers 2"
    done = al("--data", digits, *asked.split(), "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    curves = pd.read_csv(tmp_path / "curves.csv")
    assert curves[curves["strategy"] == "margin"]["labels"].tolist() == [40, 45, 50, 55, 60]


def test_a_simulation_under_the_rule_says_so(digits: Path, tmp_path: Path) -> None:
    rule = ("--cosine", 0.95, "--per-clip", 1, "--collapse")
    done = al(
        "--data", digits, "--strategies", "margin", "--rounds", 2, "--seeds", 1, *rule, "--out", tmp_path
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["settings"]["rule"] == {"per_clip": 1, "cosine": 0.95, "collapse": True}
    assert "1 a clip, cosine below 0.95, runs collapsed" in (tmp_path / "curves.svg").read_text()
    for picks in pd.read_csv(tmp_path / "curves.csv")["picks"]:
        groups = [int(row) // 3 for row in picks.split()]
        assert len(set(groups)) == len(groups) == 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--data {file}", "name a folder for the results with --out"),
        ("--data {file} --archive --out {out}", "give --data or --archive, not both"),
        ("--out {out}", "--out goes with --data or --archive"),
        ("--data {out}/none.npz --out {out}", "none.npz: there is no such file"),
        ("--data {file} --strategies clever --out {out}", "there is no strategy 'clever'"),
        ("--data {file} --head clever --out {out}", "head 'clever' is unknown"),
        ("--data {file} --test-groups 3 --out {out}", "leave out --test-groups"),
        ("--data {file} --collapse --out {out}", "collapse needs a cosine from which frames are alike"),
        ("--cosine 0.9 --rounds 1", "--cosine, --per-clip and --collapse go with --data or --archive"),
        ("--data {file} --candidates 3 --out {out}", "10 picks a round out of 3 candidates"),
    ],
)
def test_a_wrong_wish_is_one_line_on_stderr(
    arguments: str,
    said: str,
    digits: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wish = arguments.format(file=digits, out=tmp_path / "out").split()
    monkeypatch.setattr(sys, "argv", ["al", "simulate", *wish])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_classes_of_the_test_part_that_the_pool_lacks_are_told(digits: Path, tmp_path: Path) -> None:
    file = dict(np.load(digits))
    kept = file["split"] | (file["labels"] != 3)
    np.savez(tmp_path / "lacking.npz", **{name: values[kept] for name, values in file.items()})
    done = al("--data", tmp_path / "lacking.npz", "--rounds", 1, "--seeds", 1, "--out", tmp_path / "out")
    assert "1 classes of the test part are on no row of the pool" in done.stdout
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert "classes_the_pool_lacks" in json.dumps(summary)


def test_a_file_in_place_of_the_folder_of_results_is_refused(digits: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    done = al("--data", digits, "--out", tmp_path / "taken")
    assert done.returncode == 1
    assert "taken is a file; name a folder" in done.stderr
