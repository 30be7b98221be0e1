"""A network on a GPU, fed without waiting: pinned memory, a copy on a stream of its own, one captured pass.

Batches have one shape: a captured pass replays its kernels without Python, and a batch that is not full is run as if it
were. Where capture fails the pass is run as it is, and `notes` says why. After the CUDA programming guide (streams,
graphs) and torch's notes on CUDA semantics. Nothing here is used on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

BUFFERS = 2
"""One batch is copied while the other is run."""
WARM_UP = 3
"""Passes before capture, as torch's notes on CUDA graphs ask for."""


class CudaPass:
    """Runs `forward` (device tensor (n, h, w, 3) uint8 to features) over batches of at most `shape[0]` pictures."""

    def __init__(
        self, forward: Callable[[Any], Any], shape: tuple[int, int, int, int], device: str, notes: list[str]
    ) -> None:
        """shape: pictures, height, width, 3."""
        torch: Any = import_module("torch")
        self._torch, self._forward, self._notes = torch, forward, notes
        self._pinned = [torch.empty(shape, dtype=torch.uint8, pin_memory=True) for _ in range(BUFFERS)]
        self._there = [torch.empty(shape, dtype=torch.uint8, device=device) for _ in range(BUFFERS)]
        self._input = torch.zeros(shape, dtype=torch.uint8, device=device)
        self._copies, self._runs = torch.cuda.Stream(device), torch.cuda.Stream(device)
        self._copied = [torch.cuda.Event() for _ in range(BUFFERS)]
        self._free = [torch.cuda.Event() for _ in range(BUFFERS)]
        self._turn = 0
        self._graph, self._output = self._captured()

    def _captured(self) -> tuple[Any, Any]:
        torch = self._torch
        try:
            with torch.cuda.stream(self._runs):
                for _ in range(WARM_UP):
                    self._forward(self._input)
            self._runs.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self._runs):
                output = self._forward(self._input)
            return graph, output
        except RuntimeError as error:
            first = str(error).splitlines()[0]
            self._notes.append(f"the pass is not captured as a CUDA graph and costs its launches: {first}")
            return None, None

    def submit(self, pictures: np.ndarray) -> Callable[[], np.ndarray]:
        """Start on a batch; its pictures may change afterwards. Returns what waits for its features, float32."""
        torch, turn, n = self._torch, self._turn, len(pictures)
        self._turn = (turn + 1) % BUFFERS
        self._copied[turn].synchronize()  # the copy before from this pinned memory is done
        self._pinned[turn][:n].copy_(torch.from_numpy(pictures))
        with torch.cuda.stream(self._copies):
            self._copies.wait_event(self._free[turn])
            self._there[turn][:n].copy_(self._pinned[turn][:n], non_blocking=True)
            self._copied[turn].record(self._copies)
        with torch.cuda.stream(self._runs):
            self._runs.wait_event(self._copied[turn])
            self._input[:n].copy_(self._there[turn][:n])
            self._free[turn].record(self._runs)
            if self._graph is None:
                features = self._forward(self._input)
            else:
                self._graph.replay()
                features = self._output
            host = torch.empty(features[:n].shape, dtype=torch.float32, pin_memory=True)
            host.copy_(features[:n].float(), non_blocking=True)
            done = torch.cuda.Event()
            done.record(self._runs)

        def result() -> np.ndarray:
            done.synchronize()
            return np.asarray(host.numpy())

        return result
