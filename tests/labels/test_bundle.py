"""Zips of exports: what tools pack is read, what attackers pack is refused in one sentence."""

from __future__ import annotations

import io
import struct
import time
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from al_assets.labels.formats import UnknownFormatError, bundle, open_export
from al_assets.labels.formats.bundle import Bundle
from al_assets.labels.formats.records import ExportUnreadableError, ParsedAnnotation

CSV = b"frame_id,label\n16777216,zero\n"


def packed(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> io.BytesIO:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    stream.seek(0)
    return stream


def test_the_one_export_in_a_zip_is_read_and_pictures_beside_it_are_not() -> None:
    files = {
        "images/a.jpg": b"\xff\xd8",
        "__MACOSX/._labels.csv": b"\0",
        "data/labels.csv": CSV,
        ".DS_Store": b"x",
    }
    name, records = open_export(packed(files))
    (record,) = records
    assert name == "csv"
    assert isinstance(record, ParsedAnnotation)
    assert record.frame.frame_id == 16777216


@pytest.mark.parametrize("count", [0, 2])
def test_a_zip_without_an_export_or_with_two_is_refused(count: int) -> None:
    files = {f"{number}.csv": CSV for number in range(count)}
    with pytest.raises(UnknownFormatError, match=f"the zip holds {count} files that may be an export"):
        open_export(packed(files))


@pytest.mark.parametrize(
    "name", ["../labels.csv", "/etc/labels.csv", "a/../../b.csv", "C:/labels.csv", "a\\..\\b.csv", ".", "./."]
)
def test_a_name_that_leads_out_of_the_zip_is_refused(name: str) -> None:
    with pytest.raises(ExportUnreadableError, match="names a file outside of itself"):
        open_export(packed({name: CSV}))


def test_two_files_of_one_name_are_refused() -> None:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("a.csv", CSV)
        archive.writestr("a.csv", CSV)
    with pytest.raises(ExportUnreadableError, match="two files of one name"):
        Bundle(stream)


def test_a_zip_that_unpacks_to_more_than_memory_is_refused_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bundle, "MOST_BYTES", 1 << 20)
    with pytest.raises(ExportUnreadableError, match="unpacks to more than 1 MiB"):
        Bundle(packed({"a.csv": bytes(1 << 21)}))
    monkeypatch.setattr(bundle, "MOST_FILES", 1)
    with pytest.raises(ExportUnreadableError, match="more than 1 files"):
        Bundle(packed({"a.csv": b"", "b.csv": b""}))


def test_a_zip_that_lies_about_a_files_size_is_refused() -> None:
    content = bytearray(packed({"a.csv": bytes(1 << 16)}).getvalue())
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = struct.pack("<I", 100)
    with pytest.raises(ExportUnreadableError, match="damaged or half-written"):
        Bundle(io.BytesIO(bytes(content))).read("a.csv")


@pytest.mark.parametrize("cut", [5, 30, 60])
def test_a_half_written_zip_is_refused(cut: int) -> None:
    content = packed({"a.csv": CSV * 10}).getvalue()
    with pytest.raises(ExportUnreadableError, match="damaged or half-written"):
        open_export(io.BytesIO(content[:-cut]))


def test_a_zip_whose_beginning_is_gone_is_refused_and_no_fault_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(packed({"a.csv": CSV * 10}).getvalue()[20:])
    with (
        (tmp_path / "a.zip").open("rb") as stream,
        pytest.raises(ExportUnreadableError, match="half-written"),
    ):
        Bundle(stream)


def test_a_zip_whose_names_differ_is_refused_in_one_short_sentence() -> None:
    content = bytearray(packed({"a.csv": CSV * 50}, zipfile.ZIP_STORED).getvalue())
    content[26:28] = struct.pack("<H", 1000)  # length of the name, in the file's own header
    with pytest.raises(ExportUnreadableError) as raised:
        open_export(io.BytesIO(bytes(content)))
    assert len(str(raised.value)) < 300
    assert "16777216" not in str(raised.value)


def test_a_file_without_a_name_is_damage() -> None:
    content = packed({"a": CSV}).getvalue()
    # The name as long as the field of extras behind it: nothing but the name is other than it was.
    for mark, place in ((b"PK\x03\x04", 26), (b"PK\x01\x02", 28)):
        at = content.index(mark) + place
        content = content[:at] + struct.pack("<HH", 0, 1) + content[at + 4 :]
    with pytest.raises(ExportUnreadableError, match="damaged or half-written"):
        open_export(io.BytesIO(content))


def test_a_zip_in_a_zip_is_not_unpacked() -> None:
    bomb = packed({"a.csv": bytes(1 << 20)}).getvalue()
    with pytest.raises(UnknownFormatError, match="holds 0 files that may be an export"):
        open_export(packed({"a.zip": bomb, "b.zip": bomb}))


def test_a_zip_that_is_named_like_a_text_is_refused_as_none() -> None:
    bomb = packed({"a.csv": bytes(1 << 20)}).getvalue()
    with pytest.raises(ExportUnreadableError):
        open_export(packed({"a.csv": bomb}))


def test_a_million_names_are_counted_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MOST_FILES", 19_999)
    stream = packed({f"labels/{number}.txt": b"" for number in range(20_000)})
    began = time.process_time()
    with pytest.raises(ExportUnreadableError, match="more than 19999 files"):
        open_export(stream)
    assert time.process_time() - began < 2  # a hundred seconds for a million would hold everything up


def test_a_zip_that_says_it_holds_more_files_than_it_does_is_refused() -> None:
    content = bytearray(packed({"a.csv": CSV}).getvalue())
    end = content.rindex(b"PK\x05\x06")
    content[end + 12 : end + 16] = struct.pack("<I", 1 << 30)  # size of the list of files
    with pytest.raises(ExportUnreadableError, match="damaged or half-written"):
        Bundle(io.BytesIO(bytes(content)))


def test_a_zip_of_a_version_that_nobody_knows_is_refused() -> None:
    content = bytearray(packed({"a.csv": CSV}).getvalue())
    content[content.index(b"PK\x01\x02") + 6] = 255
    with pytest.raises(ExportUnreadableError, match="damaged or half-written"):
        open_export(io.BytesIO(bytes(content)))


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_a_damaged_file_in_a_zip_is_refused_however_it_is_packed(compression: int) -> None:
    whole = packed({"a.csv": bytes(range(256)) * 2}, compression).getvalue()
    for place in range(36, 75, 3):  # beyond the first header, before the second
        content = bytearray(whole)
        content[place] ^= 0x5A
        with pytest.raises(ExportUnreadableError):
            open_export(io.BytesIO(bytes(content)))


def test_a_fault_of_storage_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> bytes:
        raise ConnectionResetError(104, "the network went away")

    files = Bundle(packed({"a.csv": CSV}))
    monkeypatch.setattr(files._zip, "open", lost)
    with pytest.raises(ConnectionResetError):
        files.read("a.csv")


def test_a_locked_zip_is_refused() -> None:
    content = bytearray(packed({"a.csv": CSV}).getvalue())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    with pytest.raises(ExportUnreadableError, match="locked by a password"):
        open_export(io.BytesIO(bytes(content)))
