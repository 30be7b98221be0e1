"""`al demo`: the loop on a small archive through the production jobs, with an oracle in the expert's place.

Two homes run side by side from the same ingested archive: one selects actively, one at random, so that no label
leaks. Every step looks at what stands first: a demo that was stopped goes on, a finished one adds nothing.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from al_assets import jobs
from al_assets.demo_summary import print_summary
from al_assets.headless import Headless
from resources.environments import Environment, read_environment

ARMS = {"active": "demo", "random": "demo-random"}
TRUTH = "truth.csv"
CURVE = "curve.json"
RATE = 2.0

SETTINGS = """\
# Settings of the demo archive, written by `al demo`; see README.md for every key.
task = "multi_label"

[frames]
frames_per_second = {rate}

[selection]
strategy = "{strategy}"
batch_size = {batch_size}
random_fraction = 0.0
evaluation_fraction = 0.25
{rule}
[drift]
report = {report}

[sensors]
interval_seconds = 10
"""
NO_RULE = "minimum_gap_seconds = 0.0\ncosine = 1.0\n"


class UnfinishedDemoError(RuntimeError):
    """The demo's home is not what this demo made."""


@dataclass(frozen=True)
class CurvePoint:
    """Quality after a round, on every hold-out frame by the ground truth."""

    round: int
    labels: int
    macro_f1: float
    mean_average_precision: float


@dataclass(frozen=True)
class Step:
    """Tells the person at the terminal what happened."""

    console: Console
    progress: Progress

    def say(self, text: str) -> None:
        """One line for one step."""
        self.progress.console.print(text, highlight=False, soft_wrap=True)


