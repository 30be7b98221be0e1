"""The assets `selection_batch` and `labelling_tasks`: the next frames for a person. Strategies live beside."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa

from al_assets.automation import RETRY
from al_assets.checkpoints.assets import label_matrix, load_checkpoint
from al_assets.embeddings.assets import configured_embedder, embeddings, pixels_of
from al_assets.frames.stills import encode_jpeg
from al_assets.keys import frame_range, video_no_of
from al_assets.predictions.assets import serving_checkpoint
from al_assets.review.assets import label_review
from al_assets.review.second_opinions import Trust
from al_assets.selection.asking_again import COLUMNS, Again, choose_again
from al_assets.selection.batch_plan import BatchPlan, BatchPolicy, plan_batch
from al_assets.selection.labelling_tasks import TaskRow, label_studio_tasks, labelling_config, tasks_csv
from al_assets.selection.pool import Pool
from al_assets.selection.redundancy import Frames, RedundancyRule
from al_assets.selection.task_files import azure_ml_jsonl, coco_images, cvat_labels, cvat_xml
from al_assets.settings import SelectionSettings, Settings
from resources.archive import Archive
from resources.pixels import still_path
from resources.rows import rows_of
from resources.slices import Slice

if TYPE_CHECKING:  # loads torch, which the code server must not
    from al_assets.checkpoints.heads import Head

TASKS = "labelling_tasks"
ARMS = ("strategy", "random", "evaluation", "second_opinion")
LINE = 400


@dataclass(frozen=True)
class Circumstances:
    """What a batch is made from: model, embedder and frames, read from SQL."""

    embedder_id: str
    checkpoint_id: str | None
    head: "Head | None"


def circumstances(archive: Archive, settings: Settings) -> Circumstances:
    """The serving model and its embedder; the configured embedder while no model serves."""
    serving = archive.models.serving()
    if serving is None:
        return Circumstances(configured_embedder(settings.embeddings), None, None)
    return Circumstances(serving.embedder_id, serving.checkpoint_id, load_checkpoint(archive, serving))


def candidates(
    archive: Archive,
    chosen: Circumstances,
    settings: SelectionSettings,
    table: pa.Table,
    rng: np.random.Generator,
) -> pa.Table:
    """Training frames a strategy may look at: all, or where they are too many the least certain half and a draw.

    The draw keeps strategies that look for coverage honest, the least certain half those that look for doubt.
    """
    if table.num_rows <= settings.candidates:
        return table
    keys = table["frame_id"].to_numpy()
    doubtful = np.empty(0, np.int64)
    if chosen.checkpoint_id is not None:
        doubtful = archive.selection.least_certain(chosen.checkpoint_id, settings.candidates // 2)
    first = np.flatnonzero(np.isin(keys, doubtful))
    rest = np.setdiff1d(np.arange(len(keys)), first)
    drawn = rng.choice(rest, min(len(rest), settings.candidates - len(first)), replace=False)
    return table.take(np.sort(np.concatenate([first, drawn])))


def make_plan(
    archive: Archive, settings: Settings, chosen: Circumstances, budget: int, seed: Sequence[int]
) -> BatchPlan:
    """The next batch of `budget` frames: reads the pool, then one call of the pure planner."""
    rng = np.random.default_rng(seed)
    everything = archive.selection.open_frames(chosen.embedder_id, ["train"], repeats=False)
    table = candidates(archive, chosen, settings.selection, everything, rng)
    keys, vectors = archive.frames.vectors(chosen.embedder_id, table["frame_id"].to_pylist())
    taken = _frames(archive, chosen.embedder_id, archive.selection.taken())
    labelled_keys, targets = label_matrix(archive.models.labelled(), settings.task, split="train")
    known_keys, labelled = archive.frames.vectors(chosen.embedder_id, labelled_keys.tolist())
    pool = Pool(
        frame_ids=keys,
        embeddings=vectors,
        probabilities=chosen.head.probabilities(vectors) if chosen.head is not None and len(keys) else None,
        task=settings.task,
        labelled_embeddings=labelled,
        labelled_targets=targets[np.isin(labelled_keys, known_keys)],
    )
    rules = settings.selection
    again = ask_again(archive, settings, chosen, pool.probabilities, budget)
    return plan_batch(
        pool,
        video_no_of(keys),
        _times(table, keys),
        taken=taken,
        holdout_frame_ids=archive.selection.open_frames(
            chosen.embedder_id, ["validation", "test"], repeats=True
        )["frame_id"].to_numpy(),
        holdout_labels=archive.selection.holdout_labels(),
        strategy=rules.strategy,
        policy=BatchPolicy(
            size=budget,
            random_fraction=rules.random_fraction,
            evaluation_fraction=rules.evaluation_fraction,
            second_opinion_fraction=rules.second_opinion_fraction,
            evaluation_target=rules.evaluation_target,
        ),
        rule=RedundancyRule(
            minimum_gap_ms=round(rules.minimum_gap_seconds * 1000),
            per_clip=rules.per_clip or None,
            cosine=rules.cosine if rules.cosine < 1 else None,
        ),
        rng=rng,
        random_population=everything["frame_id"].to_numpy(),
        again=again,
    )


def ask_again(
    archive: Archive, settings: Settings, chosen: Circumstances, probabilities: np.ndarray | None, budget: int
) -> Again:
    """Judged frames to ask about again by the review of the model that serves; probabilities: its, of open frames."""
    names = archive.labels.classes().set_index("class_id")["name"]
    scored = archive.reviews.to_ask_again(chosen.checkpoint_id or "")
    split = archive.reviews.of_split_classes()
    table = scored.merge(split, on="frame_id", how="outer", suffixes=("", "_split"))
    table = table.assign(
        looks_wrong=table["class_id"].map(names),
        split_class=table["class_id_split"].map(names),
        annotators=table["annotators"].fillna(1).astype(int),
    )
    weights = Trust()
    if len(scored):
        weights = Trust(float(scored["model_weight"].iloc[0]), float(scored["annotator_weight"].iloc[0]))
    return choose_again(table[list(COLUMNS)], probabilities, weights, task=settings.task, size=budget)


def _frames(archive: Archive, embedder_id: str, table: pa.Table) -> Frames:
    keys, vectors = archive.frames.vectors(embedder_id, table["frame_id"].to_pylist())
    return Frames(frame_ids=keys, video_no=video_no_of(keys), pts_ms=_times(table, keys), embeddings=vectors)


def _times(table: pa.Table, keys: np.ndarray) -> np.ndarray:
    """Times of the frames `keys`, which are among the table's ascending frame_ids."""
    return table["pts_ms"].to_numpy()[np.searchsorted(table["frame_id"].to_numpy(), keys)]


