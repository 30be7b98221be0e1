"""The loop with one class a frame, on folders of stills, answered with plain CSV: the other half of the formats."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest

from al_assets import jobs
from al_assets.headless import Headless
from resources.environments import read_environment
from support import installations
from support.digit_stills import FOLDERS, STILLS, write_stills

SETTINGS = """
task = "single_label"
[classes]
names = ["digit 0"]
[selection]
batch_size = 30
evaluation_fraction = 0.3
minimum_gap_seconds = 0.0
[promotion]
metric = "accuracy"
[drift]
report = false
"""


def answer(headless: Headless, truth: dict[str, str]) -> str:
    """The newest batch's CSV, filled in."""
    batch = headless.archive.selection.latest_batch()
    assert batch is not None
    text = headless.archive.storage.read(f"{batch['tasks_uri']}/tasks.csv").decode()
    images = headless.archive.monitoring.query("SELECT frame_id, image_path FROM frames")
    path_of = dict(zip(images["frame_id"], images["image_path"], strict=True))
    rows = list(csv.DictReader(io.StringIO(text)))
    for row in rows:
        row["label"] = truth[path_of[int(row["frame_id"])]]
        row["annotator"] = "an expert"
    filled = io.StringIO()
    writer = csv.DictWriter(filled, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return filled.getvalue()


@pytest.fixture(scope="module", params=installations.KINDS)
def loop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headless]:
    """The installation after two rounds, once per kind of database and storage."""
    home = tmp_path_factory.mktemp("single") / "home"
    home.mkdir()
    (home / "al.toml").write_text(SETTINGS, encoding="utf-8")
    with (
        installations.variables(request.param, request) as variables,
        Headless.open(read_environment({"AL_HOME": str(home), **variables}, home.parent)) as headless,
    ):
        truth = write_stills(headless.archive.storage)
        keys = headless.take_in_videos()
        headless.ingest(keys[0], keys[-1])
        headless.run(jobs.SELECT)
        for number in (1, 2):
            answers = answer(headless, truth).encode()
            headless.archive.storage.write(f"label_exports/round-{number}.csv", answers)
            headless.take_in_exports()
            headless.run(jobs.LEARN)
        yield headless
        headless.archive.database.close()


def test_every_still_is_a_frame_of_its_folder(loop: Headless) -> None:
    assert loop.archive.videos.by_status() == {"indexed": FOLDERS}
    assert loop.archive.frames.count() == FOLDERS * STILLS


def test_the_first_batch_offers_the_classes_of_the_settings(loop: Headless) -> None:
    config = loop.archive.storage.read("labelling_tasks/batch-00001/label_studio.xml").decode()
    assert '<Choice value="digit 0"/>' in config


def test_every_row_of_the_csv_became_a_label(loop: Headless) -> None:
    assert [book[2:4] for book in loop.archive.labels.books()] == [(30, 0), (30, 0)]


def test_the_model_beats_guessing_on_the_hold_out(loop: Headless) -> None:
    serving = loop.archive.models.serving()
    assert serving is not None
    assert serving.task == "single_label"
    accuracy, support = loop.archive.models.metric(serving.checkpoint_id, "accuracy")
    assert support >= 10
    assert accuracy is not None
    assert accuracy > 0.5  # four classes: guessing gives a quarter


def test_every_frame_has_exactly_one_predicted_class(loop: Headless) -> None:
    counts = loop.archive.monitoring.query(
        "SELECT frame_id, COUNT(*) AS n FROM current_predictions GROUP BY frame_id"
    )
    assert len(counts) == FOLDERS * STILLS
    assert set(counts["n"]) == {1}
