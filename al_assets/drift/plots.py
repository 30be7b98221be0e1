"""The trend of drift per site as SVG text, small enough for an event log. Values in, text out; no data is read here."""

from __future__ import annotations

import io
from collections.abc import Mapping

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
"""Okabe and Ito (2008): told apart with any colour vision."""
MARKERS = "os^Dv<>"
SITES = len(COLOURS)


def drift_by_site_svg(shares: Mapping[str, Mapping[str, float]]) -> str:
    """Share of videos adrift (0 to 1) by month, one line a site: site -> month ("2026-05") -> share.

    Told apart by marker too. Beyond SITES those with the most months are shown and the title says so; nothing where
    there is no site.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    if not shares:
        return ""
    shown = sorted(shares, key=lambda site: (-len(shares[site]), site))[:SITES]
    months = sorted({month for site in shown for month in shares[site]})
    figure = Figure(figsize=(4.8, 2.6), layout="constrained")
    axes = figure.subplots()
    for number, site in enumerate(sorted(shown)):
        own = sorted(shares[site])
        axes.plot(
            [months.index(month) for month in own],
            [shares[site][month] for month in own],
            color=COLOURS[number],
            marker=MARKERS[number],
            markersize=4,
            linewidth=1.2,
            label=site,
        )
    every = 1 + (len(months) - 1) // 6
    axes.set_xticks(range(0, len(months), every), months[::every], fontsize=8)
    axes.set(ylabel="share adrift", ylim=(-0.03, 1.03))
    axes.spines[["top", "right"]].set_visible(False)
    if len(shares) > len(shown):
        axes.set_title(f"{len(shown)} of {len(shares)} sites", fontsize=8, loc="left")
    axes.legend(frameon=False, fontsize=7)
    text = io.StringIO()
    # Ids from a fixed salt and no date: the same numbers give the same picture.
    with mpl.rc_context({"svg.hashsalt": "drift", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()
