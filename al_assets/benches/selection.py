"""How long and in how much memory strategies choose, against a bare k-center and scikit-activeml. Measures only.

Frames are clustered float16 vectors of 256 values and 100 classes, one labelled frame a class; the model compares with
those. Each of ours runs in a process of its own (all in one where the pool is small), so that its
memory can be told: the peak while it chooses, beyond what the process with the pool held before. The bare k-center
updates all distances by float32 products, block by block, from vectors that are float32 already. scikit-activeml is
measured where it is installed, at no more than PEER_ROWS rows, ours beside it at the same size. One thread each.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from al_assets.selection.pool import Linear, Pool, unit_vectors
from al_assets.selection.strategies import strategy

DIMENSIONS = 256
CLASSES = 100
NOISE = 2.0
"""Spread within a class, where classes' centres are 1: most answers flip under dropout."""
PICKS = 1_000
PEER_ROWS = 20_000
SMALL = 20_000
"""Rows below which processes of their own would take longer to start than to choose."""
BLOCK = 8_192
REPEATS = 2
OURS = (
    "badge",
    "core_set",
    "coverage",
    "dropquery",
    "max_herding",
    "probcover",
    "typiclust",
    "uncertainty_herding",
)
PEERS = {"core_set": "CoreSet", "dropquery": "DropQuery", "typiclust": "TypiClust"}


def measure_selection(rows: int) -> tuple[dict[str, float], dict[str, float]]:
    """`measured` and `ratios` of the case: seconds for 1,000 picks (a tenth of the rows where they are fewer), MiB.

    `core_set_vs_bare_blas` and `*_vs_scikit_activeml` are how many times as fast ours is.
    """
    measured: dict[str, float] = {}
    for names in [OURS] if rows < SMALL else [(name,) for name in OURS]:
        for name, (seconds, mib) in _in_a_process("ours", rows, names).items():
            measured |= {f"{name}_seconds": seconds, f"{name}_mib_beyond_pool": mib}
    turns = _in_a_process("turns", rows, ("core_set", "bare_blas_k_center"))
    measured["bare_blas_k_center_seconds"] = turns["bare_blas_k_center"][0]
    ratios = {"core_set_vs_bare_blas": turns["bare_blas_k_center"][0] / turns["core_set"][0]}
    if find_spec("skactiveml") is not None:
        few = min(rows, PEER_ROWS)
        theirs = _in_a_process("peers", few, tuple(PEERS))
        if few < rows:
            ours = _in_a_process("ours", few, tuple(PEERS))
            measured |= {f"{name}_seconds_{few}_rows": found[0] for name, found in ours.items()}
        for name in PEERS:
            measured[f"scikit_activeml_{name}_seconds_{few}_rows"] = theirs[name][0]
            own = measured[f"{name}_seconds" if few == rows else f"{name}_seconds_{few}_rows"]
            ratios[f"{name}_vs_scikit_activeml"] = theirs[name][0] / own
    return measured, ratios