@dg.asset(
    group_name="selection",
    kinds={"python", "sql"},
    deps=[serving_checkpoint, embeddings, label_review],
    retry_policy=RETRY,
    code_version="1",
    metadata={"table": "selection_batches"},
)
def selection_batch(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """The next frames for a person: chosen by the strategy, a few at random, a few to measure by.

    Training arms never take a frame that is labelled, answered "cannot tell", queued or of a hold-out video.
    """
    run_id = context.run.root_run_id or context.run.run_id
    batch_id = archive.selection.next_batch_id(run_id)
    sent = archive.selection.batch(batch_id)
    if sent is not None and sent["tasks_uri"]:
        reason = f"this run's batch {batch_id} is out with its tasks already; it stays as it is"
        return dg.MaterializeResult(value=None, metadata={"selected": sent["selected"], "why": reason})
    archive.selection.forget(batch_id)
    standing = archive.selection.open_tasks()
    budget = min(settings.selection.batch_size, max(0, settings.selection.max_open_tasks - standing))
    if budget == 0:
        reason = f"{standing} tasks are open, as many as [selection] max_open_tasks allows; no new batch"
        context.log.warning(reason)
        return dg.MaterializeResult(
            value=None, metadata={"selected": 0, "open_tasks": standing, "why": reason}
        )
    chosen = circumstances(archive, settings)
    plan = make_plan(archive, settings, chosen, budget, [settings.selection.seed, batch_id])
    for note in plan.notes:
        context.log.info(note)
    arms = plan.selections["arm"].to_pylist()
    return dg.MaterializeResult(
        value=_batch_slice(archive, settings, chosen, plan, batch_id, budget, run_id),
        metadata={
            "batch": batch_id,
            "selected": len(arms),
            "open_tasks": standing + len(arms),
            **{f"{arm}_arm": arms.count(arm) for arm in ARMS},
            "checkpoint": chosen.checkpoint_id or "none: cold start",
            "why": "; ".join(plan.notes) or f"{settings.selection.strategy}, as asked",
        },
    )


def _batch_slice(
    archive: Archive,
    settings: Settings,
    chosen: Circumstances,
    plan: BatchPlan,
    batch_id: int,
    budget: int,
    run_id: str,
) -> Slice:
    rows = plan.selections.to_pandas()
    rows["reason"] = rows["reason"].str.slice(0, LINE)
    rows.insert(0, "batch_id", batch_id)
    header = {
        "batch_id": batch_id,
        "strategy": settings.selection.strategy,
        "checkpoint_id": chosen.checkpoint_id,
        "embedder_id": chosen.embedder_id,
        "seed": settings.selection.seed,
        "budget": budget,
        "selected": len(rows),
        "reason": "; ".join(plan.notes) or "as asked",
        "left_out": json.dumps(dict(plan.left_out)),
        "tasks_uri": None,
        "run_id": run_id,
        "created_at": archive.now(),
    }
    return Slice(
        where={"batch_id": batch_id},
        rows={"selection_batches": pd.DataFrame([header]), "selections": rows},
        name=f"batch_id = {batch_id}",
    )


@dg.asset(
    group_name="selection",
    kinds={"labelstudio", "file"},
    deps=[selection_batch],
    retry_policy=RETRY,
    code_version="1",
)
def labelling_tasks(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:
    """The newest batch for Label Studio, CVAT, Azure ML, as COCO and CSV, with its stills, under `labelling_tasks/`."""
    batch = archive.selection.latest_batch()
    if batch is None:
        return dg.MaterializeResult(metadata={"tasks": 0, "why": "no batch yet"})
    frames = archive.selection.tasks_of(batch["batch_id"])
    stills = {key: path for key, path in write_stills(archive, settings, frames)}
    rows = list(_task_rows(archive, settings, batch, frames, stills))
    folder = f"{TASKS}/batch-{batch['batch_id']:05d}"
    archive.labels.sync_classes(settings.classes.names, settings.classes.aliases, archive.now())
    classes = archive.labels.classes()
    names = classes[(classes["active"] == 1) & classes["merged_into"].isna()]["name"].tolist()
    blind = settings.labelling.blind
    files = {
        "label_studio.json": json.dumps(label_studio_tasks(rows, blind=blind), ensure_ascii=False, indent=1),
        "label_studio.xml": labelling_config(names, settings.task),
        "tasks.csv": tasks_csv(rows, blind=blind),
        "azure_ml.jsonl": azure_ml_jsonl(rows, blind=blind),
        "cvat.xml": cvat_xml(rows, blind=blind),
        "cvat_labels.json": cvat_labels(names),
        "coco.json": coco_images(rows, names),
    }
    for name, text in files.items():
        archive.storage.write(f"{folder}/{name}", text.encode())
    archive.selection.note_tasks(batch["batch_id"], folder)
    context.log.info(f"{len(rows)} tasks and {len(stills)} stills for batch {batch['batch_id']}")
    return dg.MaterializeResult(
        metadata={
            "tasks": len(rows),
            "stills": len(stills),
            "label_studio": dg.MetadataValue.url(archive.storage.uri(f"{folder}/label_studio.json")),
            "csv": dg.MetadataValue.url(archive.storage.uri(f"{folder}/tasks.csv")),
        }
    )


def write_stills(archive: Archive, settings: Settings, frames: pd.DataFrame) -> Iterator[tuple[int, str]]:
    """(frame_id, path under the storage root) of each frame's still, exact to the frame; those there are kept."""
    pixels = pixels_of(archive)
    register = {video.video_id: video for video in archive.videos.get(frames["video_id"])}
    for video_id, group in frames.groupby("video_id"):
        video = register[str(video_id)]
        paths = {
            int(row.frame_index): still_path(str(row.video_id), int(row.frame_index))
            for row in rows_of(group)
        }
        missing = [index for index, path in paths.items() if not archive.storage.exists(path)]
        if missing:
            for key, image in pixels.stream(video, missing):
                path = paths[key - frame_range(video.video_no)[0]]
                archive.storage.write(path, encode_jpeg(image, quality=settings.frames.still_quality))
        yield from ((int(row.frame_id), paths[int(row.frame_index)]) for row in rows_of(group))


def _task_rows(
    archive: Archive, settings: Settings, batch: dict[str, Any], frames: pd.DataFrame, stills: dict[int, str]
) -> Iterator[TaskRow]:
    checkpoint_id = batch["checkpoint_id"]
    said = archive.models.suggestions(checkpoint_id, frames["frame_id"].tolist()) if checkpoint_id else {}

    def address(path: str) -> str:
        prefix = settings.labelling.stills_url
        return prefix + path if prefix else archive.storage.uri(path)

    for row in rows_of(frames):
        yield TaskRow(
            batch_id=batch["batch_id"],
            rank=int(row.rank),
            frame_id=int(row.frame_id),
            video_id=str(row.video_id),
            frame_index=int(row.frame_index),
            pts_ms=int(row.pts_ms),
            image_url=address(stills[int(row.frame_id)]),
            still=stills[int(row.frame_id)],
            width=int(row.width),
            height=int(row.height),
            clip_url=None if row.kind == "images" else address(f"videos/{row.path}"),
            checkpoint_id=checkpoint_id,
            suggestions=tuple(said.get(int(row.frame_id), ())),
            arm=str(row.arm),
        )
