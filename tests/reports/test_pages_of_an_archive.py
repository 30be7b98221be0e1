"""The three reports of whole small archives, as Dagster writes them and as Chromium shows them."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from al_assets.reports.assets import archive_report, batch_report
from support.browser import browser
from support.report_archive import EVIL, ReportArchive

PAGES = ("index", "model_report", "archive_report", "batch_report")
LARGEST = 10_000_000
ALL_LOADED = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
UNDRAWN = """[...document.querySelectorAll('svg')].filter(svg => {
  const box = svg.getBoundingClientRect(); return box.width < 40 || box.height < 40;
}).length"""
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
NAMELESS = "[...document.querySelectorAll('svg[role=img]')].filter(s => !s.getAttribute('aria-label')).length"
FOCUS = "document.activeElement.className + ' ' + document.activeElement.tagName"


class Addresses(HTMLParser):
    """Tags and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.events: list[str] = []
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.events += [name for name, _ in attrs if name.startswith("on")]
        self.found += [value for name, value in attrs if name in ("src", "href", "xlink:href")]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReportArchive, dict]:
    made = ReportArchive(tmp_path_factory.mktemp("small"), classes=12)
    return made, made.make_reports()


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReportArchive, dict]:
    made = ReportArchive(tmp_path_factory.mktemp("many"), classes=1000, task="single_label")
    return made, made.make_reports()


def texts(made: ReportArchive) -> dict[str, str]:
    return {page: (made.reports / f"{page}.html").read_text(encoding="utf-8") for page in PAGES}


def test_what_people_wrote_never_becomes_markup(small) -> None:
    for text in texts(small[0]).values():
        page = Addresses(text)
        assert "script" not in page.tags
        assert page.events == []
        assert "x" not in page.found
    assert EVIL not in texts(small[0])["batch_report"]
    assert "&lt;img src=x" in texts(small[0])["batch_report"]


def test_pages_fetch_nothing_and_link_what_lies_beside_them(small) -> None:
    made, _ = small
    for name, text in texts(made).items():
        for address in Addresses(text).found:
            if not address.startswith(("#", "data:")):
                assert (made.reports / address).is_file(), (name, address)


def test_pages_of_a_thousand_classes_stay_small_and_say_what_they_leave_out(many) -> None:
    sizes = {page: len(text.encode()) for page, text in texts(many[0]).items()}
    assert max(sizes.values()) < LARGEST, sizes
    assert "more classes not shown" in texts(many[0])["archive_report"]
    assert "more are not shown" in texts(many[0])["model_report"]


def test_every_report_has_a_small_picture_and_links_in_its_metadata(small, many) -> None:
    for _, metadata in (small, many):
        assert set(metadata) == {"model_report", "archive_report", "batch_report"}
        for shown in metadata.values():
            assert shown["report"].value.endswith(".html")
            assert shown["all_reports"].value.endswith("/reports/index.html")
            pictures = [v.value for v in shown.values() if str(v.value).startswith("![")]
            assert len(pictures) == 1
            assert len(pictures[0]) < 28_000  # 20 kB of SVG in base64


def test_the_same_archive_gives_the_same_pages(small) -> None:
    made, _ = small
    before = texts(made)
    made.make_reports(archive_report, batch_report)
    assert {page: texts(made)[page] for page in PAGES[2:]} == {page: before[page] for page in PAGES[2:]}


def test_a_model_report_says_how_much_labels_light_and_sharpness_have_to_do_with_doubt(small) -> None:
    text = texts(small[0])["model_report"]
    for said in (
        "people say",
        "in doubt, margin",
        "labels of",
        "classes are pooled",
        "the newest, less ck-1",
    ):
        assert said in text


def test_a_batch_report_shows_each_frame_and_keeps_frames_to_measure_by_blind(small) -> None:
    text = texts(small[0])["batch_report"]
    assert text.count("data:image/jpeg") == 8 + 2 * 4
    assert text.count("<b>7. blind</b>") == text.count("<b>8. blind</b>") == 1
    assert "looks too much alike" in text


def test_a_frame_that_cannot_be_read_costs_its_picture_and_not_the_report(tmp_path: Path) -> None:
    made = ReportArchive(tmp_path, classes=3)
    for still in (made.reports.parent / "videos" / "cam" / "1").iterdir():
        still.unlink()
    made.make_reports(batch_report)
    assert "no picture" in (made.reports / "batch_report.html").read_text(encoding="utf-8")


def test_chromium_shows_the_pages_whole_and_without_complaint(small, many) -> None:
    with browser() as tab:
        for made, _ in (small, many):
            for name in PAGES:
                tab.requests.clear()
                tab.open(made.reports / f"{name}.html")
                assert tab.console_errors == [], name
                assert tab.run(ALL_LOADED), name
                assert tab.run(UNDRAWN) == tab.run(NAMELESS) == 0, name
                assert not tab.run(TOO_WIDE), name
                assert all(url.startswith(("file:", "data:")) for url in tab.requests), name
        tab.open(small[0].reports / "batch_report.html")
        assert tab.run("document.images.length") == 16
        tab.press("Tab")
        assert tab.run(FOCUS) == "skip A"
        tab.press("Tab", 6)  # the way back, four sections, the table of arms
        assert tab.run(FOCUS) == "scroll DIV"
        tab.press("Tab")
        assert tab.run(FOCUS) == " FIGURE"
        tab.open(small[0].reports / "archive_report.html")
        assert tab.run("document.querySelectorAll('svg').length") >= 6
