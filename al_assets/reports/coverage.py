"""When an archive was recorded and who was seen: spans of time, and sums by site or class and span.

Frames in, arrays out. Nothing is read or drawn here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

STEPS = ("D", "W", "M", "Q", "Y")
WORDS = {"D": "day", "W": "week", "M": "month", "Q": "quarter", "Y": "year"}
SPANS = 60
"""Spans on an axis of time; the step is the finest that needs no more."""
OTHERS = "all other sites"
UNKNOWN = "site not known"


@dataclass(frozen=True, eq=False)
class Grid:
    """Sums by name (rows) and span of time (columns): values (rows, columns), 0 where there is nothing."""

    rows: tuple[str, ...]
    spans: tuple[str, ...]
    values: npt.NDArray[np.float64]
    step: str
    """day, week, month, quarter or year."""


def periods(times: pd.Series, most: int = SPANS) -> tuple[pd.PeriodIndex, pd.PeriodIndex]:
    """Span of each time, and every span from the first to the last, gaps included. times: no missing ones."""
    for step in STEPS:
        own = pd.PeriodIndex(pd.to_datetime(times), freq=step)
        every = pd.period_range(own.min(), own.max(), freq=step) if len(own) else own
        if len(every) <= most or step == STEPS[-1]:
            return own, every[-most:]
    raise AssertionError("the last step always returns")


def grid(
    names: Sequence[str], times: pd.Series, values: Sequence[float], order: Sequence[str], most: int = SPANS
) -> Grid:
    """Values (n,) summed by name and span, rows as in `order`; names beyond it and times not known are left out."""
    known = pd.DataFrame({"name": list(names), "time": list(times), "value": list(values)}).dropna(
        subset=["time"]
    )
    own, every = periods(known["time"], most)
    out = np.zeros((len(order), len(every)))
    row = pd.Index(list(order)).get_indexer(pd.Index(known["name"]))
    column = every.get_indexer(own)
    kept = (row >= 0) & (column >= 0)
    np.add.at(out, (row[kept], column[kept]), known["value"].to_numpy(dtype=np.float64)[kept])
    step = WORDS[str(every.freqstr)[0]] if len(every) else "day"
    return Grid(tuple(order), tuple(_said(span, step) for span in every), out, step)


def sites_shown(sites: pd.Series, weights: pd.Series, most: int) -> tuple[list[str], pd.Series]:
    """Names of the sites with the most, and the name of each video's row: the rest are pooled as OTHERS."""
    named = sites.fillna(UNKNOWN).astype(str)
    totals = weights.groupby(named).sum().sort_values(ascending=False, kind="stable")
    if len(totals) <= most:
        return sorted(totals.index), named
    kept = set(totals.index[: most - 1])
    return [*sorted(kept), OTHERS], named.where(named.isin(kept), OTHERS)


def _said(span: pd.Period, step: str) -> str:
    if step == "day":
        return f"{span.start_time:%Y-%m-%d}"
    if step == "week":
        return f"week of {span.start_time:%Y-%m-%d}"
    return str(span)
