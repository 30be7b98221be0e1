"""The sections `[selection]`, `[mining]` and `[quota]` of `al.toml`: what the next batch is made by. No rule itself.

The strategies' names are written here once more, since reading a setting must not load what the strategies load; a test
holds them equal to the registry (selection/strategies).
"""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from al_assets.dimensions import slice_of
from al_assets.setting_sections import ClassNames, Section

STRATEGY_NAMES = (
    *(
        "activelab",
        "auto",
        "badge",
        "bald",
        "class_balanced",
        "cluster_margin",
        "core_set",
        "coverage",
        "cvirs",
    ),
    *(
        "density_weighted",
        "dropquery",
        "entropy",
        "least_confidence",
        "margin",
        "max_herding",
        "mean_margin",
        "mmc",
    ),
    *("probcover", "query_by_committee", "random", "random_per_clip", "similarity", "tcm", "typiclust"),
    "uncertainty_herding",
)
OWN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
OWN_LENGTH = 64


def _strategy(value: object) -> str:
    """A strategy of the platform, or a function of the user's own."""
    if not isinstance(value, str):
        raise ValueError('should be the name of a strategy, e.g. "auto"')
    if value not in STRATEGY_NAMES and not OWN.fullmatch(value):
        raise ValueError(
            f"there is no such strategy; choose one of {', '.join(STRATEGY_NAMES)}, or name a function of your own "
            'as "package.module:function"'
        )
    if len(value) > OWN_LENGTH:
        raise ValueError(f"the name is longer than {OWN_LENGTH} characters; give the module a shorter one")
    return value


def _texts(value: object) -> tuple[str, ...]:
    """A list of texts or whole numbers, as texts."""
    fits = isinstance(value, list | tuple) and all(
        isinstance(each, str | int) and not isinstance(each, bool) and str(each).strip() for each in value
    )
    if not isinstance(value, list | tuple) or not fits:
        raise ValueError('should be a list of names, e.g. ["north", "south"]')
    return tuple(str(each) for each in value)


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]


class SelectionSettings(Section):
    """What the next batch for the expert looks like."""

    strategy: Annotated[str, BeforeValidator(_strategy)] = Field(
        "auto",
        description=f"One of {', '.join(f'`{name}`' for name in STRATEGY_NAMES)}; or a function of your own, "
        "`package.module:function`, called as `function(pool, budget, rng)`.",
    )
    batch_size: int = Field(50, ge=1, le=100_000, description="Frames a batch.")
    random_fraction: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of the batch drawn at random: the live test of whether selection pays.",
    )
    evaluation_fraction: float = Field(
        0.2, ge=0, le=1, description="Share drawn from hold-out videos until enough hold-out labels stand."
    )
    second_opinion_fraction: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Most of a batch that asks again about judged frames: labels that look wrong, people divided.",
    )
    evaluation_target: int = Field(200, ge=0, description="Hold-out labels at which the evaluation arm ends.")
    candidates: int = Field(
        50_000,
        ge=100,
        description="Frames a strategy looks at; of more, the least certain half and others at random.",
    )
    committee: int = Field(
        5, ge=2, le=50, description="Models in the committee of `bald` and `query_by_committee`."
    )
    max_open_tasks: int = Field(1_000, ge=1, description="No new batch while this many tasks are unanswered.")
    minimum_gap_seconds: float = Field(
        2.0, ge=0, description="Two picks of one video lie at least this far apart."
    )
    per_clip: int = Field(0, ge=0, description="Picks a video and batch at most; 0 for no cap.")
    per_site: int = Field(0, ge=0, description="Picks a site and batch at most; 0 for no cap.")
    cosine: float = Field(
        0.98,
        gt=0,
        le=1,
        description="A frame as similar as this to one picked or labelled is left out, and neighbours in a video that "
        "are so alike are one candidate that stands for them; 1 for off.",
    )
    class_floor: int = Field(
        0,
        ge=0,
        description="Labelled training frames below which a class has places of its own in each batch, as many as it "
        "lacks where the batch has room; 0 for none.",
    )
    seed: int = Field(11, ge=0, description="Seed of all draws, combined with the batch number.")


class MiningSettings(Section):
    """Which frames a strategy may choose from: all, unless something is named here."""

    classes: ClassNames = Field(
        (), description="Only frames on which the model predicts one of these classes; empty for all frames."
    )
    confidence_below: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Only frames where that prediction's confidence is below this; without `classes` or an area, the "
        "likeliest class's; 1 for off.",
    )
    box_area_from: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Only frames with such a prediction whose box is at least this share of it.",
    )
    box_area_to: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Only frames with such a prediction whose box is at most this share of it.",
    )
    sites: Texts = Field((), description="Only frames of these sites; empty for all.")
    examples: Texts = Field(
        (),
        description="Frames for `similarity` to look for: a `frame_id`, `video_id/frame_index`, or a still's path.",
    )

    @model_validator(mode="after")
    def _a_range_of_areas(self) -> Self:
        if self.box_area_from > self.box_area_to:
            raise ValueError("box_area_from is larger than box_area_to: no box has such an area")
        return self


def _by_slice(value: object) -> object:
    """A table whose keys are slices, "dimension:name"."""
    if not isinstance(value, dict):
        return value
    return {":".join(slice_of(str(name))): share for name, share in value.items()}


Share = Annotated[float, Field(gt=0, le=1)]


class QuotaSettings(Section):
    """Shares of the strategy's part of each batch that are reserved."""

    slices: Annotated[dict[str, Share], BeforeValidator(_by_slice)] = Field(
        {},
        description='Shares for slices of your own, e.g. `{"site:north" = 0.2, "light:dark" = 0.1}`; dimensions are '
        "`site`, `camera`, `season`, `hour`, `light` and `class` (the predicted one).",
    )
    worse_slices: float = Field(
        0.1, ge=0, le=1, description="Share for slices on which the model is found worse than on the rest."
    )
    drifted_videos: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Share for videos adrift that no batch has drawn on since the model serves.",
    )

    @property
    def reserved(self) -> float:
        """All shares together."""
        return sum(self.slices.values()) + self.worse_slices + self.drifted_videos

    @model_validator(mode="after")
    def _one_batch(self) -> Self:
        if self.reserved > 1 + 1e-9:
            named = ", ".join([*self.slices, "worse_slices", "drifted_videos"])
            raise ValueError(
                f"the shares of {named} are {self.reserved:g} together, and at most 1 can be reserved"
            )
        return self
