"""What an owner may set in `al.toml`: types, defaults, ranges, meaning. No environment, no defaults elsewhere.

Every key is optional. A wrong value or an unknown key is refused with the key's name and what is allowed, since
a misspelt setting that is silently ignored costs an expert's day.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from al_assets.keys import Task


class SettingsError(ValueError):
    """`al.toml` cannot be used; the message names the key and what is allowed."""


class Section(BaseModel):
    """A section of `al.toml`: immutable, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ArchiveSettings(Section):
    """How videos are registered."""

    split_by: Literal["video", "site"] = Field(
        "video", description="What is kept whole when videos are split: each video, or all videos of a site."
    )
    split_seed: int = Field(
        20, description="Seed of the split into 7 train, 1 validation, 2 test of each ten."
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
    batch_size: int = Field(32, ge=1, le=4096, description="Frames a batch.")
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="`auto`, `cpu`, `cuda` or `cuda:1`."
    )
    threads: int = Field(0, ge=0, le=256, description="CPU threads for torch; 0 for one a core.")


class ClassesSettings(Section):
    """Classes known before the first label."""

    names: tuple[str, ...] = Field((), description="Classes to have from the start, in order.")
    aliases: dict[str, tuple[str, ...]] = Field(
        {}, description="Other spellings of a class: name = [spellings]."
    )
    unknown: Literal["create", "reject"] = Field(
        "create", description="What to do with a class that an export names and nobody declared."
    )


class TrainingSettings(Section):
    """How the head is trained."""

    seed: int = Field(7, description="Seed of training.")
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


class SelectionSettings(Section):
    """What the next batch for the expert looks like."""

    strategy: Literal["auto", "random", "least_confidence", "margin", "entropy", "coverage"] = Field(
        "auto", description="`auto`, `random`, `least_confidence`, `margin`, `entropy` or `coverage`."
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
    evaluation_target: int = Field(200, ge=0, description="Hold-out labels at which the evaluation arm ends.")
    candidates: int = Field(
        50_000, ge=100, description="Frames a strategy looks at; the rest is cut by the index."
    )
    max_open_tasks: int = Field(1_000, ge=1, description="No new batch while this many tasks are unanswered.")
    minimum_gap_seconds: float = Field(
        2.0, ge=0, description="Two picks of one video lie at least this far apart."
    )
    per_clip: int = Field(0, ge=0, description="Picks a video and batch at most; 0 for no cap.")
    cosine: float = Field(
        0.98,
        gt=0,
        le=1,
        description="A frame more similar than this to one picked or labelled is left out; 1 for off.",
    )
    seed: int = Field(11, description="Seed of all draws, combined with the batch number.")


class LabellingSettings(Section):
    """How tasks reach the labelling tool."""

    blind: bool = Field(False, description="Send tasks without the model's suggestions.")
    stills_url: str = Field(
        "",
        description="Address under which the labelling tool finds the storage root, e.g. `/data/local-files/?d=`; "
        "empty for the storage's own addresses.",
    )


class DriftSettings(Section):
    """What counts as the present, and what it is compared with."""

    window_videos: int = Field(
        20, ge=2, description="Latest videos that make a window for the Evidently report."
    )
    reference_frames: int = Field(
        1_000, ge=50, description="Frames of the reference that a report reads at most."
    )
    report: bool = Field(True, description="Write the Evidently report in `learn` and `score`.")


class RetrainingSettings(Section):
    """When to train or select without a new export."""

    drifted_share: float = Field(
        0.5, gt=0, le=1, description="Share of new videos adrift that asks for a batch."
    )
    max_age_days: float = Field(
        90, gt=0, description="Age of the serving model at which new labels force training."
    )
    minimum_new_labels: int = Field(
        1, ge=1, description="New labels without which an old model is left alone."
    )


class SensorSettings(Section):
    """How often the world is looked at."""

    interval_seconds: int = Field(30, ge=1, le=86_400, description="Seconds between two looks.")
    videos_per_tick: int = Field(200, ge=1, le=5_000, description="Videos registered a look.")
    videos_per_run: int = Field(100, ge=1, le=5_000, description="Videos in one run of `ingest_videos`.")
    exports_per_tick: int = Field(200, ge=1, le=5_000, description="Exports registered a look.")
    runs_in_flight: int = Field(2, ge=1, le=100, description="Runs of `ingest_videos` at once.")


class Settings(Section):
    """All of `al.toml`."""

    task: Task = Field(
        "multi_label", description="`single_label` (one class a frame) or `multi_label` (any number)."
    )
    archive: ArchiveSettings = ArchiveSettings()
    frames: FramesSettings = FramesSettings()
    embeddings: EmbeddingsSettings = EmbeddingsSettings()
    classes: ClassesSettings = ClassesSettings()
    training: TrainingSettings = TrainingSettings()
    promotion: PromotionSettings = PromotionSettings()
    selection: SelectionSettings = SelectionSettings()
    labelling: LabellingSettings = LabellingSettings()
    drift: DriftSettings = DriftSettings()
    retraining: RetrainingSettings = RetrainingSettings()
    sensors: SensorSettings = SensorSettings()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.promotion.metric == "accuracy" and self.task == "multi_label":
            raise ValueError('[promotion] metric = "accuracy" needs task = "single_label"; use "macro_f1"')
        if self.selection.random_fraction + self.selection.evaluation_fraction > 1:
            raise ValueError("[selection] random_fraction and evaluation_fraction together are more than 1")
        return self


def load_settings(path: Path | None) -> Settings:
    """Settings from a TOML file, or the defaults where there is none. Raises SettingsError."""
    if path is None:
        return Settings()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    return parse_settings(document, source=str(path))


def parse_settings(document: dict[str, Any], *, source: str = "al.toml") -> Settings:
    """Settings from a parsed document; the first fault of each key is named. Raises SettingsError."""
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(_readable(fault) for fault in error.errors())
        raise SettingsError(f"{source}: {faults}") from error


def _readable(fault: Any) -> str:
    *parents, key = [str(part) for part in fault["loc"]]
    where = f"[{'.'.join(parents)}] {key}" if parents else key
    if fault["type"] == "extra_forbidden":
        return f"{where} is not a setting; allowed here: {', '.join(sorted(_section(parents).model_fields))}"
    return f"{where} = {fault['input']!r}: {fault['msg']}"


def _section(parents: list[str]) -> type[BaseModel]:
    section: type[BaseModel] = Settings
    for name in parents:
        annotation = section.model_fields[name].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        section = annotation
    return section


def describe_settings() -> str:
    """Markdown table of every key with its default and meaning: the README's section is made from it."""
    lines = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, Section):
            for key, inner in type(field.default).model_fields.items():
                lines.append(f"| `[{name}] {key}` | `{_toml(inner.default)}` | {inner.description} |")
        else:
            lines.append(f"| `{name}` | `{_toml(field.default)}` | {field.description} |")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return "[]"
    return str(value)


def refresh_readme(text: str) -> str:
    """The README with its table of settings made anew."""
    begin, end = "<!-- settings: made by `python -m al_assets.settings` -->\n", "<!-- /settings -->"
    before, rest = text.split(begin)
    return f"{before}{begin}{describe_settings()}{end}{rest.split(end, 1)[1]}"


if __name__ == "__main__":
    readme = Path(__file__).parent.parent / "README.md"
    readme.write_text(refresh_readme(readme.read_text(encoding="utf-8")), encoding="utf-8")
