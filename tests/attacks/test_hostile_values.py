"""Keys that look like SQL, texts as long as they may be, letters of any script: through every table and back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from al_assets.arrivals import register_arrivals
from al_assets.keys import make_video_id
from al_assets.settings import parse_settings
from resources.archive import Archive
from resources.arrow_types import table_schema
from resources.database import Database
from resources.errors import SchemaMismatchError
from resources.lazy_rows import LazyRows
from resources.slice_writer import SliceWriter
from resources.slices import KeyList, Slice
from resources.storage import Storage
from resources.tables import metadata
from sensors.label_exports import register_exports
from support.rows import NOW, count

HOSTILE = "x' OR 1=1 --"
TABLES = [table for table in metadata.sorted_tables if table.name != "materializations"]
TEXTUAL = [t for t in TABLES if any(isinstance(c.type, sa.String) for c in t.primary_key)]
LONGEST_FREE_TEXT = 5_000


def row(table: sa.Table, number: int, text: str | None = None) -> dict[str, Any]:
    """A row; its texts are `text`, or as long as they may be."""
    values: dict[str, Any] = {}
    for column in table.columns:
        kind = column.type
        if isinstance(kind, sa.String):
            letter = "ü" if isinstance(kind, sa.Unicode | sa.UnicodeText) else "v"
            values[column.name] = text or letter * (kind.length or LONGEST_FREE_TEXT)
        else:
            fill = {int: number, float: 0.5, bytes: b"'\0\xff", datetime: NOW}
            values[column.name] = fill[kind.python_type]
    return values


def rows(table: sa.Table, *given: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(given), schema=table_schema(table))


def test_a_key_that_looks_like_sql_selects_its_own_rows_only(database: Database) -> None:
    writer = SliceWriter(database)
    for table in TEXTUAL:
        key = next(column.name for column in table.primary_key if isinstance(column.type, sa.String))
        bystander, hostile = row(table, 1, "bystander"), row(table, 2, HOSTILE)
        writer.write("all", Slice({}, {table.name: rows(table, bystander, hostile)}), now=NOW)
        own = LazyRows(database, table.name, (), {key: HOSTILE})
        assert own.to_table().to_pylist() == [hostile]
        for where in (HOSTILE, KeyList((HOSTILE, "'; DROP TABLE videos; --"))):
            part = Slice({key: where}, {table.name: rows(table, hostile)})
            writer.write(HOSTILE, part, run_id=HOSTILE, now=NOW)
            assert LazyRows(database, table.name).count() == 2
        writer.write(HOSTILE, Slice({key: HOSTILE}, {table.name: rows(table)}), now=NOW)
        assert LazyRows(database, table.name).to_table().to_pylist() == [bystander]
    assert count(database, "materializations", asset=HOSTILE) == 3 * len(TEXTUAL) > 20


@pytest.mark.parametrize("mode", ["replace", "upsert"])
def test_every_text_of_every_table_may_be_as_long_as_is_said(database: Database, mode: Any) -> None:
    writer = SliceWriter(database)
    for table in TABLES:
        longest = row(table, 1)
        writer.write("all", Slice({}, {table.name: rows(table, longest)}), mode=mode, now=NOW)
        assert LazyRows(database, table.name).to_table().to_pylist() == [longest], table.name


def test_every_text_that_is_too_long_is_refused_by_name(sqlite_database: Database) -> None:
    writer = SliceWriter(sqlite_database)
    refused = 0
    for table in TABLES:
        for column in table.columns:
            if limit := getattr(column.type, "length", None):
                letter = "ü" if isinstance(column.type, sa.Unicode) else "v"
                long = row(table, 1) | {column.name: letter * (limit + 1)}
                with pytest.raises(
                    SchemaMismatchError, match=rf"{column.name} has text longer than {limit} "
                ):
                    writer.write("all", Slice({}, {table.name: rows(table, long)}), now=NOW)
                refused += 1
    assert refused > 50


@pytest.mark.parametrize(
    "text", ["ёжик", "日本語", "🐒 Ж", "e\u0301", 'a\tb\nc\\d"e%f_g', "\u202eabc", " x "]
)
def test_letters_of_any_script_come_back_as_they_were(database: Database, text: str) -> None:
    table = metadata.tables["arrivals"]
    seen = row(table, 1, "videos") | {"path": text}
    SliceWriter(database).write("all", Slice({"path": text}, {"arrivals": rows(table, seen)}), now=NOW)
    assert LazyRows(database, "arrivals", (), {"path": text}).to_table().to_pylist() == [seen]


FOLDER = "ß" * 100
PATHS = [f"{HOSTILE}.mp4", "ёжик/日本語/🐒 'a' \"b\".mp4", "/".join([FOLDER] * 3 + ["ü" * 93 + ".mp4"])]


def test_files_of_any_name_are_registered_under_keys_of_their_own(
    database: Database, storage: Storage
) -> None:
    assert len(PATHS[-1]) == 400
    storage.make_folders(["videos", "label_exports"])
    archive, settings = Archive(database=database, storage=storage), parse_settings({})
    table = "".join(f'"{path.replace(chr(34), chr(34) * 2)}","{HOSTILE}"\n' for path in PATHS)
    storage.write("videos/videos.csv", f"path,site\n{table}".encode())
    for number, path in enumerate(PATHS):
        storage.write(f"videos/{path}", bytes([number]) * 64)
        storage.write(f"label_exports/{path[-250:]}.csv", b"frame_id,label\n")
    for _ in range(2):
        faults = register_arrivals(archive, settings, NOW)[1] + register_exports(archive, settings, NOW)[2]
        assert faults == []
    found = {video.path: video for video in archive.videos.all()}
    assert set(found) == set(PATHS)
    assert {video.site for video in found.values()} == {HOSTILE}
    assert {export.uri for export in archive.labels.exports()} == {
        f"label_exports/{path[-250:]}.csv" for path in PATHS
    }
    for path, video in found.items():
        assert storage.read(f"videos/{path}")
        assert archive.videos.get([video.video_id]) == [video]
    assert len({video.video_id for video in found.values()}) == 3
    assert max(len(make_video_id(path, "0" * 64)) for path in PATHS) <= 64
