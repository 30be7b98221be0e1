"""Compares labels that came after a model with those before: reads judged frames, writes `drift_results`.

Both tests are in `drift/concept.py`. Only frames drawn at random count: those of a strategy are hard by choice.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from al_assets.drift.calibration import adjust
from al_assets.drift.concept import LabelDrift, concept, label_mix
from resources.archive import Archive
from resources.queries.models import Checkpoint

LABEL_MIX = "new_labels_keep_the_class_mix"
CONCEPT = "accuracy_on_new_labels_is_as_expected"
SUBJECT = "new-labels"


def judged_model(archive: Archive) -> tuple[Checkpoint, pd.DataFrame] | None:
    """The model that labels have come after, and what they say; None without one.

    The serving one, or the one before where the newest labels have trained it already: on those it proves nothing.
    """
    serving = archive.models.serving()
    if serving is None:
        return None
    judged = archive.drift.judged(serving.checkpoint_id, serving.trained_at)
    if not judged["fresh"].any() and serving.parent_id is not None:
        parent = archive.models.get(serving.parent_id)
        earlier = archive.drift.judged(parent.checkpoint_id, parent.trained_at)
        if earlier["fresh"].any():
            return parent, earlier
    return serving, judged


def compare_labels(archive: Archive, run_id: str, rate: float) -> dict[str, str]:
    """Write a row of `drift_results` for each test that can be made; returns check -> why it could not.

    rate: false discovery rate over both tests. The rows stand under the serving model, whose labels they are about.
    """
    serving, found = archive.models.serving(), judged_model(archive)
    if serving is None or found is None:
        return dict.fromkeys((LABEL_MIX, CONCEPT), "no model serves yet")
    results = findings(found[1])
    tested = {name: result for name, result in results.items() if isinstance(result, LabelDrift)}
    adjusted = adjust([[result.p_value] for result in tested.values()]) if tested else []
    archive.monitoring.record_drift(
        [
            {
                "check_name": name,
                "subject": SUBJECT,
                "reference_id": serving.checkpoint_id,
                "drifted": int(p <= rate),
                "report_uri": None,
                "run_id": run_id,
                "measured_at": archive.now(),
                "threshold": None,
                "statistic": statistic,
                "value": value,
                "reference": reference,
                "p_value": result.p_value,
                "adjusted_p_value": p,
            }
            for (name, result), (p,) in zip(tested.items(), adjusted, strict=True)
            for statistic, value, reference in _columns(result)
        ]
    )
    return {name: result for name, result in results.items() if isinstance(result, str)}


def findings(judged: pd.DataFrame) -> dict[str, LabelDrift | str]:
    """Both tests on the rows of `archive.drift.judged`."""
    if judged.empty:
        return dict.fromkeys((LABEL_MIX, CONCEPT), "no frame drawn at random is labelled yet")
    frames = judged.drop_duplicates("frame_id").set_index("frame_id")
    clips = pd.factorize(frames["video_id"])[0].astype(np.int64)
    fresh = frames["fresh"].to_numpy() == 1
    present = judged[judged["present"] == 1]
    counts = pd.crosstab(present["frame_id"], present["class_id"]).reindex(frames.index, fill_value=0)
    mixes = counts.to_numpy(np.float64)
    mixes = np.column_stack([mixes, mixes.sum(axis=1) == 0])
    propensity = frames["propensity"].to_numpy(np.float64)
    weights = 1.0 / np.where(np.isfinite(propensity) & (propensity > 0), propensity, 1.0)
    mix = label_mix(mixes / mixes.sum(axis=1, keepdims=True), weights, clips, fresh)
    return {LABEL_MIX: mix, CONCEPT: _concept(judged)}


def _concept(judged: pd.DataFrame) -> LabelDrift | str:
    """On frames whose likeliest class was judged; of the earlier ones only those of hold-out videos."""
    rows = judged[judged["class_id"] == judged["top_class_id"]]
    rows = rows[(rows["fresh"] == 1) | (rows["split"] != "train")]
    return concept(
        rows["present"].to_numpy() == 1,
        rows["confidence"].to_numpy(np.float64),
        pd.factorize(rows["video_id"])[0].astype(np.int64),
        rows["fresh"].to_numpy() == 1,
    )


def _columns(result: LabelDrift) -> list[tuple[str, float, float | None]]:
    return [
        (result.statistic, result.value, result.reference),
        ("frames", float(result.frames), None),
        ("clips", float(result.clips), None),
    ]
