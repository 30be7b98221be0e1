import xml.etree.ElementTree as ET

import numpy as np

from al_assets.reports.archive_plots import bars_svg, coverage_svg, timeline_svg
from al_assets.reports.coverage import Grid
from al_assets.reports.model_quality import Bin, ClassQuality, Confusion, Value
from al_assets.reports.quality_plots import CLASSES, confusion_svg, quality_svg, reliability_svg

EVIL = "<b> & $x^2$"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def classes(count: int) -> list[ClassQuality]:
    measured = {name: Value(0.5, 0.25, 0.75) for name in ("precision", "recall", "f1")}
    return [ClassQuality(f"class {n}", n, measured) for n in range(count)]


def test_a_reliability_diagram_says_how_many_decisions_each_point_rests_on() -> None:
    said = texts(reliability_svg([Bin(0.05, 0.0, 169), Bin(0.95, 1.0, 3)]))
    assert {"169", "3", "probability given", "share that is right"} <= set(said)


def test_a_confusion_matrix_shows_the_counts_that_are_not_zero() -> None:
    said = texts(confusion_svg(Confusion((EVIL, "two"), np.array([[7.0, 0], [2, 0]]), "meant", "said", 0)))
    assert said.count("7") == said.count("2") == 1
    assert said.count(EVIL) == 2


def test_quality_is_drawn_of_so_many_classes_and_fits_the_page() -> None:
    svg = quality_svg(classes(1000))
    assert sum(text.startswith("class ") for text in texts(svg)) == CLASSES
    assert len(svg) < 200_000


def test_a_class_without_a_metric_has_no_point_for_it() -> None:
    assert "recall" not in texts(quality_svg([ClassQuality("a", 1, {"f1": Value(0.5)})]))


def test_coverage_of_many_sites_and_spans_fits_the_event_log() -> None:
    rng = np.random.default_rng(0)
    spans = tuple(f"2026-{n:02}" for n in range(40))
    values = rng.random((12, 40)) * (rng.random((12, 40)) > 0.3)
    svg = coverage_svg(Grid(tuple(f"site {n}" for n in range(12)), spans, values, "month"), "hours")
    assert len(svg) < 20_000
    assert {"site 0", "site 11", "hours"} <= set(texts(svg))


def test_a_timeline_names_everybody_and_the_largest_dot() -> None:
    seen = Grid((EVIL, "two"), ("2026-01", "2026-02"), np.array([[3.0, 0], [0, 1]]), "month")
    said = texts(timeline_svg(seen, [True, False]))
    assert {EVIL, "two", "largest dot: 3 sightings in a month"} <= set(said)


def test_nothing_to_draw_is_no_picture() -> None:
    empty = Grid((), (), np.zeros((0, 0)), "day")
    nothing = Confusion((), np.zeros((0, 0)), "", "", 0)
    assert coverage_svg(empty, "hours") == timeline_svg(empty, []) == bars_svg([], [], "x") == ""
    assert confusion_svg(nothing) == reliability_svg([]) == quality_svg([]) == ""


def test_the_same_values_give_the_same_bytes() -> None:
    assert quality_svg(classes(3)) == quality_svg(classes(3))
    assert bars_svg(["a"], [0.5], "share", ".0%") == bars_svg(["a"], [0.5], "share", ".0%")
