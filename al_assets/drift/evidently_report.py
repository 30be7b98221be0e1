"""Evidently's drift report on a window of frames against a reference. Frames of data in, HTML and verdict out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from al_assets.drift.windows import discrepancy_bound

COMPONENTS = 16
"""Dimensions of the vectors in the report, by truncated SVD on the reference: the test takes seconds, not minutes."""
THRESHOLDS = {"brightness": 1.5, "log_sharpness": 0.45}
"""Bounds of the tests of light and sharpness: Wasserstein distance in standard deviations of the reference.

Twice what 95 % of ordinary windows of eight clips stay below (0.76, 0.23) on rendered archives of other seeds and other
backgrounds than the demo's; windows with three dark clips begin at 2.1 in brightness. Then frozen. The bound of the
vectors is set by the archive itself, in `windows`: a fixed one of 95 % on one archive was beyond 17 % of windows of
another. What the methods for vectors are worth at bounds that 95 % of ordinary windows of other archives stay below
(windows of 20 clips against 30, half of them adrift):

| method   | false alarms | new camera | blurred  | noisy    | unseen class |
|----------|--------------|------------|----------|----------|--------------|
| MMD      | 0 of 24      | 23 of 24   | 5 of 16  | 14 of 16 | 3 of 16      |
| model    | 2 of 24      | 17 of 24   | 11 of 16 | 15 of 16 | 7 of 16      |
| distance | 0 of 24      | 17 of 24   | 4 of 16  | 9 of 16  | 2 of 16      |
| ratio    | 0 of 24      | 0 of 24    | 0 of 16  | 0 of 16  | 0 of 16      |

Maximum mean discrepancy (MMD, Gretton et al. 2012) it is: what it is weaker at, sharpness tells. Evidently's own bounds
take frames for independent and call nearly every window adrift: frames of one clip are alike.
"""
SEED = 0
SMALLEST_SAMPLE = 20
"""Frames on either side below which a report says nothing."""


@dataclass(frozen=True)
class EvidentlyOutcome:
    """The report as one offline page, its verdict, the share of drifted columns, statistics and bounds by name."""

    html: str
    drifted: bool
    share: float
    statistics: dict[str, float] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)


def evidently_report(reference: pd.DataFrame, current: pd.DataFrame) -> EvidentlyOutcome:
    """Compare two samples of frames: light, sharpness (log) and the vectors.

    Both frames have the columns clip, brightness, sharpness and e0 to e(d-1), a row per frame, at least 20 rows each
    (ValueError otherwise). share: tested columns beyond their bounds, of three; one is drift.
    """
    if min(len(reference), len(current)) < SMALLEST_SAMPLE:
        raise ValueError(
            f"{len(reference)} and {len(current)} frames are too few for a report; 20 each are needed"
        )
    before, after = _reduced(reference, current)
    # One thread: the t-SNE of the report would spin on every core for a plot of a thousand points.
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")  # numpy and pandas deprecations inside evidently
        bounds = THRESHOLDS | {"vectors": _bound(before, after, reference, current)}
        snapshot = _run(before, after, bounds)
        html = snapshot.get_html_str(as_iframe=False)
        values = _values(snapshot.dict())
    beyond = sum(values[name] > bound for name, bound in bounds.items())
    return EvidentlyOutcome(html, beyond > 0, beyond / len(bounds), values, bounds)


def vector_discrepancy(reference: pd.DataFrame, current: pd.DataFrame) -> tuple[float, float]:
    """The report's statistic of the vectors alone, and its bound, without the report; columns as there."""
    from evidently.metrics.embeddings import MMDDriftMethod

    before, after = (table[_vectors(table)] for table in _reduced(reference, current))
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")
        value = float(MMDDriftMethod()(after.copy(), before.copy())[0])
    return value, _bound(before, after, reference, current)


def _bound(
    before: pd.DataFrame, after: pd.DataFrame, reference: pd.DataFrame, current: pd.DataFrame
) -> float:
    clips = pd.factorize(pd.concat([reference["clip"], current["clip"]]))[0]
    parts = (clips[: len(before)], clips[len(before) :])
    return discrepancy_bound(before[_vectors(before)].to_numpy(), after[_vectors(after)].to_numpy(), parts)


def _vectors(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if name.startswith("vector_")]


def _reduced(reference: pd.DataFrame, current: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Light, log sharpness, and unit vectors in the reference's first singular directions."""
    from sklearn.decomposition import TruncatedSVD

    vectors = [name for name in reference.columns if name.startswith("e") and name[1:].isdigit()]
    components = min(COMPONENTS, len(vectors) - 1, len(reference))
    svd = TruncatedSVD(components, random_state=SEED).fit(_unit(reference[vectors]))
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


def _run(before: pd.DataFrame, after: pd.DataFrame, bounds: dict[str, float]) -> Any:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import EmbeddingsDrift, ValueDrift
    from evidently.metrics.embeddings import MMDDriftMethod

    names = _vectors(before)
    quality = ["brightness", "log_sharpness"]
    definition = DataDefinition(numerical_columns=quality, embeddings={"vectors": names})
    tests = [ValueDrift(column=name, method="wasserstein", threshold=bounds[name]) for name in quality]
    apart = MMDDriftMethod(threshold=bounds["vectors"])
    report = Report([*tests, EmbeddingsDrift(embeddings_name="vectors", drift_method=apart)])
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
