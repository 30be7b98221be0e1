"""Plots of what an archive holds: coverage, sightings over time, repeated frames. Values in, SVG out; reads no data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from al_assets.reports.coverage import Grid
from al_assets.reports.plots import COLOURS, new_figure, svg_of
from al_assets.reports.words import short

GAP = "#ececec"
TICKS = 8


def coverage_svg(coverage: Grid, unit: str) -> str:
    """Heat map of what was recorded by site and span; grey where there is nothing. Nothing where there is no span."""
    if not coverage.rows or not coverage.spans:
        return ""
    figure, axes = new_figure(8.4, 1.3 + 0.26 * len(coverage.rows))
    axes.set_facecolor(GAP)
    shown = np.ma.masked_equal(coverage.values, 0.0)
    # A picture of one pixel a cell: thousands of drawn cells would not fit the event log.
    image = axes.imshow(
        shown, cmap="cividis", aspect="auto", interpolation="none", vmin=0, vmax=max(shown.max(), 1e-9)
    )
    _axes(axes, coverage)
    for row in range(1, len(coverage.rows)):
        axes.axhline(row - 0.5, color="#ffffff", linewidth=1)
    figure.colorbar(image, ax=axes, label=unit, pad=0.01)
    return svg_of(figure)


def timeline_svg(seen: Grid, recorded: Sequence[bool]) -> str:
    """Sightings by individual (rows) and span: a dot a span, its area growing with the count.

    recorded: whether there is any recording in a span; where there is none the span is grey, since nobody could be
    seen. Nothing where there is no row or no span.
    """
    if not seen.rows or not seen.spans:
        return ""
    figure, axes = new_figure(8.4, 1.2 + 0.24 * len(seen.rows))
    for column in np.flatnonzero(~np.asarray(recorded, dtype=bool)):
        axes.axvspan(column - 0.5, column + 0.5, color=GAP, linewidth=0)
    rows, columns = np.nonzero(seen.values)
    counts = seen.values[rows, columns]
    largest = counts.max() if len(counts) else 1.0
    axes.scatter(
        columns, rows, s=8 + 90 * counts / largest, color=COLOURS[0], linewidth=0, alpha=0.85, zorder=3
    )
    _axes(axes, seen)
    axes.set(xlim=(-0.6, len(seen.spans) - 0.4), ylim=(len(seen.rows) - 0.4, -0.6))
    axes.set_title(f"largest dot: {largest:.0f} sightings in a {seen.step}", fontsize=8, loc="left")
    return svg_of(figure)


def bars_svg(names: Sequence[str], values: Sequence[float], label: str, form: str = ".0f") -> str:
    """Horizontal bars with their values beside them. Nothing where there is no name."""
    if not names:
        return ""
    figure, axes = new_figure(6.4, 0.9 + 0.26 * len(names))
    axes.barh(range(len(names)), values, color=COLOURS[4], height=0.7)
    for row, value in enumerate(values):
        axes.annotate(
            f"{value:{form}}",
            (value, row),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(names)), [short(name) for name in names], parse_math=False)
    axes.invert_yaxis()
    axes.set(xlabel=label, xlim=(0, max(0.05, *values) * 1.12))
    return svg_of(figure)


def _axes(axes: Any, shown: Grid) -> None:
    every = max(1, -(-len(shown.spans) // TICKS))
    at = range(0, len(shown.spans), every)
    # A site's or class's name is what people wrote: "$" in it is no formula.
    axes.set_xticks(list(at), [shown.spans[place].removeprefix("week of ") for place in at], fontsize=8)
    axes.set_yticks(
        range(len(shown.rows)), [short(name) for name in shown.rows], parse_math=False, fontsize=8
    )
    axes.set(xlabel=f"{shown.step} (of the start of a recording)")
    axes.grid(False)
