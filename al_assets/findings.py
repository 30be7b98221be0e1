"""What `al archive verify` can find, as values. No looking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from al_assets.settings import Settings
from resources.archive import Archive

Repair = Callable[[Archive, Settings], str]
"""Sets right what was found, looking again first, and says what it did; what people made is never touched."""

Kind = Literal["damaged", "missing", "changed", "orphan rows", "orphan file", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be, and what to do about it."""

    kind: Kind
    what: str
    advice: str
    repair: Repair | None = field(default=None, compare=False)

    @property
    def fails(self) -> bool:
        """Whether the archive is not whole: files that no row names and notes do no harm."""
        return self.kind not in ("orphan file", "note")

    @property
    def line(self) -> str:
        """One readable line."""
        return f"{self.kind}: {self.what}; {self.advice}"
