"""Plots of what a model is worth: reliability, confusion, quality by class. Values in, SVG text out; reads no data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from al_assets.reports.model_quality import Bin, ClassQuality, Confusion
from al_assets.reports.plots import COLOURS, MARKERS, new_figure, svg_of
from al_assets.reports.words import short

CLASSES = 30
"""Classes in the plot of quality by class."""
MEASURES = ("precision", "recall", "f1")


def reliability_svg(bins: Sequence[Bin]) -> str:
    """Share that is right against the probability that was given, with how many decisions a bin rests on.

    The dot's area grows with the count, which also stands beside it. Nothing where there is no bin.
    """
    if not bins:
        return ""
    figure, axes = new_figure(4.8, 3.6)
    axes.plot([0, 1], [0, 1], color="#888888", linewidth=0.8, linestyle="--", label="as sure as right")
    largest = max(found.count for found in bins)
    confidence = [found.confidence for found in bins]
    right = [found.right for found in bins]
    axes.plot(confidence, right, color=COLOURS[0], linewidth=1)
    sizes = [20 + 160 * found.count / largest for found in bins]
    axes.scatter(confidence, right, s=sizes, color=COLOURS[0], zorder=3, label="decisions")
    for found in bins:
        above = found.right < 0.9
        axes.annotate(
            f"{found.count}",
            (found.confidence, found.right),
            xytext=(0, 11 if above else -17),
            textcoords="offset points",
            ha="center",
            fontsize=7,
        )
    axes.set(xlabel="probability given", ylabel="share that is right", xlim=(-0.04, 1.04), ylim=(-0.06, 1.06))
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    return svg_of(figure)


def confusion_svg(confusion: Confusion) -> str:
    """Frames by the class that people say (rows) and the one that the model says, as shares of a row, with counts.

    Nothing where there is no class.
    """
    size = len(confusion.names)
    if not size:
        return ""
    side = 1.6 + 0.3 * size
    figure, axes = new_figure(side + 0.9, side)
    totals = confusion.counts.sum(axis=1, keepdims=True)
    shares = confusion.counts / np.maximum(totals, 1)
    edges = np.arange(size + 1) - 0.5
    mesh = axes.pcolormesh(edges, edges, shares, cmap="cividis", vmin=0, vmax=1, rasterized=False)
    for row, column in zip(*np.nonzero(confusion.counts), strict=True):
        light = shares[row, column] > 0.55
        axes.text(
            column,
            row,
            f"{confusion.counts[row, column]:.0f}",
            ha="center",
            va="center",
            fontsize=7,
            color="#000000" if light else "#ffffff",
        )
    # A class name is what people wrote: "$" in it is no formula.
    names = [short(name) for name in confusion.names]
    axes.set_xticks(range(size), names, rotation=90, parse_math=False)
    axes.set_yticks(range(size), names, parse_math=False)
    axes.invert_yaxis()
    axes.grid(False)
    axes.set(xlabel=confusion.said, ylabel=confusion.meant)
    figure.colorbar(mesh, ax=axes, shrink=0.8, label="share of the row")
    return svg_of(figure)


def quality_svg(classes: Sequence[ClassQuality]) -> str:
    """Precision, recall and F1 of each class as points with their intervals; the first CLASSES of those given.

    Nothing where there is no class.
    """
    shown = list(classes)[:CLASSES]
    if not shown:
        return ""
    figure, axes = new_figure(6.4, 1.1 + 0.34 * len(shown))
    for number, measure in enumerate(MEASURES):
        points = [(row, c.measures[measure]) for row, c in enumerate(shown) if measure in c.measures]
        if not points:
            continue
        values = [point.value for _, point in points]
        # Rounding may leave a value a hair outside of its interval.
        below = [max(0.0, p.value - (p.value if p.low is None else p.low)) for _, p in points]
        above = [max(0.0, (p.value if p.high is None else p.high) - p.value) for _, p in points]
        axes.errorbar(
            values,
            [row + 0.22 * (number - 1) for row, _ in points],
            xerr=[below, above],
            color=COLOURS[number],
            marker=MARKERS[number],
            markersize=4,
            linestyle="none",
            linewidth=0.9,
            label=measure.upper() if measure == "f1" else measure,
        )
    names = [f"{short(c.name)} ({c.positives})" for c in shown]
    axes.set_yticks(range(len(shown)), names, parse_math=False)
    axes.set(xlim=(-0.02, 1.02), ylim=(len(shown) - 0.4, -0.6), xlabel="value, with its 95 % interval")
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0))
    return svg_of(figure)
