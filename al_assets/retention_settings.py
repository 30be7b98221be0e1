"""Settings of what an archive keeps of its past: `[retention]`. Read by settings.py."""

from __future__ import annotations

from pydantic import Field

from al_assets.setting_sections import Section


class RetentionSettings(Section):
    """How much of what can be made again is kept."""

    scored_checkpoints: int = Field(
        3,
        ge=1,
        le=1_000,
        description="Models whose scores of the archive are kept: the serving one and those that served last. Going "
        "back to an older one scores the archive anew.",
    )
    drift_reports: int = Field(
        50, ge=1, le=100_000, description="Evidently pages of drift that are kept, the newest."
    )
