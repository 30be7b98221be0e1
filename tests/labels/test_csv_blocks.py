"""Plain rows of a CSV by the block: whatever stands among them, the result is that of row by row."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from al_assets.labels.annotations import resolve
from al_assets.labels.assets import Import
from al_assets.labels.class_book import ClassBook
from al_assets.labels.formats import csv_blocks, csv_rows
from al_assets.labels.formats.plain import PlainBlock
from al_assets.labels.formats.records import ExportUnreadableError, FrameReference, Record
from resources.spool import Spool

NOW = datetime(2026, 11, 22, tzinfo=UTC)
FRAMES = [16777216 + number for number in range(8)]
COLUMNS = {
    "frame_id": st.sampled_from(
        [*map(str, FRAMES), *map(str, FRAMES), "007", "99", "x", "1.6777216E7", "", " 16777217"]
    ),
    "label": st.sampled_from(
        ["zero", "zero", "one", "", "?", "Zero", "nobody", "(unanswered)", "new", "'=1", "\u200b"]
    ),
    "annotator": st.sampled_from(["anna", "ben", "", "anna ", "\u00e9", "e\u0301", "unknown", "a\x01"]),
    "annotated_at": st.sampled_from(
        ["", "", "2026-05-01T12:00:00Z", "2026-05-01", "2026-05-01T12:00:00.5+02:00", "never", "2027-01-01"]
    ),
    "x": st.sampled_from(["", "", "", "0.5"]),
    "judged_classes": st.sampled_from(["", "", "", '["zero"]', "[]"]),
    "note": st.sampled_from(["", "seen", "a'b"]),
}
ROW = st.fixed_dictionaries(COLUMNS)


class Frames:
    """Knows the frames, one by one and all at once."""

    def resolve(self, references: Sequence[FrameReference]) -> list[int | tuple[int, int] | str]:
        return [r.frame_id if r.frame_id in FRAMES and r.frame_id else "no such frame" for r in references]

    def has_all(self, frame_ids: Sequence[int]) -> bool:
        return set(frame_ids) <= set(FRAMES)


class Ledger:
    """Knows every third judgement, and every sixth as one that stands."""

    def find(self, content_keys: Sequence[str]) -> dict[str, bool]:
        return {key: int(key[:8], 16) % 6 == 0 for key in content_keys if int(key[:8], 16) % 3 == 0}


def brought(records: Iterable[Record | PlainBlock], task: str, unknown: str) -> tuple[Any, ...]:
    """All that an import of the records would store."""
    with Spool() as spool:
        found = Import(spool)
        options: Any = {"task": task, "unknown_classes": unknown, "block": 3}
        book = ClassBook.of([(1, "zero", ["cero"]), (2, "one", [])])
        parts = list(
            resolve(records, Frames(), book, export_id=7, imported_at=NOW, ledger=Ledger(), **options)
        )
        for part in parts:
            found.add(part)
        spool.finish()
        rows = {
            table.table.name: sorted(str(row) for batch in table for row in batch.to_pylist())
            for table in spool.tables
        }
        return rows, found.counts, found.new_classes, found.reasons, sum(part.seen for part in parts)


def brought_or_refused(
    read: Callable[[BinaryIO], Iterable[Record | PlainBlock]],
    data: bytes,
    task: str = "multi_label",
    unknown: str = "create",
) -> object:
    try:
        return brought(read(io.BytesIO(data)), task, unknown)
    except ExportUnreadableError as error:
        return str(error)


@given(
    st.lists(ROW, max_size=14),
    st.lists(st.sampled_from([*COLUMNS]), unique=True),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["single_label", "multi_label"]),
    st.sampled_from(["create", "reject"]),
    st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_by_the_block_or_row_by_row_a_csv_brings_the_same(
    rows: list[dict[str, str]], columns: list[str], end: str, mark: str, task: str, unknown: str, ended: bool
) -> None:
    named = list(dict.fromkeys([*columns, "frame_id", "label"]))
    text = (
        end.join([mark.join(named), *(mark.join(row[name] for name in named) for row in rows)]) + end * ended
    )
    data = text.encode()
    with mock.patch.object(csv_blocks, "BLOCK", 3):
        by_row, by_block = (
            brought_or_refused(read, data, task, unknown) for read in (csv_rows.read, csv_blocks.read)
        )
    assert by_block == by_row


@given(
    st.lists(
        st.sampled_from(["16777216", "zero", ",", '"', "'", "\n", "\r", " ", "\0", "", "\u2028", "\x0c"])
    )
)
@settings(max_examples=300, deadline=None)
def test_text_of_any_kind_brings_the_same(parts: list[str]) -> None:
    data = ("frame_id,label\n16777216,zero\n" + "".join(parts)).encode()
    by_row, by_block = (brought_or_refused(read, data) for read in (csv_rows.read, csv_blocks.read))
    assert by_block == by_row


def test_plain_rows_come_as_blocks_and_say_the_same_one_by_one() -> None:
    data = ("frame_id,label\n" + "".join(f"{frame},zero\n" for frame in range(2500))).encode()
    blocks = list(csv_blocks.read(io.BytesIO(data)))
    assert [len(block.positions) for block in blocks if isinstance(block, PlainBlock)] == [1000, 1000, 500]
    one_by_one = [record for block in blocks if isinstance(block, PlainBlock) for record in block.records()]
    assert one_by_one == list(csv_rows.read(io.BytesIO(data)))


@pytest.mark.parametrize("line", ["x" * 200_000, "1," + "y" * 140_000])
def test_a_line_longer_than_any_cell_may_be_is_left_to_the_csv_module(line: str) -> None:
    data = f"frame_id,label\n16777216,zero\n{line}\n".encode()
    with pytest.raises(ExportUnreadableError, match="has no end"):
        csv_blocks.read(io.BytesIO(data))
