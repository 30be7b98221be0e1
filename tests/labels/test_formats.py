"""Every format is told by its content: the files of each tool are its own, zipped or not, and no other's."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from al_assets.labels.formats import BUNDLES, FORMATS, HEAD_BYTES, open_export
from al_assets.labels.formats.records import ParsedAnnotation

EXPORTS = Path(__file__).parent / "exports"
FILES = {
    "azure_ml.jsonl": "azure_ml",
    "coco_azure_ml.json": "coco",
    "coco_camera_traps.json": "coco",
    "coco_cvat.json": "coco",
    "coco_lvis.json": "coco",
    "cvat_images.xml": "cvat",
    "cvat_video.xml": "cvat",
    "label_studio.json": "label_studio",
    "label_studio_later_snapshot.json": "label_studio",
    "label_studio_min.json": "label_studio_min",
    "pascal_voc.xml": "pascal_voc",
}
FOLDERS = {
    "camtrap_dp": "camtrap_dp",
    "pascal_voc_cvat": "pascal_voc",
    "yolo_darknet": "yolo",
    "yolo_ultralytics": "yolo",
}


def zipped(*paths: Path, root: Path) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in paths:
            archive.write(path, path.relative_to(root))
    stream.seek(0)
    return stream


def test_every_export_here_has_its_format() -> None:
    ours = {path.name for path in EXPORTS.iterdir() if not path.name.startswith("real_label_studio_")}
    assert ours == {*FILES, *FOLDERS}
    assert {*FILES.values(), *FOLDERS.values(), "csv", "retractions"} == {*FORMATS, *BUNDLES}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_recognised_by_its_own_format_only(name: str) -> None:
    head = (EXPORTS / name).read_bytes()[:HEAD_BYTES].decode()
    assert [each for each, candidate in FORMATS.items() if candidate.recognises(head)] == [FILES[name]]


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_the_same_alone_and_in_a_zip(name: str) -> None:
    path = EXPORTS / name
    with path.open("rb") as stream:
        found, records = open_export(stream)
        alone = list(records)
    assert found == FILES[name]
    assert any(isinstance(record, ParsedAnnotation) for record in alone)
    found, records = open_export(zipped(path, root=EXPORTS))
    assert (found, list(records)) == (FILES[name], alone)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_zip_of_many_files_is_recognised_by_its_own_format_only(name: str) -> None:
    root = EXPORTS / name
    files = sorted(path for path in root.rglob("*") if path.is_file())
    names = [path.relative_to(root).as_posix() for path in files]
    assert [each for each, candidate in BUNDLES.items() if candidate.recognises(names)] == [FOLDERS[name]]
    found, records = open_export(zipped(*files, root=root))
    assert found == FOLDERS[name]
    assert any(isinstance(record, ParsedAnnotation) for record in records)
