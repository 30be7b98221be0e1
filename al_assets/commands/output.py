"""How the command line shows tables. No command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

console = Console()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Show rows under their headings; what is missing is blank."""
    table = Table(*columns)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console.print(table)
