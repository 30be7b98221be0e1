"""Copies of exports as they were registered: under the hash of their content, whole, and once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from al_assets.verification import verify
from resources import kept_exports
from resources.errors import FileMissingError
from resources.kept_exports import keep, kept_path, path_of
from resources.storage import Storage
from support.imports import Imports
from support.small_archives import empty_archive

URI = "label_exports/a.csv"
CONTENT = b"frame_id,label\n" * 3_000_000


def test_a_copy_lies_under_the_hash_of_what_was_read(storage: Storage) -> None:
    storage.write(URI, CONTENT)
    (file,) = storage.list("label_exports/")
    sha256 = keep(storage, file)
    assert sha256 == keep(storage, file) == hashlib.sha256(CONTENT).hexdigest()
    assert [each.path for each in storage.list("kept_exports/")] == [kept_path(sha256)]
    storage.write(URI, b"another")
    assert path_of(storage, URI, sha256) == kept_path(sha256)
    assert storage.read(kept_path(sha256)) == CONTENT


def test_what_is_nowhere_any_more_has_no_path(storage: Storage) -> None:
    storage.write(URI, b"another")
    assert path_of(storage, URI, hashlib.sha256(b"one").hexdigest()) is None
    assert path_of(storage, URI, hashlib.sha256(b"another").hexdigest()) == URI


def test_a_file_too_large_to_be_imported_is_hashed_and_not_kept(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_exports, "LARGEST", 10)
    storage.write(URI, b"x" * 11)
    (file,) = storage.list("label_exports/")
    assert keep(storage, file) == hashlib.sha256(b"x" * 11).hexdigest()
    assert storage.list("kept_exports/") == []


def test_a_file_that_is_gone_again_says_so(storage: Storage) -> None:
    storage.write(URI, b"x")
    (file,) = storage.list("label_exports/")
    storage.delete(URI)
    with pytest.raises(FileMissingError):
        keep(storage, file)


def test_an_export_that_was_tidied_away_after_its_import_is_no_fault_while_its_copy_is_whole(
    tmp_path: Path,
) -> None:
    imports = Imports(empty_archive(tmp_path))
    imports.csv("a.csv", (0, "zero"))
    imports.learn()
    imports.remove(URI)
    assert [finding.what for finding in verify(imports.archive, deep=True) if "export" in finding.what] == []
    (copy,) = (imports.root / "kept_exports").iterdir()
    copy.write_bytes(b"damaged")
    (finding,) = [each for each in verify(imports.archive, deep=True) if "export" in each.what]
    assert "is not the export label_exports/a.csv that it was a copy of" in finding.what
    copy.unlink()
    (finding,) = [each for each in verify(imports.archive) if "export" in each.what]
    assert "label_exports/a.csv, which was imported, is not in storage" in finding.what
    imports.archive.database.close()
