"""Jobs: which assets are made together. `ingest_videos` is partitioned by video, all others are not.

A job that mixes partitioned and unpartitioned assets inherits the partitions and would train once a video.
One process runs a job's steps: torch is loaded once, and one job is one unit of CPU or GPU use.
"""

from __future__ import annotations

import dagster as dg

from al_assets.retirement import retire

INGEST, LEARN, SCORE, SELECT, SIMULATE, RETIRE = (
    "ingest_videos",
    "learn",
    "score",
    "select_batch",
    "simulate",
    "retire_video",
)
ONE_AT_A_TIME = (LEARN, SCORE, SELECT)
"""Jobs that read and move the serving model or make batches; the tag lets Dagster's queue run one of them at a time."""
QUEUE = {"al/queue": "model"}
LEARN_ASSETS = (
    "labels",
    "training_set",
    "checkpoint",
    "evaluation",
    "candidate_checkpoint",
    "predictions",
    "serving_checkpoint",
    "drift_report",
    "selection_batch",
    "labelling_tasks",
    "model_report",
)

ingest_videos = dg.define_asset_job(
    INGEST,
    dg.AssetSelection.assets("frames", "embeddings"),
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
    dg.AssetSelection.assets("predictions", "serving_checkpoint", "drift_report"),
    description="Predictions for videos that the model has not scored yet; moves the serving pointer when due.",
    tags=QUEUE,
)
select_batch = dg.define_asset_job(
    SELECT,
    dg.AssetSelection.assets("selection_batch", "labelling_tasks"),
    description="One more batch of labelling tasks, now.",
    tags=QUEUE,
)
simulate = dg.define_asset_job(
    SIMULATE,
    dg.AssetSelection.assets("simulation"),
    description="Strategies compared on the labels that stand, with the labels in the person's place.",
)


@dg.job(name=RETIRE, description="Remove a video: its rows, its stills, then its partition key.")
def retire_video() -> None:
    """One op; see `al_assets.retirement`."""
    retire()


JOBS = (ingest_videos, learn, score, select_batch, simulate, retire_video)
