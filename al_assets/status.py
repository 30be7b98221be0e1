"""What stands, in a few lines for `al status`. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

from al_assets.labelling_look import answered_there, find_project, read_stored_note
from resources.archive import Archive
from resources.labelling_tool import LabelStudio
from resources.queries.labels import UNCLAIMED

SHOWN = 3
TOOL_SECONDS = 5.0
TOOL_LIMIT_SECONDS = 20.0
UNDONE = "what an undo took back comes again with the next fetch; `al labels retract` takes an answer back for good"


def tool_line(archive: Archive, tool: LabelStudio) -> str:
    """Whether the labelling tool answers and lets us in, in words; it never fails."""
    if not tool.is_configured:
        return "none is connected (AL_LABEL_STUDIO_URL)"
    try:
        with tool.connect(timeout_seconds=TOOL_SECONDS, limit_seconds=TOOL_LIMIT_SECONDS) as server:
            project = find_project(read_stored_note(archive), tool, server)
            if project is None:
                return f"Label Studio at {tool.where} answers; no project yet"
            there = answered_there(archive, server, project.project_id)
    except RuntimeError as error:
        return str(error)
    except Exception as error:
        # The other lines matter more than whatever this is.
        return f"cannot be asked ({type(error).__name__})"
    said = f"{tool.where}/projects/{project.project_id}, {project.answers} answers, {project.skipped} skipped"
    return f"{said}, answered there, open here: {there} ({UNDONE})" if there else said


def status_lines(
    archive: Archive, tool: LabelStudio | None = None, progress: Sequence[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """(name, value) lines about videos, labels, models, tasks, the labelling tool and incidents.

    progress: lines of `backfill_status`, which ask Dagster too.
    """
    videos = archive.videos.by_status()
    labels = archive.labels.totals()
    serving = archive.models.serving()
    lines = [
        ("videos", ", ".join(f"{count} {status}" for status, count in videos.items()) or "none yet"),
        ("frames", str(archive.frames.count())),
        *progress,
        (
            "exports",
            f"{labels.get('exports_imported', 0)} imported, {len(archive.labels.exports(*UNCLAIMED))} waiting, "
            f"{labels.get('exports_quarantined', 0)} set aside",
        ),
        (
            "labelled",
            f"{labels['labelled_frames']} frames, {labels['unclear_frames']} cannot be told, "
            f"{labels['rejects']} records rejected",
        ),
        ("batches", f"{archive.selection.count_batches()}, {archive.selection.open_tasks()} tasks open"),
    ]
    if tool is not None:
        lines.append(("labelling tool", tool_line(archive, tool)))
    if serving is None:
        lines.append(("model", "none serves yet"))
    else:
        waiting = archive.videos.lacking_predictions(serving.checkpoint_id, serving.embedder_id)
        value, support = archive.models.metric(serving.checkpoint_id, "macro_f1")
        measured = (
            f"macro-F1 {value:.2f} on {support} hold-out frames" if value is not None else "not measured yet"
        )
        lines.append(("model", f"{serving.checkpoint_id}, {measured}, {len(waiting)} videos to score"))
    incidents = archive.incidents.open()
    lines.append(("incidents", f"{len(incidents)} open"))
    for row in reversed(incidents[-3:]):
        about = row["job"] or row["asset"]
        lines.append(("", f"{row['happened_at']:%Y-%m-%d %H:%M} {about}: {row['cause']} -> {row['fix']}"))
    failures = archive.videos.failures()
    lines += [("", f"{path}: {status}: {error}") for path, status, error in failures[:SHOWN]]
    if len(failures) > SHOWN:
        lines.append(("", f"{len(failures)} videos could not be read whole; `al videos failed` lists them"))
    for export in archive.labels.exports("quarantined")[-3:]:
        lines.append(("", f"export {export.export_id}, {export.uri}: set aside: {export.error}"))
    return lines
