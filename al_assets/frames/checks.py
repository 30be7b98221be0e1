"""Checks on `frames`: statements about the archive, each with its numbers. Aggregates only; no rows are loaded."""

import dagster as dg

from al_assets.frames.assets import frames
from al_assets.partitions import KEYS_AT_MOST, keys_warning
from resources.archive import Archive

SHOWN = 20
SHOWN_COLUMNS = ("video_id", "path", "status", "tries", "error")


@dg.asset_check(asset=frames, description="Every video could be read whole; those that could not are listed.")
def every_video_was_read(archive: Archive) -> dg.AssetCheckResult:
    """A warning that lists videos that failed or were cut short, with the reason."""
    faults = archive.backfill.failed()
    return dg.AssetCheckResult(
        passed=not faults,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(f"{video.path}: {video.error}" for video in faults[:3])
        or "all videos were read",
        metadata={
            "unreadable": len(faults),
            "list_and_retry": "al videos failed, al videos retry ID",
            "videos": dg.MetadataValue.table(
                [
                    dg.TableRecord({name: getattr(video, name) for name in SHOWN_COLUMNS})
                    for video in faults[:SHOWN]
                ],
                schema=dg.TableSchema([dg.TableColumn(name) for name in SHOWN_COLUMNS]),
            ),
        },
    )


@dg.asset_check(asset=frames, description="The archive has fewer videos than Dagster bears partition keys.")
def partitions_are_few_enough(archive: Archive) -> dg.AssetCheckResult:
    """A warning when the archive nears the keys that Dagster recommends at most, with what to do."""
    keys = len(archive.videos.partition_keys())
    warning = keys_warning(keys)
    return dg.AssetCheckResult(
        passed=not warning,
        severity=dg.AssetCheckSeverity.WARN,
        description=warning or f"{keys} of at most {KEYS_AT_MOST} partition keys",
        metadata={"partition_keys": keys},
    )


CHECKS = (every_video_was_read, partitions_are_few_enough)
