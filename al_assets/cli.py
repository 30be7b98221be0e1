"""The command line `al`: thin. It reads arguments, asks Dagster or the archive, and prints. No work of its own.

Exit status 0 only where the thing asked for was done; errors go to stderr in one readable line.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from al_assets.commands.archive import archive_app, back_up_database, export_app, serve_reports
from al_assets.commands.classes import classes_app
from al_assets.commands.frames import select, similar
from al_assets.commands.output import console, print_table
from al_assets.commands.simulate import simulate
from al_assets.commands.videos import videos_app
from resources.environments import calm_threads

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Active learning for image and video archives."
)
database_app = typer.Typer(no_args_is_help=True, help="The tables.")
labels_app = typer.Typer(no_args_is_help=True, help="Label exports.")
checkpoints_app = typer.Typer(no_args_is_help=True, help="Models.")
app.add_typer(database_app, name="db")
app.add_typer(labels_app, name="labels")
app.add_typer(checkpoints_app, name="checkpoints")
app.add_typer(archive_app, name="archive")
app.add_typer(export_app, name="export")
app.add_typer(classes_app, name="classes")
app.add_typer(videos_app, name="videos")
database_app.command("backup")(back_up_database)
app.command("simulate")(simulate)
app.command("similar")(similar)
app.command("select")(select)
app.command("reports")(serve_reports)


def main() -> None:
    """Run the command line; an expected error is one line on stderr and exit status 1."""
    calm_threads()
    try:
        app(standalone_mode=True)
    except (LookupError, OSError, RuntimeError, ValueError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        print(f"al: {message}", file=sys.stderr)
        raise SystemExit(1) from None


def _environment() -> Any:
    from resources.environments import read_environment

    return read_environment()


def _archive() -> Any:
    """The archive of this environment, its tables checked."""
    from al_assets.archives import open_archive

    return open_archive(_environment())


def _headless() -> Any:
    from al_assets.headless import Headless

    return Headless.open(_environment())


@app.command()
def demo(
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Rounds of labelling.")] = 5,
    batch: Annotated[int, typer.Option(min=5, max=200, help="Frames a round.")] = 24,
    clips: Annotated[int, typer.Option(min=10, max=100, help="Rendered clips in the archive.")] = 24,
) -> None:
    """Make a small archive and run the whole loop on it, with an oracle in the expert's place."""
    from al_assets.demo_loop import run_demo

    run_demo(_environment(), rounds=rounds, batch_size=batch, clips=clips, console=console)


@app.command()
def dev(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.")] = 3000,
) -> None:
    """Run the Dagster UI and its daemon: the platform at work."""
    from al_assets.home import run_dagster

    raise typer.Exit(run_dagster(_environment(), host, port))


@app.command()
def status() -> None:
    """What stands: videos, how far they are ingested, labels, models, open tasks, incidents."""
    from al_assets.archives import make_labelling_tool
    from al_assets.backfill_status import progress_lines
    from al_assets.status import status_lines

    archive, environment = _archive(), _environment()
    progress = progress_lines(archive, environment)
    for name, value in status_lines(archive, make_labelling_tool(environment), progress):
        console.print(f"[bold]{name:<16}[/bold] {value}", highlight=False, soft_wrap=True)


@database_app.command("upgrade")
def upgrade_database() -> None:
    """Bring the tables and views to the newest revision."""
    from resources import migrations
    from resources.database import Database

    database = Database(url=_environment().database_url)
    database.make_folder()
    for line in migrations.upgrade(database):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"tables are at revision {migrations.current(database)}")


@database_app.command("check")
def check_database() -> None:
    """Say how the tables differ from what the code expects."""
    from resources import migrations
    from resources.database import Database

    differences = migrations.differences(Database(url=_environment().database_url))
    if differences:
        raise ValueError("the tables differ, run `al db upgrade`: " + "; ".join(differences))
    console.print("the tables are as the code expects")


@labels_app.command("check")
def check_labels(
    file: Annotated[Path, typer.Argument(help="An export file on this machine.", exists=True)],
) -> None:
    """Say what an export would bring and why not, changing nothing."""
    from al_assets.archives import preview_export

    preview = preview_export(_archive(), _environment(), file)
    console.print(preview.summary, highlight=False, soft_wrap=True)
    for reason in preview.reasons:
        console.print(f"  {reason}", highlight=False, markup=False, soft_wrap=True)
    if not preview.complete:
        raise typer.Exit(1)


@labels_app.command("undo")
def undo_export(
    export_id: Annotated[int, typer.Argument(help="Number of the export; see label_exports.")],
) -> None:
    """Take an export's judgements out of effect and learn again without them."""
    from al_assets.labelling.note import FETCHED

    headless = _headless()
    count = headless.archive.labels.undo(export_id)
    console.print(f"export {export_id}: {count} judgements are out of effect; learning without them")
    uris = {export.export_id: export.uri for export in headless.archive.labels.exports("undone")}
    if uris[export_id].startswith(FETCHED):
        console.print(
            "fetched from Label Studio, they come again with its next answers; see `al labels retract`"
        )
    headless.run("learn")


