"""The gate, on whichever build of torch is installed."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from al_assets.embeddings.torchvision_gate import torchvision


def fresh(code: str) -> str:
    """Output of `code` in a new interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_rooms_and_the_vectors_load_without_torch():
    loaded = fresh(
        "import sys, al_assets.embeddings.backbones, al_assets.embeddings.batching, al_assets.frames.indexing\n"
        "al_assets.embeddings.backbones.describe_backbone('efficientnet-lite0').embedder_id\n"
        "print([name for name in ('torch', 'torchvision', 'evidently') if name in sys.modules])"
    )
    assert loaded == "[]"


def test_the_gate_gives_the_module_and_gives_it_again():
    assert torchvision().__name__ == "torchvision"
    assert torchvision() is torchvision()
    assert "resnet18" in torchvision().models.list_models()


def test_after_the_gate_torchvision_imports_as_usual():
    code = (
        "from al_assets.embeddings.torchvision_gate import torchvision\n"
        "first = torchvision()\nimport torchvision as second\nprint(first is second)"
    )
    assert fresh(code) == "True"


def greedy(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    """Non-maximum suppression as the textbook has it."""
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        for j in kept:
            low, high = np.maximum(boxes[i, :2], boxes[j, :2]), np.minimum(boxes[i, 2:], boxes[j, 2:])
            overlap = np.prod(np.clip(high - low, 0, None))
            areas = sum(np.prod(boxes[k, 2:] - boxes[k, :2]) for k in (i, j))
            if overlap / (areas - overlap) > threshold:
                break
        else:
            kept.append(int(i))
    return kept


@pytest.mark.parametrize("n", [0, 1, 2, 60])
def test_nms_keeps_what_the_textbook_keeps(n):
    rng = np.random.default_rng(n)
    boxes = rng.random((n, 4)).astype(np.float32)
    boxes[:, 2:] += boxes[:, :2]
    scores = rng.random(n).astype(np.float32)
    kept = torchvision().ops.nms(torch.from_numpy(boxes), torch.from_numpy(scores), 0.4)
    assert kept.dtype == torch.int64
    assert kept.tolist() == greedy(boxes, scores, 0.4)


def test_roi_align_averages_the_box_and_has_a_gradient():
    image = torch.arange(64.0).reshape(1, 1, 8, 8).requires_grad_()
    box = torch.tensor([[0.0, 2.0, 2.0, 4.0, 4.0]])
    pooled = torchvision().ops.roi_align(image, box, output_size=1, sampling_ratio=2, aligned=True)
    assert pooled.item() == pytest.approx(image[0, 0, 2:4, 2:4].mean().item())
    pooled.sum().backward()
    assert image.grad.sum().item() == pytest.approx(1.0)


def test_a_detector_runs_and_trains():
    torch.manual_seed(0)
    detection = torchvision().models.detection
    model = detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=3)
    picture = torch.rand(3, 120, 160)
    with torch.no_grad():
        (found,) = model.eval()([picture])
    assert found["boxes"].shape[1] == 4
    target = {"boxes": torch.tensor([[10.0, 10.0, 60.0, 60.0]]), "labels": torch.tensor([1])}
    losses = model.train()([picture, picture], [target, target])
    sum(losses.values()).backward()
    assert all(torch.isfinite(loss) for loss in losses.values())
