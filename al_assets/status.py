"""What stands, in a few lines for `al status`. Reads only."""

from __future__ import annotations

from resources.archive import Archive
from resources.queries.labels import UNCLAIMED
from resources.rows import rows_of


def status_lines(archive: Archive) -> list[tuple[str, str]]:
    """(name, value) lines about videos, labels, models, tasks and incidents."""
    videos = archive.videos.by_status()
    labels = archive.labels.totals()
    serving = archive.models.serving()
    lines = [
        ("videos", ", ".join(f"{count} {status}" for status, count in videos.items()) or "none yet"),
        ("frames", str(archive.frames.count())),
        (
            "exports",
            f"{labels.get('exports_imported', 0)} imported, {len(archive.labels.exports(*UNCLAIMED))} waiting, "
            f"{labels.get('exports_quarantined', 0)} set aside",
        ),
        ("labelled", f"{labels['labelled_frames']} frames, {labels['rejects']} records rejected"),
        ("batches", f"{archive.selection.count_batches()}, {archive.selection.open_tasks()} tasks open"),
    ]
    if serving is None:
        lines.append(("model", "none serves yet"))
    else:
        waiting = archive.videos.lacking_predictions(serving.checkpoint_id, serving.embedder_id)
        value, support = archive.models.metric(serving.checkpoint_id, "macro_f1")
        measured = (
            f"macro-F1 {value:.2f} on {support} hold-out frames" if value is not None else "not measured yet"
        )
        lines.append(("model", f"{serving.checkpoint_id}, {measured}, {len(waiting)} videos to score"))
    incidents = archive.monitoring.incidents()
    lines.append(("incidents", str(len(incidents))))
    for row in rows_of(incidents.head(3)):
        lines.append(("", f"{row.happened_at:%Y-%m-%d %H:%M} {row.job}: {row.cause} -> {row.fix}"))
    for path, status, error in archive.videos.failures()[:3]:
        lines.append(("", f"{path}: {status}: {error}"))
    for export in archive.labels.exports("quarantined")[-3:]:
        lines.append(("", f"export {export.export_id}, {export.uri}: set aside: {export.error}"))
    return lines
