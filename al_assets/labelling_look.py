"""The labelling tool's project as it stands, against what the archive wants of it. Changes nothing there or here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from al_assets.labelling.fetching import fetch_due
from al_assets.labelling.note import NOTE, Note, Standing, read_note
from al_assets.labelling.project import complete_batch, doubles, missing, offers
from al_assets.labels.assets import class_book
from al_assets.settings import Settings
from resources.archive import Archive
from resources.errors import FileMissingError
from resources.labelling_server import LabelStudioServer, ToolProject, ToolTask
from resources.labelling_tool import LabelStudio
from resources.labelling_tool_errors import LabellingToolError


@dataclass(frozen=True)
class Look:
    """The project as it stands, and what it lacks. project: None where it is still to be made.

    answered_there: tasks that are answered in the project while their frames are open here.
    """

    note: Note | None
    project: ToolProject | None
    lacking: dict[int, list[int]]
    spare: list[int]
    standing: Standing
    can_answer: bool
    newest_batch: int
    answered_there: int = 0

    @property
    def fetched(self) -> Standing | None:
        """How the project stood when its answers were last fetched."""
        return self.note.fetched if self.note else None

    def fetch_due(self, settings: Settings) -> tuple[bool, str]:
        """Whether answers should be fetched now, and why."""
        if self.project is None:
            return False, "there is no project yet"
        return fetch_due(
            self.standing,
            self.fetched,
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
    """What is remembered of the project; None before there is one. Raises LabellingToolError where it is damaged."""
    try:
        return read_note(archive.storage.read(NOTE))
    except FileMissingError:
        return None
    except ValueError as error:
        raise LabellingToolError(str(error)) from error


def look(archive: Archive, settings: Settings, tool: LabelStudio, server: LabelStudioServer) -> Look:
    """Compare the project with what it should hold; three or four requests."""
    note = read_stored_note(archive)
    project = find_project(note, tool, server)
    wanted = wanted_tasks(archive)
    newest = newest_with_tasks(archive)
    if project is None:
        return Look(note, None, missing(wanted, ()), [], Standing(0, 0, ""), True, newest)
    tasks = server.tasks(project.project_id, min([*wanted, newest]))
    standing = Standing(
        answers=project.answers,
        skipped=project.skipped,
        changed_at=server.changed_at(project.project_id),
        complete_batch=complete_batch(tasks),
    )
    return Look(
        note=note,
        project=project,
        lacking=missing(wanted, tasks),
        spare=doubles(tasks),
        standing=standing,
        can_answer=offers(project.config, class_names(archive, settings), settings.task),
        newest_batch=max((task.batch_id for task in tasks), default=0),
        answered_there=_answered(tasks, wanted),
    )


def answered_there(archive: Archive, server: LabelStudioServer, project_id: int) -> int:
    """Tasks that are answered in the project while their frames are open here: not fetched yet, or undone here."""
    wanted = wanted_tasks(archive)
    return _answered(server.tasks(project_id, min(wanted)), wanted) if wanted else 0


def _answered(tasks: Iterable[ToolTask], wanted: Mapping[int, Collection[int]]) -> int:
    return sum(task.answered and task.frame_id in wanted.get(task.batch_id, ()) for task in tasks)


def wanted_tasks(archive: Archive) -> dict[int, list[int]]:
    """Batch -> frames that wait for an answer."""
    wanted = archive.selection.unanswered()
    return {int(str(batch)): rows["frame_id"].tolist() for batch, rows in wanted.groupby("batch_id")}


def newest_with_tasks(archive: Archive) -> int:
    """The newest batch whose tasks are written, else 0: one that is being made has none yet."""
    latest = archive.selection.latest_batch()
    number = int(latest["batch_id"]) if latest else 0
    while number and not ((batch := archive.selection.batch(number)) and batch["tasks_uri"]):
        number -= 1
    return number


def find_project(note: Note | None, tool: LabelStudio, server: LabelStudioServer) -> ToolProject | None:
    """This archive's project, by the number that is remembered, else by the mark in its description.

    Raises LabellingToolError where the number is another's: the server was emptied, or the mark was removed.
    """
    if note is None:
        # No project can bear a mark that nobody has made up yet.
        server.greet()
        return None
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
