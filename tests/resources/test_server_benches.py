"""Benches on a server: they measure there and leave nothing behind."""

import sqlalchemy as sa

from resources.database import Database
from resources.design_bench import measure_design
from resources.tables import metadata
from resources.views_bench import measure_views


def left_behind(database: Database) -> tuple[set[str], list[str]]:
    """Tables that are not the platform's, and schemas of benches."""
    inspector = sa.inspect(database.engine)
    schemas = [name for name in inspector.get_schema_names() if name.startswith("al_bench")]
    return set(inspector.get_table_names()) - set(metadata.tables), schemas


def test_the_design_is_measured_in_tables_that_are_dropped(postgresql_database: Database) -> None:
    ratios = measure_design(500, postgresql_database.url)["ratios"]
    assert {
        "postgresql_margin_vs_plain_write_seconds",
        "postgresql_brin_vs_plain_range_seconds",
        "postgresql_toasted_vs_plain_vectors_mib",
    } <= set(ratios)
    assert left_behind(postgresql_database) == (set(), [])


def test_the_views_are_measured_in_a_schema_that_is_dropped(postgresql_database: Database) -> None:
    found = measure_views(2_000, postgresql_database.url)
    assert found["ratios"]["postgresql_co_occurrence_vs_plain_join"] > 0
    rows = {name: found["measured"][f"{name}_co_occurrence_rows"] for name in ("sqlite", "postgresql")}
    assert rows["sqlite"] == rows["postgresql"] > 0
    assert left_behind(postgresql_database) == (set(), [])
