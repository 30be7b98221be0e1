"""A zip of export files, read within limits: what a tool packs, never what an attacker does. Knows no format."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import BinaryIO

from al_assets.labels.formats.records import ExportUnreadableError
from al_assets.names import shown

MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
"""Of a zip, and of an empty one."""
MOST_FILES = 1_000_000
MOST_BYTES = 1 << 30
"""Unpacked, all files together; an export is held in memory once."""
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(NotImplementedError, ValueError, OverflowError, EOFError, MemoryError),
)
"""What a broken zip raises; faults of storage are none of these and go on to be tried again."""
SAID = 120
"""Characters of what Python says of a broken zip."""
_CLUTTER = ("__MACOSX/", ".DS_Store", "Thumbs.db")


class Bundle:
    """The files of a zip. names: relative paths with forward slashes, in the order of the zip."""

    def __init__(self, stream: BinaryIO) -> None:
        """Open a zip. stream: seekable. Raises ExportUnreadableError for one that is broken, or beyond the limits."""
        try:
            self._zip = zipfile.ZipFile(stream)
        except DAMAGE as error:
            raise _broken(error) from error
        listed = self._zip.infolist()
        if any(info.header_offset < 0 or not info.filename for info in listed):
            raise _broken(None)  # a piece of it is gone: to seek there would look like a fault of the disk
        files = [info for info in listed if not info.is_dir() and not _is_clutter(info.filename)]
        if len(files) > MOST_FILES:
            raise ExportUnreadableError(f"the zip holds more than {MOST_FILES} files; export it in parts")
        if sum(info.file_size for info in files) > MOST_BYTES:
            raise ExportUnreadableError(
                f"the zip unpacks to more than {MOST_BYTES >> 20} MiB; export without images, or in parts"
            )
        self._files = {info.filename: info for info in files}
        if len(self._files) < len(files):
            raise ExportUnreadableError("the zip holds two files of one name; export again")
        if unsafe := next((name for name in self._files if not _is_safe(name)), None):
            raise ExportUnreadableError(
                f"the zip names a file outside of itself, {shown(unsafe)}; export again"
            )
        self.names = list(self._files)

    def read(self, name: str) -> bytes:
        """The content of a file. Raises ExportUnreadableError where it is damaged, locked, or not what the zip says."""
        info = self._files[name]
        if info.flag_bits & 1:
            raise ExportUnreadableError("the zip is locked by a password; export without one")
        try:
            with self._zip.open(info) as packed:
                content = packed.read(info.file_size + 1)
        except DAMAGE as error:
            raise _broken(error) from error
        except OSError as error:
            if (
                type(error) is OSError and error.errno is None
            ):  # as bz2 speaks of damage; others are the disk's
                raise _broken(error) from error
            raise
        if len(content) != info.file_size:
            raise _broken(None)
        return content


def _broken(error: BaseException | None) -> ExportUnreadableError:
    # Some quote as much of the file as they took for a name.
    said = str(error) if error else ""
    what = f" ({said})" if said.isprintable() and 0 < len(said) <= SAID else ""
    return ExportUnreadableError(
        f"the zip is damaged or half-written{what}; export again and replace the file"
    )


def _is_clutter(name: str) -> bool:
    return name.startswith(_CLUTTER[0]) or PurePosixPath(name).name in _CLUTTER[1:]


def _is_safe(name: str) -> bool:
    parts = PurePosixPath(name).parts
    outside = name.startswith("/") or ".." in parts or "\\" in name or "\0" in name
    return bool(parts) and not outside and ":" not in parts[0]
