"""`al bench drift`: how often undrifted videos are called adrift, and how often drifted ones, with frozen settings.

Archives of other backgrounds and other seeds than those on which the statistics were chosen. What the clips show is in
`drift_clips`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from al_assets.benches.drift_clips import Clip, render
from al_assets.demo.archive import NAMES
from al_assets.drift.calibration import adjust
from al_assets.drift.evidently_report import vector_discrepancy
from al_assets.drift.statistics import DriftStatistic, Reference, VideoScores, drift, reference

Archives = Sequence[Mapping[str, Sequence[Clip]]]
BACKGROUNDS, SEEDS = "valley", (21, 22, 23)
"""Statistics and tail of single videos were chosen on "coast", seeds 11 to 13, and frozen before these were judged."""
ROWS_PER_CLIP = 300
SPLITS = 24
"""Ways in which each archive is cut into a reference, a hold-out and new videos."""
REFERENCE_SHARE, HOLDOUT_SHARE = 0.47, 0.32
RATE = 0.05
TICKS = {"one": 1, "five": 5, "many": 20}
BESIDE, DRIFTED = 8, 2
"""Undrifted and drifted videos of a tick that is to find the latter."""
WINDOW = 20
Tick = list[list[float]]


def measure_drift(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """Rates with exact 95 % intervals (Clopper and Pearson 1934); the ratios are the rates themselves.

    rows: about 300 a clip. Ticks that are drawn from one archive depend on each other, which the intervals do not know.
    """
    from al_assets.embeddings.backbones import LITE0, load_backbone

    clips, small = max(8, rows // ROWS_PER_CLIP), rows < 5_000
    backbone = load_backbone(LITE0, threads=1)
    seeds = SEEDS[:2] if small else SEEDS
    archives = [render(backbone, BACKGROUNDS, seed, clips, 4.0 if small else 12.0) for seed in seeds]
    return measure(archives, splits=1 if small else SPLITS)


def measure(archives: Archives, *, splits: int) -> tuple[dict[str, float], dict[str, float]]:
    """The same on archives that are there."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    proportions: dict[str, list[float]] = defaultdict(list)
    for number, archive in enumerate(archives):
        elsewhere = archives[(number + 1) % len(archives)]["ordinary"]
        for split in range(splits):
            rng = np.random.default_rng([number, split])
            ticks = _ticks(_judged(archive, elsewhere, rng), rng)
            for name, hit, of in [*ticks, *_windows(archive, elsewhere, rng)]:
                if name.startswith("false_discovery_proportion"):
                    proportions[name].append(hit / max(of, 1))
                else:
                    counts[name] = [counts[name][0] + hit, counts[name][1] + of]
    measured: dict[str, float] = {name: float(np.mean(values)) for name, values in proportions.items()}
    for name, (hits, of) in counts.items():
        low, high = clopper_pearson(hits, of)
        measured |= {name: hits / of, f"{name}_low": low, f"{name}_high": high, f"{name}_of": float(of)}
    alarms = [measured[f"false_alarm_in_a_tick_of_{name}"] for name in TICKS]
    return measured, {"undrifted_ticks_left_alone": 1.0 - float(np.mean(alarms))}


