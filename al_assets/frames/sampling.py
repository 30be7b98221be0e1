"""Which frames of a video are looked at. Times in, yes or no out; no pixels here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


class Sampler:
    """Takes a frame for each tick of a grid of `frames_per_second`, at a steady rate the nearest one.

    The grid starts with the first frame and never drifts; a pause in a variable-rate video costs no frame
    twice. At 25 frames a second, Sampler(5) takes frames 0, 5, 10, ... It keeps state: ask about every frame
    once, in order.
    """

    def __init__(self, frames_per_second: float | None) -> None:
        """frames_per_second: None takes every frame; a rate above the video's own does too."""
        if frames_per_second is not None and not (math.isfinite(frames_per_second) and frames_per_second > 0):
            raise ValueError(
                f"frames_per_second is {frames_per_second}; give a number above 0, or none for every frame"
            )
        self._step_ms = None if frames_per_second is None else 1000 / frames_per_second
        self._previous_ms: int | None = None
        self._ticks = 0

    @property
    def state(self) -> tuple[int | None, int]:
        """What `go_on` needs."""
        return self._previous_ms, self._ticks

    def go_on(self, state: Sequence[Any]) -> None:
        """Go on from the state of another sampler of the same rate."""
        self._previous_ms, self._ticks = state

    def __call__(self, frame_index: int, pts_ms: int) -> bool:
        """Whether the frame shown `pts_ms` milliseconds after the first is taken."""
        if self._step_ms is None:
            return True
        interval = 0.0 if self._previous_ms is None else min(pts_ms - self._previous_ms, self._step_ms)
        self._previous_ms = pts_ms
        # Half a frame early is nearer than half a frame late; this also forgives timestamps rounded to 1 ms.
        reached = pts_ms + interval / 2
        if reached < self._ticks * self._step_ms:
            return False
        self._ticks = math.floor(reached / self._step_ms) + 1
        return True
