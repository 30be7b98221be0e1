"""JSON read through a window: whatever its size, values, their places and what is wrong are those of the whole text."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_assets.labels.formats import json_text
from al_assets.labels.formats.json_text import JsonText, names_in, parsed, places_of_list, spooled, whole_json
from al_assets.labels.formats.records import ExportUnreadableError

SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(allow_nan=False), st.text(max_size=20)
)
JSON = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner))


@pytest.fixture(autouse=True, params=[7, 64, 1 << 20])
def window(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "CHUNK", request.param)


def spaced(values: list[Any], ascii_only: bool) -> str:
    return json.dumps(values, ensure_ascii=ascii_only, indent=1)


@given(st.lists(JSON, max_size=5), st.booleans(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_every_element_is_found_again_at_its_place(
    values: list[Any], ascii_only: bool, encoding: str
) -> None:
    file = spooled(io.BytesIO(spaced(values, ascii_only).encode(encoding)))
    places = places_of_list(file)
    assert [parsed(places.text(file, number)) for number in range(len(places))] == values


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_members_of_an_object_are_named_with_their_values(value: dict[str, Any]) -> None:
    text = JsonText(spooled(io.BytesIO(json.dumps(value).encode())))
    found = {name: text.value()[0] for name in text.members()}
    text.finish("object")
    assert found == value


@given(st.lists(JSON, min_size=1, max_size=4), st.data())
def test_what_is_cut_off_or_goes_on_is_refused(values: list[Any], data: st.DataObject) -> None:
    whole = json.dumps(values)
    cut = data.draw(st.integers(1, len(whole) - 1))
    for text in (whole[:cut], whole + "]", whole + " 1"):
        with pytest.raises(ExportUnreadableError, match="not whole JSON"):
            places_of_list(spooled(io.BytesIO(text.encode())))


@pytest.mark.parametrize(
    "text", ["[1 2]", "[1,]", "[,1]", "{}", '["a" "b"]', "[tru]", '["\t"]', "[1]x", "[-]"]
)
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ExportUnreadableError, match="at byte"):
        places_of_list(spooled(io.BytesIO(text.encode())))


def test_an_object_whose_names_are_no_text_is_refused() -> None:
    with pytest.raises(ExportUnreadableError, match="expected a name"), whole_json():
        list(JsonText(spooled(io.BytesIO(b"{1: 2}"))).members())


def test_a_copy_refuses_what_is_empty_or_no_text() -> None:
    for data, why in ((b"", "empty"), (b" \n\x00", "empty"), (b"[1]" * 99 + b"\xff", "save it as UTF-8")):
        with pytest.raises(ExportUnreadableError, match=why):
            spooled(io.BytesIO(data))


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ('{"a": 1, "b": [2', ("a", "b")),
        ('{"a": {"x": 1}, "b', ("a",)),
        ('{"a": 1} {"b": 2}', ("a",)),
        (" {", ()),
        ("{}", ()),
        ("[", None),
        ("", None),
    ],
)
def test_names_are_told_as_far_as_a_head_goes(head: str, names: Any) -> None:
    assert names_in(head) == names


def test_a_value_of_many_windows_takes_time_in_proportion_to_its_length() -> None:
    value = "x" * 200_000
    places = places_of_list(spooled(io.BytesIO(json.dumps([value, value]).encode())))
    assert len(places) == 2
