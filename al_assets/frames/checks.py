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


@dg.asset_check(
    asset=frames, blocking=True, description="Times, sizes and qualities are within their bounds."
)
def frames_are_within_bounds(archive: Archive) -> dg.AssetCheckResult:
    """An error that stops what follows: a frame out of bounds means that decoding went wrong."""
    bad = archive.monitoring.bad_rows(
        "frames",
        {
            "brightness_outside_0_1": lambda c: (c.brightness < 0) | (c.brightness > 1),
            "negative_sharpness": lambda c: c.sharpness < 0,
            "negative_time": lambda c: c.pts_ms < 0,
            "no_size": lambda c: (c.width <= 0) | (c.height <= 0),
            "repeats_itself": lambda c: c.duplicate_of >= c.frame_id,
        },
    )
    return dg.AssetCheckResult(passed=not any(bad.values()), metadata=dict(bad))


CHECKS = (every_video_was_read, frames_are_within_bounds)
