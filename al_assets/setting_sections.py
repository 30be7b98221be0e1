"""The sections of `al.toml`: keys, types, defaults, ranges, meaning. No file, no environment, no defaults elsewhere."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from al_assets.names import clean_name, is_reserved

OWNER = re.compile(r"team:\S.*|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")


class Section(BaseModel):
    """A section of `al.toml`: immutable, no unknown keys."""

    # Strict: "50" for 50 or "no" for false is a slip of the pen. An infinite age or size is no setting either.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _owner(value: str) -> str:
    """An owner as Dagster takes it."""
    if not OWNER.fullmatch(value):
        raise ValueError('should be a mail address or "team:NAME"')
    return value


Owner = Annotated[str, AfterValidator(_owner)]


class ArchiveSettings(Section):
    """How videos are registered, and whose they are."""

    split_by: Literal["video", "site"] = Field(
        "video", description="What is kept whole when videos are split: each video, or all videos of a site."
    )
    split_seed: int = Field(
        20, ge=0, description="Seed of the split into 7 train, 1 validation, 2 test of each ten."
    )
    owners: list[Owner] = Field(
        [],
        description="Whom the Dagster UI names as owners of every asset: mail addresses, or teams as `team:archive`.",
    )


class FramesSettings(Section):
    """How videos become frames."""

    frames_per_second: float = Field(1.0, gt=0, le=240, description="Frames sampled from a second of video.")
    duplicate_distance: int = Field(
        2,
        ge=0,
        le=32,
        description="Frames whose perceptual hashes differ in at most this many of 64 bits repeat.",
    )
    still_quality: int = Field(92, ge=50, le=100, description="JPEG quality of stills.")


class EmbeddingsSettings(Section):
    """Which backbone turns frames into vectors."""

    backbone: str = Field(
        "efficientnet-lite0",
        description="`efficientnet-lite0` (its weights are installed) or any torchvision classification model.",
    )
    weights: str = Field(
        "", description="File with the backbone's weights (state dict); empty for its default ones."
    )
    dimensions: int = Field(
        0,
        ge=0,
        le=4096,
        description="Length that vectors are projected to, e.g. 256, once enough of them stand to fit a projection; "
        "0 for all that the backbone gives.",
    )
    batch_size: int = Field(32, ge=1, le=4096, description="Frames a batch.")
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="`auto`, `cpu`, `cuda` or `cuda:1`."
    )
    threads: int = Field(0, ge=0, le=256, description="CPU threads for torch; 0 for one a core.")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Numbers within the network; `bfloat16` is faster on a GPU and makes other vectors, of an embedder "
        "of their own.",
    )
    decoders: int = Field(
        -1,
        ge=-1,
        le=256,
        description="Processes that decode beside the model; 0 decodes in the run's own process, -1 starts one fewer "
        "than there are cores where there is enough to decode.",
    )


def _class_names(value: object) -> tuple[str, ...]:
    """Names as exports may use them, in the form in which they are compared."""
    if not isinstance(value, list | tuple):
        raise ValueError('should be a list of names, e.g. ["zero", "one"]')
    names = tuple(clean_name(name, "the class name") for name in value)
    if reserved := [name for name in names if is_reserved(name)]:
        raise ValueError(f'"{reserved[0]}" is an answer of its own and cannot be a class')
    return names


ClassNames = Annotated[tuple[str, ...], BeforeValidator(_class_names)]


class ClassesSettings(Section):
    """Classes known before the first label."""

    names: ClassNames = Field((), description="Classes to have from the start, in order.")
    aliases: dict[str, ClassNames] = Field({}, description="Other spellings of a class: name = [spellings].")
    unknown: Literal["create", "reject"] = Field(
        "create", description="What to do with a class that an export names and nobody declared."
    )

    @model_validator(mode="after")
    def _each_spelling_means_one_class(self) -> Self:
        means: dict[str, str] = {}
        spelled = [(name, name) for name in (*self.names, *self.aliases)]
        spelled += [(alias, name) for name, aliases in self.aliases.items() for alias in aliases]
        for spelling, name in spelled:
            if means.setdefault(spelling.casefold(), name) != name:
                raise ValueError(f'"{spelling}" would mean both "{means[spelling.casefold()]}" and "{name}"')
        return self


class TrainingSettings(Section):
    """How the head is trained."""

    head: Literal["auto", "logistic", "propagated"] = Field(
        "auto",
        description="`logistic`: logistic regression on the labelled frames; `propagated`: on them and on frames "
        "of the archive that their labels spread to; `auto`: that, the mean of both or the first, as held-out "
        "clips tell.",
    )
    unlabelled_frames: int = Field(
        10_000,
        ge=0,
        le=50_000,
        description="Frames without labels that a head may learn from; 0 for none.",
    )
    seed: int = Field(7, ge=0, description="Seed of training.")
    l2: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="Strength of the L2 penalty; 0 chooses it by cross-validation over clips.",
    )
    balance_classes: bool = Field(True, description="Weigh rare classes up.")


class PromotionSettings(Section):
    """When a new model replaces the serving one."""

    metric: Literal["macro_f1", "mean_average_precision", "accuracy"] = Field(
        "macro_f1", description="Metric on the hold-out that decides."
    )
    tolerance: float = Field(
        0.02, ge=0, le=1, description="A candidate may be this much worse and still be promoted."
    )
    minimum_holdout_labels: int = Field(
        20,
        ge=0,
        description="Labelled hold-out frames below which the comparison is called too weak to refuse.",
    )
    calibration_bound: float = Field(
        0.15,
        gt=0,
        le=1,
        description="Expected calibration error that keeps a round back when it is surely exceeded; 1 for never.",
    )
    refuse_copies: bool = Field(
        True,
        description="Keep a round back while a hold-out video repeats a training video; `false` warns.",
    )


class LabellingSettings(Section):
    """How tasks reach the labelling tool."""

    blind: bool = Field(False, description="Send tasks without the model's suggestions.")
    consensus: Literal["majority", "dawid_skene"] = Field(
        "majority",
        description="How several annotators' answers become one: `majority`, or `dawid_skene`, which weighs them "
        "by how reliable each is found to be.",
    )
    stills_url: str = Field(
        "",
        description="Address under which the labelling tool finds the storage root, e.g. `/data/local-files/?d=`; "
        "empty for the storage's own addresses; a connected Label Studio is then sent the stills themselves.",
    )
    project_title: str = Field(
        "active learning",
        min_length=3,
        max_length=50,
        description="Title of the project in a connected Label Studio.",
    )
    settle_minutes: float = Field(
        10,
        ge=0,
        le=10_000,
        description="Answers in a connected Label Studio are fetched when the newest batch is complete, or when "
        "nothing has changed for this long.",
    )


class DriftSettings(Section):
    """What counts as the present, and what it is compared with."""

    false_discovery_rate: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Share of false alarms among the videos that are called adrift in one comparison, at most.",
    )
    window_videos: int = Field(
        20, ge=2, description="Latest videos that make a window for the Evidently report."
    )
    reference_frames: int = Field(
        1_000, ge=50, description="Frames of the reference that a report reads at most."
    )
    report: bool = Field(True, description="Write the Evidently report in `learn` and `score`.")


class MapSettings(Section):
    """The map of the archive."""

    points: int = Field(
        50_000, ge=0, le=200_000, description="Frames on the map of the archive at most; 0 for no map."
    )
    relayout_share: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of new frames above which the map is laid out anew; below, points stay where they were.",
    )
    unsure_below: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Confidence below which a frame is grey on the map: the model knows too little.",
    )
    thumbnails: int = Field(
        400,
        ge=0,
        le=1_500,
        description="Small pictures that the map carries, spread over it; each is decoded once.",
    )
    seed: int = Field(11, ge=0, description="Seed of what is drawn for the map, and of its layout.")


class SimilarSettings(Section):
    """How frames that look alike are found."""

    exact_frames: int = Field(
        200_000,
        ge=1_000,
        description="Frames up to which `al similar` compares with every one of them; above, it asks an index.",
    )


class RetrainingSettings(Section):
    """When to train or select without a new export."""

    drifted_share: float = Field(
        0.5, gt=0, le=1, description="Share of new videos adrift that asks for a batch."
    )
    max_age_days: float = Field(
        90, gt=0, le=36_500, description="Age of the serving model at which new labels force training."
    )
    minimum_new_labels: int = Field(
        1, ge=1, description="New labels without which an old model is left alone."
    )