@labels_app.command("retract")
def retract_judgements(
    annotator: Annotated[str | None, typer.Option(help="Whose judgements.")] = None,
    day: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="Of one day only (UTC); judgements without a time are of none."
        ),
    ] = None,
    annotation: Annotated[list[int] | None, typer.Option(help="One judgement, by its annotation_id.")] = None,
) -> None:
    """Take judgements of a person, of a day, or single ones back; `al labels undo` takes that back in turn."""
    from al_assets.retraction import Retraction, retract

    wish = Retraction(annotator=annotator, day=day.date() if day else None, annotation_ids=annotation or ())
    path, count = retract(_archive(), wish)
    console.print(
        f"{path}: takes {count} judgements back; the next look of the sensor imports it", soft_wrap=True
    )


@labels_app.command("sync")
def sync_labels() -> None:
    """Bring the connected labelling tool in line now, as its sensor does: tasks there, finished answers back."""
    from al_assets.archives import make_labelling_tool
    from al_assets.status import tool_line

    tool = make_labelling_tool(_environment())
    if not tool.is_configured:
        raise ValueError("no labelling tool is connected; set AL_LABEL_STUDIO_URL and AL_LABEL_STUDIO_TOKEN")
    headless = _headless()
    headless.run("sync_labels")
    console.print(tool_line(headless.archive, tool), highlight=False, soft_wrap=True)


@labels_app.command("list")
def list_exports() -> None:
    """Versions of exports and what became of them."""
    print_table(
        ("export", "file", "status", "imported", "rejected", "error"),
        [
            (e.export_id, e.uri, e.status, e.imported, e.rejected, e.error)
            for e in _archive().labels.exports()
        ],
    )


@checkpoints_app.command("list")
def list_checkpoints() -> None:
    """Models, oldest first, and which one serves."""
    models = _archive().models
    serving = models.serving()
    rows = [
        (
            c.checkpoint_id,
            c.labelled_frames,
            f"{c.trained_at:%Y-%m-%d %H:%M}",
            "serving" if c == serving else "",
        )
        for c in models.all()
    ]
    print_table(("checkpoint", "labelled frames", "trained (UTC)", ""), rows)


@checkpoints_app.command("promote")
def promote(
    checkpoint_id: Annotated[str, typer.Argument(help="Checkpoint to serve.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "promoted by hand",
) -> None:
    """Serve a checkpoint: its scores are completed, then the pointer moves."""
    _promote(_headless(), checkpoint_id, reason)


@checkpoints_app.command("rollback")
def rollback() -> None:
    """Serve the checkpoint that served before."""
    headless = _headless()
    previous = headless.archive.models.previous_serving()
    if previous is None:
        raise LookupError("no checkpoint served before the present one")
    _promote(headless, previous, "rolled back by hand")


def _promote(headless: Any, checkpoint_id: str, reason: str) -> None:
    archive = headless.archive
    archive.models.get(checkpoint_id)
    archive.models.decide(
        checkpoint_id, promoted=True, reason=reason, by="hand", run_id=None, now=archive.now()
    )
    headless.run("score")
    serving = archive.models.serving()
    if serving is None or serving.checkpoint_id != checkpoint_id:
        raise RuntimeError(f"{checkpoint_id} has not scored every frame yet; run the job score again")
    console.print(f"{checkpoint_id} serves")


@app.command()
def bench(
    case: Annotated[
        str, typer.Argument(help="loop, score, io or another; a name that is none has them listed.")
    ],
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the result.")] = None,
    rows: Annotated[
        int | None,
        typer.Option("--rows", "--frames", min=1_000, help="Rows or frames, where the case takes a size."),
    ] = None,
    dim: Annotated[int | None, typer.Option(min=2, help="loop: values a vector.")] = None,
    classes: Annotated[int | None, typer.Option(min=2, help="loop: classes.")] = None,
    folder: Annotated[Path | None, typer.Option(help="loop: where the archive is made, and removed.")] = None,
    sizes: Annotated[
        int | None, typer.Option(min=1, max=3, help="loop: 3 runs a hundredth and a tenth of it too.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1, max=3, help="loop: runs of `learn`.")] = None,
) -> None:
    """Measure a case against its reference in the same run."""
    from al_assets.benches.cases import run_case

    options = {"dim": dim, "classes": classes, "folder": folder, "sizes": sizes, "rounds": rounds}
    result = run_case(case, rows=rows, **options)
    if json_file:
        json_file.write_text(result.to_json(), encoding="utf-8")
    console.print_json(result.to_json())


if __name__ == "__main__":
    main()
