"""The section `[compute]` of `al.toml`: which engine takes the heavy work, and how much of it. No engine, no secret."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from al_assets.setting_sections import Section


class ComputeSettings(Section):
    """Where frames are embedded and scored, and where runs' steps are executed."""

    engine: Literal["local", "ray", "azure_ml"] = Field(
        "local",
        description="What embeds and scores: `local`, this machine; `ray`, the workers of a Ray cluster (needs the "
        "extra `ray`, and PostgreSQL or SQL Server); `azure_ml`, which embeds in jobs of Azure ML ([azure_ml]) and "
        "scores here.",
    )
    executor: Literal["in_process", "ray"] = Field(
        "in_process",
        description="What executes a run's steps: `in_process`, one process; `ray`, a Ray job for each step.",
    )
    address: str = Field(
        "auto",
        description='Ray cluster: `auto` (the one this machine is part of), `HOST:PORT`; "" starts '
        "one on this machine for the run.",
    )
    workers: int = Field(
        2, ge=1, le=10_000, description="Workers on Ray; each holds its own copy of the model."
    )
    cpus: float = Field(1.0, ge=0, le=1_024, description="CPUs that Ray sets aside for a worker.")
    gpus: float = Field(
        0.0,
        ge=0,
        le=64,
        description="GPUs that Ray sets aside for a worker; 0.5 puts two workers on one, 0 leaves them on CPUs.",
    )
