"""The asset `projection`: smaller vectors, fitted once when the settings ask for them. The matrix is made elsewhere."""

import hashlib
from dataclasses import dataclass
from typing import Any

import dagster as dg
import numpy as np

from al_assets.automation import RETRY, Decision, counted
from al_assets.embedder_choice import configured_embedder, lacking_vectors
from al_assets.embeddings.assets import embeddings
from al_assets.embeddings.projection import SAMPLE_FRAMES, Projection, embedder_name, needed, to_bytes
from al_assets.examples import Examples, class_list, examples, fit_examples
from al_assets.settings import EmbeddingsSettings, Settings
from resources.archive import Archive
from resources.queries.embedders import Embedder

FOLDER = "projections"
SEED = 13


@dataclass(frozen=True)
class ProjectionState:
    """What decides whether a projection is fitted.

    dimensions: as the settings ask; width: of the backbone's vectors, 0 before the first; vectors: frames that have
    one; lacking: videos that lack them; fitted: the embedder that is asked for, where it stands already.
    """

    dimensions: int
    width: int = 0
    vectors: int = 0
    lacking: int = 0
    fitted: str | None = None


def decide_projection(state: ProjectionState) -> Decision:
    """Whether to fit a projection now: once there are enough vectors, and they speak for the archive."""
    if not state.dimensions:
        return Decision(False, "[embeddings] dimensions asks for no smaller vectors")
    if state.fitted is not None:
        return Decision(False, f"{state.fitted} is fitted")
    if state.width and state.width <= state.dimensions:
        return Decision(
            False,
            f"vectors have {state.width} values, and [embeddings] dimensions = {state.dimensions} asks for no fewer",
        )
    enough = needed(state.dimensions)
    if state.vectors < enough:
        return Decision(
            False,
            f"{counted(enough - state.vectors, 'vector is', 'vectors are')} missing of the {enough} that a "
            f"projection to {state.dimensions} dimensions is fitted on",
        )
    if state.lacking and state.vectors < SAMPLE_FRAMES:
        return Decision(
            False,
            f"a projection to {state.dimensions} dimensions is fitted once every video has vectors, or "
            f"{SAMPLE_FRAMES} frames have: {counted(state.lacking, 'video lacks', 'videos lack')} them",
        )
    return Decision(True, f"a projection to {state.dimensions} dimensions is to be fitted")


def projection_state(archive: Archive, settings: EmbeddingsSettings) -> ProjectionState:
    """How things stand."""
    if not settings.dimensions:
        return ProjectionState(0)
    base = configured_embedder(settings)
    if (fitted := archive.embedders.projection_of(base, settings.dimensions)) is not None:
        return ProjectionState(settings.dimensions, fitted=fitted.embedder_id)
    row = archive.embedders.get(base)
    return ProjectionState(
        settings.dimensions,
        width=row.dimensions if row is not None else 0,
        vectors=archive.embedders.frames_covered(base),
        lacking=len(lacking_vectors(archive, settings)),
    )