def run_demo(environment: Environment, *, rounds: int, batch_size: int, clips: int, console: Console) -> None:
    """Make what is missing of the demo, then print what stands and where."""
    homes = {arm: environment.home / folder for arm, folder in ARMS.items()}
    if all(len(read_curve(home)) >= rounds for home in homes.values()):
        console.print("The demo stands already; nothing was added.")
    else:
        columns = (
            TextColumn("{task.description:<22}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            step = Step(console, progress)
            _prepare(homes, batch_size, clips, step)
            for arm, home in homes.items():
                _run_rounds(arm, home, rounds, step)
    print_summary(console, homes, {arm: read_curve(home) for arm, home in homes.items()})


def environment_of(home: Path) -> Environment:
    """The embedded default at a home of its own, whatever this shell's environment points at."""
    return read_environment({"AL_HOME": str(home)}, home.parent)


def read_curve(home: Path) -> list[CurvePoint]:
    """Points of the learning curve so far."""
    file = home / CURVE
    return [CurvePoint(**point) for point in json.loads(file.read_text())] if file.exists() else []


def _prepare(homes: dict[str, Path], batch_size: int, clips: int, step: Step) -> None:
    """Render and ingest one archive, then copy its home for the random arm while it holds no label."""
    home = homes["active"]
    home.mkdir(parents=True, exist_ok=True)
    _write_settings(home, "auto", batch_size, rule="", report=True)
    _render(home, clips, step)
    _ingest(home, step)
    if not homes["random"].exists():
        draft = homes["random"].with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(home, draft)
        _write_settings(draft, "random", batch_size, rule=NO_RULE, report=False)
        draft.rename(homes["random"])


def _write_settings(home: Path, strategy: str, batch_size: int, *, rule: str, report: bool) -> None:
    text = SETTINGS.format(
        strategy=strategy, batch_size=batch_size, rule=rule, rate=RATE, report=str(report).lower()
    )
    (home / "al.toml").write_text(text, encoding="utf-8")


def _render(home: Path, clips: int, step: Step) -> None:
    from al_assets.demo.archive import render_archive

    if (home / TRUTH).exists():
        step.say("archive    stands already")
        return
    folder = home / "storage" / "videos"
    folder.mkdir(parents=True, exist_ok=True)
    task = step.progress.add_task("rendering clips", total=None)
    archive = render_archive(folder, clips=clips, progress=lambda _: step.progress.advance(task))
    archive.truth.to_csv(home / f"{TRUTH}.part", index=False)
    (home / f"{TRUTH}.part").rename(home / TRUTH)
    step.progress.remove_task(task)
    dark, real = len(archive.dark), len(archive.real)
    step.say(f"archive    {clips} clips of digits ({dark} of them dark) and {real} real clips")


def _ingest(home: Path, step: Step) -> None:
    with Headless.open(environment_of(home)) as headless:
        keys = headless.take_in_videos()
        lacking = [key for key in keys if key in set(headless.lacking())]
        if not lacking:
            step.say(f"ingest     {len(keys)} videos have frames and vectors")
            return
        task = step.progress.add_task("frames and vectors", total=len(lacking))
        for start in range(0, len(lacking), 3):
            part = lacking[start : start + 3]
            headless.ingest(part[0], part[-1])
            step.progress.advance(task, len(part))
        step.progress.remove_task(task)
        counts = headless.archive.monitoring.counts(["frames", "embeddings"])
        step.say(
            f"ingest     {len(keys)} videos: {counts['frames']} frames, {counts['embeddings']} vectors, no label"
        )


def _run_rounds(arm: str, home: Path, rounds: int, step: Step) -> None:
    truth = pd.read_csv(home / TRUTH, keep_default_na=False)
    curve = read_curve(home)
    task = step.progress.add_task(f"rounds, {arm}", total=rounds, completed=len(curve))
    with Headless.open(environment_of(home)) as headless:
        if headless.archive.selection.count_batches() == 0:
            headless.run(jobs.SELECT)
        for number in range(len(curve) + 1, rounds + 1):
            exported = _answer(headless, truth, number)
            headless.take_in_exports()
            headless.run(jobs.LEARN)
            point = measure(headless, truth, number)
            curve.append(point)
            (home / CURVE).write_text(json.dumps([asdict(each) for each in curve]))
            step.progress.advance(task)
            step.say(_line(arm, headless, point, exported))
    step.progress.remove_task(task)


def _line(arm: str, headless: Headless, point: CurvePoint, exported: int) -> str:
    decisions = headless.archive.models.decisions()
    verdict = "no model yet"
    if len(decisions):
        verdict = (
            "promoted"
            if decisions.iloc[-1]["promoted"]
            else f"kept the old model: {decisions.iloc[-1]['reason']}"
        )
    return (
        f"round {point.round}    {arm:<7}{exported} answers imported, model trained and {verdict}; macro-F1 "
        f"{point.macro_f1:.2f}, mean average precision {point.mean_average_precision:.2f}"
    )


def _answer(headless: Headless, truth: pd.DataFrame, number: int) -> int:
    """The oracle answers the newest batch as a Label Studio export dropped into storage; returns the answers."""
    from al_assets.simulation.oracle import Truth, answer_tasks

    path = f"label_exports/round-{number:02d}.json"
    storage = headless.archive.storage
    if storage.exists(path):
        return len(json.loads(storage.read(path)))
    batch = headless.archive.selection.latest_batch()
    if batch is None or not batch["tasks_uri"]:
        raise UnfinishedDemoError(
            "the demo's newest batch has no tasks; remove its home and run `al demo` again"
        )
    tasks = json.loads(storage.read(f"{batch['tasks_uri']}/label_studio.json"))
    paths = {video.video_id: video.path for video in headless.archive.videos.all()}
    names = dict(zip(zip(truth["path"], truth["frame_index"], strict=True), truth["names"], strict=True))
    known: dict[tuple[str, int], Any] = {
        (task["data"]["video_id"], task["data"]["frame_index"]): names.get(
            (paths[task["data"]["video_id"]], task["data"]["frame_index"]), ""
        )
        for task in tasks
    }
    answers = answer_tasks(tasks, Truth(known), annotator="oracle", answered_at=datetime.now(UTC))
    storage.write(path, json.dumps(answers, ensure_ascii=False).encode())
    return len(answers)


def measure(headless: Headless, truth: pd.DataFrame, number: int) -> CurvePoint:
    """Quality of the serving model on every sampled frame of the test videos, by the complete ground truth.

    All individuals count, those that the model has never met with an F1 of 0.
    """
    from al_assets.checkpoints.evaluation import evaluate
    from al_assets.demo.archive import NAMES
    from al_assets.examples import load_checkpoint

    archive = headless.archive
    labels = archive.labels.totals()["labelled_frames"]
    serving = archive.models.serving()
    if serving is None:
        return CurvePoint(number, labels, 0.0, 0.0)
    head = load_checkpoint(archive, serving)
    vectors, targets, groups = _held_out(archive, serving.embedder_id, truth, NAMES)
    own = head.probabilities(vectors)
    probabilities = np.zeros((len(vectors), len(NAMES)), np.float32)
    thresholds = np.full(len(NAMES), 0.5, np.float32)
    for column, name in enumerate(NAMES):
        if name in head.class_names:
            at = head.class_names.index(name)
            probabilities[:, column], thresholds[column] = own[:, at], head.thresholds[at]
    metrics = evaluate(
        probabilities,
        targets,
        groups,
        task="multi_label",
        class_ids=tuple(range(1, len(NAMES) + 1)),
        thresholds=thresholds,
        rng=np.random.default_rng(0),
        resamples=2,
    )
    overall = {metric.metric: metric.value or 0.0 for metric in metrics if metric.class_id == 0}
    return CurvePoint(number, labels, overall["macro_f1"], overall["mean_average_precision"])


def _held_out(
    archive: Any, embedder_id: str, truth: pd.DataFrame, names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(vectors, targets, video numbers) of all sampled frames of the rendered test videos."""
    said = truth.set_index(["path", "frame_index"])["names"]
    rendered = set(truth["path"])
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for video in archive.videos.all():
        if video.split != "test" or video.path not in rendered:
            continue
        keys, vectors = archive.frames.vectors_of_video(embedder_id, video.video_no)
        present = [set(said[(video.path, int(key) & 0xFFFFFF)].split("|")) for key in keys]
        targets = np.array([[name in here for name in names] for here in present], np.int8)
        parts.append((vectors, targets, np.full(len(keys), video.video_no)))
    vectors, targets, groups = (np.concatenate(column) for column in zip(*parts, strict=True))
    return vectors, targets, groups
