"""The section `[sensors]` of `al.toml`: how often and how far the world is looked at. No sensor, no file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from al_assets.setting_sections import Section

Order = Literal["oldest", "newest", "most_drifted"]


class SensorSettings(Section):
    """How often the world is looked at, and in which order what is found is worked off."""

    interval_seconds: int = Field(30, ge=1, le=86_400, description="Seconds between two looks.")
    videos_per_tick: int = Field(
        5_000, ge=1, le=25_000, description="Videos registered a look, and partition keys added."
    )
    seconds_per_tick: float = Field(
        15.0,
        gt=0,
        le=40,
        description="Seconds of a look in which new files are read; what is left waits for the next one.",
    )
    videos_per_run: int = Field(
        100,
        ge=1,
        le=5_000,
        description="Videos in one run of `ingest_videos`, also where a backfill is launched in the Dagster UI.",
    )
    order: Order = Field(
        "oldest",
        description="Which videos are ingested first: `oldest` in order of registration, `newest` by the time of "
        "recording, or `most_drifted`: those of sites whose videos drift most.",
    )
    exports_per_tick: int = Field(200, ge=1, le=5_000, description="Exports registered a look.")
    runs_in_flight: int = Field(2, ge=1, le=100, description="Runs of `ingest_videos` at once.")