@dg.asset(
    group_name="scoring",
    kinds={"scikitlearn", "file"},
    deps=[embeddings],
    retry_policy=RETRY,
    code_version="1",
)
def projection(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """A new embedder that projects the backbone's vectors to the length in the settings, fitted once and then kept.

    Every video is converted by the next runs of `ingest_videos`, without its pixels; when all are, a model is trained
    on the small vectors and goes through the gate. What the projection costs is in the metadata: held-out quality of
    the same head on the labels that stand, with the backbone's vectors and with the projected ones.
    """
    decision = decide_projection(projection_state(archive, settings.embeddings))
    context.log.info(decision.reason)
    if not decision.go:
        return dg.MaterializeResult(metadata={"why": decision.reason})
    base = archive.embedders.get(configured_embedder(settings.embeddings))
    assert base is not None, "there are vectors of an embedder that is not in the table"
    sample = archive.frames.drawn_from_all(base.embedder_id, SAMPLE_FRAMES, SEED)
    fitted = Projection.of(sample, settings.embeddings.dimensions)
    row = _save(archive, base, fitted)
    return dg.MaterializeResult(
        metadata={
            "why": decision.reason,
            "embedder": row["embedder_id"],
            "dimensions": fitted.dimensions,
            "of_dimensions": base.dimensions,
            "variance_kept": round(fitted.variance_kept, 4),
            "fitted_on_frames": len(sample),
            **cost(archive, settings, base.embedder_id, fitted),
        }
    )


def _save(archive: Archive, base: Embedder, fitted: Projection) -> dict[str, Any]:
    """The file, and then the row that names it."""
    embedder_id = embedder_name(base.embedder_id, fitted.name)
    content, uri = to_bytes(fitted), f"{FOLDER}/{embedder_id}.safetensors"
    archive.storage.write(uri, content)
    row: dict[str, Any] = {
        "embedder_id": embedder_id,
        "backbone": base.backbone,
        "weights_sha256": base.weights_sha256,
        "projection": fitted.name,
        "dimensions": fitted.dimensions,
        "created_at": archive.now(),
        "source_embedder_id": base.embedder_id,
        "projection_uri": uri,
        "projection_sha256": hashlib.sha256(content).hexdigest(),
        "variance_kept": fitted.variance_kept,
    }
    archive.frames.register_embedder(row)
    return row


def cost(archive: Archive, settings: Settings, base: str, fitted: Projection) -> dict[str, Any]:
    """Quality of the same head on frames held out by clip, with the backbone's vectors and with the projected ones.

    On labelled training frames only: the hold-out is the gate's. Empty while no model can be trained.
    """
    from al_assets.checkpoints.evaluation import paired_difference
    from al_assets.checkpoints.training_set import why_not_trainable

    rows, names = archive.models.training_set(archive.models.latest_training_set() or ""), class_list(archive)
    train = examples(archive, rows, base, list(names), settings.task, "train")
    if why := why_not_trainable(train.targets, settings.task):
        return {"cost": f"not measured: {why}"}
    metric = "accuracy" if settings.task == "single_label" else "mean_average_precision"
    held = [_held_out(archive, settings, base, train, shrink) for shrink in (None, fitted)]
    known = np.isfinite(held[0][0]) & np.isfinite(held[1][0])
    targets = train.targets[held[0][1]]
    if settings.task == "multi_label":
        targets = np.where(known, targets, -1).astype(np.int8)
    shown = (targets == 1).any(axis=1) if settings.task == "single_label" else (targets >= 0).any(axis=1)
    if not known.any() or not shown.any():
        return {"cost": "not measured: no class shows in two clips"}
    difference = paired_difference(
        metric,
        np.nan_to_num(held[1][0])[shown],
        np.nan_to_num(held[0][0])[shown],
        targets[shown],
        train.groups[held[0][1]][shown],
        task=settings.task,
        thresholds_a=held[1][2],
        thresholds_b=held[0][2],
        rng=np.random.default_rng(settings.training.seed),
    )
    return _told(metric, difference, int(shown.sum()))


def _held_out(
    archive: Archive, settings: Settings, base: str, train: Examples, shrink: Projection | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Out-of-sample probabilities, rows that they are of, and thresholds of the head that the settings name."""
    from al_assets.checkpoints.surroundings import Surroundings

    training, around = settings.training, None
    if training.head != "logistic" and training.unlabelled_frames:
        drawn = archive.frames.drawn(base, "train", training.unlabelled_frames, training.seed)
        around = Surroundings.of(drawn if shrink is None else shrink(drawn)) if len(drawn) else None
    if shrink is not None:
        train = Examples(train.keys, shrink(train.vectors), train.targets)
    fitted = fit_examples(train, class_list(archive), base, settings, around)
    return fitted.out_of_sample, fitted.rows, np.asarray(fitted.head.thresholds)


def _told(metric: str, difference: Any, frames: int) -> dict[str, Any]:
    if difference.value is None:
        return {"cost": f"not measured: {metric} has no value on {counted(frames, 'labelled frame')}"}
    within = (
        f", 95 % from {difference.low:+.3f} to {difference.high:+.3f}" if difference.low is not None else ""
    )
    return {
        "cost": f"{metric} {difference.value:+.3f}{within} on {counted(frames, 'labelled frame')} held out by clip",
        "cost_in_quality": round(-difference.value, 4),
    }
