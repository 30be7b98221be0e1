"""A real Label Studio: what cannot be done holds nothing else back, and two at a time do no harm."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from al_assets.labelling.note import NOTE
from al_assets.status import tool_line
from resources.labelling_server import LabelStudioServer
from resources.labelling_tool_errors import LabellingToolError, ToolRefusalError
from support.imports import FRAMES
from support.label_studio import Person, Server
from support.tool_archives import ToolArchive, frames_of


@pytest.fixture
def archive(connected: ToolArchive) -> ToolArchive:
    return connected


def before(
    monkeypatch: pytest.MonkeyPatch, method: str, happens: Callable[..., Any], *, after: bool = False
) -> list[str]:
    """Let something happen once, just before (or after) the server is asked; returns when it did."""
    original, done = getattr(LabelStudioServer, method), list[str]()

    def asked(server: LabelStudioServer, *args: Any) -> Any:
        said = original(server, *args) if after else None
        if not done:
            done.append(method)
            happens(*args)
        return said if after else original(server, *args)

    monkeypatch.setattr(LabelStudioServer, method, asked)
    return done


def test_what_cannot_be_sent_holds_back_neither_answers_nor_other_tasks(
    archive: ToolArchive, sent: list[int], label_studio: Server, anna: Person
) -> None:
    anna.answer(sent[0], "zero")
    archive.send(2, FRAMES[3:5])
    archive.send(3, FRAMES[5:])
    archive.send(4, FRAMES[:2], arm="second_opinion", created_at=archive.archive.now())
    archive.archive.storage.delete("stills/v1/00000015.jpg")
    archive.archive.storage.delete("labelling_tasks/batch-00003/label_studio.json")
    with pytest.raises(LabellingToolError) as error:
        archive.sync()
    assert "1 tasks of batch 2 cannot be added: there is no file stills/v1/00000015.jpg" in str(error.value)
    assert "1 tasks of batch 3 cannot be added: there is no file labelling_tasks" in str(error.value)
    assert "materialise labelling_tasks" in str(error.value)
    assert len(archive.fetched) == 1
    assert frames_of(label_studio, archive) == [*FRAMES[:3], FRAMES[4], *FRAMES[:2]]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "7",
        "[1]",
        "[]",
        '[{"data": {}}]',
        f'[{{"data": {{"frame_id": {FRAMES[0]}}}, "predictions": [1]}}]',
    ],
)
def test_a_damaged_file_of_tasks_is_said_with_what_to_do(
    archive: ToolArchive, label_studio: Server, text: str
) -> None:
    archive.send(1, FRAMES[:1])
    archive.send(2, FRAMES[1:2])
    archive.archive.storage.write("labelling_tasks/batch-00001/label_studio.json", text.encode())
    with pytest.raises(LabellingToolError, match=r"1 tasks of batch 1 cannot be added: .* materialise"):
        archive.sync()
    assert frames_of(label_studio, archive) == FRAMES[1:2]


def test_a_task_that_the_server_refuses_is_found_among_the_others(
    archive: ToolArchive, label_studio: Server
) -> None:
    archive.send(1, FRAMES[:5])
    path = "labelling_tasks/batch-00001/label_studio.json"
    tasks = json.loads(archive.archive.storage.read(path))
    del tasks[3]["data"]["clip"], tasks[3]["data"]["clip_link"]
    archive.archive.storage.write(path, json.dumps(tasks).encode())
    with pytest.raises(LabellingToolError, match=r"^1 tasks of batch 1 cannot be added: .* refuses: "):
        archive.sync()
    assert sorted(frames_of(label_studio, archive)) == [*FRAMES[:3], FRAMES[4]]


def test_stills_too_big_for_a_proxy_are_sent_fewer_at_a_time(
    archive: ToolArchive, label_studio: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, sizes = LabelStudioServer.upload, list[int]()

    def narrow(server: LabelStudioServer, project: int, files: dict[str, bytes]) -> None:
        sizes.append(len(files))
        if len(files) > 2:
            raise ToolRefusalError("takes no request of this size (413)")
        original(server, project, files)

    monkeypatch.setattr(LabelStudioServer, "upload", narrow)
    archive.send(1, FRAMES)
    assert archive.sync()["pushed"] == 6
    assert sizes == [6, 3, 1, 2, 3, 1, 2]


def test_the_stills_are_listed_twice_however_many_tasks_there_are(
    archive: ToolArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, listed = LabelStudioServer.stills, list[int]()
    monkeypatch.setattr(
        LabelStudioServer,
        "stills",
        lambda server, project: listed.append(project) or original(server, project),
    )
    monkeypatch.setattr("al_assets.labelling_push.CHUNK", 1)
    archive.send(1, FRAMES[:4])
    assert archive.sync()["pushed"] == 4
    assert len(listed) == 2


@pytest.mark.parametrize(("moment", "after"), [("find", True), ("create", False), ("create", True)])
def test_two_first_runs_at_a_time_work_in_one_project(
    archive: ToolArchive,
    label_studio: Server,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    after: bool,
) -> None:
    archive.send(1, FRAMES[:2])

    def other_run(*_: object) -> None:
        # It, too, found no note when it looked.
        archive.archive.storage.delete(NOTE)
        archive.sync()

    before_it = {project["id"] for project in label_studio.get("/api/projects", page_size=1000)["results"]}
    done = before(monkeypatch, moment, other_run, after=after)
    archive.sync()
    assert done
    fresh = [
        project
        for project in label_studio.get("/api/projects", page_size=1000)["results"]
        if project["id"] not in before_it
    ]
    assert {project["id"]: project["task_number"] for project in fresh if project["task_number"]} == {
        archive.project: 2
    }
    assert archive.sync()["pushed"] == 0


def test_a_double_that_is_answered_at_the_last_moment_stays(
    archive: ToolArchive,
    sent: list[int],
    label_studio: Server,
    anna: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = label_studio.tasks(archive.project)[1]["data"]
    label_studio.post(f"/api/projects/{archive.project}/import", [{"data": data}])
    done = before(monkeypatch, "remove", lambda task: anna.answer(task, "zero"))
    archive.sync()
    assert done
    assert len(archive.look().project and label_studio.tasks(archive.project)) == 3
    answered = [task["id"] for task in label_studio.tasks(archive.project) if task["total_annotations"]]
    assert len(answered) == 1


def test_a_double_that_somebody_has_begun_to_answer_stays(
    archive: ToolArchive, sent: list[int], label_studio: Server, anna: Person
) -> None:
    data = label_studio.tasks(archive.project)[1]["data"]
    label_studio.post(f"/api/projects/{archive.project}/import", [{"data": data}])
    double = label_studio.tasks(archive.project)[-1]["id"]
    anna.draft(double, "one")
    archive.sync()
    assert [task["id"] for task in label_studio.tasks(archive.project)] == [sent[0], sent[2], double]


def test_while_a_batch_is_made_only_the_newest_one_is_listed(
    archive: ToolArchive, sent: list[int], anna: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for task in sent:
        anna.answer(task, "zero")
    archive.sync()
    archive.learn()
    archive.send(2, FRAMES[3:5])
    archive.sync()
    archive.rows.add("selection_batches", batch_id=3, tasks_uri=None, run_id="run-3")
    original, listed = LabelStudioServer.tasks, list[int]()

    def tasks(server: LabelStudioServer, project: int, first: int) -> Any:
        listed.append(first)
        return original(server, project, first)

    monkeypatch.setattr(LabelStudioServer, "tasks", tasks)
    archive.look()
    assert listed == [2]


def test_answers_whose_export_was_undone_are_counted(
    archive: ToolArchive, sent: list[int], anna: Person
) -> None:
    anna.answer(sent[0], "zero")
    archive.sync()
    archive.learn()
    assert archive.look().answered_there == 0
    archive.archive.labels.undo(1)
    assert archive.look().answered_there == 1
    assert "answered there, open here: 1" in tool_line(archive.archive, archive.tool)
