"""Damaged copies of valid exports of each format, through what `al labels check` runs and the importer.

No crash, no hang, and each record is imported or rejected. AL_TEST_MUTATIONS: copies of each format (.ci/mutate).
"""

from __future__ import annotations

import io
import os
import time
import zipfile
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from al_assets.labels.assets import import_export, read_import
from al_assets.labels.formats import BUNDLES, FORMATS, open_export, retractions
from al_assets.labels.formats.records import (
    BrokenRecord,
    ExportUnreadableError,
    FrameReference,
    ParsedAnnotation,
)
from al_assets.settings import parse_settings
from resources.spool import Spool
from support.exported_frames import add_named_frames
from support.imports import FRAMES, LOG, Imports
from support.mutations import mutated
from support.small_archives import empty_archive

EXPORTS = Path(__file__).parents[1] / "labels" / "exports"
COPIES = int(os.environ.get("AL_TEST_MUTATIONS", "150"))
STORED = 5
"""Of so many copies one goes into the database, which takes longest."""
FRESH = 500
"""Copies after which the archive is a new one, since what was imported makes the next import longer."""
BASE_SECONDS, SECONDS_PER_MB, SECONDS_PER_RECORD = 10.0, 1.0, 1e-4
"""Of processor time, which other threads of the process spend too. A few bytes of a track in a long video are many
records."""
WISHES = [
    {"classes": {"names": ["zero", "one"], "unknown": unknown}, "task": task}
    for unknown in ("create", "reject")
    for task in ("multi_label", "single_label")
]


def _csv() -> bytes:
    """Our own CSV with every column, and answers of every kind."""
    lines = ["frame_id,label,annotator,annotated_at,x,y,width,height,judged_classes"]
    for number, frame in enumerate(FRAMES):
        at = f"2026-05-0{number + 1}T12:00:00Z"
        lines += [f"{frame},zero,anna,{at},,,,,", f'{frame},one,ben,{at},0.1,0.1,0.5,0.5,"[""one""]"']
    lines += [f"{FRAMES[0]},?,carl,,,,,,", f"{FRAMES[1]},,carl,,,,,,", f"{FRAMES[2]},(unanswered),,,,,,,"]
    return "\n".join([*lines, ""]).encode()


def _retractions() -> bytes:
    rows = [
        {"frame_id": frame, "source_id": None, "annotator": "anna", "annotated_at": None} for frame in FRAMES
    ]
    return retractions.write(rows, reason="a slip", at=datetime(2026, 5, 20, tzinfo=UTC))


def _zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@cache
def valid() -> dict[str, list[bytes]]:
    """Format -> exports in it: as tools write them, our own, and text files in a zip."""
    found = [
        _csv(),
        _csv().split(b",x")[0] + b"\n" + f"{FRAMES[0]},zero,anna,2026-05-01\n".encode(),
        _retractions(),
    ]
    for path in sorted(EXPORTS.iterdir()):
        if path.is_dir():
            below = sorted(each for each in path.rglob("*") if each.is_file())
            found.append(_zipped({each.relative_to(path).as_posix(): each.read_bytes() for each in below}))
        else:
            found.append(path.read_bytes())
    texts = [data for data in found if data[:2] != b"PK"]
    formats: dict[str, list[bytes]] = {}
    for data in [*found, *(_zipped({"export.json": data}) for data in texts)]:
        try:
            formats.setdefault(open_export(io.BytesIO(data))[0], []).append(data)
        except ExportUnreadableError:
            continue  # a form that we refuse, kept as a fixture of that
    return formats


@cache
def named() -> set[FrameReference]:
    """What the valid exports say of where their records belong."""
    files = [data for copies in valid().values() for data in copies]
    records = [record for data in files for record in open_export(io.BytesIO(data))[1]]
    return {record.frame for record in records if isinstance(record, ParsedAnnotation)}


def archive_of_all_frames(folder: Path) -> Imports:
    """An archive in which every valid export finds its frames."""
    folder.mkdir()
    imports = Imports(empty_archive(folder))
    add_named_frames(imports.archive, named())
    (imports.root / "label_exports").mkdir()
    return imports


