"""Numbers as the reports say them. Values in, words out; nothing is measured or laid out here."""

from __future__ import annotations

import math


def interval(value: float | None, low: float | None, high: float | None, *, signed: bool = False) -> str:
    """A value with its interval, where it has one: `0.812 (0.700 to 0.903)`; empty where there is no value."""
    if missing(value):
        return ""
    form = "+.3f" if signed else ".3f"
    told = f"{value:{form}}"
    return told if missing(low) or missing(high) else f"{told} ({low:{form}} to {high:{form}})"


def missing(value: float | None) -> bool:
    """Whether a number is not known: None, or NaN as data frames have it."""
    return value is None or math.isnan(value)


def share(part: float, whole: float) -> str:
    """A share as a percentage; empty of nothing."""
    return f"{part / whole:.0%}" if whole else ""


def shortened(names: list[str], most: int = 3) -> str:
    """A few names and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def short(name: str, most: int = 28) -> str:
    """A name that leaves room for the plot beside it: its middle is cut, since names often differ at their end."""
    if len(name) <= most:
        return name
    tail = (most - 1) // 2
    return f"{name[: most - 1 - tail]}\u2026{name[-tail:]}"
