"""What an owner may set in `al.toml`, read and refused in plain words. The keys are in the modules of its sections.

Every key is optional. A wrong value or an unknown key is refused with the key's name and what is allowed, since
a misspelt setting that is silently ignored costs an expert's day.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from al_assets.azure_ml_settings import AzureMLSettings
from al_assets.engine_settings import ComputeSettings
from al_assets.keys import Task
from al_assets.retention_settings import RetentionSettings
from al_assets.selection_settings import MiningSettings, QuotaSettings, SelectionSettings
from al_assets.sensor_settings import SensorSettings
from al_assets.setting_sections import (
    ArchiveSettings,
    ClassesSettings,
    DriftSettings,
    EmbeddingsSettings,
    FramesSettings,
    LabellingSettings,
    MapSettings,
    PromotionSettings,
    RetrainingSettings,
    Section,
    SimilarSettings,
    TrainingSettings,
)
from al_assets.watch_settings import AlertSettings, FreshnessSettings

__all__ = [
    "AlertSettings",
    "ArchiveSettings",
    "AzureMLSettings",
    "ClassesSettings",
    "ComputeSettings",
    "DriftSettings",
    "EmbeddingsSettings",
    "FramesSettings",
    "FreshnessSettings",
    "LabellingSettings",
    "MapSettings",
    "MiningSettings",
    "PromotionSettings",
    "QuotaSettings",
    "RetentionSettings",
    "RetrainingSettings",
    "Section",
    "SelectionSettings",
    "SensorSettings",
    "Settings",
    "SettingsError",
    "SimilarSettings",
    "TrainingSettings",
    "describe_settings",
    "load_settings",
    "parse_settings",
    "refresh_readme",
]

VALUE_LENGTH = 80


class SettingsError(ValueError):
    """`al.toml` cannot be used; the message names the key and what is allowed."""


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
    mining: MiningSettings = MiningSettings()
    quota: QuotaSettings = QuotaSettings()
    labelling: LabellingSettings = LabellingSettings()
    drift: DriftSettings = DriftSettings()
    retraining: RetrainingSettings = RetrainingSettings()
    map: MapSettings = MapSettings()
    similar: SimilarSettings = SimilarSettings()
    sensors: SensorSettings = SensorSettings()
    retention: RetentionSettings = RetentionSettings()
    compute: ComputeSettings = ComputeSettings()
    azure_ml: AzureMLSettings = AzureMLSettings()
    freshness: FreshnessSettings = FreshnessSettings()
    alerts: AlertSettings = AlertSettings()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.promotion.metric == "accuracy" and self.task == "multi_label":
            raise ValueError('[promotion] metric = "accuracy" needs task = "single_label"; use "macro_f1"')
        if self.selection.random_fraction + self.selection.evaluation_fraction > 1 + 1e-9:
            raise ValueError("[selection] random_fraction and evaluation_fraction together are more than 1")
        if self.selection.strategy == "similarity" and not self.mining.examples:
            raise ValueError(
                '[selection] strategy = "similarity" needs frames to look for; name some under [mining] examples'
            )
        if self.compute.engine == "azure_ml" and (missing := self.azure_ml.missing()):
            raise ValueError(f'[compute] engine = "azure_ml" needs [azure_ml] {", ".join(missing)}')
        return self


def load_settings(path: Path | None) -> Settings:
    """Settings from a TOML file, or the defaults where there is none. Raises SettingsError."""
    if path is None:
        return Settings()
    try:
        # Windows' editor begins a file with a byte order mark, which is no TOML.
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8; save it as UTF-8") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    return parse_settings(document, source=str(path))


def parse_settings(document: dict[str, Any], *, source: str = "al.toml") -> Settings:
    """Settings from a parsed document; the first fault of each key is named. Raises SettingsError."""
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(_readable(fault) for fault in error.errors())
        raise SettingsError(f"{source}: {faults}") from error


def _readable(fault: Any) -> str:
    """One fault: the key, the value as TOML writes it, and what is allowed."""
    message = str(fault.get("ctx", {}).get("error", fault["msg"]))
    if not fault["loc"]:
        return message
    *parents, key = [str(part) for part in fault["loc"]]
    where = f"[{'.'.join(parents)}] {key}" if parents else key
    if fault["type"] == "extra_forbidden":
        return f"{where} is not a setting; allowed here: {', '.join(sorted(_section(parents).model_fields))}"
    if fault["type"] == "string_pattern_mismatch":
        message = f"should be {_section(parents).model_fields[key].description}"
    if fault["type"] in ("model_type", "dict_type"):
        message = f"is a section: write [{'.'.join([*parents, key])}] and its keys below it"
    if isinstance(fault["input"], dict):
        return f"[{'.'.join([*parents, key])}] {message}"
    return f"{where} = {_shown(fault['input'])}: {message}"


def _shown(value: Any) -> str:
    """A value as TOML writes it, cut where it is long."""
    text = (
        str(value).lower() if isinstance(value, bool) else json.dumps(value, ensure_ascii=False, default=str)
    )
    return text if len(text) <= VALUE_LENGTH else text[:VALUE_LENGTH] + "..."


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