def clopper_pearson(hits: int, of: int) -> tuple[float, float]:
    """Exact 95 % interval of a rate of `hits` in `of` >= 1."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, hits, of - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, of - hits)) if hits < of else 1.0
    return low, high


def _judged(
    archive: Mapping[str, Sequence[Clip]], elsewhere: Sequence[Clip], rng: np.random.Generator
) -> dict[str, list[list[float]]]:
    """P-values of new clips by kind, one inner list a clip, against a reference drawn from the archive."""
    order = rng.permutation(len(archive["ordinary"]))
    first, second = (np.array([REFERENCE_SHARE, REFERENCE_SHARE + HOLDOUT_SHARE]) * len(order)).astype(int)
    trained, held = ([archive["ordinary"][n] for n in part] for part in (order[:first], order[first:second]))
    answer = _Model(trained)
    against = reference([clip.summary for clip in trained], [answer(clip) for clip in held])
    new = set(order[second:].tolist())
    judged = {kind: [clip for clip in clips if clip.source in new] for kind, clips in archive.items()}
    judged["new_camera"] = [_renamed(clip) for clip in elsewhere[: len(new)]]
    return {
        kind: [_p_values(clip, answer(clip), against) for clip in clips] for kind, clips in judged.items()
    }


def _ticks(judged: Mapping[str, Tick], rng: np.random.Generator) -> list[tuple[str, int, int]]:
    """(what, hits, of how many) of one tick of each size without drift and one of each kind of drift."""
    ordinary, found = judged["ordinary"], []
    for name, size in TICKS.items():
        calls = _called(_some(ordinary, size, rng))
        found.append((f"false_alarm_in_a_tick_of_{name}", int(calls.any()), 1))
    for kind, clips in judged.items():
        if kind == "ordinary" or not clips:
            continue
        beside, drifted = _some(ordinary, BESIDE, rng), _some(clips, DRIFTED, rng)
        calls = _called([*beside, *drifted])
        found.append((f"power_{kind}", int(calls[len(beside) :].sum()), len(drifted)))
        found.append(
            (f"false_discovery_proportion_{kind}", int(calls[: len(beside)].sum()), int(calls.sum()))
        )
    return found


def _windows(
    archive: Mapping[str, Sequence[Clip]], elsewhere: Sequence[Clip], rng: np.random.Generator
) -> list[tuple[str, int, int]]:
    """(what, hits, of how many): the vectors of one undrifted window, and of one with half of its clips adrift."""
    order = rng.permutation(len(archive["ordinary"]))
    first = int(REFERENCE_SHARE * len(order))
    before = _table([archive["ordinary"][place] for place in order[:first]])
    window = [archive["ordinary"][place] for place in order[first : first + WINDOW]]
    half, found = len(window) // 2, []
    for kind in ("ordinary", "unseen_class", "new_camera"):
        new = elsewhere if kind == "new_camera" else archive.get(kind, ())
        drifted = [_renamed(clip) for clip in list(new)[:half]] if kind != "ordinary" else window[half:]
        if drifted:
            value, bound = vector_discrepancy(before, _table([*window[:half], *drifted]))
            name = "false_alarm_in_a_window" if kind == "ordinary" else f"window_power_{kind}"
            found.append((name, int(value > bound), 1))
    return found


def _table(clips: Sequence[Clip]) -> pd.DataFrame:
    table = pd.DataFrame(np.concatenate([clip.vectors for clip in clips]).astype(np.float32)).add_prefix("e")
    names = np.repeat([clip.summary.video_id for clip in clips], [len(clip.vectors) for clip in clips])
    return table.assign(brightness=0.5, sharpness=100.0, clip=names)


def _called(tick: Tick) -> np.ndarray:
    return np.array([min(family) <= RATE for family in adjust(tick)])


def _some(clips: Tick, count: int, rng: np.random.Generator) -> Tick:
    return [clips[place] for place in rng.permutation(len(clips))[:count]]


def _p_values(clip: Clip, scores: VideoScores, against: Reference) -> list[float]:
    results: list[DriftStatistic] = drift(clip.summary, scores, against, RATE)
    return [result.p_value for result in results]


def _renamed(clip: Clip) -> Clip:
    return replace(clip, summary=replace(clip.summary, video_id=f"elsewhere-{clip.summary.video_id}"))


class _Model:
    """A head trained on the frames of clips, and its answers on others, as the loop has them."""

    def __init__(self, clips: Sequence[Clip]) -> None:
        from al_assets.checkpoints.training import TrainingConfig, fit_head

        groups = np.repeat(np.arange(len(clips)), [len(clip.vectors) for clip in clips])
        self._head = fit_head(
            np.concatenate([clip.vectors for clip in clips]),
            np.concatenate([clip.targets for clip in clips]),
            None,
            task="multi_label",
            class_ids=tuple(range(1, len(NAMES) + 1)),
            class_names=NAMES,
            embedder_id="bench",
            config=TrainingConfig(head="logistic", l2=1.0),
            groups=groups,
        ).head

    def __call__(self, clip: Clip) -> VideoScores:
        from al_assets.predictions.scoring import score_block

        scores, _ = score_block(self._head, np.arange(len(clip.vectors)), clip.vectors, "bench")
        return VideoScores(
            clip.summary.video_id,
            len(clip.vectors),
            float(scores["confidence"].to_numpy().mean()),
            float(scores["margin"].to_numpy().mean()),
            Counter(scores["top_class_id"].to_pylist()),
        )
