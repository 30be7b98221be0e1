"""Checks on `frames`: statements about the archive, each with its numbers. Aggregates only; no rows are loaded."""

import dagster as dg

from al_assets.frames.assets import frames
from resources.archive import Archive

SHOWN = 20


@dg.asset_check(asset=frames, description="Every video could be read whole; those that could not are listed.")
def every_video_was_read(archive: Archive) -> dg.AssetCheckResult:
    """A warning that lists videos that failed or were cut short, with the reason."""
    faults = archive.videos.failures()
    return dg.AssetCheckResult(
        passed=not faults,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{path}: {error}" for path, _, error in faults[:3]) or "all videos were read",
        metadata={
            "unreadable": len(faults),
            "videos": dg.MetadataValue.table(
                [dg.TableRecord({"path": p, "status": s, "error": e}) for p, s, e in faults[:SHOWN]],
                schema=dg.TableSchema([dg.TableColumn(name) for name in ("path", "status", "error")]),
            ),
        },
    )


CHECKS = (every_video_was_read,)
