"""A file on this machine that appears whole or not at all. For what people ask for by name; storage has its own."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from resources.errors import StorageError


@contextmanager
def new_file(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """A path beside the target to write to; at the end it is synced and takes the target's name.

    An error inside leaves the target as it was. Raises StorageError where the target is there already and is not
    to be replaced, or its folder is missing or cannot be written.
    """
    if target.is_dir():
        raise StorageError(f"{target} is a folder; name a file in it")
    _refuse(target, replace)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        # Nobody else's file is written over, and a folder that refuses says so before the work.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield part
        _refuse(target, replace)
        _sync(part)
        part.replace(target)
        _sync(target.parent)
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()


def _refuse(target: Path, replace: bool) -> None:
    if target.exists() and not replace:
        raise StorageError(f"{target} is there already; name another file, or add --force to replace it")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
