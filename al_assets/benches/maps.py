"""What the map costs and how true it is, and what the index of look-alikes finds. Measures only; see `al bench`.

Frames are float16 vectors of 256 values around a hundred directions, each spread along its own few, with some noise.
"""

from __future__ import annotations

import os
import time

import numpy as np

from al_assets.embeddings.similarity import nearest, unit_rows
from al_assets.embeddings.similarity_index import SimilarityIndex, training_rows
from al_assets.reports.embedding_map import lay_out, reduce

ASKED = 200
NEIGHBOURS = 10
NEW_SHARE = 0.1
CANDIDATES = 400
"""Candidates of the index, as `al similar` takes them at least."""
BLOCK = 8192
GROUPS, WAYS, WIDTH = 100, 8, 256
Result = dict[str, float]


def make_vectors(rows: int) -> np.ndarray:
    """(rows, 256) float16: 100 groups, in each of which frames differ in 8 ways."""
    rng = np.random.default_rng(0)
    centres, ways = rng.normal(size=(GROUPS, WIDTH)), rng.normal(size=(GROUPS, WAYS, WIDTH)) / WAYS**0.5
    vectors = np.empty((rows, WIDTH), dtype=np.float16)
    for start in range(0, rows, BLOCK):
        group = rng.integers(0, GROUPS, min(BLOCK, rows - start))
        along = np.einsum("nw,nwd->nd", rng.normal(size=(len(group), WAYS)), ways[group])
        vectors[start : start + BLOCK] = centres[group] + along + rng.normal(scale=0.1, size=along.shape)
    return vectors


def measure_map(rows: int) -> tuple[Result, Result]:
    """Seconds of a whole layout and of placing a tenth as many new frames; the neighbours that each keeps.

    A share of the ten nearest frames that are among the ten nearest on the map, against a map of the two first
    principal components; processor seconds stand beside the clock's, since machines are shared.
    """
    vectors = make_vectors(rows)
    jobs, nowhere = os.cpu_count() or 1, np.full((rows, 2), np.nan)
    measured: Result = {}
    began, used = time.perf_counter(), time.process_time()
    whole = lay_out(vectors, nowhere, seed=1, jobs=jobs)
    measured |= {
        "layout_seconds": time.perf_counter() - began,
        "layout_cpu_seconds": time.process_time() - used,
    }
    before = whole.xy.astype(np.float64)
    fresh = np.random.default_rng(0).permutation(rows)[: max(1, int(rows * NEW_SHARE))]
    before[fresh] = np.nan
    began = time.perf_counter()
    placed = lay_out(vectors, before, seed=1, jobs=jobs)
    measured["placing_seconds"] = time.perf_counter() - began
    measured["moved_points"] = float((placed.xy[placed.kept] != whole.xy[placed.kept]).any(axis=1).sum())
    asked = np.random.default_rng(1).permutation(rows)[:ASKED]
    flat = reduce(vectors, 1)[:, :2]
    true = _neighbours(unit_rows(vectors), asked)
    measured["neighbours_kept"] = _shared(true, _neighbours(whole.xy, asked))
    measured["neighbours_kept_of_new"] = _shared(
        _neighbours(unit_rows(vectors), fresh[:ASKED]), _neighbours(placed.xy, fresh[:ASKED])
    )
    measured["neighbours_kept_by_two_components"] = _shared(true, _neighbours(flat, asked))
    return measured, {
        "neighbours_kept_vs_two_components": measured["neighbours_kept"]
        / max(measured["neighbours_kept_by_two_components"], 1e-3),
        "placing_vs_layout": measured["layout_seconds"] / measured["placing_seconds"],
    }


def measure_similar(rows: int) -> tuple[Result, Result]:
    """Recall of the ten nearest by the index and true vectors of its candidates, and its speed, against all vectors."""
    vectors = make_vectors(rows)
    keys = np.arange(rows, dtype=np.int64)
    rng = np.random.default_rng(2)
    began = time.perf_counter()
    sample = vectors[np.sort(rng.permutation(rows)[: training_rows(rows)])]
    index = SimilarityIndex.trained(sample, rows, seed=1)
    index.add((keys[at : at + BLOCK], vectors[at : at + BLOCK]) for at in range(0, rows, BLOCK))
    measured: Result = {"build_seconds": time.perf_counter() - began}
    asked = rng.permutation(rows)[:ASKED]

    def by_index(row: int) -> np.ndarray:
        near = index.candidates(vectors[row], CANDIDATES)
        return nearest(vectors[row], [(near, vectors[near])], NEIGHBOURS).frame_ids

    def exactly(row: int) -> np.ndarray:
        blocks = ((keys[at : at + BLOCK], vectors[at : at + BLOCK]) for at in range(0, rows, BLOCK))
        return nearest(vectors[row], blocks, NEIGHBOURS).frame_ids

    began = time.perf_counter()
    found = [by_index(int(row)) for row in asked]
    fast = time.perf_counter() - began
    few = asked[:20]
    began = time.perf_counter()
    for row in few:
        exactly(int(row))
    slow = (time.perf_counter() - began) / len(few) * len(asked)
    true = _neighbours(unit_rows(vectors), asked, itself=True)
    measured["recall_at_10"] = _shared(true, np.stack(found))
    measured |= {"index_milliseconds": fast / ASKED * 1000, "exact_milliseconds": slow / ASKED * 1000}
    return measured, {"recall_at_10": measured["recall_at_10"], "index_vs_exact": slow / fast}


def _neighbours(places: np.ndarray, asked: np.ndarray, *, itself: bool = False) -> np.ndarray:
    """(a, NEIGHBOURS) rows nearest to the rows asked for, in any space; itself: whether they count as their own."""
    squares = np.einsum("ij,ij->i", places, places)
    found = []
    for part in np.array_split(asked, max(1, len(asked) // 20)):
        distances = squares[None] - 2 * places[part] @ places.T
        if not itself:
            distances[np.arange(len(part)), part] = np.inf
        found.append(np.argpartition(distances, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS])
    return np.concatenate(found)


def _shared(true: np.ndarray, found: np.ndarray) -> float:
    return float(
        np.mean(
            [len(set(a) & set(b)) / NEIGHBOURS for a, b in zip(true.tolist(), found.tolist(), strict=True)]
        )
    )
