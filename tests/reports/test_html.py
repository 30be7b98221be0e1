from html.parser import HTMLParser

import numpy as np
import pandas as pd

from al_assets.reports.html import Link, Section, Still, page
from al_assets.reports.plots import learning_curve_svg

VOID = {"meta", "link", "br", "img", "wbr"}


class Outline(HTMLParser):
    """Open tags must close; addresses are collected."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def whole() -> str:
    table = pd.DataFrame(
        {"class": ["one", "two"], "f1": [0.5, np.nan], "positives": [3, 4], "when": [None, "now"]}
    )
    return page(
        "Report", "All is well.", [Section("Quality", "A note.", "<svg></svg>", table), Section("Empty")]
    )


def test_a_page_is_well_formed_and_fetches_nothing() -> None:
    outline = Outline(whole())
    assert outline.open == []
    assert all(address.startswith(("#", "data:")) or address == "index.html" for address in outline.addresses)
    assert "script" not in outline.tags
    assert outline.tags.count("svg") == 1


def test_numbers_are_rounded_and_what_is_not_known_is_left_empty() -> None:
    text = whole()
    assert '<td class="n">0.500</td>' in text
    assert "<td></td>" in text
    assert "nan" not in text.lower()
    assert "None" not in text


def test_what_people_wrote_is_shown_and_never_run() -> None:
    evil = "<script>alert(1)</script>"
    still = Still((evil, evil), b"jpeg")
    table = pd.DataFrame({evil: [evil, Link(f'" {evil}', evil)]})
    inner = Section(evil, evil, "<svg></svg>", table, [still, Still((evil,))], alt=f'" {evil}')
    text = page(evil, evil, [Section(evil, parts=[inner])])
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") == 17
    Outline(text)


def test_a_page_can_be_walked_through_by_keyboard_and_read_aloud() -> None:
    section = Section(
        "Quality", "", "<svg></svg>", pd.DataFrame({"n": [1]}), [Still(("a.mp4 at 0:01", "b"), b"x")]
    )
    text = page("Report", "All is well.", [section, Section("More", parts=[Section("Inner")])])
    assert '<a class="skip" href="#main">' in text
    assert '<a href="#s1">Quality</a>' in text
    assert '<h2 id="s1">Quality</h2>' in text
    assert "<h3>Inner</h3>" in text
    assert '<svg role="img" aria-label="Quality">' in text
    assert 'alt="a.mp4 at 0:01, b"' in text
    assert text.count('tabindex="0"') == 2  # the table that scrolls and the still
    assert ":focus-visible" in text


def test_names_that_matplotlib_gives_to_groups_stand_once_a_page() -> None:
    drawn = learning_curve_svg({"a": []}, "f1")
    text = page("t", "s", [Section("One", svg=drawn), Section("Two", svg=drawn)])
    assert 'id="figure_1"' in drawn
    assert 'id="figure_1"' not in text


def test_a_table_without_rows_says_so() -> None:
    assert "nothing yet" in page("t", "s", [Section("Decisions", table=pd.DataFrame())])


def test_a_long_table_is_cut_and_says_how_much_is_missing() -> None:
    text = page("t", "s", [Section("Rows", table=pd.DataFrame({"n": range(250)}))])
    assert text.count("<tr>") == 201
    assert "50 more rows" in text
