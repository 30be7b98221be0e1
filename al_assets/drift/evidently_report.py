"""Evidently's drift report on a window of frames against a reference. Frames of data in, HTML and verdict out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

COMPONENTS = 16
"""Dimensions of the vectors in the report, by truncated SVD on the reference: the test takes seconds, not minutes."""
THRESHOLDS = {"brightness": 1.5, "log_sharpness": 0.45, "vectors": 0.08}
"""Bounds of the tests: Wasserstein distance in standard deviations of the reference, cosine distance of mean vectors.

Set on eight clips against thirteen of rendered archives of other seeds and other backgrounds than the demo's: twice
the value that 95 % of ordinary windows stay below (0.76, 0.23, 0.039); windows with three dark clips begin at 2.1 in
brightness. Then frozen. Evidently's own defaults test frames as if they were independent, and call nearly every
window of videos adrift: frames of one clip are not.
"""
SEED = 0
SMALLEST_SAMPLE = 20
"""Frames on either side below which a report says nothing."""


@dataclass(frozen=True)
class EvidentlyOutcome:
    """The report as one offline page, its verdict, the share of drifted columns, and its statistics by name."""

    html: str
    drifted: bool
    share: float
    statistics: dict[str, float] = field(default_factory=dict)


def evidently_report(reference: pd.DataFrame, current: pd.DataFrame) -> EvidentlyOutcome:
    """Compare two samples of frames: light, sharpness (log) and the mean direction of the vectors.

    Both frames have the columns brightness, sharpness and e0 to e(d-1), a row per frame, at least 20 rows each
    (ValueError otherwise). share: tested columns beyond THRESHOLDS, of three; one is drift.
    """
    if min(len(reference), len(current)) < SMALLEST_SAMPLE:
        raise ValueError(
            f"{len(reference)} and {len(current)} frames are too few for a report; 20 each are needed"
        )
    before, after = _reduced(reference, current)
    # One thread: the t-SNE of the report would spin on every core for a plot of a thousand points.
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")  # numpy and pandas deprecations inside evidently
        snapshot = _run(before, after)
        html = snapshot.get_html_str(as_iframe=False)
        values = _values(snapshot.dict())
    beyond = sum(values[name] > bound for name, bound in THRESHOLDS.items())
    return EvidentlyOutcome(html, beyond > 0, beyond / len(THRESHOLDS), values)


def _reduced(reference: pd.DataFrame, current: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Light, log sharpness, and unit vectors in the reference's first singular directions."""
    from sklearn.decomposition import TruncatedSVD

    vectors = [name for name in reference.columns if name.startswith("e") and name[1:].isdigit()]
    svd = TruncatedSVD(min(COMPONENTS, len(vectors) - 1), random_state=SEED).fit(_unit(reference[vectors]))
    names = [f"vector_{n}" for n in range(svd.n_components)]

    def reduced(frame: pd.DataFrame) -> pd.DataFrame:
        table = pd.DataFrame(svd.transform(_unit(frame[vectors])).astype(np.float64), columns=names)
        table.insert(0, "brightness", frame["brightness"].to_numpy())
        table.insert(1, "log_sharpness", np.log(np.maximum(frame["sharpness"].to_numpy(), 1e-3)))
        return table

    return reduced(reference), reduced(current)


def _unit(frame: pd.DataFrame) -> npt.NDArray[np.float32]:
    rows = frame.to_numpy(dtype=np.float32)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def _run(before: pd.DataFrame, after: pd.DataFrame) -> Any:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import EmbeddingsDrift, ValueDrift
    from evidently.metrics.embeddings import DistanceDriftMethod

    names = [name for name in before.columns if name.startswith("vector_")]
    quality = ["brightness", "log_sharpness"]
    definition = DataDefinition(numerical_columns=quality, embeddings={"vectors": names})
    tests = [ValueDrift(column=name, method="wasserstein", threshold=THRESHOLDS[name]) for name in quality]
    distance = DistanceDriftMethod(dist="cosine", threshold=THRESHOLDS["vectors"])
    report = Report([*tests, EmbeddingsDrift(embeddings_name="vectors", drift_method=distance)])
    return report.run(Dataset.from_pandas(after, definition), Dataset.from_pandas(before, definition))


def _values(results: dict[str, Any]) -> dict[str, float]:
    """Value of each test by the name of what it tested."""
    found: dict[str, float] = {}
    for metric in results["metrics"]:
        config = metric.get("config", {})
        name = config.get("column") or config.get("embeddings_name")
        if name:
            found[str(name)] = float(metric["value"])
    return found
