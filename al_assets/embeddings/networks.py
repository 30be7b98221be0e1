"""Pretrained networks cut before their last layer. Which weights they get is decided in backbones.py.

Imports torch at the top: import this module inside functions only.
"""

from __future__ import annotations

import importlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from al_assets.embeddings.torchvision_gate import torchvision
from al_assets.embeddings.weights import METADATA, WeightsError

_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..+)$")
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
"""Side classifiers that inception and googlenet use in training only."""


def build(name: str, image_size: int) -> nn.Module:
    """EfficientNet-Lite0 (Tan 2020) or a torchvision classifier, without weights.

    image_size: side in pixels of the square images that it is for.
    """
    if name == "efficientnet-lite0":
        package = importlib.import_module("efficientnet_lite_pytorch")
        lite0: nn.Module = package.EfficientNet.from_name(name)
        return lite0
    options: dict[str, Any] = {}
    if name.startswith("vit_"):
        options["image_size"] = image_size
    if name in ("googlenet", "inception_v3"):
        # Their published weights expect the normalisation that torchvision adds when it loads them itself.
        options |= {"init_weights": False, "transform_input": True}
    model: nn.Module = torchvision().models.get_model(name, weights=None, **options)
    return model


def last_layer(model: nn.Module) -> str:
    """Name of the layer that turns features into class scores.

    SqueezeNet has no linear layer: its whole classifier is cut, and its feature map averaged.
    """
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return linear[-1] if linear else "classifier"


def load(model: nn.Module, state: Mapping[str, torch.Tensor], origin: str) -> None:
    """Put weights into a model; the last layer may have another number of classes or be missing.

    Raises WeightsError naming what does not fit; `origin` says in it where the weights come from.
    """
    head = last_layer(model) + "."
    expected = model.state_dict()
    given = {_OLD_DENSENET.sub(r"\1\2", name): value for name, value in state.items()}
    given = {n: v for n, v in given.items() if not n.startswith(head) and not n.startswith(_AUXILIARY)}
    needed = {
        n
        for n in expected
        if not n.startswith(head) and not n.startswith(_AUXILIARY) and not n.endswith("tracked")
    }
    wrong = sorted(
        [f"{n} is missing" for n in needed - given.keys()]
        + [f"{n} is unknown" for n in given.keys() - expected.keys()]
        + [
            f"{n} has shape {tuple(given[n].shape)}"
            for n in needed & given.keys()
            if given[n].shape != expected[n].shape
        ]
    )
    if wrong:
        raise WeightsError(
            f"{origin} belong to another model: {'; '.join(wrong[:3])} ({len(wrong)} differences)"
        )
    ordered = OrderedDict(given)
    setattr(ordered, METADATA, getattr(state, METADATA, None) or getattr(expected, METADATA))
    model.load_state_dict(ordered, strict=False)


def headless(model: nn.Module) -> tuple[nn.Module, int]:
    """The model without its last layer, ready for inference, and the number of features it gives."""
    name = last_layer(model)
    layer = model.get_submodule(name)
    parent = model.get_submodule(name.rpartition(".")[0])
    if isinstance(layer, nn.Linear):
        dimensions = layer.in_features
        setattr(parent, name.rpartition(".")[2], nn.Identity())
    else:
        dimensions = next(m.in_channels for m in layer.modules() if isinstance(m, nn.Conv2d))
        setattr(parent, name.rpartition(".")[2], nn.AdaptiveAvgPool2d(1))
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return model.eval(), dimensions
