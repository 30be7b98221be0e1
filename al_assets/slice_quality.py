"""The asset `slice_quality` and its check: on which slices of the archive the newest model is worse than on the rest.

The statistics are `checkpoints/slices.py`; what becomes of a slice that is worse is the quota in the next batch.
"""

from dataclasses import asdict
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from al_assets.automation import RETRY
from al_assets.checkpoints.assets import evaluation
from al_assets.examples import examples, load_checkpoint
from al_assets.keys import video_no_of
from al_assets.quota_pool import frame_slices
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.models import Checkpoint
from resources.rows import rows_of
from resources.slices import Slice

SHOWN, NAMED = 50, 5
COLUMNS = ("dimension", "slice", "metric", "value", "difference", "p_value", "support", "videos")


@dg.asset(
    group_name="training",
    kinds={"scikitlearn", "sql"},
    deps=[evaluation],
    retry_policy=RETRY,
    code_version="1",
    metadata={"table": "slice_metrics"},
)
def slice_quality(archive: Archive, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """What the newest checkpoint is worth by site, camera, season, hour, light and class, against the rest.

    On the labelled frames of validation and test videos together: slices are compared with each other on the same
    frames, and test videos alone are few.
    """
    newest = archive.models.latest()
    if newest is None:
        return dg.MaterializeResult(value=None, metadata={"why": "no checkpoint yet"})
    rows = measure(archive, settings, newest)
    where = {"checkpoint_id": newest.checkpoint_id}
    if rows.empty:
        return dg.MaterializeResult(
            value=Slice(where, {}), metadata={"why": "no labelled hold-out frame yet", "slices_measured": 0}
        )
    tested = rows[rows["p_value"].notna()]
    return dg.MaterializeResult(
        value=Slice(where, {"slice_metrics": rows}, name=newest.checkpoint_id),
        metadata={
            "checkpoint": newest.checkpoint_id,
            "slices_measured": _count(rows),
            "slices_tested": _count(tested),
            "slices_worse": _count(rows[rows["worse"] == 1]),
            **({"worst_difference": float(tested["difference"].min())} if len(tested) else {}),
        },
    )


def _count(rows: pd.DataFrame) -> int:
    return len(rows[["dimension", "slice"]].drop_duplicates())


def measure(archive: Archive, settings: Settings, checkpoint: Checkpoint) -> pd.DataFrame:
    """Rows of `slice_metrics` of a checkpoint; none while no hold-out frame is labelled."""
    from al_assets.checkpoints.slices import slice_metrics

    head = load_checkpoint(archive, checkpoint)
    rows = archive.models.training_set(checkpoint.training_set_id)
    parts = [
        examples(archive, rows, checkpoint.embedder_id, list(head.class_ids), settings.task, split)
        for split in ("validation", "test")
    ]
    keys = np.concatenate([part.keys for part in parts])
    order = np.argsort(keys)
    keys = keys[order]
    vectors = np.concatenate([part.vectors for part in parts])[order]
    targets = np.concatenate([part.targets for part in parts])[order]
    names = archive.labels.classes().set_index("class_id")["name"]
    found = slice_metrics(
        head.probabilities(vectors) if len(keys) else np.zeros(targets.shape),
        targets,
        video_no_of(keys),
        frame_slices(archive, keys),
        task=head.task,
        class_names=[str(names[class_id]) for class_id in head.class_ids],
        thresholds=head.thresholds,
        rng=np.random.default_rng(settings.training.seed),
    )
    table = pd.DataFrame([asdict(metric) for metric in found])
    if table.empty:
        return table
    table.insert(0, "checkpoint_id", checkpoint.checkpoint_id)
    return table.assign(measured_at=archive.now())


@dg.asset_check(asset=slice_quality, description="The newest model is nowhere significantly worse.")
def no_slice_is_significantly_worse(archive: Archive) -> dg.AssetCheckResult:
    """A warning that names the slices: frames of these are worth labelling, and [quota] worse_slices sees to it."""
    newest = archive.models.latest()
    rows = archive.slices.metrics(newest.checkpoint_id) if newest is not None else None
    if rows is None or rows.empty:
        return dg.AssetCheckResult(
            passed=True, severity=dg.AssetCheckSeverity.WARN, description="nothing to measure on yet"
        )
    worse = rows[rows["worse"] == 1]
    tested = rows[rows["p_value"].notna()]
    return dg.AssetCheckResult(
        passed=worse.empty,
        severity=dg.AssetCheckSeverity.WARN,
        description=_told(worse, len(tested)),
        metadata={
            "tested": len(tested),
            "worse": len(worse),
            "slices": dg.MetadataValue.table(
                [
                    _record(row)
                    for row in rows_of((worse if len(worse) else tested)[list(COLUMNS)].head(SHOWN))
                ],
                schema=dg.TableSchema([dg.TableColumn(name) for name in COLUMNS]),
            ),
        },
    )


def _told(worse: pd.DataFrame, tested: int) -> str:
    if worse.empty:
        return f"{tested} metrics of slices compared with the rest, none is significantly worse"
    told = [
        f"{row.dimension} {row.slice}: {row.metric} {row.value:.2f}, {-row.difference:.2f} below the rest "
        f"({row.support} frames of {row.videos} videos, p {row.p_value:.3f})"
        for row in rows_of(worse.head(NAMED))
    ]
    more = [f"and {len(worse) - NAMED} more"] if len(worse) > NAMED else []
    return "; ".join([*told, *more])


def _record(row: Any) -> dg.TableRecord:
    values = {name: getattr(row, name) for name in COLUMNS}
    return dg.TableRecord(
        {
            name: None if pd.isna(value) else value if isinstance(value, str) else float(value)
            for name, value in values.items()
        }
    )


CHECKS = (no_slice_is_significantly_worse,)
