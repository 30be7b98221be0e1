"""Copies of exports as they were registered: under the hash of their content, whole, and once."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
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


@pytest.fixture
def imports(tmp_path: Path) -> Iterator[Imports]:
    imports = Imports(empty_archive(tmp_path))
    yield imports
    imports.archive.database.close()


def said(imports: Imports, *, deep: bool = False) -> list[tuple[str, str]]:
    """Kind and text of what is found about exports."""
    found = verify(imports.archive, deep=deep)
    return [(each.kind, each.what) for each in found if "export" in each.what]


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
    imports: Imports,
) -> None:
    imports.csv("a.csv", (0, "zero"))
    imports.learn()
    imports.remove(URI)
    assert said(imports, deep=True) == []
    (copy,) = (imports.root / "kept_exports").iterdir()
    copy.write_bytes(b"damaged")
    ((kind, what),) = said(imports, deep=True)
    assert kind == "changed"
    assert "is not the export label_exports/a.csv that it was a copy of" in what
    copy.unlink()
    assert said(imports) == [("missing", "label_exports/a.csv, which was imported, is not in storage")]


def test_the_copy_of_a_version_that_was_overwritten_is_looked_at_too(imports: Imports) -> None:
    imports.csv("a.csv", (0, "zero"))
    imports.learn()
    (copy,) = (imports.root / "kept_exports").iterdir()
    imports.csv("a.csv", (1, "one"))
    imports.learn()
    assert said(imports, deep=True) == []
    copy.write_bytes(b"damaged")
    assert [kind for kind, _ in said(imports, deep=True)] == ["changed"]


def test_a_copy_that_no_export_names_is_named_once_it_is_old_enough(imports: Imports) -> None:
    copy = imports.drop(kept_path("0" * 64), "x")
    os.utime(copy)
    assert said(imports) == []
    imports.touch(kept_path("0" * 64))
    ((kind, what),) = said(imports)
    assert (kind, what.split()[0]) == ("orphan file", kept_path("0" * 64))


def test_a_home_from_before_there_were_copies_works_on(imports: Imports) -> None:
    imports.csv("a.csv", (0, "zero", "2026-05-01"))
    imports.learn()
    imports.csv("b.csv", (0, "zero", "2026-05-01"), (2, "two", "2026-05-02"))
    imports.learn()
    shutil.rmtree(imports.root / "kept_exports")
    assert said(imports, deep=True) == []
    imports.archive.labels.undo(1)
    assert imports.learn() == 1
    assert imports.labels() == {0: {"zero"}, 2: {"two"}}
    assert (
        len(list((imports.root / "kept_exports").iterdir())) == 2
    )  # those that are still there have theirs now
    shutil.rmtree(imports.root / "kept_exports")
    imports.csv("b.csv", (3, "one"))
    assert imports.learn() == 1
    assert len(list((imports.root / "kept_exports").iterdir())) == 2
    assert said(imports, deep=True) == [("note", "earlier versions of exports without a copy: 1")]
