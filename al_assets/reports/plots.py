"""Plots as SVG text, small enough for an event log: learning curves and classes. Values in, text out; reads no data."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from al_assets.reports.words import short

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
"""Okabe and Ito (2008): told apart with any colour vision."""
MARKERS = "os^Dv<>"
DASHES = ("-", "--", ":", "-.")
CLASSES = 40
POINTS_WITH_MARKERS = 12
_TAG, _COMMENT = re.compile(r"<[^>]*>"), re.compile(r"<!--.*?-->", re.DOTALL)
_LONG_NUMBER = re.compile(r"(\d+\.\d\d)\d+")


@dataclass(frozen=True)
class CurvePoint:
    """A point of a learning curve with its interval, where it has one."""

    labels: int
    value: float
    low: float | None = None
    high: float | None = None


def learning_curve_svg(curves: Mapping[str, Sequence[CurvePoint]], metric: str) -> str:
    """Metric against labels, one line a curve with its interval as a band; told apart by marker too."""
    figure, axes = new_figure(4.8, 3.0)
    for number, (name, points) in enumerate(curves.items()):
        ordered = sorted(points, key=lambda point: point.labels)
        colour = COLOURS[number % len(COLOURS)]
        labels = [point.labels for point in ordered]
        style = {"marker": MARKERS[number % len(MARKERS)], "markersize": 4}
        every = 1 + (len(ordered) - 1) // POINTS_WITH_MARKERS
        axes.plot(labels, [p.value for p in ordered], color=colour, markevery=every, label=name, **style)
        banded = [p for p in ordered if p.low is not None and p.high is not None]
        if banded:
            low, high = [p.low for p in banded], [p.high for p in banded]
            axes.fill_between([p.labels for p in banded], low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set(xlabel="labelled frames", ylabel=metric, ylim=(0, 1))
    if curves:
        axes.legend(frameon=False, fontsize=8)
    return svg_of(figure)


def arms_svg(points: Sequence[CurvePoint]) -> str:
    """Difference of accuracy between the strategy's labels and random ones against labels of each, with intervals.

    Nothing where there is no point.
    """
    if not points:
        return ""
    figure, axes = new_figure(4.8, 2.6)
    ordered = sorted(points, key=lambda point: point.labels)
    axes.axhline(0, color="#888888", linewidth=0.8)
    axes.errorbar(
        [point.labels for point in ordered],
        [point.value for point in ordered],
        yerr=[
            [point.value - (point.low if point.low is not None else point.value) for point in ordered],
            [(point.high if point.high is not None else point.value) - point.value for point in ordered],
        ],
        color=COLOURS[0],
        marker=MARKERS[0],
        markersize=4,
        linewidth=1,
        capsize=2,
    )
    axes.set(xlabel="labels of each arm", ylabel="strategy - random")
    return svg_of(figure)


def strategy_curves_svg(curves: Mapping[str, Sequence[CurvePoint]], metric: str, caption: str) -> str:
    """Curves of several strategies in one plot with their intervals as bands, named in the order in which they end.

    The axis spans what is shown, since strategies differ by a few points. Beyond as many as there are colours, dashes
    tell curves of one colour apart. caption: what the band is, and how the curves came about.
    """
    figure, axes = new_figure(8.0, 4.6)
    ordered = {name: sorted(points, key=lambda point: point.labels) for name, points in curves.items()}
    for number, (name, points) in enumerate(ordered.items()):
        turn, place = divmod(number, len(COLOURS))
        labels, colour = [point.labels for point in points], COLOURS[place]
        axes.plot(
            labels,
            [point.value for point in points],
            color=colour,
            linestyle=DASHES[turn % len(DASHES)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=4,
            markevery=1 + (len(points) - 1) // POINTS_WITH_MARKERS,
            linewidth=2.2 if number == 0 else 1.4,
            label=f"{name}  {points[-1].value:.3f}",
        )
        banded = [(p.labels, p.low, p.high) for p in points if p.low is not None and p.high is not None]
        if banded:
            axes.fill_between(*zip(*banded, strict=True), color=colour, alpha=0.12, linewidth=0)
    # An interval may reach past what the metric can.
    axes.set(
        xlabel="labelled frames", ylabel=metric, ylim=(max(0, axes.get_ylim()[0]), min(1, axes.get_ylim()[1]))
    )
    axes.set_title(caption, fontsize=8, loc="left")
    handles, names = axes.get_legend_handles_labels()
    ends = sorted(range(len(names)), key=lambda row: -list(ordered.values())[row][-1].value)
    legend = {"frameon": False, "fontsize": 8, "loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
    axes.legend([handles[row] for row in ends], [names[row] for row in ends], title="at the end", **legend)
    return svg_of(figure)


def class_distribution_svg(counts: Mapping[str, Mapping[str, int]]) -> str:
    """Horizontal bars of frames by class, one colour a series (such as labelled and predicted).

    The commonest classes come first; beyond CLASSES of them the axis says how many are not shown.
    """
    totals: dict[str, int] = {}
    for series_counts in counts.values():
        for name, count in series_counts.items():
            totals[name] = totals.get(name, 0) + count
    names = sorted(totals, key=lambda name: (-totals[name], name))[:CLASSES]
    figure, axes = new_figure(4.8, 1.0 + 0.25 * max(1, len(names)))
    height = 0.8 / max(1, len(counts))
    for number, (series, values) in enumerate(counts.items()):
        places = [row + number * height for row in range(len(names))]
        widths = [values.get(name, 0) for name in names]
        axes.barh(places, widths, height=height, color=COLOURS[number % len(COLOURS)], label=series)
    # A class name is what people wrote: "$" in it is no formula.
    axes.set_yticks(
        [row + 0.4 - height / 2 for row in range(len(names))],
        [short(name) for name in names],
        parse_math=False,
    )
    axes.invert_yaxis()
    hidden = len(totals) - len(names)
    axes.set(xlabel=f"frames ({hidden} more classes not shown)" if hidden else "frames")
    axes.legend(frameon=False, fontsize=8)
    return svg_of(figure)


def new_figure(width: float, height: float) -> tuple[Any, Any]:
    """A figure of its own: pyplot's global state is not for threads."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    return figure, axes


def svg_of(figure: Any) -> str:
    """SVG text with real text elements (small, searchable), the same bytes for the same values."""
    import matplotlib

    # Every text repeats its font list, so the list is short.
    fonts = ["DejaVu Sans", "Arial"]
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "al", "font.sans-serif": fonts}):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = _COMMENT.sub("", text[text.index("<svg") :])
    # Hundredths of a point are enough for the eye, and half of the bytes. Between tags stands what people wrote.
    text = _TAG.sub(lambda tag: _LONG_NUMBER.sub(r"\1", tag.group()), text)
    return re.sub(r"\n\s*", "\n", text)
