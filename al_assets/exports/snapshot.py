"""Which state of the archive a file shows: an id that equal states share, and what is told of it. No rows, no file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Kind = Literal["annotations", "predictions"]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What was exported of which state.

    content_hash: hash of the rows. classes: class_id -> name of every class that the rows may name.
    materialization_id, as_of: newest committed write that the state contains, and its time (UTC); None before any.
    """

    kind: Kind
    content_hash: str
    rows: int
    frames: int
    classes: Mapping[int, str]
    checkpoint_id: str | None = None
    filters: Mapping[str, str]
    materialization_id: int | None
    as_of: datetime | None

    @property
    def id(self) -> str:
        """Name of the content: 16 hexadecimal characters.

        Of what was exported only, so that a write that changes none of it leaves the id as it is, and the same
        rows have the same id in every format, database and restored copy.
        """
        parts = [self.kind, self.checkpoint_id, sorted(self.filters.items()), sorted(self.classes.items())]
        text = json.dumps([*parts, self.content_hash], ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def told(self) -> dict[str, Any]:
        """The snapshot as a JSON object for a file's header."""
        return {
            "id": self.id,
            "kind": self.kind,
            "checkpoint_id": self.checkpoint_id,
            "filters": dict(self.filters),
            "rows": self.rows,
            "frames": self.frames,
            "content_hash": self.content_hash,
            "materialization_id": self.materialization_id,
            "as_of": None if self.as_of is None else f"{self.as_of.isoformat(timespec='milliseconds')}Z",
        }
