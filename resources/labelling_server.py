"""A Label Studio that is talked to, by its SDK: projects, tasks, stills, answers. What they mean is not known here."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from resources.labelling_tool_errors import (
    ToolAccessError,
    ToolMissingError,
    ToolUnreachableError,
    explained,
    readable,
)

PAGE = 500
"""Tasks a page: a thousand take the server half a second if only what we read is asked for."""
TASK_FIELDS = "id,data,total_annotations,cancelled_annotations,draft_exists"
ONCE = {"max_retries": 0}
"""The SDK repeats what failed; a request that adds tasks must not be repeated before we have looked."""
EXPORT_SECONDS = 600.0


@dataclass(frozen=True)
class ToolProject:
    """A project as the server describes it; answers and skipped are numbers of annotations."""

    project_id: int
    title: str
    description: str
    config: str
    answers: int
    skipped: int
    seen_at: datetime
    """By the server's own clock, so that ours need not agree with it."""


@dataclass(frozen=True)
class ToolTask:
    """A task of ours in a project; answered: somebody has answered or skipped it."""

    task_id: int
    batch_id: int
    frame_id: int
    answered: bool
    touched: bool
    """Or has begun to answer it."""


@dataclass(frozen=True)
class LabelStudioServer:
    """A server that is talked to. Every method raises LabellingToolError or one of its kinds."""

    client: Any = field(repr=False)
    where: str
    path: str
    attempts: int
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What no message may hold, whatever the server says."""

    def readable(self) -> AbstractContextManager[None]:
        """Errors of the SDK within, and of reading a strange reply, as errors for the owner."""
        return readable(self.where, self.secrets)

    def project(self, project_id: int) -> ToolProject | None:
        """A project; None where there is none of this number."""
        try:
            for attempt in self.asking():
                with attempt, self.readable():
                    reply = self.client.projects.with_raw_response.get(project_id, request_options=ONCE)
                    # Rounded up: the header has whole seconds, and answers have fractions.
                    seen_at = parsedate_to_datetime(reply.headers["date"]) + timedelta(seconds=1)
                    found = _project(reply.data, seen_at)
        except ToolMissingError:
            return None
        return found

    def greet(self) -> None:
        """See that it answers and lets us in."""
        for attempt in self.asking():
            with attempt, self.readable():
                int(self.client.users.whoami(request_options=ONCE).id)

    def find(self, mark: str) -> int | None:
        """Number of the oldest project whose description holds the mark."""
        for attempt in self.asking():
            with attempt, self.readable():
                found = [
                    int(each.id)
                    for each in self.client.projects.list(page_size=100, request_options=ONCE)
                    if mark in (each.description or "")
                ]
        return min(found, default=None)

    def create(self, title: str, description: str, config: str) -> None:
        """Make a project."""
        with self.readable():
            self.client.projects.create(
                title=title, description=description, label_config=config, request_options=ONCE
            )

    def configure(self, project_id: int, config: str) -> None:
        """Change a project's labelling configuration. Raises ToolRefusalError where answers would not fit.

        Validated first: the update itself takes a choice away even where answers use it.
        """
        with self.readable():
            self.client.projects.validate_label_config(project_id, label_config=config, request_options=ONCE)
            self.client.projects.update(project_id, label_config=config, request_options=ONCE)

    def tasks(self, project_id: int, first_batch: int) -> list[ToolTask]:
        """Our tasks of a batch and all later ones, oldest first."""
        filters = [_filter("data.batch_id", "greater_or_equal", first_batch)]
        query = {"filters": {"conjunction": "and", "items": filters}, "ordering": ["tasks:id"]}
        for attempt in self.asking():
            with attempt, self.readable():
                found = self.client.tasks.list(
                    project=project_id,
                    page_size=PAGE,
                    include=TASK_FIELDS,
                    query=json.dumps(query),
                    request_options=ONCE,
                )
                tasks = [_task(task) for task in found if "frame_id" in task.data]
        return sorted(tasks, key=lambda task: task.task_id)

    def changed_at(self, project_id: int) -> str:
        """When an answer was last given, changed or skipped, as the server writes it; empty for never."""
        filters = [_filter(name, "greater", 0) for name in ("total_annotations", "cancelled_annotations")]
        query = {"filters": {"conjunction": "or", "items": filters}, "ordering": ["-tasks:updated_at"]}
        for attempt in self.asking():
            with attempt, self.readable():
                page = self.client.tasks.list(
                    project=project_id,
                    page_size=1,
                    include="id,updated_at",
                    query=json.dumps(query),
                    request_options=ONCE,
                )
                newest = [task.updated_at.isoformat() for task in page.items or []]
        return str(newest[0]) if newest else ""

    def add(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> None:
        """Add tasks. Asked once: after a ToolUnreachableError nobody knows whether they are there."""
        with self.readable():
            self.client.projects.import_tasks(project_id, request=tasks, request_options=ONCE)

    def remove(self, task_id: int) -> None:
        """Remove a task that nobody has begun to answer; nothing happens where somebody has, or where it is gone."""
        try:
            with self.readable():
                # Read at the last moment: somebody may have answered it since the project was looked at.
                if _task(self.client.tasks.get(str(task_id), request_options=ONCE)).touched:
                    return
                self.client.tasks.delete(str(task_id), request_options=ONCE)
        except ToolMissingError:
            return

    def stills(self, project_id: int) -> dict[str, str]:
        """Addresses of the files uploaded to a project, by the name they were uploaded under."""
        for attempt in self.asking():
            with attempt, self.readable():
                files = self.client.files.list(project_id, all_=True, request_options=ONCE)
                # The server puts eight characters and a dash before the name.
                there = {each.file.rpartition("/")[2][9:]: f"{self.path}/data/{each.file}" for each in files}
        return there

    def upload(self, project_id: int, files: Mapping[str, bytes]) -> None:
        """Store JPEG files with a project, without making tasks of them; `stills` says where they are.

        The SDK has no method for files, so its connection is used. The server keeps the files and then, where the
        configuration shows more than the image, says that it cannot make tasks of them: no fault, as none are wanted.
        """
        with self.readable():
            reply = self.client._client_wrapper.httpx_client.request(
                f"api/projects/{project_id}/import",
                method="POST",
                params={"commit_to_project": "false"},
                files={name: (name, data, "image/jpeg") for name, data in files.items()},
                request_options=ONCE,
            )
        if reply.status_code not in (200, 201, 400):
            raise explained(reply.status_code, _json(reply), self.where, self.secrets)

    def answers(self, project_id: int) -> list[dict[str, Any]]:
        """Tasks with their annotations as Label Studio exports them; those that nobody answered are left out."""
        for attempt in self.asking():
            with attempt, self.readable():
                chunks = self.client.projects.exports.download_sync(
                    project_id,
                    export_type="JSON",
                    download_all_tasks=False,
                    download_resources=False,
                    request_options={**ONCE, "timeout_in_seconds": EXPORT_SECONDS},
                )
                exported = [dict(task.items()) for task in json.loads(b"".join(chunks))]
        return exported

    def people(self) -> dict[int, str]:
        """E-mail addresses of users by their number; empty where the token may not know."""
        try:
            for attempt in self.asking():
                with attempt, self.readable():
                    users = self.client.users.list(request_options=ONCE)
                    people = {int(user.id): str(user.email) for user in users if user.email}
        except (ToolAccessError, ToolMissingError):
            return {}
        return people

    def asking(self) -> Retrying:
        """Tries of what may be tried again: `for attempt in server.asking(): with attempt: ...`."""
        return Retrying(
            retry=retry_if_exception_type(ToolUnreachableError),
            stop=stop_after_attempt(self.attempts),
            wait=wait_random_exponential(multiplier=1, max=30),
            before_sleep=_say,
            reraise=True,
        )


def _say(state: Any) -> None:
    logging.getLogger(__name__).warning("%s", state.outcome.exception())


def _project(data: Any, seen_at: datetime) -> ToolProject:
    return ToolProject(
        project_id=int(data.id),
        title=str(data.title or ""),
        description=str(data.description or ""),
        config=str(data.label_config or ""),
        answers=int(data.total_annotations_number or 0),
        skipped=int(data.skipped_annotations_number or 0),
        seen_at=seen_at,
    )


def _task(task: Any) -> ToolTask:
    answered = bool((task.total_annotations or 0) + (task.cancelled_annotations or 0))
    return ToolTask(
        task_id=int(task.id),
        batch_id=int(task.data["batch_id"]),
        frame_id=int(task.data["frame_id"]),
        answered=answered,
        touched=answered or bool(task.draft_exists),
    )


def _filter(name: str, operator: str, value: int) -> dict[str, Any]:
    return {"filter": f"filter:tasks:{name}", "operator": operator, "type": "Number", "value": value}


def _json(reply: Any) -> Any:
    try:
        return reply.json()
    except ValueError:
        return None
