"""Which embedder's vectors the archive shall have, and which a new model reads meanwhile. No vectors here.

The settings name a backbone and, with `dimensions`, a projection of its vectors, which counts from when it is fitted.
A switch from one embedder to another passes over the archive video by video: models go on reading the old one until
no video that it covers lacks the new one.
"""

from __future__ import annotations

from al_assets.embeddings.configured import configured_embedder
from al_assets.settings import EmbeddingsSettings
from resources.archive import Archive

__all__ = [
    "configured_embedder",
    "embedder_to_read",
    "embedders_in_use",
    "lacking_vectors",
    "wanted_embedder",
]


def wanted_embedder(archive: Archive, settings: EmbeddingsSettings) -> str:
    """What every video shall have vectors by: the projection that is asked for once it is fitted, else the backbone."""
    base = configured_embedder(settings)
    fitted = archive.embedders.projection_of(base, settings.dimensions) if settings.dimensions else None
    return fitted.embedder_id if fitted is not None else base


def embedder_to_read(archive: Archive, settings: EmbeddingsSettings) -> str:
    """The embedder that a new model, or a batch without a model, reads.

    The wanted one once no video that the model to serve sees lacks it, else that model's. Without a model the one
    that covers more of the archive: a projection that was fitted a minute ago covers nothing.
    """
    wanted = wanted_embedder(archive, settings)
    model = archive.models.target() or archive.models.serving()
    if model is not None:
        return model.embedder_id if archive.embedders.behind(model.embedder_id, wanted) else wanted
    base = configured_embedder(settings)
    covers = archive.embedders.frames_covered
    return base if wanted != base and covers(base) > covers(wanted) else wanted


def embedders_in_use(archive: Archive, base: str) -> set[str]:
    """Embedders that the model that serves and the one to serve read, as far as this backbone gives their vectors."""
    models = (archive.models.serving(), archive.models.target())
    read = {model.embedder_id for model in models if model is not None}
    rows = {name: archive.embedders.get(name) for name in read}
    return {name for name, row in rows.items() if name == base or (row and row.source_embedder_id == base)}


def lacking_vectors(archive: Archive, settings: EmbeddingsSettings) -> list[str]:
    """Videos that lack vectors of the wanted embedder, or of one in use, and can have them.

    Where they are projected, also videos whose file is gone: what the projection needs stands in SQL. One in use lacks
    them after the owner went back to a model whose vectors had left.
    """
    base, wanted = configured_embedder(settings), wanted_embedder(archive, settings)
    found = archive.embedders.behind(base, wanted) if wanted != base else []
    for name in sorted({wanted} | embedders_in_use(archive, base)):
        found += archive.videos.lacking("embeddings", name)
    return list(dict.fromkeys(found))
