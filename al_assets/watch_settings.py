"""Settings of who is told when something is wrong or old: `[freshness]` and `[alerts]`. Read by settings.py."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from al_assets.setting_sections import Section


class FreshnessSettings(Section):
    """When tables of the loop count as old in the Dagster UI."""

    warn_days: int = Field(
        30,
        ge=0,
        le=36_500,
        description="Days without a new run after which a table is marked as old; 0 for never.",
    )
    fail_days: int = Field(
        90, ge=0, le=36_500, description="Days after which it is marked as too old; 0 turns both marks off."
    )

    @model_validator(mode="after")
    def _warns_before_it_fails(self) -> Self:
        if self.fail_days and self.warn_days >= self.fail_days:
            raise ValueError("warn_days should be smaller than fail_days")
        return self


class AlertSettings(Section):
    """Which failing checks are incidents, and whom mail about incidents goes to."""

    checks: Literal["errors", "warnings", "none"] = Field(
        "errors",
        description="Failing checks that are incidents until they pass again: `errors`, `warnings` (both) or `none`. "
        "Failed runs always are.",
    )
    email_to: list[str] = Field(
        [], description="Addresses that are told of incidents; needs AL_ALERT_SMTP_URL in the environment."
    )
    email_from: str = Field(
        "", description="Address that mail comes from; empty for the user of AL_ALERT_SMTP_URL."
    )
