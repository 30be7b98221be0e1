"""UHerding: the frames that bring what the model doubts closest to what is picked or labelled (Bae et al. 2025).

MaxHerding with each frame of the measure weighted by its uncertainty: coverage while labels are few and all is in
doubt, uncertainty as the model learns and the kernel narrows, with no switch between them. The paper scales the
probabilities by a temperature first; here the head is calibrated when it is trained. Not here: the greedy rule
(kernel_cover.py), the margin (predictions/uncertainty.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from al_assets.predictions.uncertainty import margin_uncertainty
from al_assets.selection.kernel_cover import kernel_cover
from al_assets.selection.neighbours import nearest_others
from al_assets.selection.pool import Picks, Pool, unit_vectors
from al_assets.selection.rows import Vectors, complete, greedy_steps, seeded_rows
from al_assets.selection.strategies.max_herding import WIDTH
from al_assets.selection.strategies.ranking import blocks, model_probabilities, wanted

NEEDS = frozenset({"probabilities"})
COMPARED = 4096
NARROWEST = 0.1
"""Distance at cosine 0.995; frames nearer than that are one scene, whatever the labels are like."""


def select(pool: Pool, budget: int, rng: np.random.Generator, *, spare: int = 0) -> Picks:
    """Picks by gain in kernel coverage weighted by uncertainty, that gain being the score.

    Uncertainty: single_label `1 - (p_1 - p_2)`; multi_label `1 - min_c |2 p_c - 1|`, the class nearest to a coin toss.
    A candidate counts as the frames that it stands for (pool.weights). Exact up to kernel_cover.EXACT candidates, of
    more a random sample is looked at; the rest follows by uncertainty. Raises NoModelError without probabilities.
    """
    return herd_doubt(pool, margin_doubt(pool), budget, rng, spare=spare)


def herd_doubt(
    pool: Pool,
    doubt: npt.NDArray[np.float32],
    budget: int,
    rng: np.random.Generator,
    *,
    spare: int = 0,
    trust: float = 1.0,
) -> Picks:
    """The same for any doubt (n,) in [0, 1]; a frame counts with (1 - trust) + trust * doubt, trust in [0, 1]."""
    count = wanted(pool, budget, spare)
    if not count:
        return Picks(np.empty(0, dtype=np.intp), np.empty(0), [])
    rows = seeded_rows(pool, rng)
    doubt = doubt[rows.order]
    weights = (1 - trust) + trust * doubt
    weights = weights if pool.weights is None else weights * pool.weights[rows.order]
    labelled = unit_vectors(pool.labelled_embeddings)
    steps = greedy_steps(budget, count)
    chosen, gains, _ = kernel_cover(rows, weights, labelled, kernel_width(labelled), steps)
    reasons = [
        f"brings doubtful frames {100 * gain:.3f} % closer to what is picked, itself {doubt[at]:.3f} uncertain"
        for gain, at in zip(gains.tolist(), chosen.tolist(), strict=True)
    ]
    # Scores of the rest fall below every gain: they are no gains.
    rest = -1.0 + doubt / 2
    return complete(rows, chosen, gains, reasons, count, rest, "follows by margin uncertainty")


def kernel_width(labelled: Vectors) -> float:
    """Median distance of a labelled frame to the nearest other one, in [NARROWEST, WIDTH]; WIDTH below two of them.

    The paper takes the smallest such distance, but two labelled frames of one moment are enough to make that nothing,
    and at width 0 the rule is plain margin. On scikit-learn's digits, ten labels a round, the median gained 0.3 points
    of area under the curve, 0.4 where each image is there three times. Of more than COMPARED evenly spaced ones count.
    """
    if len(labelled) < 2:
        return WIDTH
    labelled = labelled[:: -(-len(labelled) // COMPARED)]
    return min(max(float(np.median(nearest_others(labelled, labelled, 1)[1])), NARROWEST), WIDTH)


def margin_doubt(pool: Pool) -> npt.NDArray[np.float32]:
    """(n,) margin uncertainty of the candidates. Raises NoModelError without probabilities."""
    probabilities = model_probabilities(pool, "uncertainty_herding")
    doubt = np.empty(len(pool), dtype=np.float32)
    for part in blocks(len(pool), probabilities.shape[1]):
        doubt[part] = margin_uncertainty(np.clip(probabilities[part], 0, 1), pool.task)
    return doubt
