"""Which open frames a strategy may look at: all, or where they are too many the least certain half and a uniform draw.

The draw keeps strategies that look for coverage honest, the least certain half those that look for doubt. Not here:
what the model says of them (batch_pool.py), and which of them are chosen (selection/).
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from al_assets.selection.population import Population
from al_assets.settings import SelectionSettings
from resources.archive import Archive
from resources.queries.mining import Restriction


@dataclass(frozen=True)
class Candidates:
    """frame_id and pts_ms, ascending; allowed: how many frames they stand for."""

    table: pa.Table
    allowed: int


def candidates(
    archive: Archive,
    embedder_id: str,
    checkpoint_id: str | None,
    rules: SelectionSettings,
    only: Restriction,
    everything: Population,
    rng: np.random.Generator,
) -> Candidates:
    """Training frames a strategy may look at. everything: all open ones, whatever `only` lets pass.

    Of the least certain, those closer in time than the minimum gap count once: the rule would leave all but one out,
    and one clip must not fill the half. Never holds more in memory than videos, labels and rules.candidates.
    """
    if only.about_predictions():
        table, allowed = archive.selection.sample(embedder_id, rules.candidates, only, rng)
        if allowed <= rules.candidates:
            return Candidates(table, allowed)
        doubtful = _doubtful(archive, checkpoint_id, rules, only)
        rest = np.setdiff1d(table["frame_id"].to_numpy(), doubtful)
        drawn = rng.choice(rest, min(len(rest), rules.candidates - len(doubtful)), replace=False)
    else:
        population = everything
        if only.sites:
            population = archive.selection.population(embedder_id, ["train"], repeats=False, sites=only.sites)
        allowed = len(population)
        if allowed <= rules.candidates:
            return Candidates(
                archive.selection.open_frames(embedder_id, ["train"], repeats=False, only=only), allowed
            )
        doubtful = _doubtful(archive, checkpoint_id, rules, only)
        drawn = _others(population, doubtful, rules.candidates - len(doubtful), rng)
    return Candidates(archive.selection.times(np.concatenate([doubtful, drawn]).tolist()), allowed)


def _doubtful(
    archive: Archive, checkpoint_id: str | None, rules: SelectionSettings, only: Restriction
) -> np.ndarray:
    if checkpoint_id is None:
        return np.empty(0, np.int64)
    gap = round(rules.minimum_gap_seconds * 1000)
    return archive.selection.least_certain(
        checkpoint_id, rules.candidates // 2, only=only, minimum_gap_ms=gap
    )


def _others(population: Population, doubtful: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """A uniform draw of frames that are not among the doubtful: the first of a longer draw that are not."""
    places = rng.choice(len(population), min(len(population), size + len(doubtful)), replace=False)
    parts: list[np.ndarray] = []
    found = 0
    while len(places) and found < size:
        now, places = places[: size - found], places[size - found :]
        drawn = population.take(now)
        parts.append(drawn[~np.isin(drawn, doubtful)])
        found += len(parts[-1])
    return np.concatenate(parts) if parts else np.empty(0, np.int64)
