import re
import xml.etree.ElementTree as ET

from al_assets.reports.plots import COLOURS, CurvePoint, class_distribution_svg, learning_curve_svg

MARGIN = [CurvePoint(20 * n, 0.1 * n, 0.1 * n - 0.05, 0.1 * n + 0.05) for n in range(1, 9)]
RANDOM = [CurvePoint(20 * n, 0.08 * n) for n in range(1, 9)]


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_a_learning_curve_names_its_curves_and_its_axes() -> None:
    said = texts(learning_curve_svg({"margin": MARGIN, "random": RANDOM}, "macro-F1"))
    assert {"margin", "random", "macro-F1", "labelled frames"} <= set(said)


def test_curves_differ_in_colour_and_only_measured_intervals_are_drawn() -> None:
    svg = learning_curve_svg({"margin": MARGIN, "random": RANDOM}, "macro-F1").lower()
    assert COLOURS[0].lower() in svg
    assert COLOURS[1].lower() in svg
    assert len(re.findall('id="fillbetween', svg)) == 1


def test_the_order_of_points_does_not_matter() -> None:
    assert learning_curve_svg({"a": MARGIN[::-1]}, "f") == learning_curve_svg({"a": MARGIN}, "f")


def test_the_same_values_give_the_same_bytes() -> None:
    assert learning_curve_svg({"a": MARGIN}, "f") == learning_curve_svg({"a": MARGIN}, "f")


def test_a_long_learning_curve_fits_the_event_log() -> None:
    curves = {
        f"arm {n}": [CurvePoint(10 * i, i / 40, i / 50, i / 35) for i in range(1, 31)] for n in range(2)
    }
    assert len(learning_curve_svg(curves, "macro-F1")) < 20_000


def test_numbers_in_names_are_left_as_people_wrote_them() -> None:
    assert "v1.23456" in texts(class_distribution_svg({"labelled": {"v1.23456": 3}}))


def test_a_curve_without_points_is_still_a_picture() -> None:
    ET.fromstring(learning_curve_svg({}, "macro-F1"))
    ET.fromstring(learning_curve_svg({"margin": []}, "macro-F1"))


def test_a_distribution_names_every_class_and_series() -> None:
    svg = class_distribution_svg(
        {"labelled": {"zero": 12, "one": 3}, "predicted only": {"zero": 90, "nine": 4}}
    )
    assert {"zero", "one", "nine", "labelled", "predicted only"} <= set(texts(svg))
    assert len(svg) < 20_000


def test_class_names_are_text_and_never_markup_or_formulas() -> None:
    names = ["<b>", "A & B", "$x^2$", "_hidden"]
    svg = class_distribution_svg({"labelled": dict.fromkeys(names, 1)})
    assert set(names) <= set(texts(svg))


def test_a_distribution_of_many_classes_says_what_it_leaves_out() -> None:
    svg = class_distribution_svg({"labelled": {f"class {n:03}": n for n in range(100)}})
    said = texts(svg)
    assert "class 099" in said  # the commonest is shown
    assert "class 000" not in said
    assert any("60 more classes" in text for text in said)
