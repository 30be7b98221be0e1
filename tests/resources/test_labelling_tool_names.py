"""A real Label Studio: names of classes and of people stay what they are, whoever changes them meanwhile."""

from __future__ import annotations

import pytest

from al_assets.labelling.project import choices_of
from resources.labelling_server import LabelStudioServer
from resources.labelling_tool_errors import LabellingToolError
from support.imports import FRAMES
from support.label_studio import Person, Server
from support.tool_archives import ToolArchive


@pytest.fixture
def archive(connected: ToolArchive) -> ToolArchive:
    return connected


def suggested(label_studio: Server, archive: ToolArchive) -> list[list[str]]:
    return [
        prediction["result"][0]["value"]["choices"]
        for task in label_studio.tasks(archive.project)
        for prediction in task["predictions"]
    ]


def test_a_person_whose_e_mail_becomes_known_later_stays_one_annotator(
    archive: ToolArchive, sent: list[int], anna: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna.answer(sent[0], "zero")
    with monkeypatch.context() as unknown:
        unknown.setattr(LabelStudioServer, "people", lambda server: {})
        archive.sync()
    archive.learn()
    anna.answer(sent[1], "one")
    archive.sync()
    archive.learn()
    assert archive.rows.query("SELECT COUNT(*), COUNT(DISTINCT annotator) FROM annotations") == [(2, 1)]


def test_a_class_changed_since_the_tasks_were_written_is_suggested_by_its_name_now(
    archive: ToolArchive, label_studio: Server
) -> None:
    classes, now = archive.archive.classes, archive.archive.now()
    archive.send(1, FRAMES[:1])
    archive.archive.labels.sync_classes(["zero", "one"], {}, now)
    archive.settings = archive.settings.model_validate(
        {**archive.settings.model_dump(), "classes": {"names": []}}
    )
    classes.rename("zero", "heron", now)
    archive.sync()
    assert suggested(label_studio, archive) == [["heron"]]
    archive.send(2, FRAMES[1:2])
    classes.merge("heron", "one", now)
    archive.sync()
    assert suggested(label_studio, archive) == [["heron"], ["one"]]
    archive.send(3, FRAMES[2:3])
    classes.separate("heron", now)
    classes.split("heron", ["two", "three"], now)
    archive.sync()
    assert suggested(label_studio, archive) == [["heron"], ["one"]]
    assert len(label_studio.tasks(archive.project)) == 3


OWN = (
    '<View><Header value="birds"/><Image name="image" value="$image"/>'
    '<Choices name="animal" toName="image"><Choice value="duck" hotkey="d"/></Choices>{}</View>'
)


def own_view(label_studio: Server, archive: ToolArchive, more: str = "") -> None:
    archive.sync()
    with label_studio.owner() as owner:
        view = {"label_config": OWN.format(more)}
        owner.patch(f"/api/projects/{archive.project}", json=view).raise_for_status()


def test_our_question_joins_an_owners_own_view(archive: ToolArchive, label_studio: Server) -> None:
    own_view(label_studio, archive)
    archive.send(1, FRAMES[:1])
    assert archive.sync()["pushed"] == 1
    config = label_studio.get(f"/api/projects/{archive.project}")["label_config"]
    assert set(choices_of(config).names) == {"zero", "one", "nobody", "cannot tell"}
    assert 'name="animal"' in config
    assert 'hotkey="d"' in config
    assert archive.look().can_answer


def test_where_it_has_no_place_the_view_stays_and_the_rest_goes_on(
    archive: ToolArchive, label_studio: Server
) -> None:
    own_view(label_studio, archive, '<TextArea name="answer" toName="image"/>')
    archive.send(1, FRAMES[:1])
    with pytest.raises(LabellingToolError, match="has no place for our question"):
        archive.sync()
    assert "TextArea" in label_studio.get(f"/api/projects/{archive.project}")["label_config"]


def test_a_judgement_that_was_retracted_stays_so_when_answers_are_fetched_again(
    archive: ToolArchive, sent: list[int], anna: Person
) -> None:
    from al_assets.retraction import Retraction, retract

    anna.answer(sent[0], "zero")
    archive.sync()
    archive.learn()
    retract(archive.archive, Retraction(annotator=anna.email))
    archive.learn()
    assert archive.labels() == {}
    anna.answer(sent[1], "one")
    archive.sync()
    archive.learn()
    assert archive.labels() == {1: {"one"}}


def test_an_answer_deleted_in_the_project_stands_here(
    archive: ToolArchive, sent: list[int], anna: Person, label_studio: Server
) -> None:
    answer = anna.answer(sent[0], "zero")
    anna.answer(sent[1], "one")
    archive.sync()
    archive.learn()
    label_studio.delete(f"/api/annotations/{answer}/")
    archive.sync()
    archive.learn()
    assert archive.labels() == {0: {"zero"}, 1: {"one"}}
