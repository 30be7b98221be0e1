"""`al export`, `al archive`, `al reports`, `al db backup`: the part of the command line about the archive as a whole.

As thin as `cli.py`, which adds these commands to its own.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:  # loads Dagster and pyarrow, which other commands do without
    from al_assets.exports.snapshot import Kind
    from al_assets.findings import Finding
    from resources.archive import Archive
    from resources.environments import Environment

archive_app = typer.Typer(no_args_is_help=True, help="The archive as a whole.")
export_app = typer.Typer(no_args_is_help=True, help="Labels and predictions as files for other tools.")
console = Console()


class ExportFormat(StrEnum):
    """Formats of `al export`."""

    coco = "coco"
    csv = "csv"
    parquet = "parquet"


FormatOption = Annotated[ExportFormat, typer.Option("--format", help="Layout of the file.")]
OutputOption = Annotated[Path, typer.Option("--output", "-o", help="File to write.")]
SiteOption = Annotated[str | None, typer.Option(help="Only videos of this site.")]
VideoOption = Annotated[str | None, typer.Option(help="Only this video_id.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")]


@export_app.command("annotations")
def export_annotations(
    format: FormatOption,
    output: OutputOption,
    site: SiteOption = None,
    video: VideoOption = None,
    force: ForceOption = False,
) -> None:
    """What people agree on: the consensus for every frame and judged class, as in the view human_labels."""
    _export("annotations", format, output, site, video, force)


@export_app.command("predictions")
def export_predictions(
    format: FormatOption,
    output: OutputOption,
    checkpoint: Annotated[str | None, typer.Option(help="Checkpoint; the serving one by default.")] = None,
    site: SiteOption = None,
    video: VideoOption = None,
    force: ForceOption = False,
) -> None:
    """What a model sees on every frame that it scored."""
    _export("predictions", format, output, site, video, force, checkpoint)


def _export(
    kind: Kind,
    format: ExportFormat,
    output: Path,
    site: str | None,
    video: str | None,
    force: bool,
    checkpoint: str | None = None,
) -> None:
    from al_assets.archives import open_archive
    from al_assets.export import Wish, export
    from resources.environments import read_environment

    wish = Wish(
        kind=kind,
        format=format.value,
        output=output,
        checkpoint_id=checkpoint,
        site=site,
        video_id=video,
        replace=force,
    )
    snapshot = export(open_archive(read_environment()), wish)
    of = f" of {snapshot.checkpoint_id}" if snapshot.checkpoint_id else ""
    _say(
        f"{wish.output}: {snapshot.kind}{of}, {snapshot.rows} rows on {snapshot.frames} frames; "
        f"snapshot {snapshot.id}"
    )


@archive_app.command("verify")
def verify_archive(
    deep: Annotated[bool, typer.Option("--deep", help="Read files and rows and compare hashes too.")] = False,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Make anew or set aside what can be; what people made is left alone."),
    ] = False,
) -> None:
    """Say what is missing, changed or orphaned between the tables and storage; change nothing unless asked to.

    Exit status 1 if anything is missing, changed, damaged, or a row without its parent, and was not repaired.
    """
    from al_assets.archives import open_archive
    from al_assets.verification import verify
    from resources.environments import read_environment

    environment = read_environment()
    archive = open_archive(environment)
    faults, repairs = 0, []
    for finding in verify(archive, deep=deep):
        _say(finding.line)
        faults += finding.fails
        repairs += [finding] if repair and finding.repair else []
    faults -= _repair(archive, environment, repairs) if repairs else 0
    _say(f"{faults} faults" if faults else "the archive is whole")
    if faults:
        raise typer.Exit(1)


def _repair(archive: Archive, environment: Environment, findings: list[Finding]) -> int:
    """Repair and say so, each while no run is under way; returns the faults that are no more."""
    from contextlib import nullcontext

    from al_assets.home import open_instance
    from al_assets.repairs import repaired
    from al_assets.settings import load_settings

    there = (environment.dagster_home / "dagster.yaml").exists()
    done = 0
    with open_instance(environment) if there else nullcontext() as instance:
        for finding, said in repaired(archive, load_settings(environment.settings_path), findings, instance):
            _say(f"repair: {finding.what}: {said}")
            done += finding.fails and not said.startswith("not repaired")
    return done


def back_up_database(
    file: Annotated[Path, typer.Argument(help="File to write.")], force: ForceOption = False
) -> None:
    """Copy a SQLite database, also while the platform runs; other databases have tools of their own."""
    from al_assets.archives import existing_database
    from resources.backup import back_up
    from resources.environments import read_environment

    size = back_up(existing_database(read_environment()), file, replace=force)
    _say(f"{file}: {size} bytes; copy storage now, after the database (sql/BACKUP.md says why)")


def _say(line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def serve_reports(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any free one.")] = 3080,
) -> None:
    """Show the reports in a browser, from the folder or from Azure Blob; read only, on this machine only."""
    from al_assets.archives import open_archive
    from al_assets.pages.server import serve_reports as serve
    from resources.environments import read_environment

    serve(open_archive(read_environment()).storage, port, lambda text: print(text, flush=True))
