"""The labelling tool's project brought in line with the archive: tasks there, answers back as a label export.

What is missing, and when answers are fetched, is decided in labelling/; how the server is asked is the resource's
matter; when this runs, that of the sensor.
"""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg
import pandas as pd

from al_assets.labelling.fetching import answers_file, fetch_due
from al_assets.labelling.note import NOTE, UNKNOWN, Note, Standing, read_note
from al_assets.labelling.project import complete_batch, configuration, doubles, missing, offers, task_for
from al_assets.labels.assets import class_book
from al_assets.settings import Settings
from resources.archive import Archive
from resources.errors import FileMissingError
from resources.labelling_tool import LabelStudio, LabelStudioServer, ToolProject
from resources.labelling_tool_errors import (
    LabellingToolError,
    ToolRefusalError,
    ToolUnreachableError,
)
from resources.pixels import sent_name, still_path
from resources.rows import rows_of

CHUNK = 25
"""Tasks a request, with their stills: a few megabytes."""


@dataclass(frozen=True)
class Look:
    """The project as it stands, and what it lacks. project: None where it is still to be made."""

    note: Note
    project: ToolProject | None
    lacking: dict[int, list[int]]
    spare: list[int]
    standing: Standing
    can_answer: bool
    newest_batch: int

    def fetch_due(self, settings: Settings) -> tuple[bool, str]:
        """Whether answers should be fetched now, and why."""
        if self.project is None:
            return False, "there is no project yet"
        return fetch_due(
            self.standing,
            self.note.fetched,
            newest_batch=self.newest_batch,
            seen_at=self.project.seen_at,
            settle_minutes=settings.labelling.settle_minutes,
        )


def class_names(archive: Archive, settings: Settings) -> list[str]:
    """Classes that a person may answer with: those in use, and those that the settings name already."""
    table = archive.labels.classes()
    gone = set(table[(table["active"] != 1) | table["merged_into"].notna()]["class_id"])
    book = class_book(archive, settings.classes)
    return [name for name, class_id in book.names.items() if class_id not in gone]


def read_stored_note(archive: Archive) -> Note | None:
    """What is remembered of the project; None before there is one. Raises ValueError where it is damaged."""
    try:
        return read_note(archive.storage.read(NOTE))
    except FileMissingError:
        return None


def look(archive: Archive, settings: Settings, tool: LabelStudio, server: LabelStudioServer) -> Look:
    """Compare the project with what it should hold. Changes nothing; three or four requests."""
    note = read_stored_note(archive) or UNKNOWN
    project = find_project(note, tool, server)
    wanted = archive.selection.unanswered()
    by_batch = {int(str(batch)): rows["frame_id"].tolist() for batch, rows in wanted.groupby("batch_id")}
    latest = archive.selection.latest_batch()
    newest = int(latest["batch_id"]) if latest and latest["tasks_uri"] else 0
    if project is None:
        return Look(note, None, missing(by_batch, ()), [], Standing(0, 0, ""), True, newest)
    tasks = server.tasks(project.project_id, min([*by_batch, newest]))
    newest = max((task.batch_id for task in tasks), default=0)
    standing = Standing(
        answers=project.answers,
        skipped=project.skipped,
        changed_at=server.changed_at(project.project_id),
        complete_batch=complete_batch(tasks),
    )
    names = class_names(archive, settings)
    return Look(
        note=note,
        project=project,
        lacking=missing(by_batch, tasks),
        spare=doubles(tasks),
        standing=standing,
        can_answer=offers(project.config, names, settings.task),
        newest_batch=newest,
    )


def find_project(note: Note, tool: LabelStudio, server: LabelStudioServer) -> ToolProject | None:
    """This archive's project, by the number that is remembered, else by the mark in its description.

    Raises LabellingToolError where the number is another's: the server was emptied, or the mark was removed.
    """
    if note.project is not None and note.server == tool.where:
        project = server.project(note.project)
        if project is not None and note.mark not in project.description:
            raise LabellingToolError(
                f'project {note.project} ("{project.title}") of Label Studio at {tool.where} does not say that it is '
                f'this archive\'s; put "{note.mark}" back into its description, or delete {NOTE} in storage for a '
                "new project"
            )
        if project is not None:
            return project
    found = server.find(note.mark)
    return None if found is None else server.project(found)


def ready_project(
    archive: Archive, settings: Settings, tool: LabelStudio, server: LabelStudioServer, log: logging.Logger
) -> ToolProject:
    """This archive's project, made where there is none, and remembered. Safe to be killed anywhere."""
    note = read_stored_note(archive)
    if note is None:
        note = Note(uuid.uuid4().hex)
        # Before the project: one that is made and not remembered is found again by this.
        archive.storage.write(NOTE, note.text().encode())
    project = find_project(note, tool, server)
    if project is None:
        if note.project is not None:
            log.warning(
                f"project {note.project} is gone from Label Studio at {tool.where}; a new one is made"
            )
        config = configuration("", class_names(archive, settings), settings.task)
        assert config is not None
        server.create(settings.labelling.project_title, note.description, config[0])
        project = find_project(replace(note, project=None), tool, server)
        if project is None:
            raise ToolUnreachableError(
                f"the project made in Label Studio at {tool.where} does not show yet; run it again"
            )
    if (note.server, note.project) != (tool.where, project.project_id):
        # What was fetched from another project says nothing of this one.
        note = Note(note.archive, tool.where, project.project_id)
        archive.storage.write(NOTE, note.text().encode())
    return project


