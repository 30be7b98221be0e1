"""Opening the archive outside Dagster, and looking before leaping: what an export would bring. No writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from al_assets.labels.assets import read_import
from al_assets.settings import load_settings
from resources import migrations
from resources.archive import Archive
from resources.database import Database
from resources.environments import Environment
from resources.labelling_tool import LabelStudio
from resources.spool import Spool
from resources.storage import Storage


class NotSetUpError(RuntimeError):
    """There is nothing at this home yet, or its tables are of another revision."""


def make_archive(environment: Environment) -> Archive:
    """The archive of an environment, for use outside Dagster."""
    storage = Storage(url=environment.storage_url, **environment.storage_options)
    return Archive(database=Database(url=environment.database_url), storage=storage)


def make_labelling_tool(environment: Environment) -> LabelStudio:
    """The labelling tool of an environment, for use outside Dagster."""
    return LabelStudio(url=environment.label_studio_url, token=environment.label_studio_token)


def open_archive(environment: Environment) -> Archive:
    """The archive of an environment. Raises NotSetUpError where its tables are missing or old."""
    existing_database(environment)
    archive = make_archive(environment)
    if migrations.current(archive.database) != migrations.head():
        raise NotSetUpError("the tables are of another revision; run `al db upgrade`")
    return archive


def existing_database(environment: Environment) -> Database:
    """The database of an environment, whatever its revision. Raises NotSetUpError where there is none yet."""
    file = _sqlite_file(environment.database_url)
    if file is not None and not file.exists():
        raise NotSetUpError(f"no archive at {environment.home}; `al demo` or `al dev` makes one")
    return Database(url=environment.database_url)


def _sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL, not made by looking for it; None for other databases."""
    return (
        Path(url.split("///", 1)[1].split("?", 1)[0]) if url.startswith("sqlite") and "///" in url else None
    )


@dataclass(frozen=True)
class ExportPreview:
    """What an export would bring."""

    summary: str
    reasons: list[str]
    complete: bool


def preview_export(archive: Archive, environment: Environment, file: Path) -> ExportPreview:
    """Read an export as the importer would, store nothing. Raises ExportUnreadableError."""
    local = Archive(database=archive.database, storage=Storage(url=str(file.resolve().parent)))
    with Spool() as spool:
        name, found = read_import(
            local, load_settings(environment.settings_path), spool, path=file.name, export_id=0
        )
    reasons, counts = found.reasons, found.counts
    summary = (
        f"{file.name} is {name}: {counts['imported'] + counts['rejected']} records, {counts['imported']} would be "
        f"imported ({counts['unchanged']} of them known already), {counts['rejected']} rejected"
    )
    if found.new_classes:
        summary += f"; new classes: {', '.join(found.new_classes)}"
    return ExportPreview(summary, [f"{n} x {reason}" for reason, n in reasons.most_common()], not reasons)
