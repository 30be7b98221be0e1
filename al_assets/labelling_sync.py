"""The labelling tool's project brought in line with the archive: tasks there, answers back as a label export.

What is missing, labelling_look sees, and labelling_push adds it; when answers are fetched is decided in labelling/;
how the server is asked is the resource's matter; when this runs, that of the sensor.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import dagster as dg

from al_assets.labelling.fetching import answers_file, named
from al_assets.labelling.note import FETCHED, NOTE, Note
from al_assets.labelling.project import configuration, offers
from al_assets.labelling_look import Look, class_names, find_project, look, read_stored_note
from al_assets.labelling_push import Push
from al_assets.settings import Settings
from resources.archive import Archive
from resources.errors import FileMissingError
from resources.labelling_server import LabelStudioServer, ToolProject
from resources.labelling_tool import LabelStudio
from resources.labelling_tool_errors import (
    LabellingToolError,
    ToolRefusalError,
    ToolUnreachableError,
)

FAULTS_SHOWN = 10


def ready_project(
    archive: Archive, settings: Settings, tool: LabelStudio, server: LabelStudioServer, log: logging.Logger
) -> ToolProject:
    """This archive's project, made where there is none, and remembered.

    Safe to be killed anywhere, and to run twice at a time: whose note is read back is everybody's, and of several
    projects with its mark the oldest is.
    """
    note = _stored_note(archive)
    project = find_project(note, tool, server)
    if project is None:
        # Another first run may have written its note, or made the project, while this one searched.
        note = _stored_note(archive)
        project = find_project(note, tool, server)
    if project is None:
        if note.project is not None:
            log.warning(
                f"project {note.project} is gone from Label Studio at {tool.where}; a new one is made"
            )
        config = configuration("", class_names(archive, settings), settings.task)
        assert config is not None
        server.create(settings.labelling.project_title, note.description, config[0])
        stored = _stored_note(archive)
        note = replace(stored, project=None) if stored.project == note.project else stored
        project = find_project(note, tool, server)
        if project is None:
            raise ToolUnreachableError(
                f"the project made in Label Studio at {tool.where} does not show yet; run it again"
            )
    if (note.server, note.project) != (tool.where, project.project_id):
        remembered = read_stored_note(archive) or note
        same = remembered.project == project.project_id
        # What was fetched from another project says nothing of this one; people are the server's.
        note = Note(note.archive, tool.where, project.project_id, people=remembered.people if same else {})
        archive.storage.write(NOTE, note.text().encode())
    return project


def _stored_note(archive: Archive) -> Note:
    """The note, written if there is none: before the project, so that one that is not remembered is found again."""
    if read_stored_note(archive) is None:
        archive.storage.write(NOTE, Note(uuid.uuid4().hex).text().encode())
    note = read_stored_note(archive)
    assert note is not None
    return note


def configure(
    archive: Archive, settings: Settings, server: LabelStudioServer, project: ToolProject, log: logging.Logger
) -> None:
    """Let the project offer the classes as they are. A choice that answers use cannot be taken away and stays."""
    names = class_names(archive, settings)
    try:
        config = configuration(project.config, names, settings.task)
    except ValueError as error:
        raise LabellingToolError(f"{error} ({server.where}/projects/{project.project_id})") from error
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


def fetch(archive: Archive, server: LabelStudioServer, found: Look) -> tuple[int, bool]:
    """Fetch the answers into `label_exports/`; returns how many there are, and whether the file is another now."""
    assert found.project is not None
    assert found.note is not None
    number = found.project.project_id
    exported = server.answers(number)
    note = replace(found.note, people=named(exported, found.note.people, server.people()))
    content = answers_file(exported, note.people)
    if note != found.note:
        # Before the file: what somebody is called there holds for ever.
        archive.storage.write(NOTE, note.text().encode())
    path = f"{FETCHED}project-{number}.json"
    try:
        changed = archive.storage.read(path) != content
    except FileMissingError:
        changed = bool(exported)
    if changed:
        archive.storage.write(path, content)
    # Last: a run that is killed before fetches again and finds nothing new.
    archive.storage.write(NOTE, replace(note, fetched=found.standing).text().encode())
    return sum(len(task.get("annotations") or ()) for task in exported), changed


def synchronise(
    archive: Archive, settings: Settings, tool: LabelStudio, server: LabelStudioServer, log: logging.Logger
) -> dict[str, Any]:
    """Fetch the project's answers if that is due, and bring it in line; returns what was done.

    Answers first, and each on its own: what cannot be done holds nothing else back. Raises LabellingToolError at the
    end with all of it.
    """
    faults: list[LabellingToolError] = []
    project = ready_project(archive, settings, tool, server, log)
    found = look(archive, settings, tool, server)
    due, reason = found.fetch_due(settings)
    done: dict[str, Any] = {
        "project": dg.MetadataValue.url(f"{tool.where}/projects/{project.project_id}"),
        "answers": found.standing.answers,
        "skipped": found.standing.skipped,
        "answered_there_open_here": found.answered_there,
        "why": reason,
    }
    if due:
        with _kept(faults):
            fetched, changed = fetch(archive, server, found)
            done |= {"fetched": fetched, "news": changed}
    with _kept(faults):
        configure(archive, settings, server, project, log)
    push = Push(archive, settings, tool, server, log)
    with _kept(faults):
        push.run()
    log.info(f"{len(push.done)} tasks pushed; {reason}")
    faults += [LabellingToolError(words) for words in push.words()]
    if faults:
        raise _together(faults)
    return {"pushed": len(push.done), **done}


@contextmanager
def _kept(faults: list[LabellingToolError]) -> Iterator[None]:
    try:
        yield
    except LabellingToolError as error:
        faults.append(error)


def _together(faults: Sequence[LabellingToolError]) -> LabellingToolError:
    """All faults as one: worth another try at once where one of them is."""
    words = list(dict.fromkeys(map(str, faults)))
    more = [f"and {len(words) - FAULTS_SHOWN} more"] if len(words) > FAULTS_SHOWN else []
    again = any(isinstance(fault, ToolUnreachableError) for fault in faults)
    kind = ToolUnreachableError if again else LabellingToolError
    if len(faults) == 1:
        kind = type(faults[0])
    return kind("; ".join([*words[:FAULTS_SHOWN], *more]))
