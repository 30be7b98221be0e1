"""What an import asks of the archive: which frames there are, and what was said before. Protocols; `resources` answers.

Not here: what becomes of the answers (annotations.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from al_assets.labels.formats.records import FrameReference


class FrameLookup(Protocol):
    """Finds the frames that records name."""

    def resolve(self, references: Sequence[FrameReference]) -> list[int | tuple[int, int] | str]:
        """For each reference the frame_id, or with it how far from it the record means (ms), or why there is none."""

    def has_all(self, frame_ids: Sequence[int]) -> bool:
        """Whether references by these keys, none negative, would all find their frame."""


class Ledger(Protocol):
    """Knows what earlier, live exports said."""

    def find(self, content_keys: Sequence[str]) -> Mapping[str, bool]:
        """The keys that annotations of live exports carry; True where one of them still stands."""


class EmptyLedger:
    """The ledger before the first import."""

    def find(self, content_keys: Sequence[str]) -> Mapping[str, bool]:
        """Nothing is known yet."""
        return {}
