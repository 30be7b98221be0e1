"""What the fixture `al` gives."""

from __future__ import annotations

from typing import Protocol


class Al(Protocol):
    """`al` with arguments, in this process."""

    def __call__(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """Exit status, stdout, stderr."""
