"""The backbone that the settings name: its id without loading it, or loaded on the device they name. No tables."""

from __future__ import annotations

from pathlib import Path

from al_assets.embeddings.backbones import Backbone, Recipe, describe_backbone, load_backbone
from al_assets.settings import EmbeddingsSettings


def configured_recipe(settings: EmbeddingsSettings) -> Recipe:
    """What is known of the backbone that the settings name without loading it."""
    return describe_backbone(settings.backbone, _weights(settings), settings.precision)


def configured_embedder(settings: EmbeddingsSettings) -> str:
    """Id of the embedder that the settings name, without loading it."""
    return configured_recipe(settings).embedder_id


def load_configured(settings: EmbeddingsSettings) -> Backbone:
    """The backbone that the settings name, on the device they name."""
    import torch

    device = (
        settings.device if settings.device != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")
    )
    return load_backbone(
        settings.backbone,
        weights_path=_weights(settings),
        device=device,
        threads=settings.threads or None,
        precision=settings.precision,
    )


def _weights(settings: EmbeddingsSettings) -> Path | None:
    return Path(settings.weights) if settings.weights else None
