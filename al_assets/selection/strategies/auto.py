"""Auto: herding from the first frame to the last; what is in doubt counts the more, the more the model has seen.

Without a model, MaxHerding: the frames that together lie closest to the whole pool. With one, UHerding by degrees: a
frame of the pool counts with (1 - trust) + trust * doubt, where trust = m / (m + 3) at m labels a class, since the
doubt of a model that has met each class once is mostly noise. The kernel narrows as labels come closer to each other,
so that the rule drifts by itself from coverage to margin and needs no switch by budget. Where the vectors' variance
lies in few of their directions, as in frozen features of networks, both look at whitened vectors
(embeddings/whitening.py): what all frames share no longer hides what tells them apart. `al bench auto` prints what this
rests on; the README has the figures. Not here: the greedy rule, the doubt.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from al_assets.embeddings.whitening import Whitening
from al_assets.selection.pool import Floats, Picks, Pool
from al_assets.selection.strategies import max_herding, uncertainty_herding

HALF_TRUSTED = 3.0
"""Labels a class at which doubt counts half; 2 to 5 did about alike."""
SAMPLE = 10_000
"""Candidates that whitening is fitted on."""
REDUNDANT = 0.1
"""Share of the directions in which the variance lies (participation ratio), below which vectors are whitened."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks of the herding that suits what is known; each reason says which, and in which space.

    single_label and multi_label are the same but for the doubt, as uncertainty_herding has it.
    """
    seen, space, why = _space(pool, rng)
    if pool.probabilities is None:
        name, reason = "max_herding", "no model serves yet"
        picks = max_herding.select(seen, budget, rng, spare=spare)
    else:
        trust = trust_in_doubt(pool)
        name, reason = "uncertainty_herding", f"the model's doubt is trusted by {trust:.2f}"
        doubt = uncertainty_herding.margin_doubt(seen)
        picks = uncertainty_herding.herd_doubt(seen, doubt, budget, rng, spare=spare, trust=trust)
    told = [f"auto ({name}{space}): {each}" for each in picks.reasons]
    return Picks(picks.positions, picks.scores, told, note=f"auto chose {name}{space}: {reason}{why}")


def trust_in_doubt(pool: Pool) -> float:
    """m / (m + HALF_TRUSTED), m the mean number of labelled frames a class, over the classes that have any."""
    shown = (pool.labelled_targets == 1).sum(axis=0)
    mean = float(shown.sum()) / max(1, int((shown > 0).sum()))
    return mean / (mean + HALF_TRUSTED)


def _space(pool: Pool, rng: np.random.Generator) -> tuple[Pool, str, str]:
    """The pool as herding is to see it, what to call that, and why."""
    if len(pool) < 2:
        return pool, "", ""
    by_id = np.argsort(pool.frame_ids)
    rows = by_id if len(pool) <= SAMPLE else np.sort(rng.permutation(by_id)[:SAMPLE])
    sample = pool.embeddings[rows]
    directions, width = participation(sample), sample.shape[1]
    why = f", and the vectors' variance lies in {directions:.0f} of {width} directions"
    if directions >= REDUNDANT * width:
        return pool, "", why
    whitening = Whitening.of(sample)
    labelled = pool.labelled_embeddings
    whitened = replace(
        pool,
        embeddings=whitening(pool.embeddings),
        labelled_embeddings=whitening(labelled) if len(labelled) else labelled,
        linear=None,
        examples=None,
    )
    return whitened, ", whitened", why


def participation(vectors: Floats) -> float:
    """In how many directions the variance of vectors (n, d) lies: (sum of variances)^2 / sum of their squares.

    n or d of them at most; 0 where nothing varies. Computed on the smaller side.
    """
    centred = vectors.astype(np.float32) - vectors.mean(axis=0, dtype=np.float32)
    gram = centred.T @ centred if len(centred) > centred.shape[1] else centred @ centred.T
    total = float(np.trace(gram))
    return total**2 / float((gram**2).sum()) if total > 0 else 0.0
