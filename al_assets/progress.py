"""How far work is and how long it will take, in words. Pure: the clock is an argument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

SECONDS_BETWEEN = 60.0
SHARE_BETWEEN = 0.1
SECONDS_AT_LEAST = 10.0


@dataclass
class Progress:
    """Counts videos and frames of a run, and says now and then how far it is: each minute, or each tenth of it.

    total: videos. clock: seconds, ascending.
    """

    total: int
    clock: Callable[[], float]
    done: int = 0
    frames: int = 0
    _began: float = field(init=False)
    _told: tuple[float, int] = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()
        self._told = (self._began, 0)

    def took(self, frames: int, videos: int = 1) -> str:
        """Count videos that are done, with so many frames; a line for the log where one is due, else empty."""
        self.done += videos
        self.frames += frames
        now, (before, done_before) = self.clock(), self._told
        a_tenth = self.done - done_before >= self.total * SHARE_BETWEEN and now - before >= SECONDS_AT_LEAST
        if not a_tenth and now - before < SECONDS_BETWEEN and self.done < self.total:
            return ""
        self._told = (now, self.done)
        return self.line(now - self._began)

    def line(self, seconds: float) -> str:
        """How far the work is after so many seconds."""
        left = self.total - self.done
        said = f"{self.done} of {self.total} videos done, {left} left, {self.frames} frames"
        if seconds > 0 and self.frames:
            said += f", {self.frames / seconds:.3g} frames/s"
        if left and self.done and seconds > 0:
            said += f", about {duration(seconds / self.done * left)} to go"
        return said


def duration(seconds: float) -> str:
    """Seconds as people say them: "40 s", "12 min", "3.5 h", "9 days"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{timedelta(seconds=seconds).days} days"


def seconds_left(
    *, size_left: int, size_done: int, frames_done: int, frames_per_second: float | None
) -> float | None:
    """Time until the rest of an archive has vectors; None where nothing tells.

    The frames of videos that nobody has read are taken to be as many a byte of their files as those of the others.
    """
    if not size_left:
        return 0.0
    if not frames_per_second or not size_done or not frames_done:
        return None
    return size_left * (frames_done / size_done) / frames_per_second
