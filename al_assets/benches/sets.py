"""What benches over several data sets share: seeds by the size asked for, and a name for each figure of each set.

Not here: the data (known_sets.py), and what is measured on it (auto.py, peers.py, reference.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from al_assets.simulation.experiment import Experiment

Result = dict[str, float]
Sets = dict[str, Callable[[], Experiment]]
ROWS_A_SEED, MOST_SEEDS = 2_000, 20


def seeds_of(rows: int) -> int:
    """One seed for each 2,000 rows asked for, from 2 to 20."""
    return min(MOST_SEEDS, max(2, rows // ROWS_A_SEED))


def each_set(
    sets: Mapping[str, Callable[[], Experiment]], measure: Callable[[Experiment], tuple[Result, Result]]
) -> tuple[Result, Result]:
    """(measured, ratios) of all sets, each figure named by its set; one set is in memory at a time."""
    measured: Result = {}
    ratios: Result = {}
    for name, make in sets.items():
        found, compared = measure(make())
        measured |= {f"{name}_{key}": value for key, value in found.items()}
        ratios |= {f"{name}_{key}": value for key, value in compared.items()}
    return measured, ratios