def seen(data: bytes) -> int:
    """Records in a file, each of which is at one place."""
    records = list(open_export(io.BytesIO(data))[1])
    places = [p for r in records for p in ((r.position,) if isinstance(r, BrokenRecord) else r.positions)]
    assert sorted(places) == list(range(1, len(places) + 1))
    return len(places)


def check(imports: Imports, data: bytes, number: int) -> str:
    """Look at one copy and, every few, import it; returns what became of it."""
    imports.settings = parse_settings(WISHES[number % len(WISHES)])
    path = imports.root / "label_exports" / "copy"
    path.write_bytes(data)
    began, records = time.process_time(), 0
    with Spool() as spool:
        try:
            _, found = read_import(
                imports.archive, imports.settings, spool, path="label_exports/copy", export_id=number + 1
            )
            records = found.counts["imported"] + found.counts["rejected"]
        except ExportUnreadableError as error:
            return "refused" if 0 < len(str(error)) < 1000 else str(error)
        finally:
            took = time.process_time() - began
            allowed = BASE_SECONDS + SECONDS_PER_MB * len(data) / 1e6 + SECONDS_PER_RECORD * records
            assert took < allowed, f"{took:.1f} s for {records} records"
        rows = {table.table.name: table.rows for table in spool.tables}
    counts = found.counts
    assert records == seen(data)
    assert rows.get("label_rejects", 0) == counts["rejected"]
    assert rows.get("annotations", 0) <= counts["imported"] - counts["unchanged"]
    if number % STORED == 0:
        store(imports, path, number)
    return "whole" if not counts["rejected"] else "rejects" if not counts["imported"] else "mixed"


def store(imports: Imports, path: Path, number: int) -> None:
    """The import as a learn run does it."""
    archive, uri = imports.archive, f"label_exports/{path.name}"
    version = {"uri": f"{uri}-{number}", "etag": "1", "size_bytes": 1, "sha256": archive.storage.sha256(uri)}
    path.rename(path.with_name(f"{path.name}-{number}"))
    archive.labels.register([version], archive.now(), after={})
    (export,) = archive.labels.claim("run")
    assert import_export(archive, imports.settings, export, run_id="run", log=LOG), archive.labels.exports()[
        -1
    ]
    *_, (_, _, imported, rejected, unchanged, stored, refused) = archive.labels.books()
    assert refused == rejected
    assert stored <= imported - unchanged


def test_there_are_exports_of_every_format() -> None:
    assert valid().keys() == {*FORMATS, *BUNDLES}


def test_every_record_of_an_undamaged_export_that_says_something_is_imported(tmp_path: Path) -> None:
    imports = archive_of_all_frames(tmp_path / "archive")
    files = [(format, data) for format, copies in valid().items() for data in copies]
    for number, (format, data) in enumerate(files):
        broken = [isinstance(record, BrokenRecord) for record in open_export(io.BytesIO(data))[1]]
        assert not all(broken)
        # Number 0 of every round of wishes takes several classes a frame, and new ones.
        outcome = check(imports, data, number * len(WISHES))
        assert outcome == ("mixed" if any(broken) else "whole"), f"export {number}, {format}"
    imports.archive.database.close()


@pytest.mark.parametrize("format", [*FORMATS, *(name for name in BUNDLES if name not in FORMATS)])
def test_a_damaged_copy_neither_trips_nor_holds_up_the_importer_and_no_record_is_lost(
    format: str, tmp_path: Path
) -> None:
    files, outcomes = valid()[format], Counter[str]()
    for start in range(0, COPIES, FRESH):
        imports = archive_of_all_frames(tmp_path / str(start))
        for number in range(start, min(start + FRESH, COPIES)):
            data = mutated(files[number % len(files)], number)
            try:
                outcomes[check(imports, data, number)] += 1
            except BaseException:
                (tmp_path / "copy").write_bytes(data)
                print(f"copy {number} of {format}, of file {number % len(files)}, is at {tmp_path / 'copy'}")
                raise
        imports.archive.database.close()
    print(f"{format}: {dict(outcomes)}")
    assert sum(outcomes.values()) == COPIES
    assert outcomes.keys() <= {"refused", "whole", "rejects", "mixed"}
