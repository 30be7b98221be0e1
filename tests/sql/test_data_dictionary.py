"""The data dictionary: made from the schema and the views, and never stale."""

from resources import data_dictionary
from resources.tables import metadata
from resources.views import read_views


def test_the_page_in_the_tree_is_fresh() -> None:
    page = data_dictionary.PATH.read_text(encoding="utf-8")
    assert page == data_dictionary.render(), "stale: run python -m resources.data_dictionary"


def test_the_page_names_every_table_and_view_with_every_column() -> None:
    page = data_dictionary.render()
    for name in [*metadata.tables, *(view.name for view in read_views())]:
        assert f"\n### {name}\n" in page
    columns = {column.name for table in metadata.tables.values() for column in table.columns}
    assert {name for name in columns if f"| `{name}` |" not in page} == set()


def test_a_bar_in_a_meaning_does_not_end_its_cell() -> None:
    assert "separated by \\| |" in data_dictionary.render()
