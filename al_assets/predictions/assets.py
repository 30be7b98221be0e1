"""The assets `predictions` and `serving_checkpoint`: what the model says of every frame, and which model is asked."""

from functools import partial

import dagster as dg

from al_assets.automation import RETRY
from al_assets.checkpoints.assets import candidate_checkpoint
from al_assets.embeddings.assets import embeddings
from al_assets.scoring_work import ScoringWork, plan_items, plan_parts
from resources.archive import Archive
from resources.compute import Compute


@dg.asset(
    group_name="scoring",
    kinds={"pytorch", "sql"},
    deps=[candidate_checkpoint, embeddings],
    pool="gpu",
    retry_policy=RETRY,
    code_version="1",
    metadata={"table": "frame_scores"},
)
def predictions(
    context: dg.AssetExecutionContext, archive: Archive, compute: Compute
) -> dg.MaterializeResult:
    """Scores and predicted classes of every frame by the model to serve, and by the serving one meanwhile.

    Parts are committed one by one under a version that no reader follows yet, those of the serving model by whole
    videos; a run that died goes on where it stopped.
    """
    models = {
        m.checkpoint_id: m for m in (archive.models.target(), archive.models.serving()) if m is not None
    }
    todo = {name: archive.scoring.unscored(name, model.embedder_id) for name, model in models.items()}
    context.log.info(
        "; ".join(f"{name}: {len(videos)} videos to score" for name, videos in todo.items()) or "no model yet"
    )
    serving = archive.models.serving()
    followed = serving.checkpoint_id if serving is not None else ""
    slices = (
        part
        for name, videos in todo.items()
        for part in compute.stream(
            ScoringWork(archive, models[name], whole=name == followed, spare=compute.writers_cores),
            plan_items(plan_parts(videos, partial(archive.frames.embedded_ids, models[name].embedder_id))),
        )
    )
    return dg.MaterializeResult(
        value=slices,
        metadata={"videos": sum(map(len, todo.values())), "models": ", ".join(todo) or "none yet"},
    )


@dg.asset(group_name="scoring", kinds={"sql"}, deps=[predictions], code_version="1")
def serving_checkpoint(context: dg.AssetExecutionContext, archive: Archive) -> dg.MaterializeResult:
    """The one checkpoint that every view follows; it moves when the model to serve has scored every frame."""
    target = archive.models.target()
    if target is None:
        return dg.MaterializeResult(metadata={"serving": "none yet", "moved": 0})
    missing = archive.videos.lacking_predictions(target.checkpoint_id, target.embedder_id)
    before = archive.models.serving()
    if before is not None and before.embedder_id != target.embedder_id:
        # A new embedder reaches the archive video by video: until it has, views would lose what it has not.
        missing += archive.videos.lacking("embeddings", target.embedder_id)
    moved = not missing and archive.models.serve(target.checkpoint_id, archive.now())
    serving = archive.models.serving()
    name = serving.checkpoint_id if serving else "none yet"
    context.log.info(
        f"serving {name}{' from now on' if moved else ''}; {len(missing)} videos lack the next one's scores"
    )
    return dg.MaterializeResult(
        metadata={
            "serving": name,
            "moved": int(moved),
            "videos_without_scores": len(missing),
            **archive.monitoring.table_metadata("serving"),
        }
    )
