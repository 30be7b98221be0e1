from dataclasses import replace

from al_assets.reports.confusion_reasons import PairFacts, reasons
from al_assets.reports.words import interval, short

PLAIN = PairFacts(("ann", "ben"), (100, 90), (0.2, None), 9, 30, 0.1, 1.0, 1.0, None)


def test_where_nothing_stands_out_the_stills_are_to_be_looked_at() -> None:
    assert reasons(PLAIN).startswith(
        "Neither labels, light, sharpness nor box area stand out: ann and ben may look"
    )


def test_few_or_uneven_labels_are_named() -> None:
    assert "ben has only 3 labels" in reasons(replace(PLAIN, labelled=(100, 3)))
    assert "ann has 10 times fewer labels" in reasons(replace(PLAIN, labelled=(30, 300)))


def test_dark_bright_blurred_and_small_are_named_with_their_numbers() -> None:
    assert "are dark (0.40 of" in reasons(replace(PLAIN, light=0.4))
    assert "are very bright (2.00 times" in reasons(replace(PLAIN, light=2.0))
    assert "are blurred (0.30 of" in reasons(replace(PLAIN, sharpness=0.3))
    assert "ann is small (1.0% of the frame)" in reasons(replace(PLAIN, box_area=(0.01, None)))


def test_what_the_hold_out_says_stands_last() -> None:
    assert reasons(replace(PLAIN, taken_for=(4, 1))).endswith(
        "ann was taken for ben 4 times and ben for ann 1 times."
    )


def test_an_interval_is_said_where_it_is_known() -> None:
    assert interval(0.8, 0.7, 0.9) == "0.800 (0.700 to 0.900)"
    assert interval(-0.1, -0.2, 0.05, signed=True) == "-0.100 (-0.200 to +0.050)"
    assert interval(0.8, float("nan"), None) == "0.800"
    assert interval(None, 0.1, 0.2) == ""


def test_a_long_name_keeps_its_end_which_tells_it_from_others() -> None:
    assert short("individual number 0001", 15) == "individ\u2026er 0001"
    assert short("short") == "short"
