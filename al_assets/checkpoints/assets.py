"""The assets from `training_set` to `candidate_checkpoint`: labels become a model and a decision on it.

Training, calibration, evaluation and the rule of promotion live in the modules beside.
"""

import hashlib
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pandas as pd

from al_assets.automation import RETRY, SQL_WRITE
from al_assets.checkpoints.training_set import build_training_set, why_not_trainable
from al_assets.embedder_choice import embedder_to_read
from al_assets.examples import (
    Examples,
    class_list,
    examples,
    fit_examples,
    load_checkpoint,
    surroundings,
    training_config,
)
from al_assets.keys import video_no_of
from al_assets.labels.assets import labels
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.models import Checkpoint
from resources.rows import rows_of
from resources.slices import Slice

if TYPE_CHECKING:  # these load torch, which the code server must not
    from al_assets.checkpoints.heads import Head
    from al_assets.checkpoints.promotion import Decision
    from al_assets.checkpoints.training import TrainingConfig

CODE_VERSION = "2"
HEAD = "linear"


@dg.asset(
    group_name="training",
    kinds={"sql", "pandas"},
    deps=[labels],
    pool=SQL_WRITE,
    code_version="1",
    metadata={"table": "training_sets"},
)
def training_set(archive: Archive) -> dg.MaterializeResult:
    """The current labels with their split, frozen under a name that is a hash of them."""
    training_set_id, rows = build_training_set(archive.models.labelled())
    frames = rows.drop_duplicates("frame_id")["split"].value_counts()
    return dg.MaterializeResult(
        value=Slice({"training_set_id": training_set_id}, {"training_sets": rows}, name=training_set_id),
        metadata={
            "training_set": training_set_id,
            **{f"{split}_frames": int(frames.get(split, 0)) for split in ("train", "validation", "test")},
        },
    )


