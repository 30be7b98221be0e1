"""A head as a file: safetensors, no pickle. Bytes in, bytes out; storage and tables are elsewhere.

All words about the head stand in one metadata entry as sorted JSON: safetensors writes several entries in
random order, and then the same head would not have the same hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from al_assets.checkpoints.heads import Head

FORMAT = "al-head/1"
_ENTRY = "al_head"
_ARRAYS = ("weight", "bias", "mean", "scale", "temperature", "thresholds")


class CheckpointMismatchError(ValueError):
    """A checkpoint file is not what the database says it is; the message says what differs and what to do."""


def save_head(head: Head, provenance: Mapping[str, str]) -> bytes:
    """The head as bytes; the same head and provenance always give the same bytes.

    provenance: what made it (training set, seed, code version, run). Leave the time of day out if the hash is
    to say whether two runs made the same model.
    """
    words = {
        "format": FORMAT,
        "task": head.task,
        "class_ids": list(head.class_ids),
        "class_names": list(head.class_names),
        "embedder_id": head.embedder_id,
        "calibration": head.calibration,
        "provenance": dict(provenance),
    }
    arrays = {name: np.ascontiguousarray(getattr(head, name)) for name in _ARRAYS}
    return bytes(save(arrays, metadata={_ENTRY: json.dumps(words, sort_keys=True, ensure_ascii=False)}))


def sha256_of(data: bytes) -> str:
    """Hash of a checkpoint file, 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def load_head(
    data: bytes,
    *,
    sha256: str,
    class_ids: Sequence[int] | None = None,
    class_names: Sequence[str] | None = None,
    embedder_id: str | None = None,
) -> Head:
    """The head in a checkpoint file. Raises CheckpointMismatchError where the file is not the one expected.

    sha256: hash recorded when it was written; class_ids, class_names (in the order of the outputs) and
    embedder_id are compared where given: a permuted class list would score every frame under a wrong name.
    """
    found = sha256_of(data)
    if found != sha256.lower():
        raise CheckpointMismatchError(
            f"checkpoint file has sha256 {found[:12]}…, the database says {sha256[:12]}…; "
            "restore the file from a backup or promote another checkpoint"
        )
    words = _words(data)
    expected = {"class_ids": class_ids, "class_names": class_names, "embedder_id": embedder_id}
    for name, value in expected.items():
        wanted = list(value) if value is not None and name != "embedder_id" else value
        if wanted is not None and words[name] != wanted:
            raise CheckpointMismatchError(
                f"{name} in the checkpoint file are {_short(words[name])}, expected {_short(wanted)}; "
                "promote the checkpoint that belongs to these labels, or train a new one"
            )
    try:
        arrays = load(data)
        return Head(
            task=words["task"],
            class_ids=tuple(words["class_ids"]),
            class_names=tuple(words["class_names"]),
            embedder_id=words["embedder_id"],
            calibration=words["calibration"],
            **{name: arrays[name] for name in _ARRAYS},
        )
    except (KeyError, ValueError, SafetensorError) as error:
        raise CheckpointMismatchError(
            f"checkpoint file is damaged ({error}); train a new checkpoint"
        ) from error


def read_provenance(data: bytes) -> dict[str, str]:
    """What the file says made it. Raises CheckpointMismatchError for anything but a head's file."""
    return dict(_words(data)["provenance"])


def _words(data: bytes) -> dict[str, Any]:
    """The metadata entry of the header: 8 bytes of length, then JSON (safetensors reads files only)."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        words = json.loads(header["__metadata__"][_ENTRY])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointMismatchError(
            "this is not a checkpoint of ours; give the file that training wrote"
        ) from error
    if words.get("format") != FORMAT:
        raise CheckpointMismatchError(
            f"checkpoint format {words.get('format')!r}, this version reads {FORMAT}"
        )
    return dict(words)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}…"
