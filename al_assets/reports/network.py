"""Who is seen with whom as small node-link drawings, one a month, every name at the same place in each.

Counts in, SVG text out. Positions are on a circle, neighbours those that are most together, and depend on the counts
only, so that the same archive gives the same drawing; a layout by forces would move from month to month.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from al_assets.reports.words import short

Pair = tuple[str, str]
WIDTH, HEIGHT = 340.0, 230.0
RADIUS = 78.0
DOT = "#0072B2"
LINE = "#D55E00"
FAINT = "#c8ccd1"
LONGEST_NAME = 15


def ring_order(totals: Mapping[Pair, float], names: Sequence[str]) -> list[str]:
    """Names around the circle: the most connected first, then always the one most together with the last placed."""
    strength = {name: sum(n for pair, n in totals.items() if name in pair) for name in names}
    left = sorted(names, key=lambda name: (-strength[name], name))
    order = left[:1]
    left = left[1:]
    while left:
        here = order[-1]
        following = min(left, key=lambda name: (-_between(totals, here, name), -strength[name], name))
        order.append(following)
        left.remove(following)
    return order


def network_svg(month: str, encounters: Mapping[Pair, float], order: Sequence[str], largest: float) -> str:
    """One month: a line a pair, thicker for more encounters; names not seen with anybody that month are faint.

    order: as `ring_order` gives it, the same for all months. largest: encounters of the thickest line.
    """
    places = {
        name: (WIDTH / 2 + RADIUS * math.sin(angle), HEIGHT / 2 - RADIUS * math.cos(angle), angle)
        for name, angle in ((name, 2 * math.pi * at / len(order)) for at, name in enumerate(order))
    }
    met = {name for pair, count in encounters.items() if count > 0 for name in pair}
    lines = [
        f'<line x1="{places[a][0]:.1f}" y1="{places[a][1]:.1f}" x2="{places[b][0]:.1f}" y2="{places[b][1]:.1f}" '
        f'stroke="{LINE}" stroke-opacity="{0.25 + 0.65 * count / largest:.2f}" '
        f'stroke-width="{0.6 + 5.4 * count / largest:.2f}">'
        f"<title>{escape(a)} and {escape(b)}: {count:.0f} encounters</title></line>"
        for (a, b), count in sorted(encounters.items(), key=lambda item: (item[1], item[0]))
        if count > 0 and a in places and b in places
    ]
    dots = [_dot(name, place, name in met) for name, place in places.items()]
    words = escape(f"Encounters in {month}", quote=True)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" width="{WIDTH:.0f}" '
        f'height="{HEIGHT:.0f}" font-family="system-ui,sans-serif" font-size="10"><title>{words}</title>'
        f"{''.join(lines)}{''.join(dots)}</svg>"
    )


def _dot(name: str, place: tuple[float, float, float], met: bool) -> str:
    x, y, angle = place
    outward = RADIUS + 9
    tx, ty = WIDTH / 2 + outward * math.sin(angle), HEIGHT / 2 - outward * math.cos(angle) + 3.5
    side = math.sin(angle)
    anchor = "middle" if abs(side) < 0.2 else ("start" if side > 0 else "end")
    fill, ink = (DOT, "#1b1f24") if met else (FAINT, "#6b7280")
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}"><title>{escape(name)}</title></circle>'
        f'<text x="{tx:.1f}" y="{ty:.1f}" text-anchor="{anchor}" fill="{ink}">'
        f"{escape(short(name, LONGEST_NAME))}</text>"
    )


def _between(totals: Mapping[Pair, float], one: str, other: str) -> float:
    return totals.get((one, other), 0.0) + totals.get((other, one), 0.0)
