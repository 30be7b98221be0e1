"""What is stale and why, counted, with examples: frames, vectors and scores that are not of what stands now.

The sensor asks for exactly these videos. What was never made is no staleness: it is left out here. Dagster's own badges
(outdated, unsynced) say of whole assets and of partitions that something upstream came after them; this says which
videos are concerned and why, and is what the sensor goes by.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from al_assets import code_versions
from al_assets.automation import counted
from al_assets.embedder_choice import wanted_embedder
from al_assets.settings import Settings
from resources.archive import Archive
from resources.queries.staleness import StaleFrames, StaleRows

EXAMPLES = 3


@dataclass(frozen=True)
class Stale:
    """What of some videos is stale, for one reason. what: frames, vectors or scores; examples: paths of a few."""

    what: str
    reason: str
    videos: int
    examples: tuple[str, ...]

    @property
    def line(self) -> str:
        """One readable line."""
        more = ", ..." if self.videos > len(self.examples) else ""
        return f"{self.what} of {counted(self.videos, 'video')}: {self.reason} ({', '.join(self.examples)}{more})"


def why_frames(video: StaleFrames, rate: float) -> str | None:
    """Why a video is to be read again; None where it was never read."""
    if video.frames_version is None:
        return None
    if not video.frames_version.startswith(f"{video.etag}@"):
        return "the file changed"
    sampled, _, made_by = video.frames_version[len(video.etag) + 1 :].partition("@")
    if sampled != f"{rate:g}":
        return f"sampled at {sampled} a second, the settings say {rate:g}"
    return f"read by code version {made_by or '1'}, this is {code_versions.FRAMES}"


def why_rows(video: StaleRows, version: str, changed: str) -> str | None:
    """Why vectors or scores are to be made again; None where there never were any. changed: made by another version."""
    if video.before:
        return "the frames were read anew"
    return f"{changed.format(old=video.other, new=version)}" if video.other is not None else None


def stale_frames(archive: Archive, settings: Settings) -> list[Stale]:
    """Frames whose file, sampling rate or code changed."""
    rate = settings.frames.frames_per_second
    return _counted("frames", ((v.path, why_frames(v, rate)) for v in archive.staleness.frames(rate)))


def stale_vectors(archive: Archive, settings: Settings) -> list[Stale]:
    """Vectors whose embedder changed, or whose frames were read anew."""
    wanted = wanted_embedder(archive, settings.embeddings)
    found = archive.staleness.vectors(wanted)
    why = ((v.path, why_rows(v, wanted, "embedded by {old}, the settings say {new}")) for v in found)
    return _counted("vectors", why)


def stale_scores(archive: Archive) -> list[Stale]:
    """Scores of the models in use: the model changed, or the frames were read anew."""
    models = {
        m.checkpoint_id: m for m in (archive.models.target(), archive.models.serving()) if m is not None
    }
    return [
        stale
        for model in models.values()
        for stale in _counted(
            "scores",
            (
                (v.path, why_rows(v, model.checkpoint_id, "scored by {old}, {new} is to serve"))
                for v in archive.staleness.scores(model.checkpoint_id, model.embedder_id)
            ),
        )
    ]


def stale_lines(archive: Archive, settings: Settings) -> list[tuple[str, str]]:
    """(name, value) lines for `al status`: one a reason, or one that says that nothing is stale."""
    found = [*stale_frames(archive, settings), *stale_vectors(archive, settings), *stale_scores(archive)]
    return [("stale" if n == 0 else "", stale.line) for n, stale in enumerate(found)] or [
        ("stale", "nothing")
    ]


def _counted(what: str, found: Iterable[tuple[str, str | None]]) -> list[Stale]:
    """Videos by reason, in order of the first of each."""
    reasons: dict[str, list[str]] = {}
    numbers: dict[str, int] = {}
    for path, reason in found:
        if reason is None:
            continue
        numbers[reason] = numbers.get(reason, 0) + 1
        reasons.setdefault(reason, [])
        if len(reasons[reason]) < EXAMPLES:
            reasons[reason].append(path)
    return [Stale(what, reason, numbers[reason], tuple(paths)) for reason, paths in reasons.items()]
