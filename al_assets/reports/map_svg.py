"""The map as a small picture for an asset's metadata: some hundred points, coloured as on the page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from al_assets.reports.plots import COLOURS

POINTS = 700
SIZE = 320
GREY, OTHER = "#c6ccd3", "#87919e"


def map_svg(xy: np.ndarray, classes: Sequence[int]) -> str:
    """SVG of at most POINTS of (n, 2) points, evenly taken; empty without any.

    classes: (n,) place of each point's class in the order of how common it is, negative where nothing is known.
    """
    if not len(xy):
        return ""
    taken = np.unique(np.linspace(0, len(xy) - 1, min(len(xy), POINTS)).astype(np.int64))
    span = max(float(np.ptp(xy, axis=0).max()), 1e-9)
    places = np.round((xy - xy.min(axis=0)) / span * (SIZE - 12) + 6).astype(int)
    marks: dict[str, list[str]] = {}
    for row in taken.tolist():
        number = int(classes[row])
        colour = GREY if number < 0 else COLOURS[number] if number < len(COLOURS) else OTHER
        marks.setdefault(colour, []).append(f"M{places[row, 0]} {SIZE - places[row, 1]}h0")
    paths = "".join(
        f'<path stroke="{colour}" d="{"".join(drawn)}"/>'
        for colour, drawn in sorted(marks.items(), key=lambda item: item[0] != GREY)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" width="{SIZE}" height="{SIZE}" '
        f'stroke-width="5" stroke-linecap="round" fill="none">{paths}</svg>'
    )
