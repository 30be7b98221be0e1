"""Timestamps of frames, made usable: relative, in milliseconds, never going back. No decoding here."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

RESET_BACK_SECONDS = 1.0
"""A clock may step back this much as jitter; more is a reset clock (joined or wrapped recordings)."""
RESET_FORWARD_SECONDS = 24 * 3600.0
"""No pause explains more between two frames: a damaged timestamp."""
DEFAULT_STEP_SECONDS = 1 / 25


class FrameClock:
    """Milliseconds since the first frame for a stream of presentation timestamps.

    Missing timestamps (raw H.264, old AVI) continue by the nominal step; small steps back are held; a reset
    clock goes on from where it was, so that 0, 40, 80, 10000 reset to 0, 40 never runs backwards.
    """

    def __init__(self, frames_per_second: Fraction | float | None) -> None:
        """frames_per_second: nominal rate of the stream, None or 0 where it states none."""
        self._step = 1 / float(frames_per_second) if frames_per_second else DEFAULT_STEP_SECONDS
        self._offset: float | None = None
        self._previous: float | None = None

    @property
    def state(self) -> tuple[float | None, float | None]:
        """What `go_on` needs."""
        return self._offset, self._previous

    def go_on(self, state: Sequence[float | None]) -> None:
        """Go on from the state of another clock of the same stream."""
        self._offset, self._previous = state

    def pts_ms(self, pts: int | None, time_base: Fraction | None) -> int:
        """Time of the next frame in milliseconds, from its timestamp in units of `time_base` seconds."""
        expected = 0.0 if self._previous is None else self._previous + self._step
        if pts is None or time_base is None:
            now = expected
        else:
            now = self._relative(pts * time_base.numerator / time_base.denominator, expected)
        self._previous = now
        return round(now * 1000)

    def _relative(self, stated: float, expected: float) -> float:
        if self._offset is None:
            self._offset = stated - expected
        now = stated - self._offset
        if self._previous is None:
            return now
        gap = now - self._previous
        if gap < -RESET_BACK_SECONDS or gap > RESET_FORWARD_SECONDS:
            self._offset = stated - expected
            return expected
        return max(now, self._previous)
