"""Zips of export files, as a labelling tool packs them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from al_assets.labels.formats.bundle import Bundle


def files_of(folder: Path) -> dict[str, bytes]:
    """Relative path -> content of all files below a folder, in order."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def packed(files: Mapping[str, bytes | str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def bundle(files: Mapping[str, bytes | str]) -> Bundle:
    return Bundle(io.BytesIO(packed(files)))
