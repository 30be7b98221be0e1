"""Wrong labels and divided annotators through the real jobs: listed, asked about again, blind, and then settled."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from al_assets import jobs
from al_assets.headless import Headless
from resources.environments import read_environment
from support.digit_stills import write_stills

SETTINGS = """
task = "single_label"
[selection]
batch_size = 16
random_fraction = 0.0
second_opinion_fraction = 1.0
evaluation_fraction = 0.0
[promotion]
metric = "accuracy"
[drift]
report = false
"""
WRONG, DIVIDED = 5, 4
DIGITS = ("digit 0", "digit 1", "digit 2", "digit 3")


class Reviewed:
    """An installation whose frames are all labelled, some wrongly, some by two who do not agree."""

    def __init__(self, headless: Headless) -> None:
        self.headless = headless
        self.archive = headless.archive
        truth = write_stills(self.archive.storage)
        keys = headless.take_in_videos()
        headless.ingest(keys[0], keys[-1])
        stills = self.query(
            "SELECT f.frame_id, f.image_path, v.split FROM frames f JOIN videos v ON v.video_id = f.video_id"
        )
        self.truth = {row["frame_id"]: truth[row["image_path"]] for row in stills}
        train = sorted(row["frame_id"] for row in stills if row["split"] == "train")
        self.wrong, self.divided = train[4:60:12][:WRONG], train[1 : 4 * DIVIDED : 4]
        self.drop(
            "anna", {key: self.other(key) if key in self.wrong else name for key, name in self.truth.items()}
        )
        self.drop(
            "ben", {key: self.truth[key] for key in train[60:70]} | {k: self.other(k) for k in self.divided}
        )
        headless.run(jobs.LEARN)

    def other(self, key: int) -> str:
        return DIGITS[(DIGITS.index(self.truth[key]) + 1) % 4]

    def query(self, statement: str) -> list[dict[str, Any]]:
        return self.archive.monitoring.query(statement).to_dict("records")

    def drop(self, annotator: str, answers: dict[int, str]) -> None:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["frame_id", "label", "annotator"])
        writer.writerows((key, name, annotator) for key, name in answers.items())
        self.archive.storage.write(f"label_exports/{annotator}.csv", text.getvalue().encode())
        self.headless.take_in_exports()

    def asked(self) -> list[int]:
        rows = self.query(
            "SELECT frame_id FROM selections WHERE arm = 'second_opinion' ORDER BY batch_id, rank"
        )
        return [row["frame_id"] for row in rows]


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reviewed]:
    home = tmp_path_factory.mktemp("reviewed") / "home"
    home.mkdir()
    (home / "al.toml").write_text(SETTINGS, encoding="utf-8")
    with Headless.open(read_environment({"AL_HOME": str(home)}, home.parent)) as headless:
        yield Reviewed(headless)
        headless.archive.database.close()


def test_wrong_labels_are_listed_with_what_they_look_like(reviewed: Reviewed) -> None:
    errors = reviewed.query("SELECT * FROM label_errors ORDER BY quality")
    found = {row["frame_id"] for row in errors} & set(reviewed.wrong)
    assert found
    assert len(errors) <= 6
    for row in errors:
        if row["frame_id"] in found:
            assert row["suggested_class_name"] == reviewed.truth[row["frame_id"]]
            assert (row["present"], row["annotator"], row["export_uri"]) == (
                1,
                "anna",
                "label_exports/anna.csv",
            )


def test_the_dagster_ui_says_how_many_labels_look_wrong(reviewed: Reviewed) -> None:
    key = dg.AssetCheckKey(dg.AssetKey("label_review"), "no_label_looks_wrong")
    (record,) = reviewed.headless.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert record.event is not None
    evaluation = record.event.dagster_event.asset_check_evaluation_data  # type: ignore[union-attr]
    (counted,) = reviewed.query("SELECT COUNT(*) AS n FROM implausible_labels")
    assert not evaluation.passed
    assert evaluation.description.startswith(f"{counted['n']} labels look wrong")


def test_labels_stay_as_people_gave_them(reviewed: Reviewed) -> None:
    stand = reviewed.query("SELECT frame_id, class_name FROM human_labels WHERE present = 1")
    said = {row["frame_id"]: row["class_name"] for row in stand}
    assert all(said[key] == reviewed.other(key) for key in reviewed.wrong)
    assert not set(reviewed.divided) & set(said)  # one against one is no knowledge


def test_the_batch_asks_again_about_divided_frames_without_the_models_opinion(reviewed: Reviewed) -> None:
    asked = reviewed.asked()
    assert 5 <= len(asked) <= 16
    assert set(reviewed.divided) <= set(asked)
    assert set(asked) & set(reviewed.wrong)
    batch = reviewed.archive.selection.latest_batch()
    assert batch is not None
    tasks = json.loads(reviewed.archive.storage.read(f"{batch['tasks_uri']}/label_studio.json"))
    assert {task["data"]["frame_id"] for task in tasks} == set(asked)
    assert not any("predictions" in task for task in tasks)
    assert reviewed.archive.selection.open_tasks() == len(asked)


def test_a_third_opinion_settles_it_and_nobody_is_asked_a_third_time(reviewed: Reviewed) -> None:
    before = reviewed.asked()
    reviewed.drop("cleo", {key: reviewed.truth[key] for key in before})
    reviewed.headless.run(jobs.LEARN)
    assert not set(reviewed.asked()[len(before) :]) & set(before)
    stand = reviewed.query("SELECT frame_id, class_name FROM human_labels WHERE present = 1")
    said = {row["frame_id"]: row["class_name"] for row in stand}
    assert all(said[key] == reviewed.truth[key] for key in reviewed.divided)
    provenance = reviewed.query("SELECT arm, frame_id FROM label_provenance WHERE annotator = 'cleo'")
    assert {row["arm"] for row in provenance} == {"second_opinion"}
    assert reviewed.archive.selection.open_tasks() == len(reviewed.asked()[len(before) :])


def test_reviews_are_kept_of_the_newest_model_and_the_one_that_serves(reviewed: Reviewed) -> None:
    models = reviewed.archive.models
    newest, serving = models.latest(), models.serving()
    assert newest is not None
    assert serving is not None
    assert set(reviewed.archive.reviews.reviewed()) == {newest.checkpoint_id, serving.checkpoint_id}


def test_retired_videos_take_their_reviews_along_and_learning_goes_on_without_them(
    reviewed: Reviewed,
) -> None:
    for row in reviewed.query("SELECT video_id FROM videos WHERE split = 'train'"):
        reviewed.archive.videos.retire(row["video_id"])
    assert reviewed.query("SELECT frame_id FROM label_errors WHERE split = 'train'") == []
    left = reviewed.query(
        "SELECT frame_id FROM second_opinions WHERE frame_id NOT IN (SELECT frame_id FROM frames)"
    )
    assert left == []
    reviewed.drop("dora", {key: name for key, name in list(reviewed.truth.items())[:1]})
    reviewed.headless.run(jobs.LEARN)
