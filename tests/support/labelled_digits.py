"""An archive of clips of digits, embedded and wholly labelled, with its ground truth. No assertion here."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from al_assets.embeddings.assets import configured_embedder
from al_assets.keys import frame_id
from al_assets.settings import Settings
from resources.archive import Archive
from support.archive_rows import ArchiveRows
from support.digits import CLASS_NAMES, digit_frames
from support.small_archives import empty_archive

CLIPS, FRAMES = 24, 4


def digit_archive(home: Path, settings: Settings) -> Archive:
    """24 clips of four frames, all labelled; every fourth clip is a hold-out."""
    archive = empty_archive(home)
    rows, digits = ArchiveRows(archive.database), digit_frames(CLIPS, seed=3)
    rows.classes(*CLASS_NAMES)
    rows.export(1)
    embedder_id = configured_embedder(settings.embeddings)
    for clip in range(CLIPS):
        rows.video(clip + 1, range(0, 1000 * FRAMES, 1000), split="test" if clip % 4 == 0 else "train")
        for number in range(FRAMES):
            key, at = frame_id(clip + 1, 5 * number), FRAMES * clip + number
            rows.add("embeddings", embedder_id=embedder_id, frame_id=key, vector=digits.vectors[at].tobytes())
            for column, present in enumerate(digits.targets[at].tolist()):
                rows.label(key, column + 1, present)
    return archive


def write_truth(home: Path, *, clips: int) -> None:
    """truth.csv as the demo leaves it, of the first clips only."""
    digits = digit_frames(CLIPS, seed=3)
    rows = [
        {
            "path": f"v{at // FRAMES + 1}.mp4",
            "frame_index": 5 * (at % FRAMES),
            "names": "|".join(
                name for name, here in zip(CLASS_NAMES, digits.targets[at], strict=True) if here
            ),
        }
        for at in range(clips * FRAMES)
    ]
    pd.DataFrame(rows).to_csv(home / "truth.csv", index=False)
