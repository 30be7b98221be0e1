"""The whole loop on tiny rendered clips, through the production jobs and reconcilers, on every kind of servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from al_assets import jobs
from al_assets.demo.archive import DemoArchive, render_archive
from al_assets.headless import Headless
from resources.environments import read_environment
from support import installations
from support.oracle import drop_answers

SETTINGS = """
task = "multi_label"
[frames]
frames_per_second = 0.5
[selection]
batch_size = 24
evaluation_fraction = 0.25
[drift]
report = false
"""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoArchive]:
    """A folder with twelve rendered clips and the real ones."""
    folder = tmp_path_factory.mktemp("clips")
    return folder, render_archive(folder, seed=5, clips=12)


@pytest.fixture(scope="module", params=installations.KINDS)
def loop(
    request: pytest.FixtureRequest,
    rendered: tuple[Path, DemoArchive],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Headless]:
    """The installation after two rounds, once per kind of database and storage."""
    home = tmp_path_factory.mktemp("loop") / "home"
    home.mkdir()
    (home / "al.toml").write_text(SETTINGS, encoding="utf-8")
    folder, archive = rendered
    with (
        installations.variables(request.param, request) as variables,
        Headless.open(read_environment({"AL_HOME": str(home), **variables}, home.parent)) as headless,
    ):
        storage = headless.archive.storage
        installations.bring(storage, folder)
        keys = headless.take_in_videos()
        headless.ingest(keys[0], keys[-1])
        headless.run(jobs.SELECT)
        for number in (1, 2):
            paths = {video.video_id: video.path for video in headless.archive.videos.all()}
            drop_answers(storage, archive.truth, paths, f"round-{number}.json")
            headless.take_in_exports()
            headless.run(jobs.LEARN)
        yield headless
        headless.archive.database.close()


def test_two_rounds_leave_two_decisions_and_a_serving_model(loop: Headless) -> None:
    decisions = loop.archive.models.decisions()
    assert len(decisions) == 2
    assert decisions["reason"].str.len().min() > 10
    assert loop.archive.models.serving() is not None


def test_every_sampled_frame_has_the_serving_models_scores(loop: Headless) -> None:
    serving = loop.archive.models.serving()
    assert serving is not None
    scored = loop.archive.monitoring.query(
        f"SELECT COUNT(*) AS n FROM frame_scores WHERE checkpoint_id = '{serving.checkpoint_id}'"
    )
    assert scored["n"][0] == loop.archive.frames.count() > 100


def test_every_answer_became_an_annotation(loop: Headless) -> None:
    books = loop.archive.labels.books()
    assert [book[2] for book in books] == [24, 24]
    assert all(rejected == 0 for _, _, _, rejected, *_ in books)


def test_no_frame_is_ever_asked_for_twice_but_for_a_second_opinion(loop: Headless) -> None:
    repeats = loop.archive.monitoring.query(
        "SELECT frame_id FROM selections WHERE arm <> 'second_opinion' GROUP BY frame_id HAVING COUNT(*) > 1"
    )
    assert repeats.empty


def test_training_arms_stay_out_of_hold_out_videos(loop: Headless) -> None:
    arms = loop.archive.monitoring.query(
        "SELECT s.arm, v.split, COUNT(*) AS n FROM selections s JOIN frames f ON f.frame_id = s.frame_id"
        " JOIN videos v ON v.video_id = f.video_id GROUP BY s.arm, v.split"
    )
    found = {(row.arm, row.split) for row in arms.itertuples()}
    assert found
    assert all((arm == "evaluation") == (split != "train") for arm, split in found)


def test_labels_are_reviewed_and_worth_is_told(loop: Headless) -> None:
    newest = loop.archive.models.latest()
    assert newest is not None
    reviewed = loop.archive.monitoring.query(
        f"SELECT COUNT(*) AS n FROM second_opinions WHERE checkpoint_id = '{newest.checkpoint_id}'"
    )
    judged = loop.archive.monitoring.query(
        "SELECT COUNT(DISTINCT l.frame_id) AS n FROM labels l JOIN frames f ON f.frame_id = l.frame_id"
        " JOIN videos v ON v.video_id = f.video_id WHERE v.split = 'train'"
    )
    assert reviewed["n"][0] == judged["n"][0] > 0
    worth = loop.archive.monitoring.view("labelling_worth")
    assert worth["serving"].sum() == 1
    assert worth["advice"].tolist() == ["too_early"] * len(worth)
    assert worth["uncertainty"].between(0, 1).all()
    assert worth["random_frames"].iloc[-1] > 0
    assert worth["random_accuracy"].iloc[-1] in (0, 1) or worth["random_frames"].iloc[-1] > 1
    assert len(loop.archive.monitoring.view("label_errors")) < 10
    arms = loop.archive.monitoring.view("active_against_random")
    assert arms["checkpoint_id"].tolist() == worth["checkpoint_id"].tolist()
    assert arms["verdict"].tolist() == ["too_early"] * len(arms)
    assert arms["labels_each"].iloc[-1] > 0


def test_a_label_is_traced_to_the_batch_that_asked_for_it(loop: Headless) -> None:
    provenance = loop.archive.monitoring.view("label_provenance")
    assert len(provenance) == 48
    assert set(provenance["batch_id"]) == {1, 2}


def test_learning_again_without_news_changes_nothing(loop: Headless) -> None:
    before = loop.archive.monitoring.counts(
        ["annotations", "labels", "checkpoints", "promotions", "predictions"]
    )
    loop.run(jobs.LEARN)
    after = loop.archive.monitoring.counts(
        ["annotations", "labels", "checkpoints", "promotions", "predictions"]
    )
    assert after == before


def test_a_rollback_serves_the_earlier_model_and_history_keeps_both(loop: Headless) -> None:
    archive = loop.archive
    first = archive.models.all()[0]
    archive.models.decide(
        first.checkpoint_id,
        promoted=True,
        reason="rolled back by hand",
        by="hand",
        run_id=None,
        now=archive.now(),
    )
    loop.run(jobs.SCORE)
    serving = archive.models.serving()
    assert serving is not None
    assert serving.checkpoint_id == first.checkpoint_id
    assert archive.models.decisions()["decided_by"].tolist()[-1] == "hand"


def test_a_rollback_stands_until_new_labels_come(loop: Headless) -> None:
    first = loop.archive.models.all()[0]
    loop.run(jobs.LEARN)
    serving = loop.archive.models.serving()
    assert serving is not None
    assert serving.checkpoint_id == first.checkpoint_id


def test_a_learn_without_news_leaves_lineage_as_it_was(loop: Headless) -> None:
    runs = loop.archive.monitoring.query("SELECT run_id, parent_id FROM checkpoints ORDER BY trained_at")
    assert runs["run_id"].nunique() == 2
    assert runs["parent_id"].tolist()[1] == loop.archive.models.all()[0].checkpoint_id


def test_an_export_taken_back_leaves_no_label_and_its_history(loop: Headless) -> None:
    archive = loop.archive
    before = archive.labels.totals()["labelled_frames"]
    assert archive.labels.undo(2) == 24
    loop.run(jobs.LEARN)
    assert archive.labels.totals()["labelled_frames"] < before
    assert archive.monitoring.counts(["annotations"])["annotations"] == 48
    assert [export.status for export in archive.labels.exports()] == ["imported", "undone"]
