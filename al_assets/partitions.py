"""Partitions: one key a video. Versions and strategies are columns, never partition dimensions."""

import dagster as dg

VIDEOS = dg.DynamicPartitionsDefinition(name="videos")
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

KEYS_AT_MOST = 100_000
"""Partition keys that Dagster recommends at most for one asset."""
KEYS_NEAR = 80_000


def range_of(run: dg.DagsterRun) -> tuple[str, str]:
    """First and last partition key of a run; empty where it has none."""
    first = run.tags.get(RANGE_START) or run.tags.get("dagster/partition", "")
    return first, run.tags.get(RANGE_END) or first


def keys_warning(keys: int) -> str:
    """What to do where an archive nears the partition keys that Dagster bears; empty where it does not."""
    if keys < KEYS_NEAR:
        return ""
    return (
        f"{keys} videos, and Dagster is made for at most {KEYS_AT_MOST} partition keys: join short clips into longer "
        "videos, retire those that are not needed (job retire_video), or begin a second archive with an AL_HOME of "
        "its own"
    )
