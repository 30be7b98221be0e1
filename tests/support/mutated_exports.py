"""Damage done to valid exports, and what holds of every reader whatever it is given."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from hypothesis import strategies as st

from al_assets.labels.formats.records import BrokenRecord, ExportUnreadableError, Record

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(),
    st.text(st.characters(codec=None, exclude_categories=[]), max_size=5),
    st.sampled_from([[], {}, [[[]]], "nobody", "?", "zero", "1e999", "9" * 5000, 0, 1, 2**63, -1, "a.jpg"]),
)


def positions(record: Record) -> tuple[int, ...]:
    return (record.position,) if isinstance(record, BrokenRecord) else record.positions


def check(read: Callable[[BinaryIO], Iterator[Record]], data: bytes) -> list[Record]:
    """The records, each source record in exactly one of them; none where the file is refused as a whole."""
    try:
        records = read(io.BytesIO(data))
    except ExportUnreadableError as error:
        assert str(error).startswith("the ")  # noqa: PT017
        return []
    found = list(records)
    used = sorted(position for record in found for position in positions(record))
    assert used == list(range(1, len(used) + 1))
    for record in found:
        record.raw.encode("utf-8")
        assert "\x00" not in record.raw
        if isinstance(record, BrokenRecord):
            assert 0 < len(record.reason) < 1000
            record.reason.encode("utf-8")
    return found


@st.composite
def mutated_json(draw: st.DrawFn, valid: Any) -> bytes:
    """A JSON value in which some parts, wherever they are, are others, doubled or gone."""
    value = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(_places(value)) or [([value], 0)]))
        change = draw(st.sampled_from(["replace", "remove", "double"]))
        if change == "remove":
            del holder[key]
        elif change == "double" and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        else:
            holder[key] = copy.deepcopy(draw(VALUES))  # a later change may be within it
    return json.dumps(value, ensure_ascii=draw(st.booleans())).encode("utf-8", errors="surrogatepass")


@st.composite
def mutated_bytes(draw: st.DrawFn, valid: bytes) -> bytes:
    """A file with a stretch of it gone, doubled, or replaced by other bytes."""
    first, last = sorted(draw(st.tuples(*[st.integers(0, len(valid))] * 2)))
    last = min(last, first + draw(st.sampled_from([1, 2, 10, len(valid)])))
    between = draw(
        st.sampled_from([b"", valid[first:last] * 2, b'"', b"]", b"}", b"\x00", b"\xff", b"\n", b"[{"])
    )
    return valid[:first] + between + valid[last:]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Where in a value a part could be exchanged."""
    for key in (
        list(value) if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0)
    ):
        yield value, key
        yield from _places(value[key])
