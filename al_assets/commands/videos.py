"""`al videos`: the part of the command line about videos: bulk registration, those that failed, trying them again.

As thin as `cli.py`, which adds these commands to its own.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from al_assets.commands.output import console, print_table

videos_app = typer.Typer(no_args_is_help=True, help="The videos of the archive.")
SECONDS_BETWEEN_LINES = 5.0


@videos_app.command("register")
def register_videos(
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds between the two looks in which a file must stand still.")
    ] = 10.0,
) -> None:
    """Register all that lies in `videos/` and stands still, and give it partition keys; `al dev` then ingests it."""
    from al_assets.headless import Headless
    from resources.environments import read_environment

    told = time.monotonic()

    def progress(done: int, due: int) -> None:
        nonlocal told
        if due and (time.monotonic() - told >= SECONDS_BETWEEN_LINES or done == due):
            told = time.monotonic()
            _say(f"{done} of {due} files read")

    with Headless.open(read_environment()) as headless:
        taken = headless.register_videos(pause=lambda: time.sleep(wait), progress=progress)
        for fault in taken.faults:
            _say(fault)
        _say(f"{taken.summary}; {taken.keys} partition keys added, {taken.all_keys} in all")


@videos_app.command("failed")
def list_failed() -> None:
    """List videos that could not be read, or not whole, and those that the sensor has given up."""
    from al_assets.headless import Headless
    from resources.environments import read_environment

    with Headless.open(read_environment()) as headless:
        rows = headless.failed_videos()
    if not rows:
        _say("every video could be read")
        return
    print_table(
        ("video_id", "path", "status", "tries", "error"),
        [(r.video_id, r.path, r.status, r.tries, r.error) for r in rows],
    )
    _say("replace a broken file and it is a new video; `al videos retry ID` reads one again as it is")


@videos_app.command("retry")
def retry_videos(
    video_ids: Annotated[
        list[str] | None, typer.Argument(help="video_ids, as `al videos failed` shows them.")
    ] = None,
    all_failed: Annotated[bool, typer.Option("--all", help="All that `al videos failed` lists.")] = False,
) -> None:
    """Read failed videos again, each in a run of its own, here and now. Exit status 1 if one fails again."""
    from al_assets.headless import Headless, RunFailedError
    from resources.environments import read_environment

    if bool(video_ids) == all_failed:
        raise ValueError("name video_ids or say --all; `al videos failed` lists them")
    again = 0
    with Headless.open(read_environment()) as headless:
        for video in headless.to_retry(video_ids or []):
            try:
                headless.ingest(video.video_id, video.video_id)
                faults = [
                    f"{v.status}: {v.error}" for v in headless.archive.backfill.failed([video.video_id])
                ]
            except RunFailedError as error:
                faults = [str(error)]
            again += bool(faults)
            _say(f"{video.path}: {faults[0] if faults else 'is ingested'}")
    if again:
        raise typer.Exit(1)


def _say(line: Any) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
