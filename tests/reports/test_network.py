import re
import xml.etree.ElementTree as ET

from al_assets.reports.network import network_svg, ring_order

NAMES = ["ann", "ben", "cat", "dan"]
TOTALS = {("ann", "dan"): 9.0, ("ben", "dan"): 2.0, ("ben", "cat"): 1.0}


def circles(svg: str) -> dict[str, tuple[str, str]]:
    space = "{http://www.w3.org/2000/svg}"
    return {
        c[0].text or "": (c.get("cx", ""), c.get("cy", "")) for c in ET.fromstring(svg).iter(f"{space}circle")
    }


def test_the_ring_begins_with_the_most_connected_and_keeps_friends_together() -> None:
    assert ring_order(TOTALS, NAMES) == ["dan", "ann", "ben", "cat"]
    assert ring_order(TOTALS, NAMES[::-1]) == ring_order(TOTALS, NAMES)
    assert ring_order({}, []) == []


def test_every_name_stays_at_its_place_from_month_to_month() -> None:
    order = ring_order(TOTALS, NAMES)
    january = network_svg("2026-01", TOTALS, order, 9)
    february = network_svg("2026-02", {("ann", "dan"): 1.0}, order, 9)
    assert set(circles(january)) == set(NAMES)
    assert circles(january) == circles(february)
    assert january.count("<line") == 3
    assert february.count("<line") == 1


def test_more_encounters_make_a_thicker_line() -> None:
    svg = network_svg("2026-01", TOTALS, NAMES, 9)
    widths = [float(found) for found in re.findall(r'stroke-width="([\d.]+)"', svg)]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_names_are_text_and_never_markup() -> None:
    svg = network_svg("<m>", {("<b>", "A & B"): 1.0}, ["<b>", "A & B"], 1)
    ET.fromstring(svg)
    assert set(circles(svg)) == {"<b>", "A & B"}
