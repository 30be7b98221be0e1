"""What an archive does not keep: scores of models long replaced, vectors nobody reads, old drift pages."""

from collections.abc import Collection, Mapping, Sequence

import dagster as dg

from al_assets.automation import RETRY
from al_assets.embedder_choice import wanted_embedder
from al_assets.predictions.assets import serving_checkpoint
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.retention import VersionInUseError


def checkpoints_to_drop(
    scored: Collection[str], promoted: Sequence[str], in_use: Collection[str], keep: int
) -> list[str]:
    """Checkpoints whose scores may go: all that have some but those in use and the latest `keep` that served.

    promoted: checkpoints that were to serve, the latest first. The serving one counts among the `keep`.
    """
    kept = {*in_use, *promoted[:keep]}
    return sorted(set(scored) - kept)


def embedders_to_drop(
    covered: Mapping[str, Collection[str]], read_by_kept: Collection[str], configured: str
) -> list[str]:
    """Embedders whose vectors may go: those that neither a model whose scores are kept nor the settings name.

    covered: embedder -> videos that have its vectors. None goes before the one that the settings name covers all
    that it covers: a switch may be called off, and a video whose file is gone has no other vectors.
    """
    whole = set(covered.get(configured, ()))
    unread = set(covered) - {*read_by_kept, configured}
    return sorted(name for name in unread if whole.issuperset(covered[name]))


@dg.asset(
    group_name="scoring",
    kinds={"sql"},
    deps=[serving_checkpoint, dg.AssetKey("labelling_worth")],
    retry_policy=RETRY,
    code_version="1",
)
def retired_versions(
    context: dg.AssetExecutionContext, archive: Archive, settings: dg.ResourceParam[Settings]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Removes scores and vectors of versions that `[retention]` does not keep; what they were is kept for good.

    Checkpoints, their files, metrics and decisions stay, so that going back to an old model scores the archive with
    it anew. Rows leave block by block under versions that no view follows.
    """
    removed = {"scores": 0, "vectors": 0}
    gone: list[str] = []
    for name, asset, versions in (
        ("scores", "predictions", _old_checkpoints(archive, settings)),
        ("vectors", "embeddings", _old_embedders(archive, settings)),
    ):
        for version in versions:
            try:
                removed[name] += archive.retention.remove(asset, version)  # type: ignore[arg-type]
            except VersionInUseError as error:
                context.log.info(f"{error}: it was chosen again meanwhile")
                continue
            gone.append(version)
            context.log.info(f"{version} left {asset}")
    pages = _drop_drift_pages(archive, settings.retention.drift_reports)
    return dg.MaterializeResult(
        metadata={
            "score_rows_removed": removed["scores"],
            "vectors_removed": removed["vectors"],
            "drift_pages_removed": pages,
            "versions": ", ".join(gone) or "none was due",
        }
    )


def _in_use(archive: Archive) -> set[str]:
    models = (archive.models.serving(), archive.models.target())
    return {model.checkpoint_id for model in models if model is not None}


def _old_checkpoints(archive: Archive, settings: Settings) -> list[str]:
    queries = archive.retention
    keep = settings.retention.scored_checkpoints
    return checkpoints_to_drop(
        queries.versions("predictions"), queries.promoted(), _in_use(archive), keep=keep
    )


def _old_embedders(archive: Archive, settings: Settings) -> list[str]:
    queries = archive.retention
    kept = [*_in_use(archive), *queries.promoted()[: settings.retention.scored_checkpoints]]
    configured = wanted_embedder(archive, settings.embeddings)
    stored = {*queries.versions("embeddings"), configured}
    covered = {name: archive.videos.covered_by("embeddings", name) for name in stored}
    return embedders_to_drop(covered, queries.embedders_of(kept), configured)


def _drop_drift_pages(archive: Archive, keep: int) -> int:
    """Rows let go of a page before its file goes, so that none names a file that is not there."""
    pages = archive.retention.forget_drift_pages(keep)
    for page in pages:
        archive.storage.delete(page)
    return len(pages)
