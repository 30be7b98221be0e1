"""Copies of label exports as they were registered, each under the hash of its content. Knows no ledger and no format.

A file in `label_exports/` may be replaced or deleted before a run comes to read it, or before an undo has it read
again; what a person said in it must not be lost with it.
"""

from __future__ import annotations

import hashlib
from tempfile import SpooledTemporaryFile

from resources.storage import CHUNK_BYTES, Storage
from resources.stored_files import StoredFile

AREA = "kept_exports"
LARGEST = 4 << 30
"""Bytes; the importer reads no larger file, so none is kept."""
IN_MEMORY = 8 << 20


def keep(storage: Storage, file: StoredFile) -> str:
    """SHA-256 of the file's content, of which a copy is in storage from now on."""
    if file.size_bytes > LARGEST:
        return storage.sha256(file.path)
    digest = hashlib.sha256()
    # Named by its hash, the copy can be written once that is known; hashing and reading again might be two versions.
    with storage.open(file.path) as stream, SpooledTemporaryFile(IN_MEMORY) as copy:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            copy.write(chunk)
        target = kept_path(digest.hexdigest())
        if not storage.exists(target):
            copy.seek(0)
            storage.write(target, copy)
    return digest.hexdigest()


def kept_path(sha256: str) -> str:
    """Path in storage of the copy of an export."""
    return f"{AREA}/{sha256}"


def path_of(storage: Storage, uri: str, sha256: str) -> str | None:
    """Where the content of an export can be read: its copy, else the file itself; None where it is gone."""
    for path in (kept_path(sha256), uri):
        if storage.exists(path) and storage.sha256(path) == sha256:
            return path
    return None
