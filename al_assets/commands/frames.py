"""`al similar` and `al select`: the part of the command line about single frames.

As thin as `cli.py`, which adds these commands to its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from al_assets.commands.output import console

SHOWN_REASONS = 20


def similar(
    frame: Annotated[str, typer.Argument(help="A frame_id, video_id/frame_index, or a still's path.")],
    top: Annotated[int, typer.Option(min=1, max=1_000, help="How many frames.")] = 10,
    other_videos: Annotated[
        bool,
        typer.Option(
            "--other-videos", help="None of the frame's own video, which are nearly always nearest."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list in place of a table.")] = False,
) -> None:
    """Frames that look most like one, over the whole archive, nearest first."""
    from al_assets.archives import open_archive
    from al_assets.settings import load_settings
    from al_assets.similar import similar_frames
    from resources.environments import read_environment

    environment = read_environment()
    settings = load_settings(environment.settings_path)
    found = similar_frames(
        open_archive(environment), frame, top, other_videos=other_videos, settings=settings.similar
    )
    rows = json.loads(found.to_json(orient="records"))
    if as_json:
        console.print_json(json.dumps(rows))
        return
    for row in rows:
        console.print(_line(row), highlight=False, markup=False, soft_wrap=True)


def select(
    frames: Annotated[
        Path, typer.Option("--frames", help="CSV of frames, as the map saves it.", exists=True)
    ],
) -> None:
    """Make a batch of exactly these frames and write its labelling tasks.

    Frames that people judged, that are in a batch or that are kept for measuring are left out, each with its reason.
    """
    from al_assets.archives import open_archive
    from al_assets.by_hand import pick
    from al_assets.headless import Headless
    from al_assets.jobs import SELECT
    from al_assets.selection.hand_picked import decoded
    from resources.environments import read_environment

    environment = read_environment()
    picked = pick(open_archive(environment), decoded(frames.read_bytes()))
    for name, reason in picked.refused[:SHOWN_REASONS]:
        console.print(f"left out {name}: {reason}", highlight=False, markup=False, soft_wrap=True)
    if len(picked.refused) > SHOWN_REASONS:
        console.print(f"left out {len(picked.refused) - SHOWN_REASONS} more", highlight=False)
    if not picked.frame_ids:
        raise ValueError("none of these frames may go out, so no batch was made; choose others")
    with Headless.open(environment) as headless:
        config = {"ops": {"selection_batch": {"config": {"frame_ids": list(picked.frame_ids)}}}}
        headless.run(SELECT, config=config)
        batch = headless.archive.selection.latest_batch()
        assert batch is not None
        address = headless.archive.storage.uri(f"{batch['tasks_uri']}/tasks.csv")
    console.print(
        f"batch {batch['batch_id']}: {batch['selected']} frames; tasks in {address}",
        highlight=False,
        soft_wrap=True,
    )


def _line(row: dict[str, Any]) -> str:
    minutes, milliseconds = divmod(row["pts_ms"], 60_000)
    sure = "" if row["confidence"] is None else f" {row['confidence']:.2f}"
    says = f"{row['class_names']} ({row['source']}{sure})" if row["class_names"] else "-"
    place = f"{row['video_id']}/{row['frame_index']} at {minutes}:{milliseconds / 1000:06.3f}"
    return f"{row['rank']:>4}  {row['cosine']:.4f}  {row['frame_id']:<12}  {place}  {says}"
