"""The section `[azure_ml]` of `al.toml`: where a command job of Azure ML runs. No secret, no client, no environment."""

from __future__ import annotations

from pydantic import Field

from al_assets.setting_sections import Section

NEEDED = ("subscription_id", "resource_group", "workspace", "compute", "image")


class AzureMLSettings(Section):
    """Which workspace and compute take the embedding step, for `[compute] engine = "azure_ml"`."""

    subscription_id: str = Field("", description="Azure subscription of the workspace.")
    resource_group: str = Field("", description="Resource group of the workspace.")
    workspace: str = Field("", description="Azure ML workspace.")
    compute: str = Field(
        "", description="Compute cluster of the workspace; one node takes one run of `ingest_videos`."
    )
    image: str = Field(
        "",
        description="Image that holds this version of the platform (`.deploy/Containerfile`), as REGISTRY/NAME:TAG.",
    )
    client_id: str = Field(
        "",
        description="Client id of the compute's managed identity, if that is one of its own; it reads the storage "
        "and writes the database.",
    )
    experiment: str = Field(
        "active-learning", min_length=1, max_length=100, description="Experiment under which jobs are listed."
    )
    timeout_hours: float = Field(
        24, gt=0, le=720, description="Hours after which Azure ML ends a job; what it has written stands."
    )
    poll_seconds: float = Field(
        10, ge=0.1, le=600, description="Seconds between two looks at a job and its messages."
    )

    def missing(self) -> list[str]:
        """Keys without which no job can be submitted."""
        return [key for key in NEEDED if not getattr(self, key).strip()]
