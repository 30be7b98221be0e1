"""Partitions: one key a video. Versions and strategies are columns, never partition dimensions."""

import dagster as dg

VIDEOS = dg.DynamicPartitionsDefinition(name="videos")
