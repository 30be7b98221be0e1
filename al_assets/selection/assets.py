"""The assets `selection_batch` and `labelling_tasks`: the next frames for a person. Strategies live beside."""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from al_assets.automation import RETRY
from al_assets.batch_pool import Circumstances, circumstances, make_plan
from al_assets.by_hand import by_hand_plan
from al_assets.embeddings.assets import embeddings, pixels_of
from al_assets.frames.stills import encode_jpeg
from al_assets.keys import frame_range
from al_assets.predictions.assets import serving_checkpoint
from al_assets.review.assets import label_review
from al_assets.selection.batch_plan import BatchPlan
from al_assets.selection.hand_picked import BY_HAND
from al_assets.selection.labelling_tasks import TaskRow, label_studio_tasks, labelling_config, tasks_csv
from al_assets.selection.task_files import azure_ml_jsonl, coco_images, cvat_labels, cvat_xml
from al_assets.settings import Settings
from al_assets.slice_quality import slice_quality
from resources.archive import Archive
from resources.pixels import still_path
from resources.rows import rows_of
from resources.slices import Slice

TASKS = "labelling_tasks"
ARMS = ("strategy", "random", "evaluation", "second_opinion")
LINE = 400


class FramesByHand(dg.Config):
    """What a person may ask a batch to be."""

    frame_ids: list[int] = Field([], description="Exactly these frames; empty for the strategy's choice.")


@dg.asset(
    group_name="selection",
    kinds={"python", "sql"},
    deps=[serving_checkpoint, embeddings, label_review, slice_quality],
    retry_policy=RETRY,
    code_version="2",
    metadata={"table": "selections"},
)
def selection_batch(
    context: dg.AssetExecutionContext,
    config: FramesByHand,
    archive: Archive,
    settings: dg.ResourceParam[Settings],
) -> dg.MaterializeResult:
    """The next frames for a person: chosen by the strategy, a few at random, a few to measure by; or those named.

    Training arms never take a frame that is labelled, answered "cannot tell", queued or of a hold-out video.
    """
    run_id = context.run.root_run_id or context.run.run_id
    batch_id = archive.selection.next_batch_id(run_id)
    sent = archive.selection.batch(batch_id)
    if sent is not None and sent["tasks_uri"]:
        reason = f"this run's batch {batch_id} is out with its tasks already; it stays as it is"
        return dg.MaterializeResult(value=None, metadata={"selected": sent["selected"], "why": reason})
    if dropped := archive.selection.forget_unsent():
        context.log.info(f"batches {dropped} never went out; their frames are free again")
    standing = archive.selection.open_tasks()
    rules, wanted = settings.selection, config.frame_ids
    budget = len(wanted) or min(rules.batch_size, max(0, rules.max_open_tasks - standing))
    if budget == 0:
        reason = f"{standing} tasks are open, as many as [selection] max_open_tasks allows; no new batch"
        context.log.warning(reason)
        return dg.MaterializeResult(
            value=None, metadata={"selected": 0, "open_tasks": standing, "why": reason}
        )
    chosen = circumstances(archive, settings)
    plan = (
        by_hand_plan(archive, wanted)
        if wanted
        else make_plan(archive, settings, chosen, budget, [rules.seed, batch_id])
    )
    strategy = BY_HAND if wanted else rules.strategy
    for note in plan.notes:
        context.log.info(note)
    arms = plan.selections["arm"].to_pylist()
    return dg.MaterializeResult(
        value=_batch_slice(archive, settings, chosen, plan, strategy, batch_id, budget, run_id),
        metadata={
            "batch": batch_id,
            "selected": len(arms),
            "open_tasks": standing + len(arms),
            **{f"{arm}_arm": arms.count(arm) for arm in ARMS},
            "checkpoint": chosen.checkpoint_id or "none: cold start",
            "why": "; ".join(plan.notes) or f"{strategy}, as asked",
        },
    )


def _batch_slice(
    archive: Archive,
    settings: Settings,
    chosen: Circumstances,
    plan: BatchPlan,
    strategy: str,
    batch_id: int,
    budget: int,
    run_id: str,
) -> Slice:
    rows = plan.selections.to_pandas()
    rows["reason"] = rows["reason"].str.slice(0, LINE)
    rows.insert(0, "batch_id", batch_id)
    header = {
        "batch_id": batch_id,
        "strategy": strategy,
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
    passed = plan.passed_over.to_pandas().astype({"beside_frame_id": "Int64"})
    passed.insert(0, "batch_id", batch_id)
    return Slice(
        where={"batch_id": batch_id},
        rows={"selections": rows, "selection_batches": pd.DataFrame([header]), "passed_over": passed},
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
