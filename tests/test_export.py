"""`al export`: what each format holds, that it names its state, and that labels find the way back."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pycocotools.coco import COCO

from al_assets.export import Wish, export
from al_assets.exports.parquet_file import SNAPSHOT_KEY
from al_assets.exports.snapshot import Snapshot
from al_assets.keys import frame_id
from al_assets.labels.assets import current_labels, import_all
from al_assets.labels.formats import UnknownFormatError, detect
from resources.archive import Archive
from resources.database import Database
from resources.errors import StorageError
from resources.queries import exports
from resources.queries.exports import NothingToExportError
from resources.storage import Storage
from support.archive_rows import ArchiveRows
from support.labelled_archive import FIRST, SECOND, STILL, THIRD, judge, labelled_archive, serve_model
from support.small_archives import SmallArchive, empty_archive

Exporter = Callable[..., tuple[Path, Snapshot]]


@pytest.fixture
def archive(database: Database, local_storage: Storage) -> Archive:
    return labelled_archive(database, local_storage)


@pytest.fixture
def exported(archive: Archive, tmp_path: Path) -> Exporter:
    def run(kind: Any, format: Any, **wishes: Any) -> tuple[Path, Snapshot]:
        file = tmp_path / f"{kind}.{format}"
        return file, export(archive, Wish(kind=kind, format=format, output=file, replace=True, **wishes))

    return run


def rows_of_csv(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_coco_holds_boxes_in_pixels_and_no_box_where_none_was_drawn(exported: Exporter) -> None:
    file, _ = exported("annotations", "coco")
    coco = COCO(str(file))
    assert [(c["id"], c["name"]) for c in coco.loadCats(coco.getCatIds())] == [
        (1, "zéro"),
        (2, "=one"),
        (3, "two 狐"),
    ]
    (boxed,) = coco.imgToAnns[FIRST]
    assert (boxed["bbox"], boxed["area"], boxed["category_id"]) == ([160.0, 240.0, 80.0, 120.0], 9600.0, 1)
    assert [(a["category_id"], "bbox" in a) for a in coco.imgToAnns[STILL]] == [(2, False), (3, False)]
    assert coco.imgToAnns[SECOND] == []


def test_coco_images_name_video_and_frame_and_what_was_judged_absent(exported: Exporter) -> None:
    coco = COCO(str(exported("annotations", "coco")[0]))
    second, still = coco.loadImgs([SECOND, STILL])
    assert second["file_name"] == "stills/v1/00000005.jpg"
    assert (second["video_id"], second["video_path"], second["frame_index"]) == ("v1", "é 1.mp4", 5)
    assert (second["location"], second["datetime"]) == ("=wood", "2026-03-01 12:00:00")
    assert (still["file_name"], still["neg_category_ids"]) == ("videos/cam/é.png", [1])
    assert [image["neg_category_ids"] for image in coco.loadImgs([SECOND, THIRD])] == [[1, 2, 3], [1]]


def test_coco_predictions_have_scores_and_images_without_any(archive: Archive, exported: Exporter) -> None:
    serve_model(archive.database)
    coco = COCO(str(exported("predictions", "coco")[0]))
    assert [(a["category_id"], a["score"]) for a in coco.imgToAnns[FIRST]] == [(1, 0.75), (2, 0.5)]
    assert sorted(coco.getImgIds()) == [FIRST, SECOND, THIRD]


def test_parquet_is_typed_and_holds_every_judgement(exported: Exporter) -> None:
    table = pq.read_table(exported("annotations", "parquet")[0])
    assert table.schema.field("annotated_at").type == pa.timestamp("us", "UTC")
    assert table.schema.field("present").type == pa.bool_()
    found = table.select(["frame_id", "class_name", "present"]).to_pylist()
    assert len(found) == 10
    assert found[0] == {"frame_id": FIRST, "class_name": "zéro", "present": True}
    assert found[6] == {"frame_id": THIRD, "class_name": "zéro", "present": False}


def test_parquet_predictions_keep_scored_frames_on_which_nothing_is_seen(
    archive: Archive, exported: Exporter
) -> None:
    serve_model(archive.database)
    table = pq.read_table(exported("predictions", "parquet")[0])
    assert table["class_name"].to_pylist() == ["zéro", "=one", None, None]
    assert set(table["checkpoint_id"].to_pylist()) == {"m"}


def test_the_same_state_has_one_id_in_every_format_and_says_so_inside(exported: Exporter) -> None:
    files = {format: exported("annotations", format) for format in ("coco", "csv", "parquet")}
    (told,) = {snapshot.id for _, snapshot in files.values()}
    assert json.loads(files["coco"][0].read_text("utf-8"))["info"]["snapshot"]["id"] == told
    assert {row["snapshot"] for row in rows_of_csv(files["csv"][0])} == {told}
    assert json.loads(pq.read_schema(files["parquet"][0]).metadata[SNAPSHOT_KEY])["id"] == told


def test_an_export_of_the_same_state_has_the_same_bytes(exported: Exporter) -> None:
    for format in ("coco", "csv", "parquet"):
        file, _ = exported("annotations", format)
        before = file.read_bytes()
        assert exported("annotations", format)[0].read_bytes() == before


def test_the_id_follows_what_is_exported_and_nothing_else(archive: Archive, exported: Exporter) -> None:
    rows = ArchiveRows(archive.database)
    _, before = exported("annotations", "csv")
    rows.add("materializations", asset="frames", materialization_id=9)
    rows.video(3, [0])
    _, after = exported("annotations", "csv")
    assert (after.id, before.materialization_id, after.materialization_id) == (before.id, None, 9)
    rows.label(THIRD, 2, annotation_id=2**32 + 2)
    assert exported("annotations", "csv")[1].id != before.id


def test_formulas_stand_behind_an_apostrophe(exported: Exporter) -> None:
    rows = rows_of_csv(exported("annotations", "csv")[0])
    assert [row["label"] for row in rows] == ["zéro", "", "", "'=one", "two 狐"]
    assert {row["site"] for row in rows} == {"'=wood", ""}


def test_labels_find_the_way_back_through_our_own_importer(
    archive: Archive, exported: Exporter, tmp_path: Path
) -> None:
    file, _ = exported("annotations", "csv")
    (tmp_path / "fresh").mkdir()
    fresh = SmallArchive(empty_archive(tmp_path / "fresh"))
    rows = ArchiveRows(fresh.archive.database)
    # Another archive numbers its videos otherwise, and its stills as they arrive.
    rows.video(8, video_id="v1")
    for index in (0, 5, 10):
        rows.add("frames", frame_id=frame_id(8, index), video_id="v1", frame_index=index)
    rows.video(7, kind="images", path="cam")
    rows.add("frames", frame_id=frame_id(7, 0), video_id="v7", image_path="cam/é.png")
    fresh.drop("label_exports/from-elsewhere.csv", file.read_bytes())
    fresh.take_in_exports()
    assert import_all(fresh.archive, fresh.settings, run_id="one", log=logging.getLogger(__name__)) == 1
    (ledger,) = fresh.archive.labels.exports()
    assert (ledger.imported, ledger.rejected) == (5, 0)
    names = fresh.archive.labels.classes().set_index("class_id")["name"]
    found = {
        (row["frame_id"], names[row["class_id"]]): (row["present"], row["box_x"])
        for row in current_labels(fresh.archive, fresh.settings).to_pylist()
    }
    assert found == {
        (frame_id(8, 0), "zéro"): (1, 0.25),
        (frame_id(8, 0), "=one"): (0, None),
        (frame_id(8, 0), "two 狐"): (0, None),
        (frame_id(8, 5), "zéro"): (0, None),
        (frame_id(8, 5), "=one"): (0, None),
        (frame_id(8, 5), "two 狐"): (0, None),
        (frame_id(8, 10), "zéro"): (0, None),
        (frame_id(7, 0), "zéro"): (0, None),
        (frame_id(7, 0), "=one"): (1, None),
        (frame_id(7, 0), "two 狐"): (1, None),
    }


def test_predictions_are_no_label_export(archive: Archive, exported: Exporter) -> None:
    serve_model(archive.database)
    with pytest.raises(UnknownFormatError):
        detect(exported("predictions", "csv")[0].read_bytes())


def test_judgements_of_an_undone_export_are_left_out(archive: Archive, exported: Exporter) -> None:
    rows = ArchiveRows(archive.database)
    rows.export(2, status="undone")
    rows.label(THIRD, 2, export_id=2)
    assert exported("annotations", "csv")[1].rows == 10


def test_merged_classes_count_as_what_they_were_merged_into(archive: Archive, exported: Exporter) -> None:
    with archive.database.write() as connection:
        connection.exec_driver_sql("UPDATE classes SET merged_into = 1 WHERE class_id = 2")
    table = pq.read_table(exported("annotations", "parquet")[0])
    found = table.filter(pa.compute.equal(table["frame_id"], STILL)).to_pylist()
    assert [(row["class_name"], row["present"]) for row in found] == [("zéro", True), ("two 狐", True)]


def test_only_a_site_or_a_video(exported: Exporter) -> None:
    assert exported("annotations", "csv", site="=wood")[1].frames == 3
    assert exported("annotations", "csv", video_id="v2")[1].filters == {"video_id": "v2"}
    with pytest.raises(NothingToExportError, match="no video of the archive has site 'Wood'"):
        exported("annotations", "csv", site="Wood")


def test_an_archive_without_labels_gives_a_valid_empty_file(
    database: Database, local_storage: Storage, tmp_path: Path
) -> None:
    empty = Archive(database=database, storage=local_storage)
    for format in ("coco", "csv", "parquet"):
        export(empty, Wish(kind="annotations", format=format, output=tmp_path / format))
    assert COCO(str(tmp_path / "coco")).getImgIds() == []
    assert pq.read_table(tmp_path / "parquet").num_rows == 0
    assert rows_of_csv(tmp_path / "csv") == []


def test_predictions_need_a_model_and_leave_no_file_without_one(archive: Archive, tmp_path: Path) -> None:
    for checkpoint_id, said in ((None, "no model serves yet"), ("ck", "no checkpoint 'ck'")):
        wish = Wish(kind="predictions", format="csv", output=tmp_path / "p.csv", checkpoint_id=checkpoint_id)
        with pytest.raises(NothingToExportError, match=said):
            export(archive, wish)
    assert not list(tmp_path.glob("*p.csv*"))


def test_a_file_that_is_there_is_replaced_only_when_asked(archive: Archive, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("mine")
    with pytest.raises(StorageError, match="is there already"):
        export(archive, Wish(kind="annotations", format="csv", output=file))
    assert file.read_text() == "mine"


def test_rows_that_come_meanwhile_are_in_neither_pass(
    archive: Archive, exported: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, pass_over = exported("annotations", "parquet")[1], exports.ExportState.newest_write

    def and_someone_writes(state: exports.ExportState) -> Any:
        judge(ArchiveRows(archive.database), FIRST + 1, 0, 1)
        ArchiveRows(archive.database).add("frames", frame_id=FIRST + 1, video_id="v1", frame_index=1)
        return pass_over(state)

    monkeypatch.setattr(exports.ExportState, "newest_write", and_someone_writes)
    file, snapshot = exported("annotations", "parquet")
    assert snapshot.id == before.id
    assert pq.read_table(file).num_rows == before.rows
