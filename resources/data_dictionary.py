"""The data dictionary: tables.py and the headers of sql/views as one readable page. No database is asked.

`python -m resources.data_dictionary` writes sql/DATA_DICTIONARY.md anew; a test refuses a stale one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from resources.tables import metadata
from resources.views import SQL, View, read_views

PATH = SQL / "DATA_DICTIONARY.md"

_PREFACE = """\
# Data dictionary

Made from `resources/tables.py` and `sql/views/` by `python -m resources.data_dictionary`; do not edit.

Analysts read the **views**: they name classes, resolve merged ones, and keep their columns. The **tables** below
them may change with any release. Times are UTC, without zone, and end in `_at`; durations and sizes carry their unit.
`frame_id` is `video_no * 16777216 + frame_index`. Types are PostgreSQL's; SQLite and SQL Server use their nearest.
"""


def render() -> str:
    """The whole page, Markdown."""
    return "\n".join(_page()) + "\n"


def write() -> None:
    """Write the page to where it is kept."""
    PATH.write_text(render(), encoding="utf-8")


def _page() -> Iterator[str]:
    views = sorted(read_views(), key=lambda view: view.name)
    tables = [metadata.tables[name] for name in sorted(metadata.tables)]
    yield _PREFACE
    yield "## Views\n"
    yield from _table(("view", "grain"), ((f"[{v.name}](#{v.name})", v.grain) for v in views))
    for view in views:
        yield from _view(view)
    yield "## Tables\n"
    yield from _table(
        ("table", "what it holds"), ((f"[{t.name}](#{t.name})", t.comment or "") for t in tables)
    )
    for table in tables:
        yield from _columns(table)


def _view(view: View) -> Iterator[str]:
    yield f"### {view.name}\n"
    yield f"{view.purpose}\n"
    yield f"**Grain:** {view.grain}\n"
    yield from _table(("column", "meaning"), ((f"`{name}`", text) for name, text in view.columns.items()))
    if view.notes:
        yield f"{view.notes}\n"
    yield f"{view.example_title[:1].upper()}{view.example_title[1:]}:\n"
    yield f"```sql\n{view.example}\n```\n"


def _columns(table: sa.Table) -> Iterator[str]:
    yield f"### {table.name}\n"
    yield f"{table.comment}\n"
    dialect = postgresql.dialect()
    keys = list(table.primary_key)
    rows = (
        (
            f"`{column.name}`",
            column.type.compile(dialect).lower(),
            "" if not column.nullable else "yes",
            f"{keys.index(column) + 1}" if column in keys else "",
            column.comment or "",
        )
        for column in table.columns
    )
    yield from _table(("column", "type", "null", "key", "meaning"), rows)
    indexes = [*_unique(table), *(_index(index) for index in table.indexes)]
    if indexes:
        yield f"Indexes: {'; '.join(sorted(indexes))}.\n"


def _unique(table: sa.Table) -> Iterator[str]:
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint):
            yield f"unique ({', '.join(column.name for column in constraint.columns)})"


def _index(index: sa.Index) -> str:
    unique = "unique " if index.unique else ""
    return f"{unique}({', '.join(column.name for column in index.columns)})"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""


if __name__ == "__main__":
    write()
    print(PATH)
