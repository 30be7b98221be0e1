"""A real Label Studio: tasks go there once, with all they need, and come back as answers."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from al_assets.labelling.note import NOTE
from al_assets.labelling.project import MODEL_VERSION, choices_of
from resources.labelling_tool_errors import LabellingToolError
from support.imports import FRAMES
from support.label_studio import Person, Server
from support.small_archives import empty_archive
from support.tool_archives import ToolArchive, frames_of, picture


@pytest.fixture
def archive(connected: ToolArchive) -> ToolArchive:
    return connected


def test_a_batch_becomes_a_project_whose_choices_are_the_classes(
    archive: ToolArchive, label_studio: Server
) -> None:
    archive.send(1, FRAMES[:3])
    assert archive.sync()["pushed"] == 3
    project = label_studio.get(f"/api/projects/{archive.project}")
    assert project["title"] == "active learning"
    assert choices_of(project["label_config"]).names == ("zero", "one", "nobody", "cannot tell")
    assert frames_of(label_studio, archive) == FRAMES[:3]


def test_a_task_brings_its_still_its_ids_and_the_models_suggestion(
    archive: ToolArchive, sent: list[int], label_studio: Server, anna: Person
) -> None:
    task = label_studio.tasks(archive.project)[0]
    assert (task["data"]["batch_id"], task["data"]["checkpoint_id"]) == (1, "ckpt-1")
    assert anna.see(task["data"]["image"]).content == picture(FRAMES[0])
    (prediction,) = task["predictions"]
    assert prediction["result"][0]["value"] == {"choices": ["zero"]}
    assert (prediction["model_version"], prediction["score"]) == (MODEL_VERSION, 0.9)
    # The suggestion that Label Studio fills in is of this version only.
    assert label_studio.get(f"/api/projects/{archive.project}")["model_version"] == MODEL_VERSION


def test_a_link_to_a_file_is_not_shown_as_one(
    archive: ToolArchive, sent: list[int], label_studio: Server
) -> None:
    data = label_studio.tasks(archive.project)[0]["data"]
    assert (data["clip"], data["clip_link"]) == (None, "v1 at 0:00.000")


def test_a_blind_batch_and_the_evaluation_arm_bring_no_suggestion(
    archive: ToolArchive, label_studio: Server
) -> None:
    archive.send(1, FRAMES[:1], blind=True)
    archive.send(2, FRAMES[1:2], arm="evaluation")
    archive.sync()
    assert [task["predictions"] for task in label_studio.tasks(archive.project)] == [[], []]


def test_where_stills_have_an_address_of_their_own_none_is_sent(tmp_path: Path, label_studio: Server) -> None:
    archive = ToolArchive(empty_archive(tmp_path), label_studio.resource(), stills_url="https://stills/")
    archive.send(1, FRAMES[:1])
    archive.sync()
    assert label_studio.tasks(archive.project)[0]["data"]["image"] == archive.archive.storage.uri(
        "stills/v1/00000000.jpg"
    )
    assert label_studio.get(f"/api/projects/{archive.project}/file-uploads", all="true") == []


def test_a_second_run_adds_nothing(archive: ToolArchive, sent: list[int], label_studio: Server) -> None:
    assert archive.sync()["pushed"] == 0
    assert [task["id"] for task in label_studio.tasks(archive.project)] == sent


def test_a_frame_that_was_answered_elsewhere_is_not_asked_about_again(
    archive: ToolArchive, label_studio: Server
) -> None:
    archive.csv("by-hand.csv", (0, "zero"))
    archive.learn()
    archive.send(1, FRAMES[:3])
    archive.sync()
    assert frames_of(label_studio, archive) == FRAMES[1:3]


def test_what_people_say_comes_back_as_labels(
    archive: ToolArchive, sent: list[int], anna: Person, bert: Person
) -> None:
    anna.answer(sent[0], "zero", "one")
    bert.answer(sent[1], "nobody")
    anna.answer(sent[2], skip=True)
    done = archive.sync()
    assert (done["fetched"], done["news"]) == (3, True)
    assert archive.learn() == 1
    assert archive.labels() == {0: {"zero", "one"}, 1: set()}
    said = archive.rows.query("SELECT frame_id, annotator, outcome FROM annotations ORDER BY frame_id")
    outcomes = [("labelled", anna), ("nobody", bert), ("cannot_tell", anna)]
    assert said == [
        (frame, who.email, outcome) for frame, (outcome, who) in zip(FRAMES, outcomes, strict=False)
    ]
    assert archive.ledger() == [("imported", 3, 0)]


def test_fetching_again_brings_nothing_new(archive: ToolArchive, sent: list[int], anna: Person) -> None:
    for task in sent:
        anna.answer(task, "zero")
    archive.sync()
    archive.learn()
    assert "fetched" not in archive.sync()
    assert archive.learn() == 0


def test_a_lost_memory_of_the_last_fetch_changes_no_byte(
    archive: ToolArchive, sent: list[int], anna: Person
) -> None:
    anna.answer(sent[0], "zero")
    archive.sync()
    storage = archive.archive.storage
    before = storage.list("label_exports/")
    note = storage.read(NOTE).decode()
    storage.write(NOTE, (note[: note.index('"fetched"')] + '"fetched": null}').encode())
    assert archive.sync()["news"] is False
    assert storage.list("label_exports/") == before


def test_a_corrected_answer_supersedes_and_a_draft_says_nothing(
    archive: ToolArchive, sent: list[int], anna: Person, bert: Person
) -> None:
    first = anna.answer(sent[0], "zero")
    bert.draft(sent[1], "one")
    archive.sync()
    archive.learn()
    assert archive.labels() == {0: {"zero"}}
    anna.change(first, "one")
    archive.sync()
    archive.learn()
    assert archive.labels() == {0: {"one"}}


def test_two_people_who_answer_one_task_are_two_opinions(
    archive: ToolArchive, sent: list[int], anna: Person, bert: Person
) -> None:
    anna.answer(sent[0], "zero")
    bert.answer(sent[0], "zero", "one")
    archive.sync()
    archive.learn()
    assert archive.rows.query("SELECT COUNT(DISTINCT annotator) FROM annotations") == [(2,)]


def test_a_new_class_becomes_a_choice(archive: ToolArchive, sent: list[int], label_studio: Server) -> None:
    archive.rows.add("classes", class_id=1, name="two", aliases="[]", active=1)
    assert not archive.look().can_answer
    archive.sync()
    assert archive.look().can_answer
    config = label_studio.get(f"/api/projects/{archive.project}")["label_config"]
    assert set(choices_of(config).names) == {"zero", "one", "two", "nobody", "cannot tell"}


def test_a_class_that_answers_use_stays_a_choice_while_new_ones_come(
    archive: ToolArchive,
    sent: list[int],
    label_studio: Server,
    anna: Person,
    caplog: pytest.LogCaptureFixture,
) -> None:
    anna.answer(sent[0], "zero")
    archive.settings = archive.settings.model_validate(
        {**archive.settings.model_dump(), "classes": {"names": ["one", "two"]}}
    )
    with caplog.at_level(logging.WARNING):
        archive.sync()
    assert "choices that are no classes any more stay, since answers use them" in caplog.text
    config = label_studio.get(f"/api/projects/{archive.project}")["label_config"]
    assert set(choices_of(config).names) == {"zero", "one", "two", "nobody", "cannot tell"}


def test_an_owners_own_configuration_stays_while_its_choices_are_right(
    archive: ToolArchive, sent: list[int], label_studio: Server
) -> None:
    project = f"/api/projects/{archive.project}"
    own = label_studio.get(project)["label_config"].replace('value="zero"', 'value="zero" hotkey="z"')
    with label_studio.owner() as owner:
        owner.patch(project, json={"label_config": own, "title": "herons"}).raise_for_status()
    archive.sync()
    assert 'hotkey="z"' in label_studio.get(project)["label_config"]


def test_a_task_that_is_there_twice_is_there_once_after_a_run(
    archive: ToolArchive, sent: list[int], label_studio: Server, anna: Person
) -> None:
    data = label_studio.tasks(archive.project)[1]["data"]
    label_studio.post(f"/api/projects/{archive.project}/import", [{"data": data}, {"data": data}])
    later = label_studio.tasks(archive.project)[-1]["id"]
    anna.answer(later, "zero")
    archive.sync()
    # The answered one stays, though it is not the oldest.
    assert [task["id"] for task in label_studio.tasks(archive.project)] == [sent[0], sent[2], later]


def test_a_deleted_project_is_made_anew_with_the_tasks_that_are_open(
    archive: ToolArchive, sent: list[int], label_studio: Server, anna: Person
) -> None:
    anna.answer(sent[0], "zero")
    archive.sync()
    archive.learn()
    gone = archive.project
    label_studio.delete(f"/api/projects/{gone}")
    assert archive.sync()["pushed"] == 2
    assert archive.project != gone
    assert frames_of(label_studio, archive) == FRAMES[1:3]
    assert archive.labels() == {0: {"zero"}}


def test_a_run_killed_after_it_made_the_project_is_taken_up_by_the_next(
    archive: ToolArchive, label_studio: Server
) -> None:
    archive.send(1, FRAMES[:2])
    archive.sync()
    note = archive.archive.storage.read(NOTE).decode()
    forgotten = note.replace(f'"project": {archive.project}', '"project": null')
    number = archive.project
    archive.archive.storage.write(NOTE, forgotten.encode())
    assert archive.sync()["pushed"] == 0
    assert archive.project == number


def test_two_archives_on_one_server_have_a_project_each(
    tmp_path: Path, archive: ToolArchive, sent: list[int], label_studio: Server
) -> None:
    (tmp_path / "other").mkdir()
    other = ToolArchive(empty_archive(tmp_path / "other"), label_studio.resource())
    other.send(1, FRAMES[3:5])
    other.sync()
    assert other.project != archive.project
    assert frames_of(label_studio, other) == FRAMES[3:5]


def test_a_project_that_is_not_ours_is_left_alone(
    archive: ToolArchive, sent: list[int], label_studio: Server
) -> None:
    with label_studio.owner() as owner:
        owner.patch(f"/api/projects/{archive.project}", json={"description": "mine"}).raise_for_status()
    with pytest.raises(LabellingToolError, match=r'put "archive .*" back into its description'):
        archive.sync()


def test_a_second_opinion_is_asked_for_though_the_frame_is_judged(
    archive: ToolArchive, label_studio: Server
) -> None:
    archive.csv("by-hand.csv", (0, "zero"))
    archive.learn()
    archive.send(1, FRAMES[:2])
    later = archive.archive.now()
    archive.send(2, FRAMES[:1], arm="second_opinion", created_at=later)
    archive.sync()
    tasks = [(t["data"]["batch_id"], t["data"]["frame_id"]) for t in label_studio.tasks(archive.project)]
    assert tasks == [(1, FRAMES[1]), (2, FRAMES[0])]