def make_pool(rows: int, seed: int = 0) -> Pool:
    """Frames around 100 directions, made in blocks so that no memory but the pool's is ever needed."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(CLASSES, DIMENSIONS)).astype(np.float32)
    labelled = centres + rng.normal(scale=NOISE, size=centres.shape).astype(np.float32)
    linear = Linear((labelled / DIMENSIONS).astype(np.float32), np.zeros(CLASSES, dtype=np.float32))
    vectors = np.empty((rows, DIMENSIONS), dtype=np.float16)
    chances = np.empty((rows, CLASSES), dtype=np.float32)
    for start in range(0, rows, BLOCK):
        group = rng.integers(0, CLASSES, min(BLOCK, rows - start))
        block = centres[group] + rng.normal(scale=NOISE, size=(len(group), DIMENSIONS)).astype(np.float32)
        vectors[start : start + BLOCK] = block
        logits = block @ linear.weight.T + linear.bias
        found = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances[start : start + BLOCK] = found / found.sum(axis=1, keepdims=True)
    return Pool(
        frame_ids=np.arange(rows, dtype=np.int64) + 2**24,
        embeddings=vectors,
        probabilities=chances,
        task="single_label",
        labelled_embeddings=labelled.astype(np.float16),
        labelled_targets=np.eye(CLASSES, dtype=np.int8),
        linear=linear,
    )


def _in_a_process(work: str, rows: int, names: tuple[str, ...]) -> dict[str, list[float]]:
    """Seconds and MiB of each name, as that work in a process of its own finds them."""
    command = [sys.executable, "-m", "al_assets.benches.selection", work, str(rows), *names]
    found = subprocess.run(command, text=True, capture_output=True, check=True)
    answers: dict[str, list[float]] = json.loads(found.stdout)
    return answers


def _ours(name: str, pool: Pool) -> Callable[[], object]:
    chooser = strategy(name)
    chooser(pool.take(np.arange(50)), 5, np.random.default_rng(0))  # imports are not what is measured
    return lambda: chooser(pool, _picks(pool), np.random.default_rng(0))


def _bare(name: str, pool: Pool) -> Callable[[], object]:
    """k-center greedy as one writes it with numpy, in blocks; all else is ready before the clock starts."""
    if name != "bare_blas_k_center":
        return _ours(name, pool)
    vectors = unit_vectors(pool.embeddings)
    lengths = np.einsum("ij,ij->i", vectors, vectors)
    held = unit_vectors(pool.labelled_embeddings)
    start = (lengths[:, None] + 1 - 2 * vectors @ held.T).min(axis=1)

    def choose() -> list[int]:
        nearest, chosen = start.copy(), []
        for _ in range(_picks(pool)):
            best = int(nearest.argmax())
            chosen.append(best)
            for at in range(0, len(vectors), BLOCK):
                rows = slice(at, at + BLOCK)
                squared = lengths[rows] + lengths[best] - 2 * (vectors[rows] @ vectors[best])
                np.minimum(nearest[rows], squared, out=nearest[rows])
        return chosen

    return choose


def _peer(name: str, pool: Pool) -> Callable[[], object]:
    from sklearn.linear_model import LogisticRegression

    vectors = np.concatenate([unit_vectors(pool.embeddings), unit_vectors(pool.labelled_embeddings)])
    y = np.r_[np.full(len(pool), np.nan), np.arange(CLASSES)]
    peer = getattr(importlib.import_module("skactiveml.pool"), PEERS[name])(random_state=0)
    extra: dict[str, Any] = {}
    if name == "dropquery":
        classifier = importlib.import_module("skactiveml.classifier").SklearnClassifier
        model = classifier(LogisticRegression(max_iter=200), classes=range(CLASSES))
        extra = {"clf": model.fit(vectors, y), "fit_clf": False}
    return lambda: peer.query(vectors, y, batch_size=_picks(pool), **extra)


def _picks(pool: Pool) -> int:
    return min(PICKS, len(pool) // 10)


def _measured(run: Callable[[], object]) -> list[float]:
    """Seconds of the work, and the peak memory while it ran beyond that before, MiB (0 where it is not told)."""
    before = _forget_peak()
    began = time.perf_counter()
    run()
    return [time.perf_counter() - began, max(0.0, _status("VmHWM") - before)]


def _forget_peak() -> float:
    """The memory held now; the peak counts from here (Linux only)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return _status("VmHWM")
    return _status("VmRSS")


def _status(field: str) -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    return int(status.read_text(encoding="ascii").split(f"{field}:")[1].split()[0]) / 1024


WORKS = {"ours": _ours, "turns": _bare, "peers": _peer}


def _main(work: str, rows: str, *names: str) -> None:
    """One thread, since a neighbour's work on the machine then costs least; the best time of the repeats."""
    from threadpoolctl import threadpool_limits

    pool = make_pool(int(rows))
    found: dict[str, list[float]] = {}
    with threadpool_limits(limits=1):
        runs = {name: WORKS[work](name, pool) for name in names}
        for _ in range(1 if work == "peers" else REPEATS):
            for name, run in runs.items():
                seconds, mib = _measured(run)
                best, most = found.get(name, [seconds, mib])
                found[name] = [min(seconds, best), max(mib, most)]
    print(json.dumps(found))


if __name__ == "__main__":
    _main(*sys.argv[1:])
