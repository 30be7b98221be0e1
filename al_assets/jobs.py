"""Jobs: which assets are made together. `ingest_videos` is partitioned by video, all others are not.

A job that mixes partitioned and unpartitioned assets inherits the partitions and would train once a video.
One process runs a job's steps: torch is loaded once, and one job is one unit of CPU or GPU use.
"""

from __future__ import annotations

import dagster as dg

from al_assets.retirement import retire

INGEST, LEARN, SCORE, SELECT, SIMULATE, SYNC, RETIRE, REPORT = (
    "ingest_videos",
    "learn",
    "score",
    "select_batch",
    "simulate",
    "sync_labels",
    "retire_video",
    "make_reports",
)
ONE_AT_A_TIME = (LEARN, SCORE, SELECT)
"""Jobs that read and move the serving model or make batches; the tag lets Dagster's queue run one of them at a time."""
QUEUE = {"al/queue": "model"}
INGEST_ASSETS = ("frames", "embeddings")
LEARN_ASSETS = (
    "labels",
    "training_set",
    "projection",
    "checkpoint",
    "label_review",
    "evaluation",
    "slice_quality",
    "candidate_checkpoint",
    "predictions",
    "serving_checkpoint",
    "drift_report",
    "labelling_worth",
    "retired_versions",
    "arm_comparison",
    "selection_batch",
    "labelling_tasks",
    "model_report",
    "archive_report",
    "batch_report",
    "embedding_map",
    "embedding_map_page",
)
REPORT_ASSETS = (
    "model_report",
    "archive_report",
    "batch_report",
    "embedding_map",
    "embedding_map_page",
    "similarity_index",
)

ingest_videos = dg.define_asset_job(
    INGEST,
    dg.AssetSelection.assets(*INGEST_ASSETS),
    description="Videos to frames and vectors. One run tagged with a key range covers a batch of videos.",
)
learn = dg.define_asset_job(
    LEARN,
    dg.AssetSelection.assets(*LEARN_ASSETS),
    description="New label exports to labels, a model, a decision, predictions, and the next batch.",
    tags=QUEUE,
)
score = dg.define_asset_job(
    SCORE,
    dg.AssetSelection.assets(
        *("projection", "predictions", "serving_checkpoint"),
        *("retired_versions", "similarity_index", "drift_report"),
    ),
    description="Predictions for videos that the model has not scored yet; moves the serving pointer when due.",
    tags=QUEUE,
)
select_batch = dg.define_asset_job(
    SELECT,
    dg.AssetSelection.assets("selection_batch", "labelling_tasks", "batch_report"),
    description="One more batch of labelling tasks, now.",
    tags=QUEUE,
)
simulate = dg.define_asset_job(
    SIMULATE,
    dg.AssetSelection.assets("simulation"),
    description="A strategy (the partition) tried on the labels that stand, with the labels in the person's place.",
)


sync_labels = dg.define_asset_job(
    SYNC,
    dg.AssetSelection.assets("labelling_project"),
    description="Tasks to the connected labelling tool, and its answers back as a label export.",
    tags={"al/queue": "labelling_tool"},
)


make_reports = dg.define_asset_job(
    REPORT,
    dg.AssetSelection.assets(*REPORT_ASSETS),
    description="The reports anew, from what stands now; learn makes them at its end.",
)


@dg.job(name=RETIRE, description="Remove a video: its rows, its stills, then its partition key.")
def retire_video() -> None:
    """One op; see `al_assets.retirement`."""
    retire()


JOBS = (ingest_videos, learn, score, select_batch, simulate, sync_labels, retire_video, make_reports)
