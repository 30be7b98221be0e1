"""The only way to torchvision. No model is built here.

torchvision's wheel is linked against CUDA libraries and does not import beside a CPU-only torch: its
compiled operators fail to load, and it then describes operators that do not exist. Where that is so, the
gate declares them first, with nms in plain torch; roi_align falls back to torchvision's Python version.
Where the compiled operators load, it changes nothing.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio, bool aligned) -> Tensor",
)

_LOCK = threading.Lock()
_declared: list[Any] = []
"""Operator declarations live as long as the Library object that made them."""


def torchvision() -> ModuleType:
    """The torchvision module, importable whatever torch is installed beside it."""
    with _LOCK:
        return _load()


@functools.cache
def _load() -> ModuleType:
    if "torchvision" not in sys.modules and not _compiled_operators_load():
        _declare_operators()
        module = importlib.import_module("torchvision")
        _answer_for_operators(module)
        return module
    return importlib.import_module("torchvision")


def _compiled_operators_load() -> bool:
    torch: Any = importlib.import_module("torch")
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "torchvision is not installed; install the pair torch==2.13.0 torchvision==0.28.0"
        )
    folder = Path(spec.origin).parent
    libraries = [*folder.glob("_C*.so"), *folder.glob("_C*.pyd")]
    try:
        for library in libraries:
            torch.ops.load_library(library)
    except OSError:
        return False
    return bool(libraries)


def _declare_operators() -> None:
    torch: Any = importlib.import_module("torch")
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    library.impl("nms", _nms, "CompositeExplicitAutograd")
    # roi_align is declared only: torchvision calls its Python version where the operators are missing.
    _declared.append(library)


def _answer_for_operators(module: Any) -> None:
    # nms asks whether the compiled operators are there before it calls the operator that we declared. Only
    # the question in this one module is answered; others (deform_conv2d) go on saying that they need them.
    module.ops.boxes._assert_has_ops = lambda: None
    # The Python version compiles itself at its first call, which takes half a minute and a C++ compiler;
    # as it is written it takes more memory and no time.
    roi_align = sys.modules["torchvision.ops.roi_align"]
    roi_align.__dict__["_roi_align"] = inspect.unwrap(roi_align.__dict__["_roi_align"])


def _nms(dets: Any, scores: Any, iou_threshold: float) -> Any:
    """Boxes kept by greedy non-maximum suppression, by falling score; (n, 4) boxes, (n,) scores."""
    import torch

    order = scores.argsort(descending=True, stable=True)
    boxes = dets[order]
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    alive = torch.ones(len(order), dtype=torch.bool, device=dets.device)
    kept = []
    for i in range(len(order)):
        if not alive[i]:
            continue
        kept.append(i)
        low = torch.maximum(boxes[i, :2], boxes[i + 1 :, :2])
        high = torch.minimum(boxes[i, 2:], boxes[i + 1 :, 2:])
        overlap = (high - low).clamp(min=0).prod(dim=1)
        union = areas[i] + areas[i + 1 :] - overlap
        alive[i + 1 :] &= ~(overlap > iou_threshold * union)
    return order[torch.tensor(kept, dtype=torch.long, device=dets.device)]
