"""`al simulate` on the archive: its ground truth or its labels, in this process or as the job `simulate`.

Not here: what a simulation does (the room `simulation`), and files as the source of labels (simulate.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from al_assets.archives import NotSetUpError, open_archive
from al_assets.demo_loop import ARMS, TRUTH, environment_of
from al_assets.embedder_choice import embedder_to_read
from al_assets.selection.redundancy import NO_RULE
from al_assets.settings import Settings, load_settings
from al_assets.simulate import Say, Wish, write_results
from al_assets.simulation.assets import FOLDER, standing_labels
from al_assets.simulation.experiment import Experiment, ExperimentError
from al_assets.simulation.results import fingerprint
from resources.archive import Archive
from resources.environments import Environment


def simulate_archive(environment: Environment, out: Path, wish: Wish, say: Say) -> None:
    """Simulate on the ground truth of the demo archive, at this home or in it; else on the labels that stand."""
    if wish.test_groups is not None:
        raise ExperimentError("the archive's videos have a split of their own; leave out --test-groups")
    homes = [
        home for home in (environment.home, environment.home / ARMS["active"]) if (home / TRUTH).exists()
    ]
    if homes:
        name, experiment = f"ground truth of {homes[0]}", _demo_truth(homes[0])
    else:
        archive = open_archive(environment)
        if archive.labels.totals()["labelled_frames"] == 0:
            raise NotSetUpError("there is no ground truth and no label at this home; run `al demo` first")
        name = f"labels that stand at {environment.home}"
        experiment = standing_labels(archive, load_settings(environment.settings_path))
    plan = wish.plan(grouped=True)
    about = {"name": name, "sha256": fingerprint(experiment, plan), "test_part": "the videos' own split"}
    write_results(experiment, plan, about, out, wish, say)


def simulate_jobs(environment: Environment, wish: Wish, say: Say) -> None:
    """Run the job `simulate` once a strategy on the labels that stand."""
    from al_assets.headless import Headless
    from al_assets.jobs import SIMULATE

    if wish.test_groups is not None or wish.workers > 1:
        raise ExperimentError("--test-groups and --workers go with --data or --archive")
    if wish.rule != NO_RULE:
        raise ExperimentError("--cosine, --per-clip and --collapse go with --data or --archive")
    plan = wish.plan(grouped=True)
    config = {
        "rounds": plan.rounds,
        "per_round": plan.per_round,
        "initial": plan.initial,
        "candidates": plan.candidates or 0,
        "seeds": plan.seeds,
        "head": plan.head,
    }
    with Headless.open(environment) as headless:
        for name in plan.strategies:
            headless.run(
                SIMULATE,
                tags={"dagster/partition": name},
                config={"ops": {"simulation": {"config": config}}},
            )
            say(f"{name} is done")
        say(f"curves, summary and plot are under {headless.archive.storage.uri(FOLDER)}")


def _demo_truth(home: Path) -> Experiment:
    """Every sampled frame of the rendered videos with what is really on it; test videos are the test part."""
    environment = environment_of(home)
    archive, settings = open_archive(environment), load_settings(environment.settings_path)
    return truth_experiment(archive, settings, pd.read_csv(home / TRUTH, keep_default_na=False))


def truth_experiment(archive: Archive, settings: Settings, truth: pd.DataFrame) -> Experiment:
    """Frames of the videos that `truth` (path, frame_index, names joined by |) covers, but for validation videos."""
    said = truth.set_index(["path", "frame_index"])["names"]
    covered, embedder_id = set(truth["path"]), embedder_to_read(archive, settings.embeddings)
    names = sorted({name for text in truth["names"] for name in text.split("|") if name})
    parts = []
    for video in archive.videos.all():
        if video.path not in covered or video.split not in ("train", "test"):
            continue
        keys, vectors = archive.frames.vectors_of_video(embedder_id, video.video_no)
        if len(keys):
            here = [said[(video.path, int(key) & 0xFFFFFF)] for key in keys]
            test = np.full(len(keys), video.split == "test")
            parts.append((vectors, _targets(here, names), np.full(len(keys), video.video_no), test))
    if not parts:
        raise NotSetUpError("none of the videos with ground truth has vectors; run `al demo` first")
    vectors, targets, groups, test = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Experiment(
        embeddings=vectors, targets=targets, groups=groups.astype(np.int64), test=test, task=settings.task
    )


def _targets(said: Sequence[str], names: Sequence[str]) -> np.ndarray:
    return np.array([[name in text.split("|") for name in names] for text in said], np.int8)
