"""The asset on real tables: a partition a strategy, and a summary of those that stand."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
import sqlalchemy as sa

from al_assets.keys import frame_id
from al_assets.settings import parse_settings
from al_assets.simulation.assets import STRATEGY, simulation
from resources.archive import Archive
from resources.tables import labels
from support.labelled_digits import digit_archive

SETTINGS = parse_settings({"task": "multi_label"})


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    found = digit_archive(tmp_path, SETTINGS)
    yield found
    found.database.close()


def materialize(archive: Archive, strategy: str) -> dict[str, dg.MetadataValue]:
    config = {"ops": {"simulation": {"config": {"rounds": 2, "per_round": 12, "seeds": 2}}}}
    result = dg.materialize(
        [simulation],
        resources={"archive": archive, "settings": SETTINGS},
        partition_key=strategy,
        run_config=config,
    )
    return dict(result.asset_materializations_for_node("simulation")[0].metadata)


def curves(archive: Archive) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(archive.storage.read("reports/simulation/curves.csv")))


def test_each_partition_writes_its_own_curve_and_a_summary_of_those_that_stand(archive: Archive) -> None:
    materialize(archive, "margin")
    alone = curves(archive)
    assert alone["strategy"].unique().tolist() == ["margin"]
    assert alone["labels"].tolist() == [12, 24] * 2
    metadata = materialize(archive, "random")
    assert metadata["strategies"].value == "random, margin"
    both = curves(archive)
    margin = both[both["strategy"] == "margin"].reset_index(drop=True)
    assert margin["picks"].tolist() == alone["picks"].tolist()
    summary = json.loads(archive.storage.read("reports/simulation/summary.json"))
    assert "difference_to_random" in summary["strategies"]["margin"]
    assert (summary["data"]["pool_rows"], summary["data"]["test_rows"]) == (72, 24)


def test_curves_on_labels_that_stand_no_more_are_left_out_of_the_summary(archive: Archive) -> None:
    materialize(archive, "margin")
    with archive.database.write() as connection:
        connection.execute(sa.delete(labels).where(labels.c.frame_id == frame_id(2, 0)))
    materialize(archive, "random")
    assert curves(archive)["strategy"].unique().tolist() == ["random"]
    assert archive.storage.exists("reports/simulation/margin.csv")


def test_every_strategy_but_those_that_want_examples_is_a_partition() -> None:
    keys = set(STRATEGY.get_partition_keys())
    assert {"random", "random_per_clip", "auto", "margin"} <= keys
    assert "similarity" not in keys
