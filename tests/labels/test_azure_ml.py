"""Azure ML data labelling's JSON Lines: every kind of label and address, and damage done to such."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_assets.labels.formats import azure_ml, coco, csv_rows, label_studio, label_studio_min
from al_assets.labels.formats.azure_ml import blob_path
from al_assets.labels.formats.records import BrokenRecord, ExportUnreadableError, Mark
from support.mutated_exports import check, mutated_bytes, mutated_json

FILE = Path(__file__).parent / "exports" / "azure_ml.jsonl"
LINES = FILE.read_bytes().splitlines()


def read(*items: Any) -> list[Any]:
    text = "\n".join(json.dumps(item) for item in items)
    return list(azure_ml.read(io.BytesIO(text.encode())))


def labelled(label: Any) -> Any:
    (record,) = read({"image_url": "AmlDatastore://stills/a.jpg", "label": label})
    return record


def test_an_export_is_read_whole() -> None:
    with FILE.open("rb") as stream:
        records: list[Any] = list(azure_ml.read(stream))
    assert [(record.frame.image, record.outcome) for record in records] == [
        ("camera 1/img_0001.jpg", "labelled"),
        ("camera-1/img_0002.jpg", "labelled"),
        ("camera-1/img_0003.jpg", "nobody"),
        ("stills/clip-1/00000005.jpg", "labelled"),
        ("img_0004.jpg", "labelled"),
    ]
    assert [record.marks for record in records] == [
        (Mark("zero", None),),
        (Mark("zero", None), Mark("Füchsin 狐", None)),
        (),
        (Mark("zero", (0.25, 0.5, 0.5, 0.25)), Mark("one", (0, 0, 1, 0.5))),
        (Mark("one", (0.25, 0.25, 0.5, 0.5)),),
    ]
    assert {(record.annotator, record.judged) for record in records} == {("unknown", None)}


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("AmlDatastore://stills/a/b.jpg", "a/b.jpg"),
        ("amldatastore://b.jpg", "b.jpg"),
        ("azureml://datastores/stills/paths/a/b.jpg", "a/b.jpg"),
        ("azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/d/paths/a%20b.jpg", "a%20b.jpg"),
        ("https://account.blob.core.windows.net/archive/a/b.jpg?sig=secret", "a/b.jpg"),
        ("https://account.blob.core.chinacloudapi.cn/archive/a.jpg", "a.jpg"),
        ("abfss://archive@account.dfs.core.windows.net/a/b.jpg", "a/b.jpg"),
        ("https://example.org/a/b.jpg", "https://example.org/a/b.jpg"),
        ("https://[broken.blob./b.jpg", "https://[broken.blob./b.jpg"),
        ("a/b.jpg", "a/b.jpg"),
    ],
)
def test_an_address_becomes_the_path_below_its_container(address: str, path: str) -> None:
    assert blob_path(address) == path


@pytest.mark.parametrize(
    ("label", "why"),
    [
        (None, "no label"),
        ("", "label is empty"),
        (3, "neither a class nor a box"),
        ([None], "neither a class nor a box"),
        ([{"topX": 0.1}], "neither a class nor a box"),
        (["zero", "nobody"], "contradicts itself"),
        ([{"label": "zero", "topX": 0.1, "topY": 0.1, "bottomX": 0.5}], "bottomY"),
        ([{"label": "zero", "topX": 0.5, "topY": 0.1, "bottomX": 0.1, "bottomY": 0.2}], "is empty"),
        ([{"label": "zero", "topX": 10, "topY": 10, "bottomX": 90, "bottomY": 90}], "not pixels"),
        ([{"label": "zero", "topX": float("nan"), "topY": 0, "bottomX": 1, "bottomY": 1}], "finite"),
        ([{"label": "zero", "polygon": [[0.1, 0.2, 0.3]]}], "pairs of numbers"),
        ([{"label": "zero", "polygon": []}], "pairs of numbers"),
        ([{"label": "zero", "polygon": [3]}], "lists of numbers"),
    ],
)
def test_a_label_that_says_nothing_clear_breaks_its_line(label: Any, why: str) -> None:
    record = labelled(label)
    assert isinstance(record, BrokenRecord)
    assert why in record.reason


def test_a_single_box_may_stand_without_a_list_and_its_corners_as_text() -> None:
    record = labelled({"label": "zero", "topX": "0", "topY": "0", "bottomX": "1", "bottomY": "0.5"})
    assert record.marks == (Mark("zero", (0, 0, 1, 0.5)),)


def test_a_reserved_name_is_an_outcome() -> None:
    assert labelled("cannot tell").outcome == "cannot_tell"


def test_a_broken_line_breaks_only_itself_and_keeps_its_text() -> None:
    first, second, third = azure_ml.read(io.BytesIO(b"\n".join([LINES[0], LINES[1][:30], LINES[2]])))
    assert isinstance(second, BrokenRecord)
    assert (second.position, second.raw) == (2, LINES[1][:30].decode())
    assert not isinstance(first, BrokenRecord)
    assert not isinstance(third, BrokenRecord)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_an_export_that_ends_within_a_line_is_refused_as_a_whole(share: float) -> None:
    data = FILE.read_bytes()
    with pytest.raises(ExportUnreadableError, match="half-written"):
        azure_ml.read(io.BytesIO(data[: int(len(data.strip()) * share)]))


def test_blank_lines_are_no_records_and_line_separators_within_text_end_none() -> None:
    item = {"image_url": "a\u2028b.jpg", "label": "zero"}
    text = "\n\n" + json.dumps(item, ensure_ascii=False) + "\r\n \n"
    (record,) = azure_ml.read(io.BytesIO(text.encode("utf-8-sig")))
    assert not isinstance(record, BrokenRecord)
    assert record.frame.image == "a\u2028b.jpg"


def test_no_image_address_names_no_frame() -> None:
    (record,) = read({"label": "zero"})
    assert "names no frame" in record.reason


def test_lines_are_recognised_by_no_other_format() -> None:
    head = FILE.read_text("utf-8")
    for cut in (len(head), 150):
        assert azure_ml.recognises(head[:cut])
        assert not any(f.recognises(head[:cut]) for f in (coco, csv_rows, label_studio, label_studio_min))
    assert azure_ml.recognises('{"label": "zero", "image_url": "')
    for other in ('{"image_url": "a.jpg"}', '[{"image_url": 1, "label": 2}]', "", '{"image_url'):
        assert not azure_ml.recognises(other)


@given(st.lists(st.one_of(*(mutated_json(json.loads(line)) for line in LINES)), min_size=1, max_size=4))
def test_every_mutated_line_ends_in_one_place(lines: list[bytes]) -> None:
    assert len(check(azure_ml.read, b"\n".join(lines))) in (0, len(lines))


@given(mutated_bytes(FILE.read_bytes()))
def test_a_damaged_file_is_read_or_refused_as_a_whole(data: bytes) -> None:
    check(azure_ml.read, data)
