"""What an asset's page in the Dagster UI says before a run, and what a run adds to it."""

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from al_assets.asset_pages import HELD_TABLES, own_table
from al_assets.column_lineage import LINEAGE
from al_assets.definitions import ASSETS, build_defs
from al_assets.settings import Settings, SettingsError, parse_settings
from resources.database import Database
from resources.environments import read_environment
from resources.migrations import upgrade
from resources.sql_io_manager import SqlIOManager
from resources.tables import metadata

Specs = dict[str, dg.AssetSpec]


def specs_of(home: Path, **sections: object) -> Specs:
    settings = parse_settings(dict(sections)) if sections else Settings()
    definitions = build_defs(read_environment({"AL_HOME": str(home)}, home), settings)
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> Specs:
    return specs_of(tmp_path_factory.mktemp("home"))


def table_of(asset: str) -> str:
    found = {
        spec.key.to_user_string(): own_table(spec)
        for each in ASSETS
        for spec in (each.specs if isinstance(each, dg.AssetsDefinition) else [each])
    }
    return str(found[asset])


def test_every_asset_with_a_table_shows_its_columns_before_the_first_run(specs: Specs) -> None:
    for name in HELD_TABLES:
        shown = specs[name].metadata["dagster/column_schema"]
        table = metadata.tables[specs[name].metadata["dagster/table_name"]]
        told = {column.name: column.description or "" for column in shown.columns}
        assert list(told) == list(table.columns.keys())
        assert [
            column for column in told if not told[column].startswith(str(table.columns[column].comment))
        ] == []


def test_a_column_says_what_it_is_made_from(specs: Specs) -> None:
    columns = {c.name: c.description for c in specs["predictions"].metadata["dagster/column_schema"].columns}
    assert columns["confidence"] == "its probability (from embeddings.vector, checkpoint.uri)"


def test_an_asset_of_several_tables_names_them_all(specs: Specs) -> None:
    for name, tables in ((name, held) for name, held in HELD_TABLES.items() if len(held) > 1):
        told = specs[name].metadata["tables"].value
        assert [table for table in tables if f"`{table}`: {metadata.tables[table].comment}" not in told] == []


@pytest.mark.parametrize("asset", LINEAGE)
def test_column_lineage_names_columns_that_exist(asset: str) -> None:
    ends = [(asset, column) for column in LINEAGE[asset]]
    ends += [tuple(source.split(".")) for sources in LINEAGE[asset].values() for source in sources]  # type: ignore[misc]
    assert [end for end in ends if end[1] not in metadata.tables[table_of(end[0])].columns] == []


def test_column_lineage_runs_one_way() -> None:
    above = {
        asset: {source.split(".")[0] for sources in columns.values() for source in sources}
        for asset, columns in LINEAGE.items()
    }
    done: set[str] = set()
    while ready := {asset for asset, sources in above.items() if sources & above.keys() <= done} - done:
        done |= ready
    assert done == above.keys()


def test_a_run_repeats_the_lineage_for_the_ui(tmp_path: Path) -> None:
    lineage = dg.TableColumnLineage({"name": [dg.TableColumnDep("label_exports", "uri")]})

    @dg.asset(metadata={"dagster/table_name": "classes", "dagster/column_lineage": lineage})
    def classes() -> pd.DataFrame:
        row = {"class_id": 1, "name": "zero", "aliases": "[]", "active": 1, "merged_into": None}
        return pd.DataFrame([{**row, "created_at": pd.Timestamp("2026-01-01")}])

    database = Database(url=f"sqlite:///{tmp_path / 'al.db'}")
    upgrade(database)
    result = dg.materialize([classes], resources={"io_manager": SqlIOManager(database=database)})
    (event,) = result.asset_materializations_for_node("classes")
    assert event.metadata["dagster/column_lineage"].value == lineage
    database.close()


def test_every_table_of_the_loop_grows_old_and_nothing_else_does(specs: Specs) -> None:
    aged = {name for name, spec in specs.items() if spec.freshness_policy is not None}
    assert set(HELD_TABLES) - aged == set()
    assert aged & {"videos", "label_exports", "simulation", "labelling_project", "similarity_index"} == set()


def test_the_owner_says_how_old_a_table_may_be(tmp_path: Path) -> None:
    policy = specs_of(tmp_path, freshness={"warn_days": 2, "fail_days": 5})["labels"].freshness_policy
    assert policy == dg.FreshnessPolicy.time_window(timedelta(days=5), timedelta(days=2))
    only = specs_of(tmp_path, freshness={"warn_days": 0, "fail_days": 5})["labels"].freshness_policy
    assert only == dg.FreshnessPolicy.time_window(timedelta(days=5))
    none = specs_of(tmp_path, freshness={"fail_days": 0})
    assert {spec.freshness_policy for spec in none.values()} == {None}


def test_a_warning_after_the_failure_is_refused() -> None:
    with pytest.raises(SettingsError, match="warn_days should be smaller than fail_days"):
        parse_settings({"freshness": {"warn_days": 90, "fail_days": 90}})


def test_owners_are_on_every_asset_or_on_none(tmp_path: Path, specs: Specs) -> None:
    assert {tuple(spec.owners) for spec in specs.values()} == {()}
    names = ["team:archive", "mia@example.org"]
    assert {tuple(s.owners) for s in specs_of(tmp_path, archive={"owners": names}).values()} == {tuple(names)}


def test_an_owner_that_dagster_would_refuse_is_named() -> None:
    with pytest.raises(SettingsError, match=r'owners.*should be a mail address or "team:NAME"'):
        parse_settings({"archive": {"owners": ["Mia"]}})