def configure(
    archive: Archive, settings: Settings, server: LabelStudioServer, project: ToolProject, log: logging.Logger
) -> None:
    """Let the project offer the classes as they are. A choice that answers use cannot be taken away and stays."""
    names = class_names(archive, settings)
    config = configuration(project.config, names, settings.task)
    if config is None:
        return
    exact, kept = config
    try:
        server.configure(project.project_id, exact)
    except ToolRefusalError as refusal:
        if not offers(project.config, names, settings.task):
            try:
                server.configure(project.project_id, kept)
            except ToolRefusalError as again:
                log.warning(f"the choices stay as they are: {again}")
                return
        log.warning(f"choices that are no classes any more stay, since answers use them: {refusal}")


def push(
    archive: Archive, settings: Settings, tool: LabelStudio, server: LabelStudioServer, log: logging.Logger
) -> int:
    """Add the tasks that the project lacks; returns how many.

    Whether a request that failed was carried out only the project knows, so after each failure it is looked at anew.
    """
    pushed = set[int]()
    for attempt in server.asking():
        with attempt:
            found = look(archive, settings, tool, server)
            while found.project is not None and (found.lacking or found.spare):
                for task_id in found.spare:
                    server.remove(task_id)
                for chunk in _chunks(archive.selection.unanswered(), found.lacking):
                    pushed |= _push_chunk(archive, settings, server, found.project.project_id, chunk)
                before, found = found, look(archive, settings, tool, server)
                if found.lacking == before.lacking and found.spare == before.spare:
                    log.warning(f"{_count(found.lacking)} tasks cannot be added; materialise labelling_tasks")
                    break
    return len(pushed)


def _count(lacking: dict[int, list[int]]) -> int:
    return sum(len(frames) for frames in lacking.values())


def _chunks(wanted: pd.DataFrame, lacking: dict[int, list[int]]) -> list[pd.DataFrame]:
    """Rows of `unanswered` that are lacking, batch by batch in order of rank, so many at a time."""
    keys = {(batch, frame) for batch, frames in lacking.items() for frame in frames}
    pairs = zip(wanted["batch_id"], wanted["frame_id"], strict=True)
    rows = wanted[[pair in keys for pair in pairs]]
    return [
        part.iloc[first : first + CHUNK]
        for _, part in rows.groupby("batch_id")
        for first in range(0, len(part), CHUNK)
    ]


def _push_chunk(
    archive: Archive, settings: Settings, server: LabelStudioServer, project_id: int, rows: pd.DataFrame
) -> set[int]:
    """Add tasks of one batch with their stills; returns the frames that the batch's file has."""
    images = {} if settings.labelling.stills_url else _uploaded(archive, server, project_id, rows)
    (folder,) = set(rows["tasks_uri"])
    written = json.loads(archive.storage.read(f"{folder}/label_studio.json"))
    by_frame = {int(task["data"]["frame_id"]): task for task in written}
    keys = [int(key) for key in rows["frame_id"] if int(key) in by_frame]
    if keys:
        server.add(project_id, [task_for(by_frame[key], images.get(key)) for key in keys])
    return {*keys}


def _uploaded(
    archive: Archive, server: LabelStudioServer, project_id: int, rows: pd.DataFrame
) -> dict[int, str]:
    """frame_id -> address of its still in the project; what an earlier, killed run has uploaded is used."""
    names = {int(row.frame_id): sent_name(int(row.frame_id)) for row in rows_of(rows)}
    there = server.stills(project_id)
    fresh = {
        names[int(row.frame_id)]: archive.storage.read(still_path(str(row.video_id), int(row.frame_index)))
        for row in rows_of(rows)
        if names[int(row.frame_id)] not in there
    }
    if fresh:
        server.upload(project_id, fresh)
        there = server.stills(project_id)
    if lost := [name for name in fresh if name not in there]:
        raise LabellingToolError(
            f"Label Studio at {server.where} did not keep {len(lost)} of {len(fresh)} stills; look at its disk, or set "
            "[labelling] stills_url"
        )
    return {key: there[name] for key, name in names.items()}


def fetch(
    archive: Archive, settings: Settings, tool: LabelStudio, server: LabelStudioServer, found: Look
) -> tuple[int, bool]:
    """Fetch the answers into `label_exports/`; returns how many there are, and whether the file is another now."""
    assert found.project is not None
    number = found.project.project_id
    exported = server.answers(number)
    content = answers_file(exported, server.people())
    path = f"label_exports/label_studio/project-{number}.json"
    try:
        changed = archive.storage.read(path) != content
    except FileMissingError:
        changed = bool(exported)
    if changed:
        archive.storage.write(path, content)
    # Last: a run that is killed before fetches again and finds nothing new.
    archive.storage.write(NOTE, replace(found.note, fetched=found.standing).text().encode())
    return sum(len(task.get("annotations") or ()) for task in exported), changed


def synchronise(
    archive: Archive, settings: Settings, tool: LabelStudio, server: LabelStudioServer, log: logging.Logger
) -> dict[str, Any]:
    """Bring the project in line, and fetch its answers if that is due; returns what was done."""
    project = ready_project(archive, settings, tool, server, log)
    configure(archive, settings, server, project, log)
    pushed = push(archive, settings, tool, server, log)
    found = look(archive, settings, tool, server)
    due, reason = found.fetch_due(settings)
    done: dict[str, Any] = {
        "pushed": pushed,
        "project": dg.MetadataValue.url(f"{tool.where}/projects/{project.project_id}"),
        "answers": found.standing.answers,
        "skipped": found.standing.skipped,
        "why": reason,
    }
    if due:
        fetched, changed = fetch(archive, settings, tool, server, found)
        done |= {"fetched": fetched, "news": changed}
    log.info(f"{pushed} tasks pushed; {reason}")
    return done