@dg.asset(
    group_name="training",
    kinds={"pytorch", "sql"},
    # The projection is no input of this run: a model that reads its vectors comes when every video has them.
    deps=[training_set, dg.AssetKey("projection")],
    pool="gpu",
    retry_policy=RETRY,
    code_version=CODE_VERSION,
    metadata={"table": "checkpoints", "write_mode": "upsert"},
)
def checkpoint(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """A calibrated head on frozen embeddings, saved without pickle, named by its content."""
    from al_assets.checkpoints.calibration import calibrate

    training_set_id = archive.models.latest_training_set() or ""
    rows = archive.models.training_set(training_set_id)
    names = class_list(archive)
    embedder_id = embedder_to_read(archive, settings.embeddings)
    train = examples(archive, rows, embedder_id, list(names), settings.task, "train")
    why = why_not_trainable(train.targets, settings.task)
    if why:
        context.log.warning(f"no model was trained: {why}")
        return dg.MaterializeResult(value=None, metadata={"why": why, "labelled_frames": len(train.keys)})
    validation = examples(archive, rows, embedder_id, list(names), settings.task, "validation")
    fitted = fit_examples(train, names, embedder_id, settings, surroundings(archive, embedder_id, settings))
    head = calibrate(fitted.head, validation.vectors, validation.targets, groups=validation.groups)
    config = training_config(settings)
    row = _save(archive, head, training_set_id, config, context.run.run_id, len(train.keys))
    known = archive.models.trained_again(row["checkpoint_id"], archive.now())
    return dg.MaterializeResult(
        value=None if known else pd.DataFrame([row]),
        data_version=dg.DataVersion(row["sha256"]),
        metadata={
            "checkpoint": row["checkpoint_id"],
            "labelled_frames": len(train.keys),
            "validation_frames": len(validation.keys),
            "classes": len(names),
            "head": head.calibration,
            "classes_with_examples": int((train.targets == 1).any(axis=0).sum()),
        },
    )


def _save(
    archive: Archive,
    head: "Head",
    training_set_id: str,
    config: "TrainingConfig",
    run_id: str,
    labelled_frames: int,
) -> dict[str, Any]:
    from al_assets.checkpoints.files import save_head

    hyperparameters = json.dumps(asdict(config), sort_keys=True)
    data = save_head(
        head,
        {
            "training_set_id": training_set_id,
            "hyperparameters": hyperparameters,
            "code_version": CODE_VERSION,
        },
    )
    sha256 = hashlib.sha256(data).hexdigest()
    # Named by its bytes: the same name never stands for another model, whatever vectors stood when it was trained.
    checkpoint_id = f"ck-{sha256[:12]}"
    serving = archive.models.serving()
    uri = f"checkpoints/{checkpoint_id}.safetensors"
    archive.storage.write(uri, data)
    return {
        "checkpoint_id": checkpoint_id,
        "parent_id": serving.checkpoint_id if serving else None,
        "embedder_id": head.embedder_id,
        "training_set_id": training_set_id,
        "task": head.task,
        "head": HEAD,
        "seed": config.seed,
        "hyperparameters": hyperparameters,
        "class_ids": json.dumps(list(head.class_ids)),
        "labelled_frames": labelled_frames,
        "uri": uri,
        "sha256": sha256,
        "code_version": CODE_VERSION,
        "run_id": run_id,
        "trained_at": archive.now(),
    }


@dg.asset(
    group_name="training",
    kinds={"scikitlearn", "sql"},
    deps=[checkpoint],
    code_version="1",
    metadata={"table": "evaluations"},
)
def evaluation(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """Metrics of the newest checkpoint on labelled hold-out frames, overall and per class, with 95 % intervals."""
    newest = archive.models.latest()
    if newest is None:
        return dg.MaterializeResult(value=None, metadata={"why": "no checkpoint yet"})
    head = load_checkpoint(archive, newest)
    rows = archive.models.training_set(newest.training_set_id)
    tables: list[pd.DataFrame] = []
    shown: dict[str, float] = {}
    for split in ("validation", "test"):
        held = examples(archive, rows, newest.embedder_id, list(head.class_ids), settings.task, split)
        shown[f"{split}_frames"] = len(held.keys)
        if len(held.keys):
            tables.append(_metrics(head, held, newest, split, settings.training.seed))
    found = pd.concat(tables) if tables else pd.DataFrame()
    overall = found[(found["class_id"] == 0) & (found["split"] == "test")] if len(found) else found
    for row in rows_of(overall):
        if row.value is not None and np.isfinite(row.value):
            shown[str(row.metric)] = float(row.value)
    return dg.MaterializeResult(
        value=Slice({"checkpoint_id": newest.checkpoint_id}, {"evaluations": found} if len(found) else {}),
        metadata={"checkpoint": newest.checkpoint_id, **shown},
    )


def _metrics(head: "Head", held: Examples, checkpoint: Checkpoint, split: str, seed: int) -> pd.DataFrame:
    from al_assets.checkpoints.evaluation import evaluate

    metrics = evaluate(
        head.probabilities(held.vectors),
        held.targets,
        held.groups,
        task=head.task,
        class_ids=head.class_ids,
        thresholds=head.thresholds,
        rng=np.random.default_rng(seed),
    )
    return pd.DataFrame(
        [{"checkpoint_id": checkpoint.checkpoint_id, "split": split, **asdict(metric)} for metric in metrics]
    )


@dg.asset(group_name="training", kinds={"python", "sql"}, deps=[evaluation], code_version="1")
def candidate_checkpoint(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """The decision: the new checkpoint if the gate says so, else the serving one; a `promotions` row either way."""
    newest, target = archive.models.latest(), archive.models.target()
    if newest is None:
        return dg.MaterializeResult(metadata={"why": "no checkpoint yet", "promoted": 0})
    if target is not None and target.checkpoint_id == newest.checkpoint_id:
        reason = "this checkpoint is the one to serve already: the labels did not change"
        return dg.MaterializeResult(
            metadata={"why": reason, "promoted": 0, "checkpoint": newest.checkpoint_id}
        )
    if archive.models.is_settled(newest):
        reason = "decided since it was trained; `al checkpoints promote` serves it all the same"
        return dg.MaterializeResult(
            metadata={"why": reason, "promoted": 0, "checkpoint": newest.checkpoint_id}
        )
    decision = _judge(archive, settings, newest, target)
    if target is not None and target.embedder_id != newest.embedder_id:
        change = f"it reads {newest.embedder_id}, the one before {target.embedder_id}"
        decision = replace(decision, reason=f"{decision.reason}; {change}")
    archive.models.decide(
        newest.checkpoint_id,
        promoted=decision.go,
        reason=decision.reason,
        by="rule",
        run_id=context.run.run_id,
        now=archive.now(),
    )
    context.log.info(
        f"{newest.checkpoint_id}: {'promoted' if decision.go else 'not promoted'}: {decision.reason}"
    )
    return dg.MaterializeResult(
        metadata={
            "checkpoint": newest.checkpoint_id,
            "promoted": int(decision.go),
            "why": decision.reason,
            **archive.monitoring.table_metadata("promotions"),
        }
    )


def _judge(archive: Archive, settings: Settings, newest: Checkpoint, target: Checkpoint | None) -> "Decision":
    """The gate's decision, with both models measured on the same hold-out frames."""
    from al_assets.checkpoints.evaluation import paired_difference
    from al_assets.checkpoints.heads import align_classes
    from al_assets.checkpoints.promotion import PromotionPolicy, decide

    rules = settings.promotion
    policy = PromotionPolicy(
        metric=rules.metric, margin=rules.tolerance, minimum_holdout_labels=rules.minimum_holdout_labels
    )
    value, support = archive.models.metric(newest.checkpoint_id, rules.metric)
    if target is None:
        return decide(value, None, None, support, policy)
    rows = archive.models.training_set(newest.training_set_id)
    heads = [load_checkpoint(archive, c) for c in (newest, target)]
    columns = list(heads[0].class_ids)
    held = [examples(archive, rows, head.embedder_id, columns, settings.task, "test") for head in heads]
    common = np.intersect1d(held[0].keys, held[1].keys)
    if not len(common):
        return decide(value, None, None, 0, policy)
    rows_of = [np.searchsorted(part.keys, common) for part in held]
    probabilities = [
        align_classes(head.probabilities(part.vectors[at]), head.class_ids, columns)
        for head, part, at in zip(heads, held, rows_of, strict=True)
    ]
    thresholds = [align_classes(head.thresholds, head.class_ids, columns, fill=0.5) for head in heads]
    difference = paired_difference(
        rules.metric,
        probabilities[0],
        probabilities[1],
        held[0].targets[rows_of[0]],
        video_no_of(common),
        task=settings.task,
        thresholds_a=thresholds[0],
        thresholds_b=thresholds[1],
        rng=np.random.default_rng(settings.training.seed),
    )
    serving_value = None if value is None or difference.value is None else value - difference.value
    return decide(value, serving_value, difference, len(common), policy)
